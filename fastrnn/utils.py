"""Small helpers around a model: seeds, one-hot targets, padding."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrnn import arrays, runtime
from fastrnn.models.drawing import plot_model
from fastrnn.preprocessing.sequence import pad_sequences
from fastrnn.registered import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from fastrnn.registry import absent_from

__all__ = ["CustomObjectScope", "custom_object_scope", "get_custom_objects", "get_registered_name",
           "get_registered_object", "pad_sequences", "plot_model", "register_keras_serializable", "set_random_seed",
           "to_categorical"]

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    __getattr__ = absent_from(__name__, __all__)


def set_random_seed(seed: int) -> None:
    """Seed Python's `random`, NumPy's global generator and fastrnn's own, so that a run repeats bit for bit.

    Args:
        seed: an integer from 0 to 2**32 - 1 (what NumPy's global generator takes).

    Raises:
        ValueError: `seed` is not such an integer.

    >>> set_random_seed(7)
    >>> first = np.random.rand()
    >>> set_random_seed(7)
    >>> first == np.random.rand()
    True
    """
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(f"set_random_seed: seed must be an integer from 0 to 2**32 - 1, got {seed!r}")
    seed = int(seed)
    random.seed(seed)
    np.random.seed(seed)
    runtime.set_seed(seed)


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """One-hot rows of class indices, the targets of `categorical_crossentropy`.

    Args:
        x: class indices from 0 to num_classes - 1, an array of any shape; a last axis of length 1 is dropped.
        num_classes: how many classes; where None (or 0), the largest index + 1.

    Returns:
        A float64 array, x's shape with an axis of num_classes appended.

    Raises:
        ValueError: an index that is negative, fractional, NaN or not below `num_classes`; an empty `x` without
            `num_classes`.

    >>> to_categorical([0, 2, 1])
    array([[1., 0., 0.],
           [0., 0., 1.],
           [0., 1., 0.]])
    """
    classes = _class_indices(x)
    shape = classes.shape[:-1] if classes.ndim > 1 and classes.shape[-1] == 1 else classes.shape
    classes = classes.reshape(-1)
    if classes.size and classes.min() < 0:
        raise ValueError(f"to_categorical: x must hold classes from 0 on, got {classes.min()}")
    if not num_classes:
        if classes.size == 0:
            raise ValueError("to_categorical: x is empty, so it has no largest class; give num_classes")
        num_classes = int(classes.max()) + 1
    elif num_classes < 0:
        raise ValueError(f"to_categorical: num_classes must be positive, got {num_classes}")
    if classes.size and classes.max() >= num_classes:
        raise ValueError(f"to_categorical: x must hold classes from 0 to {num_classes - 1}, got {classes.max()}")
    one_hot = np.zeros((classes.size, num_classes))
    one_hot[np.arange(classes.size), classes] = 1.0
    return one_hot.reshape(*shape, num_classes)


def _class_indices(x: Any) -> np.ndarray:
    """x as int64, refused where the cast would change a value."""
    try:
        array = arrays.as_array(x, "x")
        with np.errstate(invalid="ignore"):
            classes = array.astype(np.int64)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"to_categorical: x must hold integer class indices: {error}") from error
    if array.dtype.kind not in "US" and not np.array_equal(classes, array):
        wrong = array[classes != array][0]
        raise ValueError(f"to_categorical: x must hold integer class indices, got {wrong}")
    return classes
