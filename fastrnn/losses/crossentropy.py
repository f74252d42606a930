# SPDX-License-Identifier: Apache-2.0
"""Cross-entropies: of class probabilities, of class indices, and of yes or no.

Each takes probabilities, or logits with `from_logits`. Probabilities p are taken as Keras takes them: cut to
[1e-7, 1 - 1e-7], after division by their sum where they are of classes. Those that a softmax or sigmoid has just made
need neither: `value_and_logits_gradient` takes them as they are.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fastrnn import _core, arrays, runtime
from fastrnn.losses.base import ElementLoss, RowLoss, Terms, last_axis_only
from fastrnn.losses.shapes import class_indices

EPSILON = 1e-7  # Keras's

# The smallest normal number of each dtype: the logarithm of a probability of 0 is that of this one.
_TINY = {np.dtype(dtype): np.finfo(dtype).tiny for dtype in (np.float32, np.float64)}


class BinaryCrossentropy(ElementLoss):
    """`-mean(t * log(p) + (1 - t) * log(1 - p))` over the last axis.

    Args:
        from_logits: the predictions are the logits z of `p = sigmoid(z)`.
        label_smoothing: from 0 to 1; targets t become `t * (1 - label_smoothing) + label_smoothing / 2`.
        axis: -1.
        reduction, name, dtype: as in `Loss`.

    Raises:
        ValueError: an argument is out of range.

    Example:

    >>> round(BinaryCrossentropy()([[1.0], [0.0]], [[0.8], [0.4]]), 4)
    0.367
    """

    target_range = (0.0, 1.0)

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = from_logits
        self.label_smoothing = check_smoothing(self.name, label_smoothing)
        self.axis = last_axis_only(self.name, axis)
        self.fused_activation = None if from_logits else "sigmoid"
        self.wants_probabilities = not from_logits

    def _elements(
        self, t: np.ndarray, p: np.ndarray, gradient: bool, fused: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        if self.label_smoothing:
            t = t * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        if self.from_logits:
            return _binary_of_logits(t, p, gradient)
        if fused:
            tiny = _TINY[p.dtype]
            return _binary(t, np.maximum(p, tiny), np.maximum(1 - p, tiny)), p - t if gradient else None
        cut = np.clip(p, EPSILON, 1 - EPSILON)
        rest = 1 - cut
        derivative = None
        if gradient:
            derivative = np.where((p < EPSILON) | (p > 1 - EPSILON), p.dtype.type(0), (cut - t) / (cut * rest))
        return _binary(t, cut, rest), derivative

    def get_config(self) -> dict[str, Any]:
        config = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing, "axis": self.axis}
        return {**super().get_config(), **config}


class CategoricalCrossentropy(RowLoss):
    """`-sum(t * log(p))` over the last axis, for targets t that are a row of class probabilities, one-hot or not.

    Args:
        from_logits: the predictions are the logits z of `p = softmax(z)`.
        label_smoothing: from 0 to 1; targets t become `t * (1 - label_smoothing) + label_smoothing / classes`.
        axis: -1.
        reduction, name, dtype: as in `Loss`.

    Raises:
        ValueError: an argument is out of range.

    Example:

    >>> round(CategoricalCrossentropy()([[0.0, 1.0, 0.0]], [[0.1, 0.8, 0.1]]), 4)
    0.2231
    """

    target_range = (0.0, 1.0)

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = from_logits
        self.label_smoothing = check_smoothing(self.name, label_smoothing)
        self.axis = last_axis_only(self.name, axis)
        self.fused_activation = None if from_logits else "softmax"
        self.wants_probabilities = not from_logits

    def _terms(self, t: Any, p: np.ndarray, gradient: bool, fused: bool) -> Terms:
        if p.shape[-1] == 1:
            warnings.warn(
                f"{self.name}: the predictions have one class, whose probability a softmax makes 1; "
                "for yes or no use a sigmoid and binary_crossentropy",
                stacklevel=4,
            )
        if self.label_smoothing:
            t = t * (1 - self.label_smoothing) + self.label_smoothing / t.shape[-1]
        if self.from_logits:
            at = None if self.label_smoothing else _one_hot_positions(t)
            return _categorical_of_logits(t, p, gradient) if at is None else _sparse_of_logits(at, p, gradient)
        return _categorical_fused(t, p, gradient) if fused else _categorical(t, p, gradient)

    def _whole(self, y_true: Any, y_pred: Any, gradient: bool) -> tuple[float, Any] | None:
        name = arrays.dtype_name(y_pred) if type(y_pred) is np.ndarray else None
        if (name is None or self.label_smoothing or self.reduction in ("sum", "none", None) or y_pred.ndim < 2
                or y_pred.shape[-1] == 1 or not y_pred.size or not arrays.is_ready(y_pred, name)
                or not arrays.is_ready(y_true, name) or y_true.shape != y_pred.shape):
            return None
        value, _, derivative = _rows_of_softmax(name, y_true, y_pred, gradient, y_pred.shape[-1] / y_pred.size)
        return value, derivative

    def get_config(self) -> dict[str, Any]:
        config = {"from_logits": self.from_logits, "label_smoothing": self.label_smoothing, "axis": self.axis}
        return {**super().get_config(), **config}


class SparseCategoricalCrossentropy(RowLoss):
    """`-log(p[t])`, for targets t that are class indices.

    Args:
        from_logits: the predictions are the logits z of `p = softmax(z)`.
        ignore_class: rows with this target do not count, as under a mask; it need not be a class.
        reduction, name, dtype: as in `Loss`.
        axis: -1.

    Raises:
        ValueError: when called, a target is neither a class nor `ignore_class`.

    Example:

    >>> round(SparseCategoricalCrossentropy()([1, 0], [[0.2, 0.8], [0.5, 0.5]]), 4)
    0.4581
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = last_axis_only(self.name, axis)
        self.fused_activation = None if from_logits else "softmax"
        self.wants_probabilities = not from_logits

    def _align(self, t: Any, p: np.ndarray, weight_rank: int) -> tuple[Any, np.ndarray]:
        return class_indices(self.name, t, p.shape, self.ignore_class), p

    def _terms(self, t: Any, p: np.ndarray, gradient: bool, fused: bool) -> Terms:
        counted = None
        if self.ignore_class is not None:
            counted = t != self.ignore_class
            t = np.where(counted, t, 0)
        at = t.reshape(-1) + np.arange(0, p.size, max(1, p.shape[-1]))
        if self.from_logits:
            terms = _sparse_of_logits(at, p, gradient)
        elif fused:
            terms = _fused_at(at, p, gradient)
        else:
            terms = _sparse(at, p, gradient)
        if counted is None:
            return terms
        return terms._replace(values=np.where(counted, terms.values, p.dtype.type(0)), mask=counted)

    def mass(self, y_true: Any, sample_weight: Any, mask: Any) -> float | None:
        if self.ignore_class is not None:
            counted = np.asarray(y_true) != self.ignore_class
            mask = counted if mask is None else counted.reshape(np.shape(mask)) & mask
        return super().mass(y_true, sample_weight, mask)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "from_logits": self.from_logits, "ignore_class": self.ignore_class}


