# SPDX-License-Identifier: Apache-2.0
"""Losses in a user's own code that is traced; and what a loss does that defines `call` and no gradient.

Such a loss may give a value for each row, for each prediction, or one for all; its gradient follows from a trace of it,
by the package autograd.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.graph.eager import differentiated, tape
from fastrnn.graph.tape import is_box, plain
from fastrnn.losses.shapes import prediction_array, target_array


def is_traced(y_true: Any, y_pred: Any) -> bool:
    """Whether predictions, or targets, stand for arrays in a trace."""
    return is_box(y_pred) or is_box(y_true)


def rows(loss: Any, y_true: Any, y_pred: Any) -> Any:
    """The value of each row of a loss that knows its gradient, as one step of the trace."""
    t, p = plain(y_true), plain(y_pred)

    def back(dy: np.ndarray) -> Any:
        gradient = loss.gradient(t, p)
        return _for_both(loss, y_true, t, gradient * dy.reshape(dy.shape + (1,) * (gradient.ndim - dy.ndim)))

    return _recorded(np.asarray(loss.call(t, p)), y_true, y_pred, back)


def mean(loss: Any, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any) -> Any:
    """The value of a loss, as one step of the trace."""
    t, p = plain(y_true), plain(y_pred)
    found, gradient = loss.value_and_gradient(t, p, plain(sample_weight), plain(mask))
    return _recorded(np.asarray(found, gradient.dtype), y_true, y_pred,
                     lambda dy: _for_both(loss, y_true, t, gradient * dy))


def _recorded(values: np.ndarray, y_true: Any, y_pred: Any, back: Any) -> Any:
    running = tape()
    assert running is not None
    return running.record(values, [y_pred, y_true], back)


def _for_both(loss: Any, y_true: Any, t: Any, gradient: np.ndarray) -> list[Any]:
    """The gradients of predictions and of targets, which are opposite where the loss is one of their difference."""
    if not is_box(y_true):
        return [gradient, None]
    if not loss.of_the_difference or t.shape != gradient.shape:
        raise NotImplementedError(f"{loss.name}: has no gradient with respect to y_true; write "
                                  "ops.stop_gradient(y_true) where none is wanted")
    return [gradient, -gradient]


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
        values = np.asarray(_given(loss, loss.call(t, p)), p.dtype)
    weights, divisor = _weights(loss, values, sample_weight, mask)
    if loss.reduction in ("none", None):
        return values * weights
    return float((values * weights).sum(dtype=np.float64)) / divisor


def value_and_gradient(loss: Any, y_true: Any, y_pred: Any, sample_weight: Any, mask: Any) -> tuple[float, np.ndarray]:
    """The loss, and its gradient with respect to the predictions."""
    y_pred = prediction_array(loss.name, y_pred)
    t, p = align(loss.name, y_true, y_pred)
    with np.errstate(all="ignore"):
        values, back = differentiated(lambda p: _given(loss, loss.call(t, p)), p, who=loss.name)
        values = np.asarray(values, p.dtype)
        weights, divisor = _weights(loss, values, sample_weight, mask)
        total = float((values * weights).sum(dtype=np.float64)) / divisor
        gradient = back(np.asarray(np.broadcast_to(weights / divisor, values.shape), p.dtype))[0]
    if gradient is None:
        gradient = np.zeros_like(p)
    return total, np.ascontiguousarray(gradient, p.dtype).reshape(y_pred.shape)


def _given(loss: Any, values: Any) -> Any:
    """What `call` gave, or a ValueError where that is nothing."""
    if values is None:
        raise ValueError(f"{loss.name}: expected the loss to give an array or a number, got None; does its function "
                         "return what it computes?")
    return values


def _weights(loss: Any, values: np.ndarray, sample_weight: Any, mask: Any) -> tuple[Any, float]:
    """What each value is multiplied by, and what the sum is divided by."""
    if values.ndim == 0:            # a mean of the user's own, which the weights of samples scale as a whole
        return (1.0 if sample_weight is None else float(np.mean(sample_weight))), 1.0
    weights, divisor = loss.weights_of(values, sample_weight, mask)
    if weights is None:
        return 1.0, divisor or 1.0
    return weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim)), divisor or 1.0
