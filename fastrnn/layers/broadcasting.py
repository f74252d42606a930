# SPDX-License-Identifier: Apache-2.0
"""Arrays of different shapes in one operation: the shape of the result, and gradients for each operand's shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Shape = tuple[int | None, ...]


def broadcast_shapes(*shapes: Shape, assume: bool = True) -> Shape | None:
    """The shape that NumPy broadcasts arrays of these shapes to; None if it cannot.

    Args:
        shapes: None where a size may vary.
        assume: a size that may vary fits one that is known and not 1, as Keras's operations assume; its merge layers
            leave the size of the result open.

    Example:

    >>> broadcast_shapes((None, 3, 4), (4,)), broadcast_shapes((2,), (3,))
    ((None, 3, 4), None)
    """
    rank = max(map(len, shapes))
    found: list[int | None] = []
    for sizes in zip(*((1,) * (rank - len(shape)) + tuple(shape) for shape in shapes)):
        known = {size for size in sizes if size not in (None, 1)}
        if len(known) > 1:
            return None
        found.append(None if None in sizes and not (known and assume) else known.pop() if known else 1)
    return tuple(found)


def differ(*sizes: int | None) -> bool:
    """Whether two of the sizes are known and not the same.

    >>> differ(3, None, 3), differ(3, 4)
    (False, True)
    """
    return len(set(sizes) - {None}) > 1


def summed_to(gradient: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The gradient of an operand of this shape, from that of the result that it was broadcast to: the sum over what
    read the same element.

    >>> summed_to(np.ones((2, 3)), (3,)), summed_to(np.ones((2, 3)), (2, 1))
    (array([2., 2., 2.]), array([[3.],
           [3.]]))
    """
    if gradient.shape == tuple(shape):
        return gradient
    more = gradient.ndim - len(shape)
    axes = (*range(more), *(more + axis for axis, size in enumerate(shape) if size == 1))
    return gradient.sum(axis=axes).reshape(shape)
