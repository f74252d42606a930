# SPDX-License-Identifier: Apache-2.0
"""Metrics of yes or no: counts of right and wrong answers at thresholds, precision, recall and the area under a curve.

All of them count, for each label, how many predictions lie between each two neighbouring thresholds. Everything else
follows from those counts when the result is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn.losses.shapes import align
from fastrnn.losses.weights import rowwise_weights
from fastrnn.metrics.base import Metric

EPSILON = 1e-7  # Keras's


class ThresholdMetric(Metric):
    """A metric of the numbers of true and false positives and negatives at some thresholds.

    A prediction above a threshold is a positive there.
    """

    _counts = ("_between",)

    def __init__(
        self, thresholds: Sequence[float], dtype: Any = None, name: str | None = None, columns: int = 1
    ) -> None:
        given = np.asarray(thresholds, np.float32)
        self._order = np.argsort(given, kind="stable")
        self._sorted = given[self._order]
        self._columns = columns  # labels counted apart
        super().__init__(dtype, name)
        ThresholdMetric.reset_state(self)

    def reset_state(self) -> None:
        # For each column and target, 0 or 1: the weight of the predictions above the first i thresholds and no more.
        self._between = np.zeros((self._columns, 2, len(self._sorted) + 1))

    def _count_class(self, t: np.ndarray, p: np.ndarray, class_id: int | None, sample_weight: Any) -> None:
        """Count all predictions, or those of one class, with sample weights."""
        if class_id is not None:
            if p.ndim < 2 or not 0 <= class_id < p.shape[-1]:
                raise ValueError(f"{self.name}: predictions of shape {p.shape} have no class {class_id}")
            t, p = t[..., class_id, None], p[..., class_id, None]
        weights = None
        if sample_weight is not None:
            weights = rowwise_weights(self.name, p.shape, sample_weight, None, False, np.float64)
            weights = np.broadcast_to(weights, p.shape)
        self._count(t, p, weights)

    def _count(self, t: np.ndarray, p: np.ndarray, weights: np.ndarray | None) -> None:
        """Count targets and predictions of one shape, whose last axis is that of the columns if there are any."""
        if len(self._sorted) == 1:
            places = (p > self._sorted[0]).astype(np.intp)
        else:
            places = np.searchsorted(self._sorted, p)
            places[p != p] = 0  # NaN is above no threshold, though searchsorted puts it last
        width = len(self._sorted) + 1
        places += (t != 0) * width
        if self._columns > 1:
            places += np.arange(self._columns) * (2 * width)
        counts = np.bincount(
            places.reshape(-1), None if weights is None else weights.reshape(-1), minlength=self._between.size
        )
        self._between += counts.reshape(self._between.shape)

    def _rates(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """True positives, false positives, true negatives and false negatives: (columns, thresholds) each."""
        above = self._between[..., ::-1].cumsum(axis=-1)[..., ::-1]
        positives = np.empty((self._columns, 2, len(self._sorted)))
        positives[..., self._order] = above[..., 1:]
        negatives = above[..., :1] - positives
        return positives[:, 1], positives[:, 0], negatives[:, 0], negatives[:, 1]


class _ConfusionMetric(ThresholdMetric):
    """A metric at one threshold or several, over all predictions, one class, or the largest few.

    Args:
        thresholds: a number from 0 to 1 or a list of them; 0.5 by default.
        top_k: only the `top_k` largest predictions of a row can be positive; they are, unless thresholds are given.
        class_id: only this index of the last axis counts.
        name, dtype: as in `Metric`.

    Raises:
        ValueError: a threshold is outside [0, 1].
    """

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        used = (-np.inf if top_k is not None else 0.5) if thresholds is None else thresholds
        used_list = [used] if isinstance(used, int | float | np.number) else list(used)
        if thresholds is not None and not all(t is not None and 0 <= t <= 1 for t in used_list):
            raise ValueError(f"{type(self).__name__}: expected thresholds from 0 to 1, got {thresholds!r}")
        self.init_thresholds = thresholds
        self.thresholds = used_list
        self.top_k = top_k
        self.class_id = class_id
        super().__init__(used_list, dtype, name)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        t, p = align(self.name, np.asarray(y_true), np.asarray(y_pred, np.float32), 0)
        if self.top_k is not None:
            rejected = np.argsort(-p, axis=-1, kind="stable")[..., self.top_k :]
            p = p.copy()
            np.put_along_axis(p, rejected, -np.inf, axis=-1)
        self._count_class(t, p, self.class_id, sample_weight)

    def result(self) -> Any:
        """The metric: a number for one threshold, an array for several."""
        values = self._value(*(rate[0] for rate in self._rates()))
        return float(values[0]) if len(self.thresholds) == 1 else values

    def _value(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        config = {"thresholds": self.init_thresholds, "top_k": self.top_k, "class_id": self.class_id}
        return {**super().get_config(), **config}


class Precision(_ConfusionMetric):
    """The share of positives that are true: `tp / (tp + fp)`.

    Args:
        thresholds: a number from 0 to 1 or a list of them; 0.5 by default.
        top_k: only the `top_k` largest predictions of a row can be positive; they are, unless thresholds are given.
        class_id: only this index of the last axis counts.
        name, dtype: as in `Metric`.

    Raises:
        ValueError: a threshold is outside [0, 1].

    Example:

    >>> Precision()([0, 1, 1, 1], [0.9, 0.8, 0.1, 0.7])
    0.6666666666666666
    """

    _direction = "up"

    def _value(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> np.ndarray:
        return divided(tp, tp + fp)


class Recall(_ConfusionMetric):
    """The share of true targets that are found: `tp / (tp + fn)`. Arguments as in `Precision`.

    Example:

    >>> Recall()([0, 1, 1, 1], [0.9, 0.8, 0.1, 0.7])
    0.6666666666666666
    """

    _direction = "up"

    def _value(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> np.ndarray:
        return divided(tp, tp + fn)


class _ConditionCount(_ConfusionMetric):
    """The weight of one kind of answer."""

    def __init__(
        self, thresholds: float | Sequence[float] | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(thresholds, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype, "thresholds": self.init_thresholds}


class TruePositives(_ConditionCount):
    """The number of positives whose target is 1."""

    def _value(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> np.ndarray:
        return tp


class FalsePositives(_ConditionCount):
    """The number of positives whose target is 0."""

    def _value(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> np.ndarray:
        return fp


class TrueNegatives(_ConditionCount):
    """The number of negatives whose target is 0."""

    def _value(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> np.ndarray:
        return tn


class FalseNegatives(_ConditionCount):
    """The number of negatives whose target is 1."""

    def _value(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> np.ndarray:
        return fn


def divided(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`a / b`, and 0 where b is 0."""
    return np.divide(a, b, out=np.zeros_like(a), where=b != 0)
