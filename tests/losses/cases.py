# SPDX-License-Identifier: Apache-2.0
"""The losses, data that each is for, and every kind of weights and masks: what the tests of losses share."""

from __future__ import annotations

import keras
import numpy as np
from keras.src.backend import set_keras_mask

from fastrnn import losses

N, T, C = 6, 3, 4
REGRESSION = [
    "MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "Huber",
    "LogCosh", "CosineSimilarity", "Hinge", "SquaredHinge", "CategoricalHinge",
]  # fmt: skip
CASES = [
    *[(name, {}) for name in REGRESSION],
    ("Huber", {"delta": 0.3}),
    ("Poisson", {}),
    ("KLDivergence", {}),
    ("BinaryCrossentropy", {}),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}),
    ("BinaryCrossentropy", {"from_logits": True}),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.2}),
    ("CategoricalCrossentropy", {}),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}),
    ("CategoricalCrossentropy", {"from_logits": True}),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.2}),
    ("SparseCategoricalCrossentropy", {}),
    ("SparseCategoricalCrossentropy", {"from_logits": True}),
    ("SparseCategoricalCrossentropy", {"ignore_class": 2}),
    ("SparseCategoricalCrossentropy", {"ignore_class": -1, "from_logits": True}),
    ("BinaryFocalCrossentropy", {}),
    ("BinaryFocalCrossentropy", {"gamma": 0.5, "label_smoothing": 0.1}),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "alpha": 0.3, "gamma": 3}),
    ("BinaryFocalCrossentropy", {"from_logits": True, "gamma": 0}),
    ("BinaryFocalCrossentropy", {"from_logits": True, "apply_class_balancing": True}),
    ("CategoricalFocalCrossentropy", {}),
    ("CategoricalFocalCrossentropy", {"gamma": 0.5, "label_smoothing": 0.2}),
    ("CategoricalFocalCrossentropy", {"from_logits": True, "alpha": 0.7}),
    ("CategoricalFocalCrossentropy", {"from_logits": True, "gamma": 0, "label_smoothing": 0.2}),
    ("CategoricalGeneralizedCrossEntropy", {}),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.9}),
]
FUSED = [(name, arguments) for name, arguments in CASES
         if "Crossentropy" in name and "Focal" not in name and "from_logits" not in arguments]
REDUCTIONS = ["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none"]


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def data(name, arguments, shape, seed=0, dtype="float32"):
    """Targets and predictions of a kind that the loss is for."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal(shape)
    t = rng.standard_normal(shape)
    if name in ("Poisson", "MeanSquaredLogarithmicError"):
        return np.abs(t).astype(dtype), np.abs(z).astype(dtype)
    if name in ("Hinge", "SquaredHinge"):
        return np.sign(t).astype(dtype), z.astype(dtype)
    if name.startswith("Binary"):
        return (t > 0).astype(dtype), (z if arguments.get("from_logits") else sigmoid(z)).astype(dtype)
    if name in ("SparseCategoricalCrossentropy", "CategoricalGeneralizedCrossEntropy"):
        t = rng.integers(0, shape[-1], shape[:-1])
        if (ignored := arguments.get("ignore_class")) is not None:
            t.flat[::3] = ignored
        return t, (z if arguments.get("from_logits") else softmax(z)).astype(dtype)
    if name in ("CategoricalCrossentropy", "CategoricalFocalCrossentropy", "KLDivergence"):
        return softmax(t).astype(dtype), (z if arguments.get("from_logits") else softmax(z)).astype(dtype)
    if name == "CategoricalHinge":
        t = np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
    return t.astype(dtype), z.astype(dtype)


def one_hot(t, classes=C):
    return np.eye(classes, dtype=np.float32)[t]


def make(name, arguments, reduction="sum_over_batch_size"):
    return getattr(losses, name)(**arguments, reduction=reduction)


def in_keras(name, arguments, reduction, t, p, weight=None, mask=None):
    p = keras.ops.convert_to_tensor(p)
    if mask is not None:
        set_keras_mask(p, keras.ops.convert_to_tensor(mask))
    return getattr(keras.losses, name)(**arguments, reduction=reduction)(t, p, weight)


def central_differences(f, p, step=1e-6):
    gradient = np.empty_like(p)
    for index in np.ndindex(p.shape):
        up, down = p.copy(), p.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (f(up) - f(down)) / (2 * step)
    return gradient


def weights_for(shape, seed=3):
    rng = np.random.default_rng(seed)
    rows = rng.random(shape[:-1]).astype(np.float32)
    kinds = [(None, None), (rows, None), (np.float32(0.3), None)]
    if len(shape) == 3:
        mask = rng.random(shape[:-1]) > 0.4
        mask[0] = [True, False, True]
        kinds += [(rows[..., None], None), (rows[:, :1], None), (None, mask), (rows, mask), (rows[:, :1], mask)]
    return kinds
