# SPDX-License-Identifier: Apache-2.0
"""What every loss is: the checks of targets, the reduction, and the gradient that goes with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn.graph.symbol import has_symbols
from fastrnn.layers.base import unique_name
from fastrnn.layers.core.calls import Calls
from fastrnn.losses import traced
from fastrnn.losses.shapes import align, prediction_array, target_array
from fastrnn.losses.weights import rowwise_weights
from fastrnn.registry import Configurable, snake_case

REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)


class Reduction:
    """The names of reductions, by those that Keras 2 gave them.

    >>> Reduction.SUM
    'sum'
    """

    AUTO = "auto"
    NONE = "none"
    SUM = "sum"
    SUM_OVER_BATCH_SIZE = "sum_over_batch_size"


class Terms(NamedTuple):
    """A loss before its reduction.

    values: one value a row of the predictions (a row is their last axis), or one value a prediction, whose sum along
        the last axis is `per_row` times the row's value.
    gradient: of `values` with respect to the predictions, in their shape, or None where it was not wanted.
        It is the reduction's own, to scale in place.
    shape: shape of the rows.
    mask: bool, the rows that count, or None for all.
    """

    values: np.ndarray
    gradient: np.ndarray | None
    shape: tuple[int, ...]
    per_row: int = 1
    mask: np.ndarray | None = None

    def rows(self) -> np.ndarray:
        """The value of each row."""
        return self.values if self.values.ndim == len(self.shape) else self.values.sum(axis=-1) / self.per_row


class Loss(Configurable):
    """A loss. A subclass of the user's own defines `call`, of `fastrnn.ops` and operators; and `gradient`, or
    else it is traced and differentiated by the package autograd.

    Args:
        name: name of the loss; the class's in snake_case by default.
        reduction: how the rows' values, times their weights, become one number. "sum_over_batch_size" (or "mean")
            divides their sum by the number of rows, "mean_with_sample_weight" by the sum of the weights; "sum"
            divides by nothing; "none" (or None) leaves the array. A row is the last axis of the predictions: a
            sequence has one for each time step.
        dtype: accepted for Keras's sake; a loss is computed in its predictions' dtype, and summed in float64.

    Attributes:
        fused_activation: the activation whose derivative cancels against the loss's, "softmax" or "sigmoid", or None.
            A model whose last layer ends in it trains through `value_and_logits_gradient`.
        wants_probabilities: whether the predictions must lie in [0, 1].
        target_range: the least and the largest target that the loss is defined for.

    Raises:
        ValueError: the reduction is not one of those named.

    Example:

    >>> class Quartic(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return ((y_pred - y_true) ** 4).mean(axis=-1)
    ...     def gradient(self, y_true, y_pred):
    ...         return 4 * (y_pred - y_true) ** 3 / y_pred.shape[-1]
    >>> Quartic()([[0.0], [0.0]], [[1.0], [2.0]])
    8.5
    """

    fused_activation: str | None = None
    wants_probabilities: bool = False
    target_range: tuple[float, float] = (-math.inf, math.inf)
    of_the_difference = False       # of targets and predictions: their gradients are opposite
    _traced = False         # defines no gradient, which follows from a trace of `call`

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "call" in vars(cls) or "gradient" in vars(cls):
            cls._traced = cls.gradient is Loss.gradient

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        if reduction == "auto":  # Keras 2's name of the default
            reduction = "sum_over_batch_size"
        self.name = name or snake_case(type(self).__name__)
        if reduction not in REDUCTIONS:
            raise ValueError(f"{self.name}: expected reduction to be one of {REDUCTIONS}, got {reduction!r}")
        self.reduction = reduction

    def call(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """The value of each row: shape (batch, ...) without the last axis of `y_pred`."""
        raise NotImplementedError(f"{type(self).__name__} must define call(y_true, y_pred)")

    def gradient(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """The gradient of each row's value with respect to that row of `y_pred`: `y_pred`'s shape."""
        raise NotImplementedError(f"{type(self).__name__} must define gradient(y_true, y_pred), needed for training")

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None, fused: bool = False
    ) -> float | np.ndarray:
        """The loss.

        Args:
            y_true: targets, in the shape of the predictions (class indices: without the last axis).
            y_pred: predictions, (batch, units) or (batch, time, units).
            sample_weight: one weight a sample, (batch,), or one a row, (batch, time).
            mask: bool, (batch, time): the rows that count.
            fused: the predictions come from `fused_activation`, as in `value_and_logits_gradient`.

        Returns:
            A number; with reduction "none" the array of the rows' values times their weights.

        Raises:
            ValueError: the shapes do not fit, or a class index is outside the classes.
        """
        if has_symbols((y_true, y_pred)):
            node: Any = Calls(self, name=unique_name(self.name))
            return node(y_true, y_pred, sample_weight=sample_weight, mask=mask)
        if traced.is_traced(y_true, y_pred) and not self._traced:
            mean: Any = traced.mean(self, y_true, y_pred, sample_weight, mask)
            return mean
        if self._traced:
            return traced.value(self, y_true, y_pred, sample_weight, mask)
        whole = self._whole(y_true, y_pred, False) if fused and sample_weight is None and mask is None else None
        if whole is not None:
            return whole[0]
        terms, _ = self._prepared(y_true, y_pred, sample_weight, mask, False, fused)
        weights, divisor = self._weights(terms, sample_weight, mask)
        if self.reduction in ("none", None):
            return terms.rows() if weights is None else terms.rows() * weights
        return _sum(terms, weights) * _inverse(divisor * terms.per_row)

    def value_and_gradient(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> tuple[float, np.ndarray]:
        """The loss and its gradient with respect to the predictions.

        Arguments as in a call.

        Returns:
            A number, and an array of `y_pred`'s shape and dtype.

        Raises:
            ValueError: the shapes do not fit, a class index is outside the classes, or the reduction is "none".
        """
        return self._value_and_gradient(y_true, y_pred, sample_weight, mask, fused=False)

    def value_and_logits_gradient(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> tuple[float, np.ndarray]:
        """The loss, and its gradient with respect to what `fused_activation` was given to make `y_pred`.

        That gradient is a difference, probability less target, free of the division by small probabilities that the
        two derivatives by themselves contain.

        Arguments, returns and raises as in `value_and_gradient`.

        Raises:
            ValueError: as there, or there is no `fused_activation`.
        """
        if self.fused_activation is None:
            raise ValueError(f"{self.name}: has no activation to be fused with; use value_and_gradient")
        return self._value_and_gradient(y_true, y_pred, sample_weight, mask, fused=True)

    def check_shapes(self, y_true_shape: Sequence[int], y_pred_shape: Sequence[int]) -> None:
        """Raise ValueError where targets of a shape do not fit predictions of another, before there are any."""
        if self._traced:
            return

        def check(t: Sequence[int], p: Sequence[int]) -> None:
            zero = np.zeros((), np.float32)
            self._align(np.broadcast_to(zero, t), np.broadcast_to(zero, p), 0)

        try:
            check((1, *y_true_shape[1:]), (1, *y_pred_shape[1:]))   # of one sample, since what fits may be copied
        except ValueError:
            check(y_true_shape, y_pred_shape)                       # whose error has the shapes as they are

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "reduction": self.reduction}

    def _terms(self, t: Any, p: np.ndarray, gradient: bool, fused: bool) -> Terms:
        """The loss before its reduction, for targets and predictions that `_align` gave."""
        values = np.asarray(self.call(t, p), p.dtype)
        derivative = None
        if gradient:
            derivative = np.array(self.gradient(t, p), p.dtype)
            if derivative.shape != p.shape:
                raise ValueError(f"{self.name}: expected gradient() to give shape {p.shape}, got {derivative.shape}")
        return Terms(values, derivative, values.shape)

    def _align(self, t: Any, p: np.ndarray, weight_rank: int) -> tuple[Any, np.ndarray]:
        """Targets and predictions in the shapes that `_terms` takes."""
        return target_array(self.name, t, p.dtype), p

    def _prepared(
        self, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any, gradient: bool, fused: bool
    ) -> tuple[Terms, np.ndarray]:
        """The terms, and the predictions as an array."""
        y_pred = prediction_array(self.name, y_pred)
        weight_rank = 0 if sample_weight is None else np.ndim(sample_weight)
        if mask is not None:
            weight_rank = max(weight_rank, np.ndim(mask))
        t, p = self._align(y_true, y_pred, weight_rank)
        # A model that diverges shows it in the loss, infinite or NaN; NumPy need not add its warnings.
        with np.errstate(all="ignore"):
            return self._terms(t, p, gradient, fused), y_pred

    def _whole(self, y_true: Any, y_pred: Any, gradient: bool) -> tuple[float, Any] | None:
        """What `value_and_logits_gradient` returns without weights, where a kernel gives it in one go, else None. The
        gradient is None where it is not wanted."""
        return None

    def mass(self, y_true: Any, sample_weight: Any, mask: Any) -> float | None:
        """What the loss of a batch weighs in that of several together, where it is not their number of samples: the
        part of them that a mask leaves in, or their weights. The loss of all is the mean of theirs by it.

        Arguments as in a call.

        Returns:
            A number; or None for the number of samples.
        """
        if self.reduction == "mean_with_sample_weight" and sample_weight is not None:
            weights = rowwise_weights(self.name, np.shape(sample_weight if mask is None else mask), sample_weight, mask,
                                      False, np.float64)
            return float(weights.mean()) * len(weights) if weights.size else 0.0
        return None if mask is None else float(np.mean(mask)) * len(mask)

    def weights_of(self, values: np.ndarray, sample_weight: Any, mask: Any) -> tuple[np.ndarray | None, float]:
        """The weights of these values, and what their weighted sum is divided by."""
        return self._weights(Terms(values, None, values.shape), sample_weight, mask)

    def _weights(self, terms: Terms, sample_weight: Any, mask: Any) -> tuple[np.ndarray | None, float]:
        """The rows' weights, and what the weighted sum is divided by."""
        if terms.mask is not None:
            mask = terms.mask if mask is None else np.logical_and(mask, terms.mask)
        mean = self.reduction in ("sum_over_batch_size", "mean")
        divisor = float(math.prod(terms.shape)) if mean or self.reduction == "mean_with_sample_weight" else 1.0
        if sample_weight is None and mask is None:
            return None, divisor
        weights = rowwise_weights(self.name, terms.shape, sample_weight, mask, mean, terms.values.dtype)
        if self.reduction == "mean_with_sample_weight":
            divisor = float(weights.sum(dtype=np.float64))
        return weights, divisor

    def _value_and_gradient(
        self, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any, fused: bool
    ) -> tuple[float, np.ndarray]:
        if self.reduction in ("none", None):
            raise ValueError(
                f"{self.name}: reduction {self.reduction!r} gives one value a row, and training needs one number; "
                "use reduction='sum' or 'sum_over_batch_size'"
            )
        if self._traced:
            return traced.value_and_gradient(self, y_true, y_pred, sample_weight, mask)
        whole = self._whole(y_true, y_pred, True) if fused and sample_weight is None and mask is None else None
        if whole is not None:
            return whole
        terms, y_pred = self._prepared(y_true, y_pred, sample_weight, mask, True, fused)
        weights, divisor = self._weights(terms, sample_weight, mask)
        scale = _inverse(divisor * terms.per_row)
        factors = scale if weights is None else weights * weights.dtype.type(scale)
        return _sum(terms, weights) * scale, self._gradient_of_sum(terms, factors, y_pred).reshape(y_pred.shape)

    def _gradient_of_sum(self, terms: Terms, factors: Any, y_pred: np.ndarray) -> np.ndarray:
        """The gradient of the sum of the rows' values, each times its factor."""
        gradient = terms.gradient
        assert gradient is not None
        gradient *= factors if isinstance(factors, float) else \
            factors.reshape(factors.shape + (1,) * (gradient.ndim - factors.ndim))
        return gradient


class RowLoss(Loss):
    """A loss that defines `_terms`, from which `call` and `gradient` follow."""

    def call(self, y_true: Any, y_pred: Any) -> np.ndarray:
        if has_symbols((y_true, y_pred)):
            made: Any = Calls(self.call, name=unique_name(self.name))(y_true, y_pred)
            return made
        if traced.is_traced(y_true, y_pred):
            of_rows: Any = traced.rows(self, y_true, y_pred)
            return of_rows
        return self.terms(y_true, y_pred).rows()

    def terms(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Terms:
        """The loss before its reduction, with a row for each of the sample weights: what a metric averages."""
        return self._prepared(y_true, y_pred, sample_weight, None, False, False)[0]

    def gradient(self, y_true: Any, y_pred: Any) -> np.ndarray:
        terms, y_pred = self._prepared(y_true, y_pred, None, None, True, False)
        return self._gradient_of_sum(terms, _inverse(terms.per_row), y_pred).reshape(y_pred.shape)

    def _align(self, t: Any, p: np.ndarray, weight_rank: int) -> tuple[Any, np.ndarray]:
        return align(self.name, target_array(self.name, t, p.dtype), p, weight_rank=0)


class ElementLoss(RowLoss):
    """A loss whose rows' values are means over their elements, given by `_elements`."""

    def _elements(
        self, t: np.ndarray, p: np.ndarray, gradient: bool, fused: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The value of each element and its derivative, the latter None where it is not wanted."""
        raise NotImplementedError

    def _terms(self, t: Any, p: np.ndarray, gradient: bool, fused: bool) -> Terms:
        values, derivative = self._elements(t, p, gradient, fused)
        return Terms(values, derivative, p.shape[:-1], p.shape[-1])

    def _align(self, t: Any, p: np.ndarray, weight_rank: int) -> tuple[Any, np.ndarray]:
        return align(self.name, target_array(self.name, t, p.dtype), p, weight_rank)


def _sum(terms: Terms, weights: np.ndarray | None) -> float:
    """The weighted sum of the values."""
    values = terms.values
    if weights is not None:
        values = values * (weights if values.ndim == weights.ndim else weights[..., None])
    return float(values.sum(dtype=np.float64))


def _inverse(divisor: float) -> float:
    """One over the divisor; 0 for 0: the loss of nothing is 0."""
    return 1.0 / divisor if divisor else 0.0


def last_axis_only(owner: str, axis: int) -> int:
    """`axis` if it is -1, which is the one that a kernel's layout serves.

    Raises:
        ValueError: it is another.
    """
    if axis != -1:
        raise ValueError(f"{owner}: expected axis=-1, got {axis!r}; move that axis of targets and predictions last")
    return axis


def kind_of_targets(y_true_shape: Sequence[int | None], y_pred_shape: Sequence[int | None]) -> str:
    """What "accuracy" and "crossentropy" mean for targets and predictions of these shapes: "binary" for one unit,
    "sparse" for class indices, "categorical" for a row of targets for each row of predictions. Keras 3's rule.

    Args:
        y_true_shape, y_pred_shape: of the targets and the predictions, the batch first.

    >>> kind_of_targets((32,), (32, 1)), kind_of_targets((32, 1), (32, 10)), kind_of_targets((32, 10), (32, 10))
    ('binary', 'sparse', 'categorical')
    """
    if y_pred_shape[-1] == 1:
        return "binary"
    sparse = len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1
    return "sparse" if sparse else "categorical"
