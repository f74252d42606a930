# SPDX-License-Identifier: Apache-2.0
"""Losses of numbers: distances between targets t and predictions p, and hinges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastrnn.losses.base import ElementLoss, RowLoss, Terms, last_axis_only

EPSILON = 1e-7  # Keras's

_Elements = tuple[np.ndarray, np.ndarray | None]


class _NamedElementLoss(ElementLoss):
    """An element loss with no arguments but those of every loss; the argument order is Keras's."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)


class MeanSquaredError(_NamedElementLoss):
    """`mean((t - p)**2)` over the last axis.

    Example:

    >>> MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]])
    2.5
    """

    of_the_difference = True

    def _elements(self, t: np.ndarray, p: np.ndarray, gradient: bool, fused: bool) -> _Elements:
        error = p - t
        return np.square(error), np.multiply(error, 2, out=error) if gradient else None


class MeanAbsoluteError(_NamedElementLoss):
    """`mean(abs(t - p))` over the last axis.

    Example:

    >>> MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 3.0]])
    1.5
    """

    of_the_difference = True

    def _elements(self, t: np.ndarray, p: np.ndarray, gradient: bool, fused: bool) -> _Elements:
        error = p - t
        return np.abs(error), np.sign(error, out=error) if gradient else None


class MeanAbsolutePercentageError(_NamedElementLoss):
    """`100 * mean(abs(t - p) / max(abs(t), 1e-7))` over the last axis.

    Example:

    >>> MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 5.0]])
    37.5
    """

    def _elements(self, t: np.ndarray, p: np.ndarray, gradient: bool, fused: bool) -> _Elements:
        scale = 100 / np.maximum(np.abs(t), EPSILON)
        error = p - t
        return np.abs(error) * scale, np.sign(error) * scale if gradient else None


class MeanSquaredLogarithmicError(_NamedElementLoss):
    """`mean((log(1 + t) - log(1 + p))**2)` over the last axis, t and p raised to 1e-7 where they are less.

    Example:

    >>> round(MeanSquaredLogarithmicError()([[0.0, 1.0]], [[1.0, 1.0]]), 4)
    0.2402
    """

    target_range = (0.0, math.inf)

    def _elements(self, t: np.ndarray, p: np.ndarray, gradient: bool, fused: bool) -> _Elements:
        one_more = np.maximum(p, EPSILON) + 1
        error = np.log(one_more) - np.log(np.maximum(t, EPSILON) + 1)
        return np.square(error), np.where(p < EPSILON, p.dtype.type(0), 2 * error / one_more) if gradient else None


class LogCosh(_NamedElementLoss):
    """`mean(log(cosh(p - t)))` over the last axis.

    Example:

    >>> round(LogCosh()([[0.0]], [[1.0]]), 4)
    0.4338
    """

    of_the_difference = True

    def _elements(self, t: np.ndarray, p: np.ndarray, gradient: bool, fused: bool) -> _Elements:
        error = p - t
        size = np.abs(error)
        values = size + np.log1p(np.exp(-2 * size)) - math.log(2)
        return values, np.tanh(error) if gradient else None


class Huber(ElementLoss):
    """`mean(h(p - t))` over the last axis, with h(e) half the square of e within `delta` of 0, and
    `delta * abs(e) - delta**2 / 2` beyond (Huber 1964).

    Args:
        delta: where the square becomes a line.
        reduction, name, dtype: as in `Loss`.

    Example:

    >>> Huber()([[0.0, 0.0]], [[0.5, 3.0]])
    1.3125
    """

    of_the_difference = True

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.delta = delta

    def _elements(self, t: np.ndarray, p: np.ndarray, gradient: bool, fused: bool) -> _Elements:
        error = p - t
        near = np.clip(error, -self.delta, self.delta)
        # of |e| <= delta: e * e - e * e / 2; beyond: delta * |e| - delta**2 / 2
        return near * (error - 0.5 * near), near if gradient else None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "delta": self.delta}


class Poisson(_NamedElementLoss):
    """`mean(p - t * log(p + 1e-7))` over the last axis.

    Example:

    >>> round(Poisson()([[1.0]], [[2.0]]), 4)
    1.3069
    """

    target_range = (0.0, math.inf)

    def _elements(self, t: np.ndarray, p: np.ndarray, gradient: bool, fused: bool) -> _Elements:
        raised = p + EPSILON
        return p - t * np.log(raised), 1 - t / raised if gradient else None


