# SPDX-License-Identifier: Apache-2.0
"""The best of one rate where another one is large enough, over evenly spaced thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.losses.shapes import align
from fastrnn.metrics.confusion import EPSILON, ThresholdMetric, divided


class _RateAtRate(ThresholdMetric):
    """The largest value of one rate among the thresholds at which another is at least `value`; 0 if there is none.

    Args:
        argument: what the constructor calls `value`.
        value: from 0 to 1.
        num_thresholds: number of thresholds, evenly spaced from 0 to 1; one alone is 0.5.
        class_id: only this index of the last axis counts.
        name, dtype: as in `Metric`.

    Raises:
        ValueError: an argument is out of range.
    """

    _direction = "up"

    def __init__(
        self, argument: str, value: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: Any
    ) -> None:
        who = type(self).__name__
        if not 0 <= value <= 1:
            raise ValueError(f"{who}: expected {argument} from 0 to 1, got {value!r}")
        if num_thresholds < 1:
            raise ValueError(f"{who}: expected num_thresholds to be 1 or more, got {num_thresholds}")
        self._argument = argument
        self.value = value
        setattr(self, argument, value)
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        last = num_thresholds - 1
        self.thresholds = [i / last for i in range(num_thresholds)] if last else [0.5]
        # A probability of 0 is above the first of several.
        super().__init__([-EPSILON, *self.thresholds[1:]] if last else self.thresholds, dtype, name)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        p = np.asarray(y_pred, np.float32)
        t, p = align(self.name, np.asarray(y_true), np.clip(p, 0, 1) if self.num_thresholds > 1 else p, 0)
        self._count_class(t, p, self.class_id, sample_weight)

    def result(self) -> float:
        wanted, constrained = self._pair(*(rate[0] for rate in self._rates()))
        return float(np.where(constrained >= self.value, wanted, 0).max())

    def _pair(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rate that is wanted and the one that is constrained, at each threshold."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        config = {"num_thresholds": self.num_thresholds, "class_id": self.class_id, self._argument: self.value}
        return {**super().get_config(), **config}


class SensitivityAtSpecificity(_RateAtRate):
    """The best sensitivity, `tp / (tp + fn)`, where the specificity, `tn / (tn + fp)`, is at least a value.

    Args:
        specificity: that value, from 0 to 1.
        num_thresholds: number of thresholds, evenly spaced from 0 to 1.
        class_id: only this index of the last axis counts.
        name, dtype: as in `Metric`.

    Raises:
        ValueError: an argument is out of range.

    Example:

    >>> SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    0.5
    """

    def __init__(
        self, specificity: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None,
        dtype: Any = None
    ) -> None:
        super().__init__("specificity", specificity, num_thresholds, class_id, name, dtype)

    def _pair(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return divided(tp, tp + fn), divided(tn, tn + fp)


class SpecificityAtSensitivity(_RateAtRate):
    """The best specificity, `tn / (tn + fp)`, where the sensitivity, `tp / (tp + fn)`, is at least a value.

    Args:
        sensitivity: that value, from 0 to 1.
        num_thresholds: number of thresholds, evenly spaced from 0 to 1.
        class_id: only this index of the last axis counts.
        name, dtype: as in `Metric`.

    Raises:
        ValueError: an argument is out of range.

    Example:

    >>> round(SpecificityAtSensitivity(0.4)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]), 4)
    0.6667
    """

    def __init__(
        self, sensitivity: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None,
        dtype: Any = None
    ) -> None:
        super().__init__("sensitivity", sensitivity, num_thresholds, class_id, name, dtype)

    def _pair(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return divided(tn, tn + fp), divided(tp, tp + fn)


class PrecisionAtRecall(_RateAtRate):
    """The best precision, `tp / (tp + fp)`, where the recall, `tp / (tp + fn)`, is at least a value.

    Args:
        recall: that value, from 0 to 1.
        num_thresholds: number of thresholds, evenly spaced from 0 to 1.
        class_id: only this index of the last axis counts.
        name, dtype: as in `Metric`.

    Raises:
        ValueError: an argument is out of range.

    Example:

    >>> PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    0.5
    """

    def __init__(
        self, recall: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None,
        dtype: Any = None
    ) -> None:
        super().__init__("recall", recall, num_thresholds, class_id, name, dtype)

    def _pair(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return divided(tp, tp + fp), divided(tp, tp + fn)


class RecallAtPrecision(_RateAtRate):
    """The best recall, `tp / (tp + fn)`, where the precision, `tp / (tp + fp)`, is at least a value.

    Args:
        precision: that value, from 0 to 1.
        num_thresholds: number of thresholds, evenly spaced from 0 to 1.
        class_id: only this index of the last axis counts.
        name, dtype: as in `Metric`.

    Raises:
        ValueError: an argument is out of range.

    Example:

    >>> RecallAtPrecision(0.8)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    0.5
    """

    def __init__(
        self, precision: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None,
        dtype: Any = None
    ) -> None:
        super().__init__("precision", precision, num_thresholds, class_id, name, dtype)

    def _pair(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return divided(tp, tp + fn), divided(tp, tp + fp)
