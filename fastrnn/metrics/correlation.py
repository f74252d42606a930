# SPDX-License-Identifier: Apache-2.0
"""How far predictions go along with targets: Pearson's coefficient, and the one of concordance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn.losses.shapes import align, prediction_array, target_array
from fastrnn.metrics.base import MeanMetricWrapper
from fastrnn.metrics.confusion import EPSILON

_Axis = int | Sequence[int]


def pearson_correlation(y_true: Any, y_pred: Any, axis: _Axis = -1) -> np.ndarray:
    """Pearson's coefficient of correlation, `mean((t - mean(t)) * (p - mean(p))) / (std(t) * std(p))`.

    Args:
        y_true, y_pred: targets and outputs of one shape.
        axis: the axis or axes of the samples.

    Returns:
        float, the other axes; NaN where all targets or all outputs are the same.

    Raises:
        ValueError: shapes that do not go together.

    >>> pearson_correlation([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]).round(4)
    array([1.    , 0.9934], dtype=float32)
    """
    t, p, axis = _arrays("pearson_correlation", y_true, y_pred, axis)
    t, p = t - t.mean(axis, keepdims=True), p - p.mean(axis, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return ((t / t.std(axis, keepdims=True)) * (p / p.std(axis, keepdims=True))).mean(axis)


def concordance_correlation(y_true: Any, y_pred: Any, axis: _Axis = -1) -> np.ndarray:
    """Lin's coefficient of concordance (1989), `2 * cov(t, p) / (var(t) + var(p) + (mean(t) - mean(p))**2)`: 1 for
    outputs that are the targets.

    Args:
        y_true, y_pred: targets and outputs of one shape.
        axis: the axis or axes of the samples.

    Returns:
        float, the other axes.

    Raises:
        ValueError: shapes that do not go together.

    >>> concordance_correlation([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]).round(4)
    array([0.9756, 0.9877], dtype=float32)
    """
    t, p, axis = _arrays("concordance_correlation", y_true, y_pred, axis)
    t_mean, p_mean = t.mean(axis, keepdims=True), p.mean(axis, keepdims=True)
    scale = t.var(axis, keepdims=True) + p.var(axis, keepdims=True) + (t_mean - p_mean) ** 2 + EPSILON
    return (2 * (t - t_mean) * (p - p_mean) / scale).mean(axis)


class _Correlation(MeanMetricWrapper):
    _direction = "up"

    def __init__(self, fn: Any, name: str | None, dtype: Any, axis: _Axis) -> None:
        super().__init__(fn, name, dtype, axis=axis)
        self.axis = axis


class PearsonCorrelation(_Correlation):
    """The mean of `pearson_correlation`, each sample counting once.

    Args:
        name, dtype: as in `Metric`.
        axis: the axis or axes along which targets and predictions are compared.

    Example:

    >>> round(PearsonCorrelation()([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]), 4)
    0.9967
    """

    def __init__(self, name: str | None = "pearson_correlation", dtype: Any = None, axis: _Axis = -1) -> None:
        super().__init__(pearson_correlation, name, dtype, axis)


class ConcordanceCorrelation(_Correlation):
    """The mean of `concordance_correlation`, each sample counting once.

    Args:
        name, dtype: as in `Metric`.
        axis: the axis or axes along which targets and predictions are compared.

    Example:

    >>> round(ConcordanceCorrelation()([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]), 4)
    0.9816
    """

    def __init__(self, name: str | None = "concordance_correlation", dtype: Any = None, axis: _Axis = -1) -> None:
        super().__init__(concordance_correlation, name, dtype, axis)


def _arrays(owner: str, y_true: Any, y_pred: Any, axis: _Axis) -> tuple[np.ndarray, np.ndarray, int | tuple[int, ...]]:
    p = prediction_array(owner, y_pred)
    t, p = align(owner, target_array(owner, y_true, p.dtype), p, 0)
    return t, p, axis if isinstance(axis, int) else tuple(axis)