class Hinge(_NamedElementLoss):
    """`mean(max(1 - t * p, 0))` over the last axis, for targets of -1 and 1; targets of 0 and 1 become those.

    Example:

    >>> Hinge()([[1.0, -1.0]], [[0.5, 0.5]])
    1.0
    """

    target_range = (-1.0, 1.0)

    def _elements(self, t: np.ndarray, p: np.ndarray, gradient: bool, fused: bool) -> _Elements:
        t = _signs(t)
        short = np.maximum(1 - t * p, 0)
        return short, np.where(short > 0, -t, p.dtype.type(0)) if gradient else None


class SquaredHinge(_NamedElementLoss):
    """`mean(max(1 - t * p, 0)**2)` over the last axis, with targets as in `Hinge`.

    Example:

    >>> SquaredHinge()([[1.0, -1.0]], [[0.5, 0.5]])
    1.25
    """

    target_range = (-1.0, 1.0)

    def _elements(self, t: np.ndarray, p: np.ndarray, gradient: bool, fused: bool) -> _Elements:
        t = _signs(t)
        short = np.maximum(1 - t * p, 0)
        return np.square(short), -2 * t * short if gradient else None


class _NamedRowLoss(RowLoss):
    """A row loss with no arguments but those of every loss; the argument order is Keras's."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)


class CategoricalHinge(_NamedRowLoss):
    """`max(neg - pos + 1, 0)`, with `pos = sum(t * p)` and `neg = max((1 - t) * p)` over the last axis.

    Example:

    >>> CategoricalHinge()([[0.0, 1.0]], [[0.5, 0.25]])
    1.25
    """

    target_range = (0.0, 1.0)

    def _terms(self, t: Any, p: np.ndarray, gradient: bool, fused: bool) -> Terms:
        others = (1 - t) * p
        worst = others.argmax(axis=-1)[..., None]
        values = np.take_along_axis(others, worst, -1)[..., 0] - (t * p).sum(axis=-1) + 1
        derivative = None
        if gradient:
            derivative = -t
            slope = np.take_along_axis(1 - t, worst, -1)
            np.put_along_axis(derivative, worst, np.take_along_axis(derivative, worst, -1) + slope, -1)
            derivative *= (values > 0)[..., None]
        return Terms(np.maximum(values, 0), derivative, p.shape[:-1])


class KLDivergence(_NamedRowLoss):
    """`sum(t * log(t / p))` over the last axis, t and p cut to [1e-7, 1].

    Example:

    >>> round(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]]), 4)
    0.1438
    """

    wants_probabilities = True

    target_range = (0.0, 1.0)

    def _terms(self, t: Any, p: np.ndarray, gradient: bool, fused: bool) -> Terms:
        t = np.clip(t, EPSILON, 1)
        cut = np.clip(p, EPSILON, 1)
        derivative = np.where((p < EPSILON) | (p > 1), p.dtype.type(0), -t / cut) if gradient else None
        return Terms(t * np.log(t / cut), derivative, p.shape[:-1])


class CosineSimilarity(RowLoss):
    """Minus the cosine of the angle between targets and predictions, rows along the last axis: -1 for the same
    direction.

    Args:
        axis: -1.
        reduction, name, dtype: as in `Loss`.

    Example:

    >>> round(CosineSimilarity()([[3.0, 4.0]], [[4.0, 3.0]]), 4)
    -0.96
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.axis = last_axis_only(self.name, axis)

    def _terms(self, t: Any, p: np.ndarray, gradient: bool, fused: bool) -> Terms:
        t = t * _inverse_norm(t)
        inverse = _inverse_norm(p)
        unit = p * inverse
        products = -t * unit
        derivative = None
        if gradient:
            # Where the norm is cut off at 1e-7, the scale is a constant and has no derivative.
            along = np.where(inverse < 1 / EPSILON, products.sum(axis=-1, keepdims=True), 0)
            derivative = (-t - along * unit) * inverse
        return Terms(products, derivative, p.shape[:-1])


def _signs(t: np.ndarray) -> np.ndarray:
    """Targets of 0 and 1 as -1 and 1; any others as they are."""
    return 2 * t - 1 if ((t == 0) | (t == 1)).all() else t


def _inverse_norm(x: np.ndarray) -> np.ndarray:
    """One over the Euclidean norm of each row, at most 1e7, as Keras normalizes."""
    return np.minimum(1 / np.sqrt(np.square(x).sum(axis=-1, keepdims=True)), x.dtype.type(1 / EPSILON))
