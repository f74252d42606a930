# SPDX-License-Identifier: Apache-2.0
"""Concatenate: several arrays end to end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn import arrays
from fastrnn.graph.call import Call
from fastrnn.graph.symbol import Symbol
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Shape
from fastrnn.layers.merge.base import Merge


class Concatenate(Merge):
    """Joins a list of inputs along an axis. Whole numbers stay whole if all inputs are.

    Args:
        axis: along which the inputs may differ in size; counted with the batch, from the end if negative.

    Raises:
        ValueError: at a call, if the inputs differ in another axis, or lack this one.

    Example:

    >>> Concatenate()([np.ones((2, 3)), np.zeros((2, 1))])
    array([[1., 1., 1., 0.],
           [1., 1., 1., 0.]], dtype=float32)
    """

    input_kind = "any"

    mask_depths = (4, 3)

    def __init__(self, axis: int = -1, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, (int, np.integer)) or isinstance(axis, bool):
            raise ValueError(f"{self} axis: expected a whole number, got {axis!r}")
        self.axis = int(axis)

    def check_input(self, x: Any) -> np.ndarray:
        return arrays.as_float_or_whole(x, self.dtype, f"{self} input")

    def check_shapes(self, *shapes: Shape) -> None:
        self.check_count(len(shapes))
        rank = len(shapes[0])
        if not -rank <= self.axis < rank:
            raise ValueError(f"{self}: axis {self.axis} is out of range for inputs of {rank} axes, got "
                             f"{', '.join(map(str, shapes))}")
        axis = self.axis % rank
        others = [shape[:axis] + shape[axis + 1:] for shape in shapes]
        if len(set(map(len, others))) > 1 or any(len(set(sizes) - {None}) > 1 for sizes in zip(*others)):
            raise ValueError(f"{self}: expected inputs of equal shapes but for axis {self.axis}, got "
                             f"{', '.join(map(str, shapes))}")

    def _output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        found = list(shapes[0])
        sizes = [shape[self.axis] for shape in shapes]
        found[self.axis] = None if None in sizes else sum(size for size in sizes if size is not None)
        return tuple(found)

    def output_dtypes(self, inputs: list[Symbol], count: int) -> list[str]:
        return [self._common([np.dtype(symbol.dtype) for symbol in inputs]).name]

    def _common(self, dtypes: list[np.dtype[Any]]) -> np.dtype[Any]:
        """The dtype of the output: the layer's own if any input holds floats."""
        return arrays.DTYPES[self.dtype] if any(dtype.kind == "f" for dtype in dtypes) else np.result_type(*dtypes)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """The inputs' masks end to end, all True for an input without one; of a mask that has the joined axis as its
        features, steps that any input has unmasked."""
        if mask is None or all(one is None for one in mask):
            return None
        wide = [np.ones(values.shape, bool) if one is None else
                np.broadcast_to(one.reshape(*one.shape, *[1] * (len(values.shape) - one.ndim)), values.shape)
                for one, values in zip(mask, x)]
        return np.concatenate(wide, self.axis).any(axis=-1)

    def masked_outputs(self, masked: list[bool], count: int) -> list[bool]:
        return [any(masked)]

    def forward(self, *xs: np.ndarray, call: Call) -> np.ndarray:
        if any(x.shape != xs[0].shape for x in xs):
            self.check_shapes(*(x.shape for x in xs))
        y = np.concatenate(xs, self.axis, dtype=self._common([x.dtype for x in xs]), casting="same_kind")
        if call.taped:
            call.kept = y.shape, [(x.shape[self.axis], x.dtype.kind == "f") for x in xs]
        return y

    def backward(self, dy: Any, *, call: Call | None = None) -> Any:
        call = self.taped(call)
        shape, inputs = call.kept
        dy = self.check_gradient(dy, shape)
        ends = np.cumsum([size for size, _ in inputs])
        parts = np.split(dy, ends[:-1], self.axis)
        found = [part if floats and call.wants(index) else None
                 for index, (part, (_, floats)) in enumerate(zip(parts, inputs, strict=True))]
        return found[0] if len(found) == 1 else found

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Unpack[LayerArguments]) -> Any:
    """Arrays or symbols end to end; see `Concatenate`.

    >>> concatenate([np.ones((1, 2)), np.zeros((1, 1))])
    array([[1., 1., 0.]], dtype=float32)
    """
    return Concatenate(axis, **kwargs)(inputs)
