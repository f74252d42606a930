# SPDX-License-Identifier: Apache-2.0
"""Metrics: Keras's, with their names and defaults. They take NumPy arrays and keep their sums in float64."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastrnn.losses import (
    Loss,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kind_of_targets,
    kl_divergence,
    log_cosh,
    masked_weight,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from fastrnn.losses.base import RowLoss
from fastrnn.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from fastrnn.metrics.auc import AUC
from fastrnn.metrics.base import LossMean, Mean, MeanMetricWrapper, Metric, Sum
from fastrnn.metrics.confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from fastrnn.metrics.correlation import (
    ConcordanceCorrelation,
    PearsonCorrelation,
    concordance_correlation,
    pearson_correlation,
)
from fastrnn.metrics.distance import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from fastrnn.metrics.fscore import F1Score, FBetaScore
from fastrnn.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from fastrnn.metrics.r2 import R2Score
from fastrnn.metrics.tradeoff import (
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from fastrnn.registry import Registry, absent_from, snake_case

__all__ = [
    "AUC", "Accuracy", "BCE", "BinaryAccuracy", "BinaryCrossentropy", "BinaryIoU", "CategoricalAccuracy",
    "CategoricalCrossentropy", "CategoricalHinge", "ConcordanceCorrelation", "CosineSimilarity", "F1Score",
    "FBetaScore", "FalseNegatives", "FalsePositives", "Hinge", "IoU", "KLD", "KLDivergence", "LogCoshError", "MAE",
    "MAPE", "MSE", "MSLE", "Mean", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanIoU", "MeanMetricWrapper",
    "MeanSquaredError", "MeanSquaredLogarithmicError", "Metric", "OneHotIoU", "OneHotMeanIoU", "PearsonCorrelation",
    "Poisson", "Precision", "PrecisionAtRecall", "R2Score", "Recall", "RecallAtPrecision", "RootMeanSquaredError",
    "SensitivityAtSpecificity", "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy", "SpecificityAtSensitivity", "SquaredHinge", "Sum", "TopKCategoricalAccuracy",
    "TrueNegatives", "TruePositives", "bce", "binary_accuracy", "binary_crossentropy", "binary_focal_crossentropy",
    "categorical_accuracy", "categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge",
    "concordance_correlation", "deserialize", "get", "hinge", "huber", "kl_divergence", "kld",
    "kullback_leibler_divergence", "log_cosh", "logcosh", "mae", "mape", "masked_weight", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error", "mse", "msle",
    "pearson_correlation", "poisson", "serialize", "sparse_categorical_accuracy", "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy", "squared_hinge", "top_k_categorical_accuracy",
]  # fmt: skip

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    __getattr__ = absent_from(__name__, __all__)

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
kld = KLD = kullback_leibler_divergence = kl_divergence
bce = BCE = binary_crossentropy
logcosh = log_cosh

_registry = Registry(
    "metric",
    [
        Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, TopKCategoricalAccuracy,
        SparseTopKCategoricalAccuracy, Mean, Sum, MeanSquaredError, RootMeanSquaredError, MeanAbsoluteError,
        MeanAbsolutePercentageError, MeanSquaredLogarithmicError, LogCoshError, Poisson, KLDivergence, Hinge,
        SquaredHinge, CategoricalHinge, CosineSimilarity, BinaryCrossentropy, CategoricalCrossentropy,
        SparseCategoricalCrossentropy, Precision, Recall, AUC, TruePositives, FalsePositives, TrueNegatives,
        FalseNegatives, F1Score, FBetaScore, R2Score, IoU, BinaryIoU, MeanIoU, OneHotIoU, OneHotMeanIoU,
        PrecisionAtRecall, RecallAtPrecision, SensitivityAtSpecificity, SpecificityAtSensitivity,
        ConcordanceCorrelation, PearsonCorrelation,
    ],
    {
        "mse": MeanSquaredError, "MSE": MeanSquaredError, "mae": MeanAbsoluteError, "MAE": MeanAbsoluteError,
        "mape": MeanAbsolutePercentageError, "MAPE": MeanAbsolutePercentageError,
        "msle": MeanSquaredLogarithmicError, "MSLE": MeanSquaredLogarithmicError, "cosine_proximity": CosineSimilarity,
        "bce": BinaryCrossentropy, "BCE": BinaryCrossentropy,
    },
    module="keras.metrics",
)  # fmt: skip

_ACCURACY = {
    "binary": BinaryAccuracy,
    "sparse": SparseCategoricalAccuracy,
    "categorical": CategoricalAccuracy,
}
_CROSSENTROPY = {
    "binary": BinaryCrossentropy,
    "sparse": SparseCategoricalCrossentropy,
    "categorical": CategoricalCrossentropy,
}


def needs_shapes(identifier: Any) -> bool:
    """Whether an identifier is a name whose metric the shapes of targets and predictions decide."""
    return isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc", "crossentropy", "ce")


def get(
    identifier: Any,
    y_true_shape: Sequence[int | None] | None = None,
    y_pred_shape: Sequence[int | None] | None = None,
) -> Any:
    """The metric of a name, a configuration, a class, an instance, a loss, or a function of targets and predictions,
    whose mean it is; None for None.

    Args:
        identifier: what stands for the metric.
        y_true_shape: shape of the targets; with it, the answer is that of a model's `compile`: "accuracy" ("acc") and
            "crossentropy" ("ce") are the ones that fit the shapes, and the metric is named as it was asked for.
        y_pred_shape: shape of the predictions, likewise.

    Raises:
        ValueError: the name is not known.

    Example:

    >>> get("accuracy", (32,), (32, 1))
    BinaryAccuracy(name='accuracy', dtype='float32', threshold=0.5)
    >>> get("mse", (32, 1), (32, 1)).name, get("mse").name
    ('mse', 'mean_squared_error')
    """
    compiled = y_true_shape is not None and y_pred_shape is not None
    if needs_shapes(identifier):
        if compiled:
            classes = _ACCURACY if identifier.lower() in ("accuracy", "acc") else _CROSSENTROPY
            return classes[kind_of_targets(y_true_shape, y_pred_shape)](name=identifier)  # type: ignore[arg-type]
        if identifier.lower() != "accuracy":
            raise ValueError(f"metric {identifier!r}: needs the shapes of targets and predictions to know which it is")
    metric = _as_metric(_registry.get(identifier))
    if compiled and isinstance(identifier, str):
        metric.name = identifier
    return metric


def serialize(metric: Any) -> Any:
    """The configuration of a metric, in the format of Keras 3."""
    return _registry.serialize(metric)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The metric of a name or configuration, looked up in `custom_objects`, then among the known ones."""
    return _as_metric(_registry.deserialize(config, custom_objects))


def _as_metric(metric: Any) -> Any:
    """The metric itself, or the mean of a loss or a function."""
    if metric is None or hasattr(metric, "update_state"):
        return metric
    if isinstance(metric, RowLoss):
        return LossMean(metric)
    name = metric.name if isinstance(metric, Loss) else snake_case(getattr(metric, "__name__", type(metric).__name__))
    return MeanMetricWrapper(metric.call if isinstance(metric, Loss) else metric, name)
