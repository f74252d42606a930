# SPDX-License-Identifier: Apache-2.0
"""What every metric is, and the averages that most of them are."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastrnn.losses.base import RowLoss
from fastrnn.losses.weights import rowwise_weights
from fastrnn.registry import Configurable, snake_case


class Metric(Configurable):
    """A number kept up to date from batch to batch. A subclass defines `update_state`, `result` and
    `reset_state`, which the constructor calls.

    Args:
        dtype: accepted for Keras's sake; sums are kept in float64.
        name: name of the metric; the class's in snake_case by default.

    Example:

    >>> class Largest(Metric):
    ...     def reset_state(self):
    ...         self.largest = -np.inf
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.largest = max(self.largest, y_pred.max())
    ...     def result(self):
    ...         return float(self.largest)
    >>> metric = Largest()
    >>> metric.update_state(np.zeros(2), np.array([1.0, 3.0]))
    >>> metric.result()
    3.0
    """

    # Keras's word for the better direction, "up" or "down", by which callbacks choose it.
    _direction: str | None = None

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or snake_case(type(self).__name__)
        self.dtype = "float32" if dtype is None else np.dtype(dtype).name
        self.reset_state()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch.

        Args:
            y_true: targets.
            y_pred: predictions.
            sample_weight: (batch,), or (batch, time); a mask is a weight of 0 or 1.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update_state(y_true, y_pred, sample_weight)")

    def result(self) -> Any:
        """The metric of what was counted since the last reset."""
        raise NotImplementedError(f"{type(self).__name__} must define result()")

    def reset_state(self) -> None:
        """Forget what was counted."""
        raise NotImplementedError(f"{type(self).__name__} must define reset_state()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Count a batch, and give the result so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype}


class Mean(Metric):
    """The weighted mean of values.

    Example:

    >>> metric = Mean()
    >>> metric.update_state([1.0, 3.0], sample_weight=[3.0, 1.0])
    >>> metric.result()
    1.5
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(dtype, name)

    def reset_state(self) -> None:
        self.total = 0.0
        self.count = 0.0

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Count values.

        Args:
            values: a number, or an array whose first axis is of samples; each counts with the mean of its values.
            sample_weight: weights of the samples, or of their values; axes that it lacks are averaged over first.
        """
        total, count = weighted_sums(self.name, values, sample_weight)
        self.total += total
        self.count += count

    def result(self) -> float:
        return self.total / self.count if self.count else 0.0


class Sum(Metric):
    """The weighted sum of values.

    Example:

    >>> metric = Sum()
    >>> metric.update_state([1.0, 3.0], sample_weight=[3.0, 1.0])
    >>> metric.result()
    6.0
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(dtype, name)

    def reset_state(self) -> None:
        self.total = 0.0

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Count values, each times its weight; the weights begin with the first axes of `values`."""
        values = np.asarray(values)
        if sample_weight is not None:
            weight = np.asarray(sample_weight)
            values = values * weight.reshape(weight.shape + (1,) * (values.ndim - weight.ndim))
        self.total += float(values.sum(dtype=np.float64))

    def result(self) -> float:
        return self.total


class MeanMetricWrapper(Mean):
    """The weighted mean of what a function gives for targets and predictions.

    Args:
        fn: function of (y_true, y_pred) whose values have the first axes of `y_pred`.
        name: name of the metric; the function's by default.
        dtype: as in `Metric`.
        kwargs: further arguments of the function.

    Example:

    >>> metric = MeanMetricWrapper(lambda y_true, y_pred: abs(y_true - y_pred), name="distance")
    >>> metric.update_state(np.array([1.0, 2.0]), np.array([1.5, 2.5]))
    >>> metric.result()
    0.5
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(name or snake_case(getattr(fn, "__name__", type(fn).__name__)), dtype)
        self._fn = fn
        self._fn_kwargs = kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        super().update_state(self._fn(y_true, y_pred, **self._fn_kwargs), sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._fn_kwargs}


class LossMean(Mean):
    """The weighted mean of a loss's rows.

    Args:
        loss: the loss; its reduction is not used.
        name: name of the metric; the loss's by default.
        dtype: as in `Metric`.
    """

    _direction: str | None = "down"

    def __init__(self, loss: RowLoss, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name or loss.name, dtype)
        self._loss = loss

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        terms = self._loss.terms(y_true, y_pred, sample_weight)
        if terms.mask is not None:
            sample_weight = rowwise_weights(self.name, terms.shape, sample_weight, terms.mask, False, np.float32)
        super().update_state(terms.rows(), sample_weight)


def weighted_sums(owner: str, values: Any, sample_weight: Any) -> tuple[float, float]:
    """The sum over samples of their mean values times weights, and the sum of the weights: Keras 3's rule.

    >>> weighted_sums("mean", np.array([[1.0, 3.0], [5.0, 7.0]]), None)
    (8.0, 2.0)
    >>> weighted_sums("mean", np.array([[1.0, 3.0], [5.0, 7.0]]), [[1, 0], [1, 1]])
    (6.5, 1.5)
    """
    values = np.asarray(values)
    if sample_weight is None:
        samples = values.shape[0] if values.ndim else 1
        return _sum(values) * samples / max(1, values.size), float(samples)
    weight = np.asarray(sample_weight)
    if weight.ndim == values.ndim + 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    elif values.ndim == weight.ndim + 1 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim > weight.ndim:
        values = values.mean(axis=tuple(range(weight.ndim, values.ndim)), dtype=np.float64)
    try:
        weight = np.broadcast_to(weight, values.shape)
    except ValueError:
        raise ValueError(
            f"{owner}: expected sample_weight to fit values of shape {values.shape}, got {weight.shape}"
        ) from None
    each = max(1, math.prod(values.shape[1:]))
    return _sum(values * weight) / each, _sum(weight) / each


def _sum(values: np.ndarray) -> float:
    return float(np.count_nonzero(values) if values.dtype == np.bool_ else values.sum(dtype=np.float64))
