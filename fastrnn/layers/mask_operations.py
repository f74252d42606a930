# SPDX-License-Identifier: Apache-2.0
"""What Keras's files have of masks: the operations by which its layers compute them from those of others, as nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from fastrnn.graph.call import Call
from fastrnn.graph.symbol import Symbol, flatten
from fastrnn.layers.base import Layer, Shape
from fastrnn.layers.broadcasting import broadcast_shapes


class MaskOperation(Layer):
    """One function whose result is of booleans, and has no gradient. A subclass defines `value` and `shape`.

    Args:
        name: of the layer.
        arguments: Keras's, by name.
    """

    keras_module = "keras.src.ops.numpy"
    input_kind = "any"
    masks = "drop"
    takes_many = True
    #: Names of the arguments, and what they are if they are not given.
    arguments: ClassVar[Mapping[str, Any]] = {}
    #: Whether the operands must be booleans.
    booleans = True

    def __init__(self, *, name: str | None = None, **arguments: Any) -> None:
        super().__init__(name=name)
        unknown = arguments.keys() - self.arguments.keys()
        if unknown:
            raise TypeError(f"{self}: unknown keyword {', '.join(map(repr, sorted(unknown)))}")
        self._arguments = {**self.arguments, **arguments}
        for argument, value in self._arguments.items():
            if argument == "axis" and type(value) is not int:
                raise ValueError(f"{self} axis: expected a whole number, got {value!r}")
            if argument == "dtype" and value not in ("bool", self.arguments["dtype"]):
                raise ValueError(f"{self} dtype: expected 'bool', as of a mask, got {value!r}")

    def value(self, *xs: np.ndarray) -> np.ndarray:
        """The result."""
        raise NotImplementedError(f"{type(self).__name__} must define value(*xs)")

    def shape(self, *shapes: Shape) -> Shape:
        """The result's shape, or a ValueError."""
        return tuple(shapes[0])

    def __call__(self, *operands: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The symbol of the result for symbols."""
        symbols = flatten(operands)
        for symbol in symbols:
            if not isinstance(symbol, Symbol) or (self.booleans and symbol.dtype != "bool"):
                raise TypeError(f"{self}: expected symbols of booleans, as it makes masks of masks, got {symbol!r}")
        return self.connect(symbols, operands, {}, training)

    def check_input(self, x: Any) -> np.ndarray:
        return np.asarray(x)

    def check_shapes(self, *shapes: Shape) -> None:
        self.shape(*shapes)

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        try:
            return self.shape(*input_shapes)
        except ValueError as error:
            raise ValueError(f"{self}: {error}") from None

    def output_dtypes(self, inputs: list[Symbol], count: int) -> list[str]:
        return ["bool"]

    def compute_mask(self, x: Any, mask: Any = None) -> None:
        return None

    def forward(self, *xs: np.ndarray, call: Call) -> np.ndarray:
        if call.taped:
            call.kept = len(xs)
        return self.value(*xs)

    def backward(self, dy: Any, *more: Any, call: Call | None = None) -> Any:
        call = self.taped(call)
        return None if call.kept == 1 else [None] * call.kept

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, **self._arguments}

    def axis(self, rank: int) -> int:
        """The axis, counted from the front; or a ValueError."""
        axis: int = self._arguments["axis"]
        if not -rank <= axis < rank:
            raise ValueError(f"axis {axis} is out of range for {rank} axes")
        return axis % rank


class LogicalOr(MaskOperation):
    """Where either is True."""

    def value(self, *xs: np.ndarray) -> np.ndarray:
        return np.logical_or(*xs)

    def shape(self, *shapes: Shape) -> Shape:
        found = broadcast_shapes(*shapes) if len(shapes) == 2 else None
        if found is None:
            raise ValueError(f"expected two shapes that broadcast, got {', '.join(map(str, shapes))}")
        return found


class ConvertToTensor(MaskOperation):
    """The mask as it is: what Keras's Attention makes of that of its query."""

    keras_module = "keras.src.ops.core"
    arguments: ClassVar[Mapping[str, Any]] = {"dtype": None, "sparse": None, "ragged": None}

    def value(self, *xs: np.ndarray) -> np.ndarray:
        return xs[0]


class ExpandDims(MaskOperation):
    """A further axis of length 1."""

    arguments: ClassVar[Mapping[str, Any]] = {"axis": -1}

    def value(self, *xs: np.ndarray) -> np.ndarray:
        return np.expand_dims(xs[0], self.axis(xs[0].ndim + 1))

    def shape(self, *shapes: Shape) -> Shape:
        axis = self.axis(len(shapes[0]) + 1)
        return (*shapes[0][:axis], 1, *shapes[0][axis:])


class ZerosLike(MaskOperation):
    """All False, of an array's shape."""

    arguments: ClassVar[Mapping[str, Any]] = {"dtype": "bool"}
    booleans = False

    def value(self, *xs: np.ndarray) -> np.ndarray:
        return np.zeros(xs[0].shape, bool)


class OnesLike(ZerosLike):
    """All True, of an array's shape."""

    def value(self, *xs: np.ndarray) -> np.ndarray:
        return np.ones(xs[0].shape, bool)


class Any_(MaskOperation):
    """Whether any along an axis is True."""

    arguments: ClassVar[Mapping[str, Any]] = {"axis": -1, "keepdims": False}

    def value(self, *xs: np.ndarray) -> np.ndarray:
        return np.asarray(xs[0].any(axis=self.axis(xs[0].ndim), keepdims=bool(self._arguments["keepdims"])))

    def shape(self, *shapes: Shape) -> Shape:
        axis = self.axis(len(shapes[0]))
        return (*shapes[0][:axis], *([1] if self._arguments["keepdims"] else []), *shapes[0][axis + 1:])


class ConcatenateMasks(MaskOperation):
    """End to end along an axis."""

    arguments: ClassVar[Mapping[str, Any]] = {"axis": -1}

    def value(self, *xs: np.ndarray) -> np.ndarray:
        return np.concatenate(xs, self.axis(xs[0].ndim))

    def shape(self, *shapes: Shape) -> Shape:
        axis = self.axis(len(shapes[0]))
        if len({(len(shape), shape[1:axis] + shape[axis + 1:]) for shape in shapes}) > 1:
            raise ValueError(f"expected shapes that are equal but for axis {axis}, got {', '.join(map(str, shapes))}")
        sizes = [shape[axis] for shape in shapes]
        size = None if None in sizes else sum(size for size in sizes if size is not None)
        return (*shapes[0][:axis], size, *shapes[0][axis + 1:])


# Keras's names of two of them are taken here.
Any_.__name__, ConcatenateMasks.__name__ = "Any", "Concatenate"
MASK_OPERATIONS = (LogicalOr, ConvertToTensor, ExpandDims, ZerosLike, OnesLike, Any_, ConcatenateMasks)
