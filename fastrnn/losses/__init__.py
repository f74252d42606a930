# SPDX-License-Identifier: Apache-2.0
"""Losses: Keras's, with their names, defaults and reductions, each giving its value and its gradient together.

>>> value, gradient = MeanSquaredError().value_and_gradient([[1.0], [2.0]], [[1.5], [2.0]])
>>> value
0.125
>>> gradient.tolist()
[[0.5], [0.0]]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastrnn.losses.base import Loss, Reduction, kind_of_targets
from fastrnn.losses.circle import Circle, circle
from fastrnn.losses.crossentropy import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from fastrnn.losses.ctc import CTC, ctc
from fastrnn.losses.focal import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    binary_focal_crossentropy,
    categorical_focal_crossentropy,
)
from fastrnn.losses.function_loss import FunctionLoss
from fastrnn.losses.functions import (
    binary_crossentropy,
    categorical_crossentropy,
    categorical_hinge,
    cosine_similarity,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from fastrnn.losses.generalized import CategoricalGeneralizedCrossEntropy, categorical_generalized_cross_entropy
from fastrnn.losses.overlap import Dice, Tversky, dice, tversky
from fastrnn.losses.regression import (
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SquaredHinge,
)
from fastrnn.losses.weights import masked_weight
from fastrnn.registry import Registry, absent_from, snake_case

__all__ = [
    "BCE", "BinaryCrossentropy", "BinaryFocalCrossentropy", "CTC", "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy", "CategoricalGeneralizedCrossEntropy", "CategoricalHinge", "Circle",
    "CosineSimilarity", "Dice", "Hinge", "Huber", "KLD", "KLDivergence", "LogCosh", "Loss", "MAE", "MAPE", "MSE",
    "MSLE", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError",
    "Poisson", "Reduction", "SparseCategoricalCrossentropy", "SquaredHinge", "Tversky", "bce", "binary_crossentropy",
    "binary_focal_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy", "categorical_hinge", "circle", "cosine_proximity", "cosine_similarity",
    "ctc", "deserialize", "dice", "get", "hinge", "huber", "kind_of_targets", "kl_divergence", "kld",
    "kullback_leibler_divergence", "log_cosh", "logcosh", "mae", "mape", "masked_weight", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error", "mse", "msle",
    "poisson", "serialize", "sparse_categorical_crossentropy", "squared_hinge", "tversky",
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
cosine_proximity = cosine_similarity    # Keras 1's name

_classes: list[type[Loss]] = [
    BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy, MeanSquaredError, MeanAbsoluteError,
    MeanAbsolutePercentageError, MeanSquaredLogarithmicError, Huber, LogCosh, Poisson, Hinge, SquaredHinge,
    CategoricalHinge, KLDivergence, CosineSimilarity, BinaryFocalCrossentropy, CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy, Dice, Tversky, Circle, CTC,
]  # fmt: skip

_registry = Registry(
    "loss",
    _classes,
    {
        "mse": MeanSquaredError, "MSE": MeanSquaredError, "mae": MeanAbsoluteError, "MAE": MeanAbsoluteError,
        "mape": MeanAbsolutePercentageError, "MAPE": MeanAbsolutePercentageError,
        "msle": MeanSquaredLogarithmicError, "MSLE": MeanSquaredLogarithmicError,
        "kld": KLDivergence, "KLD": KLDivergence, "kullback_leibler_divergence": KLDivergence,
        "bce": BinaryCrossentropy, "BCE": BinaryCrossentropy, "logcosh": LogCosh, "huber_loss": Huber,
        "cosine_proximity": CosineSimilarity, "cosine": CosineSimilarity,
    },
    module="keras.losses",
)  # fmt: skip

# The loss that each function of this module is one value a row of.
_class_of: dict[Callable[..., Any], type[Loss]] = {
    globals()[snake_case(cls.__name__)]: cls for cls in _classes
}


def get(
    identifier: Any,
    y_true_shape: Sequence[int | None] | None = None,
    y_pred_shape: Sequence[int | None] | None = None,
) -> Any:
    """The loss of a name, a function of this module, a configuration, a class or an instance; None for None.

    Args:
        identifier: what stands for the loss. "crossentropy" (or "ce") is the one that fits the two shapes.
        y_true_shape: shape of the targets, needed for "crossentropy" alone.
        y_pred_shape: shape of the predictions, likewise.

    Raises:
        ValueError: the name is not known.

    Example:

    >>> get("mse")
    MeanSquaredError(name='mean_squared_error', reduction='sum_over_batch_size')
    >>> get("crossentropy", (32,), (32, 10)).name
    'sparse_categorical_crossentropy'
    """
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        if y_true_shape is None or y_pred_shape is None:
            raise ValueError(f"loss {identifier!r}: needs the shapes of targets and predictions to know which it is")
        kind = kind_of_targets(y_true_shape, y_pred_shape)
        return {
            "binary": BinaryCrossentropy,
            "sparse": SparseCategoricalCrossentropy,
            "categorical": CategoricalCrossentropy,
        }[kind]()
    return _checked(_registry.get(identifier))


def serialize(loss: Any) -> Any:
    """The configuration of a loss, in the format of Keras 3."""
    return _registry.serialize(loss)


def deserialize(name: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The loss of a name or configuration, looked up in `custom_objects`, then among the known ones."""
    return _checked(_registry.deserialize(name, custom_objects))


def _checked(loss: Any) -> Any:
    """The loss itself, the class of a function of this module, and a loss of any other function."""
    if loss is None or hasattr(loss, "value_and_gradient"):
        return loss
    if loss in _class_of:
        return _class_of[loss]()
    return FunctionLoss(loss)
