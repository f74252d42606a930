# SPDX-License-Identifier: Apache-2.0
"""Intersection over union: of the predictions of a class and its targets, the share that is both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn.losses.weights import rowwise_weights
from fastrnn.metrics.base import Metric
from fastrnn.metrics.confusion import EPSILON, divided


class IoU(Metric):
    """The mean of `both / (predictions + targets - both)` over some classes; those that come in neither do not count.

    Args:
        num_classes: number of classes. Indices that are no class, of targets or predictions, do not count.
        target_class_ids: the classes whose mean it is.
        name, dtype: as in `Metric`.
        ignore_class: targets of this class do not count.
        sparse_y_true: the targets are class indices; else the largest along `axis` is the class.
        sparse_y_pred: likewise the predictions.
        axis: of the classes.

    Raises:
        ValueError: a class is out of range; when called, targets and predictions are not as many.

    Example:

    >>> round(IoU(num_classes=2, target_class_ids=[0])([0, 0, 1, 1], [0, 1, 0, 1]), 4)
    0.3333
    """

    _direction = "up"

    _counts = ("total_cm",)

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__("int32" if dtype in (None, "int") else dtype, name)
        self.num_classes = num_classes
        self.target_class_ids = [int(i) for i in target_class_ids]
        if not self.target_class_ids or min(self.target_class_ids) < 0 or max(self.target_class_ids) >= num_classes:
            raise ValueError(f"{type(self).__name__}: expected target_class_ids from 0 to {num_classes - 1}, got "
                             f"{target_class_ids!r}")
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        IoU.reset_state(self)

    def reset_state(self) -> None:
        # The weight of each class, down, that was taken for each class, across.
        self.total_cm = np.zeros((self.num_classes, self.num_classes))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        t = self._classes(y_true, self.sparse_y_true)
        p = self._classes(y_pred, self.sparse_y_pred)
        if t.size != p.size:
            raise ValueError(f"{self.name}: expected a prediction for each target, got shapes {t.shape} and {p.shape}")
        weights = None
        if sample_weight is not None:
            weights = rowwise_weights(self.name, t.shape, sample_weight, None, False, np.float64)
            weights = np.broadcast_to(weights, t.shape).reshape(-1)
        t, p, number = t.reshape(-1), p.reshape(-1), self.num_classes
        counted = (t >= 0) & (t < number) & (p >= 0) & (p < number)
        if self.ignore_class is not None:
            counted &= t != self.ignore_class
        at = t[counted] * number + p[counted]
        counts = np.bincount(at, None if weights is None else weights[counted], minlength=number * number)
        self.total_cm = self.total_cm + counts.reshape(number, number)

    def _classes(self, y: Any, sparse: bool) -> np.ndarray:
        """Class indices."""
        y = np.asarray(y)
        return y.astype(np.int64) if sparse else y.argmax(axis=self.axis)

    def result(self) -> float:
        both = self.total_cm.diagonal()
        either = self.total_cm.sum(axis=0) + self.total_cm.sum(axis=1) - both
        both, either = both[self.target_class_ids], either[self.target_class_ids]
        there = np.count_nonzero(either > 1e-9)
        return float(divided(both, np.where(either > 1e-9, either + EPSILON, 0)).sum() / (there + EPSILON))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._arguments("num_classes", "target_class_ids", "ignore_class",
                                                          "sparse_y_true", "sparse_y_pred", "axis")}

    def _arguments(self, *names: str) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype, **{name: getattr(self, name) for name in names}}


class BinaryIoU(IoU):
    """`IoU` of yes or no.

    Args:
        target_class_ids: [0], [1] or both, whose mean it is.
        threshold: predictions from it on stand for 1, those below for 0.
        name, dtype: as in `Metric`.

    Raises:
        ValueError: as in `IoU`.

    Example:

    >>> round(BinaryIoU(threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]), 4)
    0.3333
    """

    def __init__(
        self, target_class_ids: Sequence[int] = (0, 1), threshold: float = 0.5, name: str | None = None,
        dtype: Any = None
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        super().update_state(y_true, np.asarray(y_pred, np.float32) >= self.threshold, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return self._arguments("target_class_ids", "threshold")


class MeanIoU(IoU):
    """`IoU` of all classes.

    Args:
        num_classes: number of classes.
        name, dtype: as in `Metric`.
        ignore_class: targets of this class do not count.
        sparse_y_true: the targets are class indices; else the largest along `axis` is the class.
        sparse_y_pred: likewise the predictions.
        axis: of the classes.

    Raises:
        ValueError: as in `IoU`.

    Example:

    >>> round(MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1]), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return self._arguments("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")


class OneHotIoU(IoU):
    """`IoU` for targets that are one-hot.

    Args:
        num_classes: number of classes.
        target_class_ids: the classes whose mean it is.
        name, dtype: as in `Metric`.
        ignore_class: targets of this class do not count.
        sparse_y_pred: the predictions are class indices; else the largest along `axis` is the class.
        axis: of the classes.

    Raises:
        ValueError: as in `IoU`.

    Example:

    >>> round(OneHotIoU(2, [0])([[1, 0], [0, 1]], [[0.7, 0.3], [0.6, 0.4]]), 4)
    0.5
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return self._arguments("num_classes", "target_class_ids", "ignore_class", "sparse_y_pred", "axis")


class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` for targets that are one-hot.

    Args:
        num_classes: number of classes.
        name, dtype: as in `Metric`.
        ignore_class: targets of this class do not count.
        sparse_y_pred: the predictions are class indices; else the largest along `axis` is the class.
        axis: of the classes.

    Raises:
        ValueError: as in `IoU`.

    Example:

    >>> round(OneHotMeanIoU(2)([[1, 0], [0, 1]], [[0.7, 0.3], [0.6, 0.4]]), 4)
    0.25
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return self._arguments("num_classes", "ignore_class", "sparse_y_pred", "axis")
