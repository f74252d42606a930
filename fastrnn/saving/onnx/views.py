# SPDX-License-Identifier: Apache-2.0
"""ONNX's operators that give their first input in another shape, made ready once where all others are constants.

They are most of the nodes around a recurrent one, and cost more to look up than to run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastrnn.saving.onnx.graph import Node
from fastrnn.saving.onnx.pointwise import Arrays, axes_of
from fastrnn.saving.onnx.shapes import axis_within, number, numbers, slice_bounds, slice_index

#: Operators whose outputs may lie in the memory of their first input, which is then in use for as long as they are.
MAY_SHARE = frozenset(["Clip", "Dropout", "Expand", "Flatten", "Identity", "Max", "Mean", "Min", "Reshape", "Slice",
                       "Softmax", "LogSoftmax", "Split", "Squeeze", "Sum", "Transpose", "Unsqueeze",
                       *(f"Reduce{name}" for name in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod",
                                                      "Sum", "SumSquare"))])
_Index = tuple[Any, ...]


class View(NamedTuple):
    """A node that is ready to run.

    Attributes:
        function: from its first input to its output.
        copies: the output may have memory of its own.
    """

    function: Callable[[np.ndarray], np.ndarray]
    copies: bool = False


def same(x: np.ndarray) -> np.ndarray:
    """The input itself."""
    return x


def view_of(node: Node, constants: Arrays) -> View | None:
    """A node as a view of its first input, or None if it is none.

    Args:
        node: the node.
        constants: its inputs, of which the first is not looked at, and the others are known.

    Raises:
        Unsupported: an attribute or a constant has a value that it cannot have.
    """
    make = _VIEWS.get(node.operator)
    return None if make is None else make(node, constants)


class _Part:
    """A view by an index that depends on the shape alone, and is made anew when that changes."""

    def __init__(self, index_of: Callable[[tuple[int, ...]], _Index]) -> None:
        self._index_of = index_of
        self._last: tuple[tuple[int, ...], _Index] = ((-1,), ())    # a pair, for threads that run at once

    def __call__(self, x: np.ndarray) -> np.ndarray:
        shape, index = self._last
        if x.shape != shape:
            index = (*self._index_of(x.shape), ...)     # with an ellipsis, a single number is an array too
            self._last = x.shape, index
        return x[index]


def _transpose(node: Node, constants: Arrays) -> View:
    order = node.integers("perm")
    return View((lambda x: x.T) if order is None else (lambda x: x.transpose(order)))


def _squeeze(node: Node, constants: Arrays) -> View:
    axes = axes_of(node, constants, 1)
    return View(lambda x: x.squeeze(axes))


def _unsqueeze(node: Node, constants: Arrays) -> View | None:
    axes = axes_of(node, constants, 1)
    if axes is None or len(axes) > 8:
        return None

    def index_of(shape: tuple[int, ...]) -> _Index:
        rank = len(shape) + len(axes)
        new = {axis_within(axis, rank) for axis in axes}
        if len(new) != len(axes):
            raise ValueError(f"axes {axes} name one twice")
        return tuple(None if axis in new else slice(None) for axis in range(rank))

    return View(_Part(index_of))


def _reshape(node: Node, constants: Arrays) -> View:
    shape, keeps_zeros = numbers(constants[1], "shape"), node.attribute("allowzero", int, 0)
    if keeps_zeros or 0 not in shape:
        return View(lambda x: x.reshape(shape), copies=True)
    return View(lambda x: x.reshape([size or x.shape[axis] for axis, size in enumerate(shape)]), copies=True)


def _slice(node: Node, constants: Arrays) -> View:
    bounds = slice_bounds(node, constants)
    return View(_Part(lambda shape: slice_index(bounds, shape)))


def _gather(node: Node, constants: Arrays) -> View | None:
    """Of one place along an axis."""
    axis = node.attribute("axis", int, 0)
    if constants[1].ndim:
        return None
    place = number(constants[1], "indices")
    return View(_Part(lambda shape: (*(slice(None),) * axis_within(axis, len(shape)), place)))


def _concat(node: Node, constants: Arrays) -> View | None:
    """Of one array with nothing else."""
    axis = node.attribute("axis", int, 1)
    if len(node.inputs) != 1:
        return None

    def alone(x: np.ndarray) -> np.ndarray:
        axis_within(axis, x.ndim)
        return x

    return View(alone)


_VIEWS: dict[str, Callable[[Node, Arrays], View | None]] = {
    "Identity": lambda node, constants: View(same), "Transpose": _transpose, "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze, "Reshape": _reshape, "Slice": _slice, "Gather": _gather, "Concat": _concat,
}
