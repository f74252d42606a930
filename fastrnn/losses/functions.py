# SPDX-License-Identifier: Apache-2.0
"""The losses as functions of targets and predictions that give the value of each row."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.losses import crossentropy, regression


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> np.ndarray:
    """`BinaryCrossentropy` of each row.

    >>> binary_crossentropy([[1.0], [0.0]], [[0.8], [0.4]]).round(4)
    array([0.2231, 0.5108], dtype=float32)
    """
    return crossentropy.BinaryCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> np.ndarray:
    """`CategoricalCrossentropy` of each row.

    >>> categorical_crossentropy([[0.0, 1.0, 0.0]], [[0.1, 0.8, 0.1]]).round(4)
    array([0.2231], dtype=float32)
    """
    return crossentropy.CategoricalCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> np.ndarray:
    """`SparseCategoricalCrossentropy` of each row, 0 where the target is `ignore_class`.

    >>> sparse_categorical_crossentropy([1, 0], [[0.2, 0.8], [0.5, 0.5]]).round(4)
    array([0.2231, 0.6931], dtype=float32)
    """
    return crossentropy.SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis).call(y_true, y_pred)


def mean_squared_error(y_true: Any, y_pred: Any) -> np.ndarray:
    """`MeanSquaredError` of each row.

    >>> mean_squared_error([[0.0, 1.0]], [[1.0, 3.0]])
    array([2.5], dtype=float32)
    """
    return regression.MeanSquaredError().call(y_true, y_pred)


def mean_absolute_error(y_true: Any, y_pred: Any) -> np.ndarray:
    """`MeanAbsoluteError` of each row."""
    return regression.MeanAbsoluteError().call(y_true, y_pred)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> np.ndarray:
    """`MeanAbsolutePercentageError` of each row."""
    return regression.MeanAbsolutePercentageError().call(y_true, y_pred)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> np.ndarray:
    """`MeanSquaredLogarithmicError` of each row."""
    return regression.MeanSquaredLogarithmicError().call(y_true, y_pred)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> np.ndarray:
    """`Huber` of each row."""
    return regression.Huber(delta).call(y_true, y_pred)


def log_cosh(y_true: Any, y_pred: Any) -> np.ndarray:
    """`LogCosh` of each row."""
    return regression.LogCosh().call(y_true, y_pred)


def poisson(y_true: Any, y_pred: Any) -> np.ndarray:
    """`Poisson` of each row."""
    return regression.Poisson().call(y_true, y_pred)


def hinge(y_true: Any, y_pred: Any) -> np.ndarray:
    """`Hinge` of each row."""
    return regression.Hinge().call(y_true, y_pred)


def squared_hinge(y_true: Any, y_pred: Any) -> np.ndarray:
    """`SquaredHinge` of each row."""
    return regression.SquaredHinge().call(y_true, y_pred)


def categorical_hinge(y_true: Any, y_pred: Any) -> np.ndarray:
    """`CategoricalHinge` of each row."""
    return regression.CategoricalHinge().call(y_true, y_pred)


def kl_divergence(y_true: Any, y_pred: Any) -> np.ndarray:
    """`KLDivergence` of each row."""
    return regression.KLDivergence().call(y_true, y_pred)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> np.ndarray:
    """`CosineSimilarity` of each row: -1 for the same direction."""
    return regression.CosineSimilarity(axis).call(y_true, y_pred)
