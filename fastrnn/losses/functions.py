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

    Args:
        y_true, y_pred: targets and outputs (..., n), of one shape.
        from_logits: whether the outputs are logits instead of probabilities.
        label_smoothing: how far targets are moved towards the same value for all classes, from 0 to 1.
        axis: -1, the last one.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> binary_crossentropy([[1.0], [0.0]], [[0.8], [0.4]]).round(4)
    array([0.2231, 0.5108], dtype=float32)
    """
    return crossentropy.BinaryCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> np.ndarray:
    """`CategoricalCrossentropy` of each row.

    Args:
        y_true, y_pred: targets and outputs (..., classes), of one shape.
        from_logits: whether the outputs are logits instead of probabilities.
        label_smoothing: how far targets are moved towards the same value for all classes, from 0 to 1.
        axis: -1, the last one.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> categorical_crossentropy([[0.0, 1.0, 0.0]], [[0.1, 0.8, 0.1]]).round(4)
    array([0.2231], dtype=float32)
    """
    return crossentropy.CategoricalCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> np.ndarray:
    """`SparseCategoricalCrossentropy` of each row, 0 where the target is `ignore_class`.

    Args:
        y_true: class indices (...,) or (..., 1).
        y_pred: one output a class (..., classes).
        from_logits: whether the outputs are logits instead of probabilities.
        ignore_class: index of a class whose rows count nothing, or None.
        axis: -1, the last one.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> sparse_categorical_crossentropy([1, 0], [[0.2, 0.8], [0.5, 0.5]]).round(4)
    array([0.2231, 0.6931], dtype=float32)
    """
    return crossentropy.SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis).call(y_true, y_pred)


def mean_squared_error(y_true: Any, y_pred: Any) -> np.ndarray:
    """`MeanSquaredError` of each row.

    Args:
        y_true, y_pred: targets and outputs (..., n), of one shape.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> mean_squared_error([[0.0, 1.0]], [[1.0, 3.0]])
    array([2.5], dtype=float32)
    """
    return regression.MeanSquaredError().call(y_true, y_pred)


def mean_absolute_error(y_true: Any, y_pred: Any) -> np.ndarray:
    """`MeanAbsoluteError` of each row.

    Args:
        y_true, y_pred: targets and outputs (..., n), of one shape.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> mean_absolute_error([[0.0, 1.0]], [[1.0, 3.0]])
    array([1.5], dtype=float32)
    """
    return regression.MeanAbsoluteError().call(y_true, y_pred)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> np.ndarray:
    """`MeanAbsolutePercentageError` of each row.

    Args:
        y_true, y_pred: targets and outputs (..., n), of one shape.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> mean_absolute_percentage_error([[1.0, 2.0]], [[2.0, 3.0]])
    array([75.], dtype=float32)
    """
    return regression.MeanAbsolutePercentageError().call(y_true, y_pred)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> np.ndarray:
    """`MeanSquaredLogarithmicError` of each row.

    Args:
        y_true, y_pred: targets and outputs (..., n), of one shape.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> mean_squared_logarithmic_error([[0.0, 1.0]], [[1.0, 3.0]]).round(4)
    array([0.4805], dtype=float32)
    """
    return regression.MeanSquaredLogarithmicError().call(y_true, y_pred)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> np.ndarray:
    """`Huber` of each row.

    Args:
        y_true, y_pred: targets and outputs (..., n), of one shape.
        delta: where the square ends and the straight line begins.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> huber([[0.0, 1.0]], [[0.5, 3.0]]).round(4)
    array([0.8125], dtype=float32)
    """
    return regression.Huber(delta).call(y_true, y_pred)


def log_cosh(y_true: Any, y_pred: Any) -> np.ndarray:
    """`LogCosh` of each row.

    Args:
        y_true, y_pred: targets and outputs (..., n), of one shape.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> log_cosh([[0.0, 1.0]], [[1.0, 3.0]]).round(4)
    array([0.8794], dtype=float32)
    """
    return regression.LogCosh().call(y_true, y_pred)


def poisson(y_true: Any, y_pred: Any) -> np.ndarray:
    """`Poisson` of each row.

    Args:
        y_true, y_pred: targets and outputs (..., n), of one shape.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> poisson([[0.0, 1.0]], [[1.0, 3.0]]).round(4)
    array([1.4507], dtype=float32)
    """
    return regression.Poisson().call(y_true, y_pred)


def hinge(y_true: Any, y_pred: Any) -> np.ndarray:
    """`Hinge` of each row.

    Args:
        y_true, y_pred: targets and outputs (..., n), of one shape.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> hinge([[-1.0, 1.0]], [[0.5, 3.0]])
    array([0.75], dtype=float32)
    """
    return regression.Hinge().call(y_true, y_pred)


def squared_hinge(y_true: Any, y_pred: Any) -> np.ndarray:
    """`SquaredHinge` of each row.

    Args:
        y_true, y_pred: targets and outputs (..., n), of one shape.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> squared_hinge([[-1.0, 1.0]], [[0.5, 3.0]])
    array([1.125], dtype=float32)
    """
    return regression.SquaredHinge().call(y_true, y_pred)


def categorical_hinge(y_true: Any, y_pred: Any) -> np.ndarray:
    """`CategoricalHinge` of each row.

    Args:
        y_true, y_pred: targets and outputs (..., classes), of one shape.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> categorical_hinge([[0.0, 1.0]], [[0.5, 0.75]])
    array([0.75], dtype=float32)
    """
    return regression.CategoricalHinge().call(y_true, y_pred)


def kl_divergence(y_true: Any, y_pred: Any) -> np.ndarray:
    """`KLDivergence` of each row.

    Args:
        y_true, y_pred: targets and outputs (..., n), of one shape.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> kl_divergence([[0.25, 0.75]], [[0.5, 0.5]]).round(4)
    array([0.1308], dtype=float32)
    """
    return regression.KLDivergence().call(y_true, y_pred)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> np.ndarray:
    """`CosineSimilarity` of each row: -1 for the same direction.

    Args:
        y_true, y_pred: targets and outputs (..., n), of one shape.
        axis: -1, the last one.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> cosine_similarity([[1.0, 0.0]], [[1.0, 1.0]]).round(4)
    array([-0.7071], dtype=float32)
    """
    return regression.CosineSimilarity(axis).call(y_true, y_pred)
