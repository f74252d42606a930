# SPDX-License-Identifier: Apache-2.0
"""What a loss does that defines `call` and no gradient: that follows from a trace, by the package autograd. It may give
a value for each row, for each prediction, or one for all."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.graph.eager import differentiated
from fastrnn.losses.shapes import prediction_array, target_array


def align(name: str, t: Any, p: np.ndarray) -> tuple[Any, np.ndarray]:
    """As Keras aligns targets and predictions: of two that differ by a last axis of length 1 the shorter gets it, if
    that is a vector, or the longer loses it."""
    t = target_array(name, t, p.dtype)
    if t.ndim == p.ndim - 1 and p.shape[-1] == 1:
        return (t[..., None], p) if t.ndim == 1 else (t, p[..., 0])
    if p.ndim == t.ndim - 1 and t.shape[-1] == 1:
        return (t, p[..., None]) if p.ndim == 1 else (t[..., 0], p)
    return t, p


def value(loss: Any, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any) -> Any:
    """The loss; an array with reduction "none"."""
    t, p = align(loss.name, y_true, prediction_array(loss.name, y_pred))
    with np.errstate(all="ignore"):
        values = np.asarray(loss.call(t, p), p.dtype)
    weights, divisor = _weights(loss, values, sample_weight, mask)
    if loss.reduction in ("none", None):
        return values * weights
    return float((values * weights).sum(dtype=np.float64)) / divisor


def value_and_gradient(loss: Any, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any) -> tuple[float, np.ndarray]:
    """The loss, and its gradient with respect to the predictions."""
    y_pred = prediction_array(loss.name, y_pred)
    t, p = align(loss.name, y_true, y_pred)
    with np.errstate(all="ignore"):
        values, back = differentiated(lambda p: loss.call(t, p), p)
        values = np.asarray(values, p.dtype)
        weights, divisor = _weights(loss, values, sample_weight, mask)
        total = float((values * weights).sum(dtype=np.float64)) / divisor
        gradient = back(np.asarray(np.broadcast_to(weights / divisor, values.shape), p.dtype))[0]
    if gradient is None:
        gradient = np.zeros_like(p)
    return total, np.ascontiguousarray(gradient, p.dtype).reshape(y_pred.shape)


def _weights(loss: Any, values: np.ndarray, sample_weight: Any, mask: Any) -> tuple[Any, float]:
    """What each value is multiplied by, and what the sum is divided by."""
    if values.ndim == 0:            # a mean of the user's own, which the weights of samples scale as a whole
        return (1.0 if sample_weight is None else float(np.mean(sample_weight))), 1.0
    weights, divisor = loss.weights_of(values, sample_weight, mask)
    if weights is None:
        return 1.0, divisor or 1.0
    return weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim)), divisor or 1.0