def check_smoothing(owner: str, value: float) -> float:
    """`value`, a label smoothing.

    Raises:
        ValueError: it is not from 0 to 1.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{owner}: expected label_smoothing from 0 to 1, got {value!r}")
    return value


def _binary(t: np.ndarray, p: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """The cross-entropy of each element, from the probabilities of yes and of no, which it overwrites."""
    np.log(p, out=p)
    p *= t
    np.log(rest, out=rest)
    rest *= 1 - t
    p += rest
    return np.negative(p, out=p)


def _binary_of_logits(t: np.ndarray, z: np.ndarray, gradient: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """`max(z, 0) - z * t + log(1 + exp(-abs(z)))`, and its derivative `sigmoid(z) - t`."""
    decay = np.exp(-np.abs(z))
    values = np.maximum(z, 0) - z * t + np.log1p(decay)
    return values, np.where(z >= 0, 1, decay) / (1 + decay) - t if gradient else None


def _row_sums(x: np.ndarray) -> np.ndarray:
    """Sums over the last axis; of short rows einsum's are three times as fast as `sum`'s."""
    return np.einsum("...i->...", x)


def _row_products(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Scalar products of rows."""
    return np.einsum("...i,...i->...", x, y)


def _categorical(t: np.ndarray, p: np.ndarray, gradient: bool) -> Terms:
    """`-sum(t * log(p / sum(p)))`, cut as Keras cuts it."""
    total = _row_sums(p)[..., None]
    shares = p / total
    logs = np.log(np.clip(shares, EPSILON, 1 - EPSILON))
    derivative = None
    if gradient:
        counted = np.where((shares < EPSILON) | (shares > 1 - EPSILON), p.dtype.type(0), t)
        derivative = _row_sums(counted)[..., None] / total - counted / np.where(counted == 0, 1, p)
    return Terms(-_row_products(logs, t), derivative, p.shape[:-1])


