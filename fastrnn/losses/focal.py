# SPDX-License-Identifier: Apache-2.0
"""Focal cross-entropies: what is well predicted counts less, so that many easy samples do not drown a few hard ones
(Lin et al. 2017, "Focal Loss for Dense Object Detection")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn.losses.base import ElementLoss, RowLoss, Terms, last_axis_only
from fastrnn.losses.crossentropy import EPSILON, check_smoothing, softmax_parts


class BinaryFocalCrossentropy(ElementLoss):
    """`mean(w * (1 - q)**gamma * c)` over the last axis, with c the binary cross-entropy of an element, q the
    probability that it gives to its target, `t * p + (1 - t) * (1 - p)`, and w = 1.

    Args:
        apply_class_balancing: w is `alpha` for targets of 1, and `1 - alpha` for targets of 0.
        alpha: see there.
        gamma: how much less the well predicted counts; 0 for the cross-entropy itself.
        from_logits: the predictions are the logits z of `p = sigmoid(z)`.
        label_smoothing: from 0 to 1; targets t become `t * (1 - label_smoothing) + label_smoothing / 2`.
        axis: -1.
        reduction, name, dtype: as in `Loss`.

    Raises:
        ValueError: an argument is out of range.

    Example:

    >>> round(BinaryFocalCrossentropy()([[1.0], [0.0]], [[0.8], [0.4]]), 4)
    0.0453
    """

    target_range = (0.0, 1.0)

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.apply_class_balancing = apply_class_balancing
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = check_smoothing(self.name, label_smoothing)
        self.axis = last_axis_only(self.name, axis)
        self.wants_probabilities = not from_logits

    def _elements(
        self, t: np.ndarray, p: np.ndarray, gradient: bool, fused: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        if self.label_smoothing:
            t = t * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        if self.from_logits:
            p = _sigmoid(p)
        cut = np.clip(p, EPSILON, 1 - EPSILON)
        entropy = -(t * np.log(cut) + (1 - t) * np.log(1 - cut))
        missed = t * (1 - p) + (1 - t) * p
        factor = missed**self.gamma
        balance = t * self.alpha + (1 - t) * (1 - self.alpha) if self.apply_class_balancing else p.dtype.type(1)
        derivative = None
        if gradient:
            inside = (p >= EPSILON) & (p <= 1 - EPSILON)
            slope = np.where(inside, (cut - t) / (cut * (1 - cut)), 0)
            derivative = balance * (factor * slope + _power_slope(missed, self.gamma) * (1 - 2 * t) * entropy)
            if self.from_logits:
                derivative *= p * (1 - p)
        return balance * factor * entropy, derivative

    def get_config(self) -> dict[str, Any]:
        config = {
            "from_logits": self.from_logits, "label_smoothing": self.label_smoothing, "axis": self.axis,
            "apply_class_balancing": self.apply_class_balancing, "alpha": self.alpha, "gamma": self.gamma,
        }  # fmt: skip
        return {**super().get_config(), **config}


class CategoricalFocalCrossentropy(RowLoss):
    """`-sum(alpha * (1 - p)**gamma * t * log(p))` over the last axis, for targets t that are a row of class
    probabilities, one-hot or not.

    Args:
        alpha: a weight of all classes, or a list with one for each.
        gamma: how much less the well predicted counts; 0 for alpha times the cross-entropy.
        from_logits: the predictions are the logits z of `p = softmax(z)`.
        label_smoothing: from 0 to 1; targets t become `t * (1 - label_smoothing) + label_smoothing / classes`.
        axis: -1.
        reduction, name, dtype: as in `Loss`.

    Raises:
        ValueError: an argument is out of range, or, when called, `alpha` has not one weight for each class.

    Example:

    >>> round(CategoricalFocalCrossentropy()([[0.0, 1.0, 0.0]], [[0.1, 0.8, 0.1]]), 4)
    0.0022
    """

    target_range = (0.0, 1.0)

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.alpha = alpha if isinstance(alpha, int | float) else [float(weight) for weight in alpha]
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = check_smoothing(self.name, label_smoothing)
        self.axis = last_axis_only(self.name, axis)
        self.wants_probabilities = not from_logits

    def _terms(self, t: Any, p: np.ndarray, gradient: bool, fused: bool) -> Terms:
        classes = p.shape[-1]
        alpha = np.asarray(self.alpha, p.dtype)
        if alpha.ndim and alpha.shape != (classes,):
            raise ValueError(f"{self.name}: expected alpha to be a number or {classes} of them, one for each class, "
                             f"got {len(alpha)}")
        if self.label_smoothing:
            t = t * (1 - self.label_smoothing) + self.label_smoothing / classes
        total: Any = 1
        if self.from_logits:
            _, exponentials, sums = softmax_parts(p)
            shares = exponentials / sums[..., None]
        else:
            total = p.sum(axis=-1, keepdims=True)
            shares = p / total
        cut = np.clip(shares, EPSILON, 1 - EPSILON)
        logs, factor = np.log(cut), alpha * (1 - cut)**self.gamma
        derivative = None
        if gradient:
            inside = (shares >= EPSILON) & (shares <= 1 - EPSILON)
            slope = t * (alpha * _power_slope(1 - cut, self.gamma) * logs - factor / cut) * inside
            slope -= (slope * shares).sum(axis=-1, keepdims=True)       # as the shares of a row sum to one
            derivative = slope * shares if self.from_logits else slope / total
        return Terms(-(factor * t * logs), derivative, p.shape[:-1])

    def get_config(self) -> dict[str, Any]:
        config = {
            "from_logits": self.from_logits, "label_smoothing": self.label_smoothing, "axis": self.axis,
            "alpha": self.alpha, "gamma": self.gamma,
        }  # fmt: skip
        return {**super().get_config(), **config}


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> np.ndarray:
    """`BinaryFocalCrossentropy` of each row.

    Args:
        y_true, y_pred: targets and outputs (..., n), of one shape.
        apply_class_balancing: whether targets of 1 weigh `alpha`, and those of 0 `1 - alpha`.
        alpha: see there.
        gamma: how much less the well predicted counts.
        from_logits: whether the outputs are logits instead of probabilities.
        label_smoothing: how far targets are moved towards one half, from 0 to 1.
        axis: -1, the last one.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> binary_focal_crossentropy([[1.0], [0.0]], [[0.8], [0.4]]).round(4)
    array([0.0089, 0.0817], dtype=float32)
    """
    loss = BinaryFocalCrossentropy(apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis)
    return loss.call(y_true, y_pred)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> np.ndarray:
    """`CategoricalFocalCrossentropy` of each row.

    Args:
        y_true, y_pred: targets and outputs (..., classes), of one shape.
        alpha: a weight of all classes, or one for each.
        gamma: how much less the well predicted counts.
        from_logits: whether the outputs are logits instead of probabilities.
        label_smoothing: how far targets are moved towards the same value for all classes, from 0 to 1.
        axis: -1, the last one.

    Returns:
        float, (...,).

    Raises:
        ValueError: shapes that do not go together.

    >>> categorical_focal_crossentropy([[0.0, 1.0, 0.0]], [[0.1, 0.8, 0.1]]).round(4)
    array([0.0022], dtype=float32)
    """
    return CategoricalFocalCrossentropy(alpha, gamma, from_logits, label_smoothing, axis).call(y_true, y_pred)


def _power_slope(x: np.ndarray, gamma: float) -> Any:
    """The derivative of `x**gamma`, and 0 at 0, where it may be infinite."""
    return np.where(x > 0, gamma * x ** (gamma - 1), 0) if gamma else 0


def _sigmoid(z: np.ndarray) -> np.ndarray:
    decay = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, decay) / (1 + decay)
