# SPDX-License-Identifier: Apache-2.0
"""Accuracies: the share of predictions that are right."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn import _core, arrays, runtime
from fastrnn.losses.shapes import align
from fastrnn.metrics.base import MeanMetricWrapper


class _AccuracyMean(MeanMetricWrapper):
    """The share of True in what a function of this module gives."""

    _direction = "up"


class Accuracy(_AccuracyMean):
    """The share of predictions equal to their targets.

    Example:

    >>> Accuracy()([[1], [2]], [[1], [0]])
    0.5
    """

    def __init__(self, name: str | None = "accuracy", dtype: Any = None) -> None:
        super().__init__(_equal, name, dtype)


class BinaryAccuracy(_AccuracyMean):
    """The share of probabilities on their target's side of the threshold.

    Args:
        name, dtype: as in `Metric`.
        threshold: probabilities above it stand for 1, others for 0.

    Example:

    >>> BinaryAccuracy()([[1], [0], [1]], [[0.9], [0.2], [0.4]])
    0.6666666666666666
    """

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        super().__init__(_binary_matches, name, dtype, threshold=threshold)
        self.threshold = threshold


class CategoricalAccuracy(_AccuracyMean):
    """The share of rows whose largest prediction is where the largest target is.

    Example:

    >>> CategoricalAccuracy()([[0, 0, 1], [0, 1, 0]], [[0.1, 0.3, 0.6], [0.5, 0.3, 0.2]])
    0.5
    """

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(_categorical_matches, name, dtype)


class SparseCategoricalAccuracy(_AccuracyMean):
    """The share of rows whose largest prediction is at the target's index.

    Example:

    >>> SparseCategoricalAccuracy()([2, 1], [[0.1, 0.3, 0.6], [0.5, 0.3, 0.2]])
    0.5
    """

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(_sparse_matches, name, dtype)


class TopKCategoricalAccuracy(_AccuracyMean):
    """The share of rows in which fewer than `k` predictions are larger than the one where the largest target is.

    Args:
        k: how many places count.
        name, dtype: as in `Metric`.

    Example:

    >>> TopKCategoricalAccuracy(k=2)([[0, 0, 1], [0, 1, 0]], [[0.1, 0.3, 0.6], [0.5, 0.3, 0.2]])
    1.0
    """

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(_top_k_matches, name, dtype, k=k)
        self.k = k


class SparseTopKCategoricalAccuracy(_AccuracyMean):
    """The share of rows in which fewer than `k` predictions are larger than the one at the target's index.

    Args:
        k: how many places count.
        name, dtype: as in `Metric`.
        from_sorted_ids: the predictions are class indices, the likeliest first.

    Example:

    >>> SparseTopKCategoricalAccuracy(k=2)([2, 2], [[0.1, 0.3, 0.6], [0.5, 0.3, 0.2]])
    0.5
    >>> SparseTopKCategoricalAccuracy(k=2, from_sorted_ids=True)([2, 2], [[2, 1, 0], [0, 1, 2]])
    0.5
    """

    def __init__(self, k: int = 5, name: str | None = "sparse_top_k_categorical_accuracy", dtype: Any = None,
                 from_sorted_ids: bool = False) -> None:
        super().__init__(_sparse_top_k_matches, name, dtype, k=k, from_sorted_ids=from_sorted_ids)
        self.k = k
        self.from_sorted_ids = from_sorted_ids

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return config if self.from_sorted_ids else {key: config[key] for key in config if key != "from_sorted_ids"}


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> np.ndarray:
    """1 where a probability is on its target's side of the threshold, 0 elsewhere.

    Args:
        y_true, y_pred: targets and outputs (..., n), of one shape.
        threshold: above which a probability stands for 1.

    Returns:
        float32, the shape of `y_pred`.

    Raises:
        ValueError: shapes that do not go together.

    >>> binary_accuracy([[1], [0]], [[0.9], [0.7]]).tolist()
    [[1.0], [0.0]]
    """
    return _binary_matches(y_true, y_pred, threshold).astype(np.float32)


def categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 for each row whose largest prediction is where the largest target is, 0 for others.

    Args:
        y_true, y_pred: targets and outputs (..., classes), of one shape.

    Returns:
        float32, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> categorical_accuracy([[0, 1], [1, 0]], [[0.3, 0.7], [0.4, 0.6]])
    array([1., 0.], dtype=float32)
    """
    return _categorical_matches(y_true, y_pred).astype(np.float32)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 for each row whose largest prediction is at the target's index, 0 for others.

    Args:
        y_true: class indices (...,) or (..., 1).
        y_pred: one output a class (..., classes).

    Returns:
        float32, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> sparse_categorical_accuracy([1, 0], [[0.3, 0.7], [0.4, 0.6]])
    array([1., 0.], dtype=float32)
    """
    return _sparse_matches(y_true, y_pred).astype(np.float32)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> np.ndarray:
    """1 for each row in which the largest target is at one of the `k` largest predictions, 0 for others.

    Args:
        y_true, y_pred: targets and outputs (..., n), of one shape.
        k: how many places count.

    Returns:
        float32, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> top_k_categorical_accuracy([[0, 1, 0], [0, 0, 1]], [[0.5, 0.3, 0.2], [0.6, 0.3, 0.1]], k=2)
    array([1., 0.], dtype=float32)
    """
    return _top_k_matches(y_true, y_pred, k).astype(np.float32)


def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> np.ndarray:
    """1 for each row in which the target's index is of one of the `k` largest predictions, 0 for others.

    Args:
        y_true: class indices (...,) or (..., 1).
        y_pred: one output a class (..., classes).
        k: how many places count.
        from_sorted_ids: the outputs are class indices, the likeliest first.

    Returns:
        float32, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> sparse_top_k_categorical_accuracy([1, 2], [[0.5, 0.3, 0.2], [0.6, 0.3, 0.1]], k=2)
    array([1., 0.], dtype=float32)
    """
    return _sparse_top_k_matches(y_true, y_pred, k, from_sorted_ids).astype(np.float32)


def _equal(y_true: Any, y_pred: Any) -> np.ndarray:
    t, p = align("accuracy", np.asarray(y_true), np.asarray(y_pred), 0)
    return t == p


def _binary_matches(y_true: Any, y_pred: Any, threshold: float) -> np.ndarray:
    t, p = align("binary_accuracy", np.asarray(y_true), np.asarray(y_pred), 0)
    return (p > threshold) == t


def _categorical_matches(y_true: Any, y_pred: Any) -> np.ndarray:
    t, p = align("categorical_accuracy", np.asarray(y_true), np.asarray(y_pred), 0)
    dtype = arrays.dtype_name(p)
    if dtype is None or not p.size or not (arrays.is_ready(p, dtype) and arrays.is_ready(t, dtype)):
        return t.argmax(axis=-1) == p.argmax(axis=-1)
    same, classes = np.empty(p.shape[:-1], np.bool_), p.shape[-1]
    _core.kernels(dtype).same_largest(t.reshape(-1, classes), p.reshape(-1, classes), same.reshape(-1),
                                      runtime.get_num_threads())
    return same


def _sparse_matches(y_true: Any, y_pred: Any) -> np.ndarray:
    p = np.asarray(y_pred)
    return p.argmax(axis=-1) == _index_rows("sparse_categorical_accuracy", y_true, p)


def _top_k_matches(y_true: Any, y_pred: Any, k: int) -> np.ndarray:
    t, p = align("top_k_categorical_accuracy", np.asarray(y_true), np.asarray(y_pred), 0)
    return _in_top_k(t.argmax(axis=-1), p, k)


def _sparse_top_k_matches(y_true: Any, y_pred: Any, k: int, from_sorted_ids: bool) -> np.ndarray:
    p = np.asarray(y_pred)
    t = _index_rows("sparse_top_k_categorical_accuracy", y_true, p)
    return (t[..., None] == p[..., :k]).any(axis=-1) if from_sorted_ids else _in_top_k(t, p, k)


def _index_rows(owner: str, y_true: Any, p: np.ndarray) -> np.ndarray:
    """Class indices, one for each row of the predictions. One that is no class is no error: it matches nothing."""
    t = np.asarray(y_true)
    if t.shape == (*p.shape[:-1], 1):
        t = t[..., 0]
    if t.shape != p.shape[:-1]:
        raise ValueError(f"{owner}: expected class indices of shape {p.shape[:-1]}, got {t.shape}")
    return t


def _in_top_k(t: np.ndarray, p: np.ndarray, k: int) -> np.ndarray:
    """Whether fewer than `k` predictions of the row are larger than the one at its index."""
    is_class = (t >= 0) & (t < p.shape[-1])
    at = np.where(is_class, t, 0).astype(np.intp)[..., None]
    chosen = np.take_along_axis(p, at, axis=-1)
    larger = np.count_nonzero(p > chosen, axis=-1)
    return is_class & (larger < k) & (chosen == chosen)[..., 0]
