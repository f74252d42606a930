# SPDX-License-Identifier: Apache-2.0
"""The area under the ROC or the precision-recall curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn.activations import sigmoid
from fastrnn.losses.shapes import align
from fastrnn.losses.weights import rowwise_weights
from fastrnn.metrics.confusion import EPSILON, ThresholdMetric, divided


class AUC(ThresholdMetric):
    """The area under a curve through the points that `num_thresholds` thresholds give.

    Args:
        num_thresholds: number of thresholds, evenly spaced from 0 to 1.
        curve: "ROC" (recall over the rate of false positives) or "PR" (precision over recall).
        summation_method: "interpolation" takes the middle height between two points (for "PR" the interpolation of
            Davis and Goadrich 2006), "minoring" the smaller, "majoring" the larger.
        name, dtype: as in `Metric`.
        thresholds: the thresholds between 0 and 1, in place of evenly spaced ones.
        multi_label: the last axis is of labels, whose areas are averaged.
        num_labels: number of labels; that of the first predictions by default.
        label_weights: a weight for each label.
        from_logits: the predictions are logits.

    Raises:
        ValueError: an argument is out of range.

    Example:

    >>> AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    0.75
    """

    _direction = "up"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        if thresholds is None:
            if num_thresholds < 2:
                raise ValueError(f"AUC: expected num_thresholds to be 2 or more, got {num_thresholds}")
            inner = [i / (num_thresholds - 1) for i in range(1, num_thresholds - 1)]
        else:
            inner = sorted(float(t) for t in thresholds)
            if inner and not 0 <= inner[0] <= inner[-1] <= 1:
                raise ValueError(f"AUC: expected thresholds from 0 to 1, got {thresholds!r}")
            num_thresholds = len(inner) + 2
        if curve.upper() not in ("ROC", "PR"):
            raise ValueError(f"AUC: expected curve to be 'ROC' or 'PR', got {curve!r}")
        if summation_method.lower() not in ("interpolation", "minoring", "majoring"):
            raise ValueError(
                "AUC: expected summation_method to be 'interpolation', 'minoring' or 'majoring', "
                f"got {summation_method!r}"
            )
        if num_labels is not None and not multi_label:
            raise ValueError("AUC: num_labels goes with multi_label=True")
        self._init_thresholds = None if thresholds is None else inner
        self.num_thresholds = num_thresholds
        self.curve = curve.upper()
        self.summation_method = summation_method.lower()
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = None if label_weights is None else [float(w) for w in label_weights]
        self.from_logits = from_logits
        # Everything is above the first threshold and nothing above the last.
        super().__init__([-EPSILON, *inner, 1 + EPSILON], dtype, name, num_labels or 1)

    @property
    def thresholds(self) -> list[float]:
        """The thresholds, with one below 0 and one above 1."""
        return self._sorted.tolist()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        p = np.asarray(y_pred, np.float32)
        p = sigmoid(p) if self.from_logits else np.clip(p, 0, 1)
        t, p = align(self.name, np.asarray(y_true), p, 0)
        if self.multi_label:
            self._check_labels(p.shape)
        weights = None
        if sample_weight is not None:
            weights = rowwise_weights(self.name, p.shape, sample_weight, None, False, np.float64)
            weights = np.broadcast_to(weights, p.shape)
        if self.label_weights is not None and not self.multi_label:
            by_label = np.broadcast_to(np.asarray(self.label_weights), p.shape)
            weights = by_label if weights is None else weights * by_label
        self._count(t, p, weights)

    def _check_labels(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 2:
            raise ValueError(f"{self.name}: expected predictions of shape (batch, labels), got {shape}")
        if self.num_labels is None:
            self.num_labels = self._columns = shape[1]
            self.reset_state()
        if shape[1] != self.num_labels:
            raise ValueError(f"{self.name}: expected {self.num_labels} labels, got predictions of shape {shape}")

    def result(self) -> float:
        tp, fp, tn, fn = self._rates()
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = _interpolated_pr_area(tp, fp, fn)
        else:
            recall = divided(tp, tp + fn)
            x, y = (divided(fp, fp + tn), recall) if self.curve == "ROC" else (recall, divided(tp, tp + fp))
            left, right = y[:, :-1], y[:, 1:]
            if self.summation_method == "interpolation":
                heights = (left + right) / 2
            else:
                heights = np.minimum(left, right) if self.summation_method == "minoring" else np.maximum(left, right)
            areas = ((x[:, :-1] - x[:, 1:]) * heights).sum(axis=-1)
        if self.multi_label and self.label_weights is not None:
            total = sum(self.label_weights)
            return float(areas @ np.asarray(self.label_weights) / total) if total else 0.0
        return float(areas.mean())

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": self.label_weights,
            "from_logits": self.from_logits,
        }
        if self._init_thresholds is not None:
            config["thresholds"] = self._init_thresholds
        return {**super().get_config(), **config}


def _interpolated_pr_area(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
    """The area under the precision-recall curve of each row.

    Between two thresholds, true positives are taken to grow in proportion to positives p: `tp = intercept + slope * p`,
    so that the area of one step is `slope * (dtp + intercept * log(p_left / p_right)) / (tp + fn)` (Davis and Goadrich
    2006).
    """
    p = tp + fp
    dtp = tp[:, :-1] - tp[:, 1:]
    slope = divided(dtp, np.maximum(p[:, :-1] - p[:, 1:], 0))
    intercept = tp[:, 1:] - slope * p[:, 1:]
    both = (p[:, :-1] > 0) & (p[:, 1:] > 0)
    ratio = np.divide(p[:, :-1], p[:, 1:], out=np.ones_like(dtp), where=both)
    return divided(slope * (dtp + intercept * np.log(ratio)), np.maximum(tp[:, 1:] + fn[:, 1:], 0)).sum(axis=-1)
