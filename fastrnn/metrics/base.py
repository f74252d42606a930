# SPDX-License-Identifier: Apache-2.0
"""What every metric is, and the averages that most of them are."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fastrnn import initializers
from fastrnn.losses.base import RowLoss
from fastrnn.losses.weights import rowwise_weights
from fastrnn.metrics.variable import MetricVariable
from fastrnn.registry import Configurable, snake_case


class Metric(Configurable):
    """A number kept up to date from batch to batch. A subclass of the user's own makes what it counts in by
    `add_variable` in its `__init__`, and defines `update_state` and `result`. One that counts in something else defines
    `reset_state`, too; the constructor calls that where the class has no `__init__` of its own.

    Args:
        dtype: accepted for Keras's sake; sums are kept in float64.
        name: name of the metric; the class's in snake_case by default.

    Example:

    >>> class Hits(Metric):
    ...     def __init__(self, name="hits", **kwargs):
    ...         super().__init__(name=name, **kwargs)
    ...         self.total = self.add_variable(shape=(), initializer="zeros", name="total")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.total.assign_add(np.sum(y_true == y_pred))
    ...     def result(self):
    ...         return self.total
    >>> metric = Hits()
    >>> metric.update_state(np.array([1, 2, 3]), np.array([1, 2, 0]))
    >>> float(metric.result())
    2.0
    >>> metric.reset_state()
    >>> float(metric.result())
    0.0
    """

    # Keras's word for the better direction, "up" or "down", by which callbacks choose it.
    _direction: str | None = None
    # The attributes that it counts in, beside variables: numbers and arrays, which add up, or None for nothing yet.
    _counts: tuple[str, ...] = ()

    #: Whether steps that a mask leaves out of an output do not count in training and evaluation. As in Keras, they do
    #: in metrics that are no means of a function, as AUC or RootMeanSquaredError, and in a user's own.
    heeds_masks = False

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or snake_case(type(self).__name__)
        self.dtype = "float32" if dtype is None else np.dtype(dtype).name
        self._variables: list[MetricVariable] = []
        if type(self).__init__ is Metric.__init__:
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
        """Forget what was counted: set all variables to 0, and reset the metrics among the attributes."""
        for variable in self._own():
            variable.assign(np.zeros(variable.shape))
        for metric in self._inside():
            metric.reset_state()

    def reset_states(self) -> None:
        """`reset_state` by the name that it had in Keras 2."""
        self.reset_state()

    def add_variable(
        self, shape: Sequence[int] = (), initializer: Any = "zeros", dtype: Any = None, aggregation: str | None = "sum",
        name: str | None = None
    ) -> MetricVariable:
        """A variable to count in, which `reset_state` sets to 0.

        Args:
            shape: of the array; () for a number.
            initializer: name or instance of what gives the first values.
            dtype: float or integer; the metric's by default.
            aggregation: accepted for Keras's sake.
            name: of the variable.

        Raises:
            RuntimeError: the class's `__init__` has not called that of `Metric`.
        """
        first = initializers.get("zeros" if initializer is None else initializer)
        own = self._own()
        dtype = self.dtype if dtype is None else np.dtype(dtype).name
        variable = MetricVariable(first(tuple(shape), dtype), dtype, name or "variable")
        own.append(variable)
        return variable

    def add_weight(
        self, shape: Sequence[int] | str = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> MetricVariable:
        """`add_variable` by the name that it had in Keras 2, which took the variable's name first: that may be given in
        place of the shape.

        Args:
            shape, initializer, dtype, name: as there.

        Raises:
            RuntimeError: as there.
        """
        if isinstance(shape, str):
            name, shape = shape, ()
            if isinstance(initializer, tuple | list):
                shape, initializer = initializer, None
        return self.add_variable(shape, initializer, dtype, name=name)

    @property
    def variables(self) -> list[MetricVariable]:
        """The variables of `add_variable`, then those of the metrics among the attributes."""
        return [*self._own(), *(variable for metric in self._inside() for variable in metric.variables)]

    def counted(self) -> list[Any]:
        """What was counted since the last reset, as numbers and arrays that those of other samples can be added to;
        None where that is nothing.

        Raises:
            NotImplementedError: it counts in attributes of its own.
        """
        if not (self._counts or self._own() or any(True for _ in self._inside())):
            raise NotImplementedError(f"metric {self.name!r}: counts in attributes of its own, which cannot be added "
                                      "to those of other processes; count in variables, by add_variable")
        inside = [count for metric in self._inside() for count in metric.counted()]
        return [*(getattr(self, name) for name in self._counts), *(v.value.copy() for v in self._own()), *inside]

    def recount(self, counts: Iterator[Any]) -> None:
        """Set what was counted to the next of what `counted` gave."""
        for name in self._counts:
            setattr(self, name, next(counts))
        for variable in self._own():
            variable.assign(next(counts))
        for metric in self._inside():
            metric.recount(counts)

    def _own(self) -> list[MetricVariable]:
        if "_variables" not in vars(self):
            raise RuntimeError(f"{type(self).__name__}: call super().__init__() at the beginning of __init__()")
        return self._variables

    def _inside(self) -> Iterator[Metric]:
        """The metrics among the attributes, alone or in lists."""
        for value in vars(self).values():
            for one in value if isinstance(value, list | tuple) else (value,):
                if isinstance(one, Metric):
                    yield one

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

    _counts: tuple[str, ...] = ("total", "count")

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        Mean.reset_state(self)

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

    _counts: tuple[str, ...] = ("total",)

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        Sum.reset_state(self)

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
    """The weighted mean of what a function gives for targets and predictions. In training and evaluation, steps that a
    mask leaves out of the output do not count.

    Args:
        fn: function of (y_true, y_pred) whose values have the first axes of `y_pred`, or which gives one number, that
            of the batch.
        name: name of the metric; the function's by default.
        dtype: as in `Metric`.
        kwargs: further arguments of the function.

    Example:

    >>> metric = MeanMetricWrapper(lambda y_true, y_pred: abs(y_true - y_pred), name="distance")
    >>> metric.update_state(np.array([1.0, 2.0]), np.array([1.5, 2.5]))
    >>> metric.result()
    0.5
    """

    heeds_masks = True

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
    heeds_masks = True

    def __init__(self, loss: RowLoss, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name or loss.name, dtype)
        self._loss = loss

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        terms = self._loss.terms(y_true, y_pred, sample_weight)
        if terms.mask is not None:
            sample_weight = rowwise_weights(self.name, terms.shape, sample_weight, terms.mask, False, np.float32)
        super().update_state(terms.rows(), sample_weight)


def update(metric: Any, y_true: Any, y_pred: Any, sample_weight: Any) -> None:
    """Count a batch in a metric, with sample weights if there are any and its `update_state` has a place for them, as a
    user's own may not."""
    if sample_weight is None or not _takes_weights(type(metric).update_state):
        metric.update_state(y_true, y_pred)
    else:
        metric.update_state(y_true, y_pred, sample_weight)


@functools.cache
def _takes_weights(update_state: Callable[..., Any]) -> bool:
    parameters = list(inspect.signature(update_state).parameters.values())
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return len(parameters) > 3 or any(parameter.kind in several for parameter in parameters)


def weighted_sums(owner: str, values: Any, sample_weight: Any) -> tuple[float, float]:
    """The sum over samples of their mean values times weights, and the sum of the weights: Keras 3's rule.

    >>> weighted_sums("mean", np.array([[1.0, 3.0], [5.0, 7.0]]), None)
    (8.0, 2.0)
    >>> weighted_sums("mean", np.array([[1.0, 3.0], [5.0, 7.0]]), [[1, 0], [1, 1]])
    (6.5, 1.5)
    """
    values = np.asarray(values)
    if values.ndim == 0 and np.ndim(sample_weight):     # a number for the batch, whatever its samples weigh
        sample_weight = None
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
