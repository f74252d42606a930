# SPDX-License-Identifier: Apache-2.0
"""Models and data that are trained by one process and by several."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

import fastrnn
from fastrnn import optimizers
from fastrnn.layers import LSTM, BatchNormalization, Dense, Embedding, GaussianNoise, Input

SAMPLES, TIME = 83, 7       # so that the last batch is a small one, and no batch is cut into equal parts


def _words(rng: np.random.Generator, rows: int = 60) -> np.ndarray:
    x = rng.integers(1, rows, (SAMPLES, TIME))
    x[np.arange(TIME) >= rng.integers(1, TIME + 1, SAMPLES)[:, None]] = 0
    return x


def reviews(dropout: float) -> tuple[Any, tuple[Any, ...]]:
    """Words to a probability; the table's touched rows are few."""
    rng = np.random.default_rng(0)
    x = _words(rng, 5000)
    model = fastrnn.Sequential([Input((None,), dtype="int32"), Embedding(5000, 8),
                                LSTM(12, dropout=dropout, recurrent_dropout=dropout), Dense(1, "sigmoid")])
    model.compile(optimizers.Adam(0.01, global_clipnorm=1.0), "binary_crossentropy", metrics=["accuracy", "AUC"])
    return model, (x, (x.sum(axis=1) % 2).astype("float32"))


def tags(dropout: float) -> tuple[Any, tuple[Any, ...]]:
    """A class for each word that is there, weights of samples, a penalty on the kernel; most rows are touched."""
    rng = np.random.default_rng(1)
    x = _words(rng, 20)
    model = fastrnn.Sequential([Input((None,), dtype="int32"), Embedding(20, 6, mask_zero=True),
                                LSTM(9, dropout=dropout, return_sequences=True, kernel_regularizer="l2"),
                                Dense(4, "softmax")])
    model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["accuracy"])
    return model, (x, x % 4, rng.random(SAMPLES).astype("float32"))


def two_outputs(dropout: float) -> tuple[Any, tuple[Any, ...]]:
    """A masked output with a loss of its own mean, one that is not masked, and what `add_loss` adds."""
    rng = np.random.default_rng(2)
    words, numbers = Input((TIME,), dtype="int32", name="words"), Input((3,), name="numbers")
    states = LSTM(8, return_sequences=True, dropout=dropout)(Embedding(60, 5, mask_zero=True)(words))
    last = fastrnn.layers.concatenate([LSTM(6)(states), numbers])
    model = fastrnn.Model([words, numbers], [Dense(1, name="each")(states), Dense(2, "softmax", name="all")(last)])
    model.add_loss(fastrnn.ops.square(last) * 0.01)
    model.compile(optimizers.SGD(0.1, momentum=0.9), ["mse", "categorical_crossentropy"], loss_weights=[0.5, 2.0])
    data = [_words(rng), rng.standard_normal((SAMPLES, 3)).astype("float32")]
    targets = [rng.standard_normal((SAMPLES, TIME, 1)).astype("float32"), np.eye(2)[rng.integers(0, 2, SAMPLES)]]
    return model, (data, targets)


def normalized(dropout: float) -> tuple[Any, tuple[Any, ...]]:
    """Statistics of the batch, which are those of a share; noise from a generator of a layer's own."""
    rng = np.random.default_rng(3)
    model = fastrnn.Sequential([Input((5,)), Dense(16), BatchNormalization(momentum=0.8),
                                GaussianNoise(dropout, seed=4), Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    x = rng.standard_normal((SAMPLES, 5)).astype("float32")
    return model, (x, x[:, :1] * 2)


MODELS: dict[str, Callable[[float], tuple[Any, tuple[Any, ...]]]] = {
    "reviews": reviews, "tags": tags, "two_outputs": two_outputs, "normalized": normalized}


def trained(name: str, dropout: float, epochs: int = 2, **options: Any) -> dict[str, Any]:
    """What comes of training a model: its history, and hashes of weights and predictions."""
    fastrnn.utils.set_random_seed(5)
    model, data = MODELS[name](dropout)
    weight = data[2] if len(data) > 2 else None
    history = model.fit(data[0], data[1], sample_weight=weight, batch_size=24, epochs=epochs, verbose=0,
                        validation_data=(data[0], data[1]), **options).history
    evaluated = model.evaluate(data[0], data[1], batch_size=30, verbose=0, return_dict=True)
    predicted = model.predict(data[0], batch_size=30, verbose=0)
    return {"history": history, "evaluated": evaluated, "weights": digest(model.get_weights()),
            "predicted": digest(predicted if isinstance(predicted, list) else [predicted])}


def digest(arrays: Any) -> str:
    """A hash of arrays."""
    found = hashlib.blake2b(digest_size=8)
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
