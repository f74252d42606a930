# SPDX-License-Identifier: Apache-2.0
"""F-scores: harmonic means of precision and recall."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.losses.weights import rowwise_weights
from fastrnn.metrics.base import Metric
from fastrnn.metrics.confusion import EPSILON


class FBetaScore(Metric):
    """`(1 + beta**2) * precision * recall / (beta**2 * precision + recall)`, for targets of 0 and 1 (batch, classes).

    Args:
        average: None for a score of each class; "micro" for one of all predictions together; "macro" for the mean over
            the classes, "weighted" for that weighted by the number of their targets.
        beta: how much more the recall counts than the precision.
        threshold: predictions above it are positives, from 0 to 1; None for the largest of each row.
        name, dtype: as in `Metric`.

    Raises:
        ValueError: an argument is out of range; when called, targets or predictions are not (batch, classes).

    Example:

    >>> metric = FBetaScore(beta=2.0, threshold=0.5)
    >>> metric.update_state([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
    >>> metric.result().round(4)
    array([0.3846, 0.9091, 0.8333])
    """

    _direction = "up"

    _counts = ("_counted",)

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        who = type(self).__name__
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(f"{who}: expected average to be None, 'micro', 'macro' or 'weighted', got {average!r}")
        if not beta > 0:
            raise ValueError(f"{who}: expected beta above 0, got {beta!r}")
        if threshold is not None and not 0 < threshold <= 1:
            raise ValueError(f"{who}: expected threshold from 0 to 1, 0 excluded, got {threshold!r}")
        self.average = average
        self.beta = beta
        self.threshold = threshold
        FBetaScore.reset_state(self)

    def reset_state(self) -> None:
        # For each class the weight of true positives, of positives, and of targets.
        self._counted: np.ndarray | None = None

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        t, p = np.asarray(y_true, np.float64), np.asarray(y_pred)
        if p.ndim != 2 or t.shape != p.shape or (self._counted is not None and self._counted.shape[1] != p.shape[1]):
            raise ValueError(f"{self.name}: expected targets and predictions of one shape (batch, classes), got "
                             f"{t.shape} and {p.shape}")
        if self.threshold is None:
            positive = (p >= p.max(axis=1, keepdims=True)) & (np.abs(p) > 1e-9)     # a row of zeros has none
        else:
            positive = p > self.threshold
        weight = np.ones(len(p))
        if sample_weight is not None:
            weight = np.broadcast_to(rowwise_weights(self.name, (len(p),), sample_weight, None, False, "f8"), len(p))
        counts = np.stack([weight @ (positive * t), weight @ positive, weight @ t])
        self._counted = counts if self._counted is None else self._counted + counts

    def result(self) -> Any:
        """The score: an array of one for each class, or with `average` a number; 0 before the first batch."""
        if self._counted is None:
            return 0.0
        counts = self._counted.sum(axis=1, keepdims=True) if self.average == "micro" else self._counted
        true, positives, targets = counts
        precision, recall = true / (positives + EPSILON), true / (targets + EPSILON)
        square = self.beta**2
        scores = (1 + square) * precision * recall / (square * precision + recall + EPSILON)
        if self.average is None:
            return scores
        if self.average == "weighted":
            return float(scores @ targets / (targets.sum() + EPSILON))
        return float(scores.mean())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "average": self.average, "beta": self.beta, "threshold": self.threshold}


class F1Score(FBetaScore):
    """`2 * precision * recall / (precision + recall)`, for targets of 0 and 1 (batch, classes).

    Args:
        average: None for a score of each class; "micro" for one of all predictions together; "macro" for the mean over
            the classes, "weighted" for that weighted by the number of their targets.
        threshold: predictions above it are positives, from 0 to 1; None for the largest of each row.
        name, dtype: as in `Metric`.

    Raises:
        ValueError: an argument is out of range; when called, targets or predictions are not (batch, classes).

    Example:

    >>> metric = F1Score(threshold=0.5)
    >>> metric.update_state([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]])
    >>> metric.result().round(4)
    array([0.5   , 0.8   , 0.6667])
    """

    def __init__(
        self, average: str | None = None, threshold: float | None = None, name: str | None = "f1_score",
        dtype: Any = None
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["beta"]
        return config
