# SPDX-License-Identifier: Apache-2.0
"""Losses of overlap: how much of the targets the predictions cover, over a whole batch or over some axes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn.losses.base import RowLoss, Terms
from fastrnn.losses.crossentropy import EPSILON


class _OverlapLoss(RowLoss):
    """One minus a quotient of two sums over `axis`, or over all axes where that is None.

    What sums over all axes is one number for a batch. As in Keras, weights and masks do not reach its terms: the number
    is multiplied by their reduction, the mean of the weights or their sum.
    """

    def __init__(self, name: str | None, reduction: str | None, axis: int | Sequence[int] | None, dtype: Any) -> None:
        super().__init__(name, reduction, dtype)
        self.axis = tuple(axis) if isinstance(axis, list) else axis

    def _quotient(self, t: np.ndarray, p: np.ndarray, axis: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray | float]:
        """Numerator and denominator, axes kept, and the derivative of the latter for each prediction."""
        raise NotImplementedError

    def _scale(self) -> float:
        """What the numerator, the sum of t times p, is multiplied by."""
        return 1.0

    def _axes(self, ndim: int) -> tuple[int, ...]:
        if self.axis is None:
            return tuple(range(ndim))
        given = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        axes = tuple(sorted({int(axis) % ndim for axis in given if -ndim <= axis < ndim}))
        if len(axes) != len(given):
            raise ValueError(f"{self.name}: expected axis to name axes of predictions with {ndim} axes, each once, "
                             f"got {self.axis!r}")
        return axes

    def _terms(self, t: Any, p: np.ndarray, gradient: bool, fused: bool) -> Terms:
        axes = self._axes(p.ndim)
        over, under, slope = self._quotient(t, p, axes)
        values = 1 - over / under
        derivative = over / under**2 * slope - self._scale() * t / under if gradient else None
        shape = tuple(n for i, n in enumerate(p.shape) if i not in axes)
        return Terms(values.reshape(shape), derivative, shape)

    def _weights(self, terms: Terms, sample_weight: Any, mask: Any) -> tuple[np.ndarray | None, float]:
        if terms.shape or (sample_weight is None and mask is None):
            return super()._weights(terms, sample_weight, mask)
        shape = max((np.shape(given) for given in (sample_weight, mask) if given is not None), key=len)
        mean = self.reduction in ("sum_over_batch_size", "mean")
        weights, _ = super()._weights(Terms(np.empty(shape, terms.values.dtype), None, shape), sample_weight, mask)
        assert weights is not None
        weights = np.broadcast_to(weights, shape)
        if self.reduction in ("none", None):
            return weights, 1.0
        if self.reduction == "mean_with_sample_weight":
            return np.asarray(weights.sum() != 0, weights.dtype), 1.0
        return np.asarray(weights.mean() if mean else weights.sum(), weights.dtype), 1.0

    def _gradient_of_sum(self, terms: Terms, factors: Any, y_pred: np.ndarray) -> np.ndarray:
        assert terms.gradient is not None
        if np.ndim(factors):
            axes = self._axes(y_pred.ndim)
            factors = np.expand_dims(np.broadcast_to(factors, terms.shape), axes)
        return terms.gradient * factors

    def get_config(self) -> dict[str, Any]:
        axis = list(self.axis) if isinstance(self.axis, tuple) else self.axis
        return {**super().get_config(), "axis": axis}


class Dice(_OverlapLoss):
    """`1 - 2 * sum(t * p) / (sum(t) + sum(p) + 1e-7)`, for targets and predictions from 0 to 1 (Dice 1945; as a loss
    Milletari et al. 2016).

    Args:
        reduction, name: as in `Loss`.
        axis: the axis or axes of the sums; all by default, which gives one number for the batch.
        dtype: as in `Loss`.

    Raises:
        ValueError: when called, predictions do not have these axes.

    Example:

    >>> round(Dice()([[1.0, 0.0]], [[0.6, 0.2]]), 4)
    0.3333
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: int | Sequence[int] | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, axis, dtype)

    def _scale(self) -> float:
        return 2.0

    def _quotient(self, t: np.ndarray, p: np.ndarray, axis: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray | float]:
        over = 2 * (t * p).sum(axis, keepdims=True)
        return over, t.sum(axis, keepdims=True) + p.sum(axis, keepdims=True) + EPSILON, 1.0


class Tversky(_OverlapLoss):
    """`1 - c / (c + alpha * sum((1 - p) * t) + beta * sum(p * (1 - t)) + 1e-7)` with `c = sum(t * p)` (Salehi et al.
    2017). With alpha and beta one half it is `Dice`.

    Args:
        alpha: the weight of what the predictions leave out.
        beta: the weight of what they have too much.
        reduction, name: as in `Loss`.
        axis: the axis or axes of the sums; all by default, which gives one number for the batch.
        dtype: as in `Loss`.

    Raises:
        ValueError: when called, predictions do not have these axes.

    Example:

    >>> round(Tversky(alpha=0.3, beta=0.7)([[1.0, 0.0]], [[0.6, 0.2]]), 4)
    0.3023
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: int | Sequence[int] | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, axis, dtype)
        self.alpha = alpha
        self.beta = beta

    def _quotient(self, t: np.ndarray, p: np.ndarray, axis: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray | float]:
        over = (t * p).sum(axis, keepdims=True)
        missed, extra = ((1 - p) * t).sum(axis, keepdims=True), (p * (1 - t)).sum(axis, keepdims=True)
        under = over + self.alpha * missed + self.beta * extra + EPSILON
        return over, under, t - self.alpha * t + self.beta * (1 - t)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha, "beta": self.beta}


def dice(y_true: Any, y_pred: Any, axis: int | Sequence[int] | None = None) -> np.ndarray:
    """`Dice` before its reduction.

    Args:
        y_true, y_pred: targets and outputs of one shape.
        axis: the axis or axes of the sums; all by default.

    Returns:
        float, the other axes: () by default.

    Raises:
        ValueError: shapes that do not go together.

    >>> dice([[1.0, 0.0], [1.0, 1.0]], [[0.6, 0.2], [0.5, 1.0]], axis=1).round(4)
    array([0.3333, 0.1429], dtype=float32)
    """
    return Dice(axis=axis).call(y_true, y_pred)


def tversky(
    y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: int | Sequence[int] | None = None
) -> np.ndarray:
    """`Tversky` before its reduction.

    Args:
        y_true, y_pred: targets and outputs of one shape.
        alpha: the weight of what the outputs leave out.
        beta: the weight of what they have too much.
        axis: the axis or axes of the sums; all by default.

    Returns:
        float, the other axes: () by default.

    Raises:
        ValueError: shapes that do not go together.

    >>> tversky([[1.0, 0.0], [1.0, 1.0]], [[0.6, 0.2], [0.5, 1.0]], axis=1).round(4)
    array([0.3333, 0.1429], dtype=float32)
    """
    return Tversky(alpha, beta, axis=axis).call(y_true, y_pred)
