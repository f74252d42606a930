# SPDX-License-Identifier: Apache-2.0
"""The functions of `keras.ops` that have NumPy's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastrnn.ops.dispatch import namespace, op, tensor, weak

Axis = int | Sequence[int] | None


# element by element ------------------------------------------------------------------------------------------------

@op("add")
def add(x1: Any, x2: Any) -> Any:
    """`x1 + x2`.

    >>> add([1.0, 2.0], 3)
    array([4., 5.], dtype=float32)
    """
    return namespace().add(weak(x1), tensor(x2) if isinstance(x1, (int, float)) else weak(x2))


@op()
def exp(x: Any) -> Any:
    """e to the power of each element.

    >>> exp([0.0, 1.0]).round(3)
    array([1.   , 2.718], dtype=float32)
    """
    return namespace().exp(tensor(x))


@op()
def maximum(x1: Any, x2: Any) -> Any:
    """The greater of two, element by element.

    >>> maximum([1.0, -2.0], 0)
    array([1., 0.], dtype=float32)
    """
    return namespace().maximum(weak(x1), tensor(x2) if isinstance(x1, (int, float)) else weak(x2))


# along axes --------------------------------------------------------------------------------------------------------

@op()
def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The sum along axes, of all elements by default.

    >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([4., 6.], dtype=float32)
    """
    return namespace().sum(tensor(x), axis=_axes(axis), keepdims=keepdims)


@op()
def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The mean along axes, of all elements by default.

    >>> mean([[1.0, 2.0], [3.0, 4.0]])
    np.float32(2.5)
    """
    return namespace().mean(tensor(x), axis=_axes(axis), keepdims=keepdims)


def _axes(axis: Axis) -> Any:
    return tuple(axis) if isinstance(axis, (list, tuple)) else axis
