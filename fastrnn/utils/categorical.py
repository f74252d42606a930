# SPDX-License-Identifier: Apache-2.0
"""to_categorical and normalize: arrays of numbers as networks want them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn import arrays


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


def normalize(x: Any, axis: int | None = -1, order: float = 2) -> np.ndarray:
    """Vectors of length 1; those of zeros stay as they are.

    Args:
        x: numbers, an array of any shape.
        axis: along which the vectors lie; None is the last one, of all numbers.
        order: of the norm that is the length, as `numpy.linalg.norm` has it: 2, 1, `numpy.inf`.

    Returns:
        An array of the shape of `x`, with two axes at least.

    >>> normalize([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    x = arrays.as_numbers(x, "normalize: x")
    length = np.linalg.norm(x, order, axis, keepdims=True)
    length[length == 0] = 1
    return np.atleast_2d(x) / length