def _categorical_fused(t: np.ndarray, p: np.ndarray, gradient: bool) -> Terms:
    """`-sum(t * log(p))`, and the derivative `p * sum(t) - t` of the logits that p is the softmax of."""
    name = arrays.dtype_name(p)
    assert name is not None
    _, values, derivative = _rows_of_softmax(name, arrays.as_float(t, name), p, gradient, 1.0)
    return Terms(values, derivative, p.shape[:-1])


def _rows_of_softmax(
    dtype: str, t: np.ndarray, p: np.ndarray, gradient: bool, scale: float
) -> tuple[float, np.ndarray, np.ndarray | None]:
    """What the kernel gives: the sum of the rows' values times `scale`, the values, and their derivative times it."""
    rows, classes = p.shape[:-1], p.shape[-1]
    values, derivative = np.empty(rows, p.dtype), np.empty_like(p) if gradient else None
    total = _core.kernels(dtype).crossentropy_rows(
        t.reshape(-1, classes), p.reshape(-1, classes), values,
        None if derivative is None else derivative.reshape(-1, classes), runtime.get_num_threads(), scale)
    return total, values, derivative


def softmax_parts(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The logits less the largest of their row, their exponentials, and the sums of those by row."""
    shifted = z - z.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    return shifted, exponentials, _row_sums(exponentials)


def _categorical_of_logits(t: np.ndarray, z: np.ndarray, gradient: bool) -> Terms:
    """`log(sum(exp(z))) * sum(t) - sum(t * z)`, and its derivative `softmax(z) * sum(t) - t`."""
    shifted, exponentials, total = softmax_parts(z)
    targets = _row_sums(t)
    values = np.log(total) * targets - _row_products(shifted, t)
    return Terms(values, exponentials * (targets / total)[..., None] - t if gradient else None, z.shape[:-1])


def _sparse_of_logits(at: np.ndarray, z: np.ndarray, gradient: bool) -> Terms:
    """The same for targets that are one at the flat positions `at`, one a row."""
    shifted, exponentials, total = softmax_parts(z)
    values = np.log(total) - shifted.reshape(-1).take(at).reshape(total.shape)
    if not gradient:
        return Terms(values, None, z.shape[:-1])
    exponentials /= total[..., None]
    exponentials.reshape(-1)[at] -= 1
    return Terms(values, exponentials, z.shape[:-1])


def _sparse(at: np.ndarray, p: np.ndarray, gradient: bool) -> Terms:
    """`-log(p / sum(p))` at the flat positions `at`, one a row, cut as Keras cuts it."""
    rows = p.shape[:-1]
    chosen, total = p.reshape(-1).take(at), _row_sums(p).reshape(-1)
    share = chosen / total
    values = -np.log(np.clip(share, EPSILON, 1 - EPSILON)).reshape(rows)
    if not gradient:
        return Terms(values, None, rows)
    counted = ~((share < EPSILON) | (share > 1 - EPSILON))
    derivative = np.empty(p.shape, p.dtype)
    derivative[...] = np.where(counted, 1 / total, 0).reshape(*rows, 1)
    derivative.reshape(-1)[at] -= np.where(counted, 1 / chosen, 0)
    return Terms(values, derivative, rows)


def _fused_at(at: np.ndarray, p: np.ndarray, gradient: bool) -> Terms:
    """`-log(p)` at the flat positions `at`, one a row, and `p` less one-hot targets there."""
    values = np.maximum(p.reshape(-1).take(at), _TINY[p.dtype])
    np.log(values, out=values)
    np.negative(values, out=values)
    derivative = None
    if gradient:
        derivative = p.copy(order="C")
        derivative.reshape(-1)[at] -= 1
    return Terms(values.reshape(p.shape[:-1]), derivative, p.shape[:-1])


def _one_hot_positions(t: np.ndarray) -> np.ndarray | None:
    """The flat positions of the ones of one-hot rows; None if any row is not one-hot.

    Worth its own pass: one logarithm a row instead of one a class.
    """
    at = (t != 0).reshape(-1).nonzero()[0]
    classes = t.shape[-1]
    if at.size * classes != t.size or not (t.reshape(-1).take(at) == 1).all():
        return None
    return at if (at // classes == np.arange(at.size)).all() else None
