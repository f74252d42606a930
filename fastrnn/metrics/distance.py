# SPDX-License-Identifier: Apache-2.0
"""The losses as metrics: their means over an epoch, each sample counting once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastrnn import losses
from fastrnn.losses.shapes import align, prediction_array, target_array
from fastrnn.metrics.base import LossMean, Mean


class MeanSquaredError(LossMean):
    """The mean of `losses.MeanSquaredError`.

    Example:

    >>> MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]])
    2.5
    """

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(losses.MeanSquaredError(), name, dtype)


class RootMeanSquaredError(Mean):
    """The square root of the mean of squared errors.

    Example:

    >>> RootMeanSquaredError()([[0.0], [1.0]], [[3.0], [5.0]])
    3.5355339059327378
    """

    _direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        p = prediction_array(self.name, y_pred)
        t, p = align(self.name, target_array(self.name, y_true, p.dtype), p, 0)
        super().update_state(np.square(p - t), sample_weight)

    def result(self) -> float:
        return math.sqrt(super().result())


class MeanAbsoluteError(LossMean):
    """The mean of `losses.MeanAbsoluteError`."""

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(losses.MeanAbsoluteError(), name, dtype)


class MeanAbsolutePercentageError(LossMean):
    """The mean of `losses.MeanAbsolutePercentageError`."""

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None) -> None:
        super().__init__(losses.MeanAbsolutePercentageError(), name, dtype)


class MeanSquaredLogarithmicError(LossMean):
    """The mean of `losses.MeanSquaredLogarithmicError`."""

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None) -> None:
        super().__init__(losses.MeanSquaredLogarithmicError(), name, dtype)


class LogCoshError(LossMean):
    """The mean of `losses.LogCosh`."""

    def __init__(self, name: str | None = "logcosh", dtype: Any = None) -> None:
        super().__init__(losses.LogCosh(), name, dtype)


class Poisson(LossMean):
    """The mean of `losses.Poisson`."""

    def __init__(self, name: str | None = "poisson", dtype: Any = None) -> None:
        super().__init__(losses.Poisson(), name, dtype)


class KLDivergence(LossMean):
    """The mean of `losses.KLDivergence`."""

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(losses.KLDivergence(), name, dtype)


class Hinge(LossMean):
    """The mean of `losses.Hinge`."""

    def __init__(self, name: str | None = "hinge", dtype: Any = None) -> None:
        super().__init__(losses.Hinge(), name, dtype)


class SquaredHinge(LossMean):
    """The mean of `losses.SquaredHinge`."""

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(losses.SquaredHinge(), name, dtype)


class CategoricalHinge(LossMean):
    """The mean of `losses.CategoricalHinge`."""

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(losses.CategoricalHinge(), name, dtype)


class CosineSimilarity(LossMean):
    """The mean cosine between targets and predictions: 1 for the same direction, unlike the loss.

    Example:

    >>> round(CosineSimilarity()([[3.0, 4.0]], [[4.0, 3.0]]), 4)
    0.96
    """

    _direction = "up"

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(losses.CosineSimilarity(axis), name, dtype)

    def result(self) -> float:
        return -super().result()


class BinaryCrossentropy(LossMean):
    """The mean of `losses.BinaryCrossentropy`, with its arguments."""

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(losses.BinaryCrossentropy(from_logits, label_smoothing), name, dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **_arguments(self._loss, "from_logits", "label_smoothing")}


class CategoricalCrossentropy(LossMean):
    """The mean of `losses.CategoricalCrossentropy`, with its arguments."""

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        super().__init__(losses.CategoricalCrossentropy(from_logits, label_smoothing, axis), name, dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **_arguments(self._loss, "from_logits", "label_smoothing", "axis")}


class SparseCategoricalCrossentropy(LossMean):
    """The mean of `losses.SparseCategoricalCrossentropy`, with its arguments."""

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(losses.SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis), name, dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **_arguments(self._loss, "from_logits", "ignore_class", "axis")}


def _arguments(loss: losses.Loss, *names: str) -> dict[str, Any]:
    return {name: getattr(loss, name) for name in names}
