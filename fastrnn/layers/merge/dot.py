# SPDX-License-Identifier: Apache-2.0
"""Dot: products of two arrays, summed over an axis of each, sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Shape
from fastrnn.layers.merge.base import Merge

# Keras divides by no smaller norm.
_SMALLEST_NORM = 1e-7


class Dot(Merge):
    """Sums the products of two inputs over an axis of each: `sum_k x[n, ..., k, ...] * y[n, ..., k, ...]`.

    The output has the batch, the other axes of the first input, then those of the second: (batch, 1) if there are none.
    A mask does not go on.

    Args:
        axes: the axis of both inputs, or one of each, (first, second); counted with the batch, which cannot be among
            them, and from the end if negative.
        normalize: divide the inputs by their norms along these axes: the output is the cosine of their angle.

    Raises:
        TypeError, ValueError: `axes` is neither a whole number nor two of them; at a call, if there are not two
            inputs, or the sizes of the axes differ.

    Example:

    >>> Dot(axes=1)([np.array([[1, 2]]), np.array([[10, 20]])])
    array([[50.]], dtype=float32)
    """

    count = 2
    masks = "drop"

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        if not isinstance(axes, (int, list, tuple)) or isinstance(axes, bool):
            raise TypeError(f"{self} axes: expected a whole number or two of them, got {axes!r}")
        if not isinstance(axes, int) and (len(axes) != 2 or not all(isinstance(axis, int) for axis in axes)):
            raise ValueError(f"{self} axes: expected a whole number or two of them, got {axes!r}")
        self.axes = axes if isinstance(axes, int) else tuple(axes)
        self.normalize = bool(normalize)

    def _axes(self, shapes: Sequence[Shape]) -> tuple[int, int]:
        """The axis of each input, from the front."""
        given = self.axes if isinstance(self.axes, tuple) else (self.axes, self.axes)
        found = []
        for axis, shape in zip(given, shapes):
            rank = len(shape)
            if not -rank <= axis < rank or axis % rank == 0:
                raise ValueError(f"{self} axes: expected axes behind the batch of inputs {shapes[0]} and {shapes[1]}, "
                                 f"got {self.axes}")
            found.append(axis % rank)
        return found[0], found[1]

    def check_shapes(self, *shapes: Shape) -> None:
        self.check_count(len(shapes))
        first, second = self._axes(shapes)
        batches, sizes = {shape[0] for shape in shapes}, {shapes[0][first], shapes[1][second]}
        if len(batches - {None}) > 1 or len(sizes - {None}) > 1:
            raise ValueError(f"{self}: expected inputs of one batch size, with as many elements in axis {first} of the "
                             f"first as in axis {second} of the second, got {shapes[0]} and {shapes[1]}")

    def _output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        rest = [size for shape, axis in zip(shapes, self._axes(shapes)) for size in (*shape[1:axis], *shape[axis + 1:])]
        return (shapes[0][0], *(rest or [1]))

    def compute_mask(self, x: Any, mask: Any = None) -> None:
        return None

    def masked_outputs(self, masked: list[bool], count: int) -> list[bool]:
        return [False]

    def forward(self, *xs: np.ndarray, call: Call) -> np.ndarray:
        shapes = tuple(x.shape for x in xs)
        self.check_shapes(*shapes)
        axes = self._axes(shapes)
        moved = [_last(x, axis) for x, axis in zip(xs, axes)]
        norms = [_inverse_norm(x) for x in moved] if self.normalize else None
        a, b = [x * norm for x, norm in zip(moved, norms)] if norms else moved
        y = np.matmul(a, b.transpose(0, 2, 1)).reshape(self._output_shape(shapes))
        if call.taped:
            call.kept = shapes, y.shape, a, b, norms
        return y

    def backward(self, dy: Any, *, call: Call | None = None) -> list[np.ndarray | None]:
        call = self.taped(call)
        shapes, shape, a, b, norms = call.kept
        dy = self.check_gradient(dy, shape).reshape(len(a), a.shape[1], b.shape[1])
        found: list[np.ndarray | None] = []
        for index, (own, other, axis) in enumerate(zip((a, b), (b, a), self._axes(shapes))):
            dx = np.matmul(dy if index == 0 else dy.transpose(0, 2, 1), other) if call.wants(index) else None
            if dx is not None and norms is not None:
                limited = norms[index] == 1 / own.dtype.type(_SMALLEST_NORM)
                dx = norms[index] * (dx - np.where(limited, 0, own * (own * dx).sum(-1, keepdims=True)))
            found.append(None if dx is None else _back(dx, axis, shapes[index]))
        return found

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def _last(x: np.ndarray, axis: int) -> np.ndarray:
    """(batch, the other axes as one, the axis)."""
    return np.moveaxis(x, axis, -1).reshape(len(x), int(np.prod(x.shape[1:axis] + x.shape[axis + 1:])), x.shape[axis])


def _back(x: np.ndarray, axis: int, shape: tuple[int, ...]) -> np.ndarray:
    """The array of this shape that `_last` was given."""
    return np.ascontiguousarray(np.moveaxis(x.reshape(*shape[:axis], *shape[axis + 1:], shape[axis]), -1, axis))


def _inverse_norm(x: np.ndarray) -> np.ndarray:
    """Of the last axis."""
    with np.errstate(divide="ignore"):
        return np.minimum(1 / np.sqrt(np.square(x).sum(-1, keepdims=True)), 1 / x.dtype.type(_SMALLEST_NORM))


def dot(inputs: Sequence[Any], axes: int | Sequence[int] = -1, normalize: bool = False,
        **kwargs: Unpack[LayerArguments]) -> Any:
    """The products of two arrays or symbols, summed over an axis of each; see `Dot`.

    >>> dot([np.ones((1, 2)), np.ones((1, 2))])
    array([[2.]], dtype=float32)
    """
    return Dot(axes, normalize, **kwargs)(inputs)
