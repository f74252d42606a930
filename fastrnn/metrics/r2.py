# SPDX-License-Identifier: Apache-2.0
"""The coefficient of determination."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fastrnn.losses.shapes import align
from fastrnn.losses.weights import rowwise_weights
from fastrnn.metrics.base import Metric


class R2Score(Metric):
    """`1 - sum((t - p)**2) / sum((t - mean(t))**2)` of each column of (batch, n): 1 for predictions that are right, 0
    for those that are no better than the mean.

    Args:
        class_aggregation: "uniform_average" for the mean of the columns, "variance_weighted_average" for that weighted
            by the variances of their targets, None for an array of all.
        num_regressors: of the model, p, for the score adjusted by it, `1 - (1 - R2) * (n - 1) / (n - p - 1)` for n
            targets (Theil 1961); 0 for none.
        name, dtype: as in `Metric`.

    Raises:
        ValueError: an argument is out of range; when called, targets or predictions are not (batch, n).

    Example:

    >>> round(R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]]), 4)
    0.5714
    """

    _direction = "up"

    _counts = ("_sums", "_targets")

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        if class_aggregation not in (None, "uniform_average", "variance_weighted_average"):
            raise ValueError("R2Score: expected class_aggregation to be None, 'uniform_average' or "
                             f"'variance_weighted_average', got {class_aggregation!r}")
        if num_regressors < 0:
            raise ValueError(f"R2Score: expected num_regressors to be 0 or more, got {num_regressors}")
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        R2Score.reset_state(self)

    def reset_state(self) -> None:
        # For each column the sums of weights, of targets, of their squares and of squared errors.
        self._sums: np.ndarray | None = None
        self._targets = 0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        t, p = align(self.name, np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64), 0)
        if p.ndim != 2 or (self._sums is not None and self._sums.shape[1] != p.shape[1]):
            raise ValueError(f"{self.name}: expected targets and predictions of one shape (batch, n), got {t.shape} "
                             f"and {p.shape}")
        weight = np.ones(p.shape)
        if sample_weight is not None:
            given = rowwise_weights(self.name, p.shape, sample_weight, None, False, np.float64)
            weight = np.broadcast_to(given, p.shape)
        sums = np.stack([weight, weight * t, weight * t**2, weight * (t - p) ** 2]).sum(axis=1)
        self._sums = sums if self._sums is None else self._sums + sums
        self._targets += t.size

    def result(self) -> Any:
        """The score: a number, or without aggregation an array; 0 before the first batch."""
        if self._sums is None:
            return 0.0
        weights, total, squares, errors = self._sums
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = squares - total * (total / weights)
            scores = 1 - errors / variance
            scores = np.where(np.isinf(scores), 0, scores)
            if self.class_aggregation == "uniform_average":
                scores = scores.mean()
            elif self.class_aggregation == "variance_weighted_average":
                scores = (variance * scores).sum() / variance.sum()
        if self.num_regressors:
            freedom = self._targets - self.num_regressors - 1
            if freedom > 0:
                scores = 1 - (1 - scores) * (self._targets - 1) / freedom
            else:
                warnings.warn(f"{self.name}: {self._targets} targets are too few to adjust the score to "
                              f"{self.num_regressors} regressors; it is not adjusted", stacklevel=2)
        return scores if np.ndim(scores) else float(scores)

    def get_config(self) -> dict[str, Any]:
        config = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return {**super().get_config(), **config}
