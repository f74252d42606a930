# SPDX-License-Identifier: Apache-2.0
"""What layers of several inputs share: the list of them, their shapes and masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.graph.call import Call
from fastrnn.graph.symbol import has_symbols
from fastrnn.layers.base import Layer, Shape
from fastrnn.layers.broadcasting import broadcast_shapes, summed_to

Masks = list[np.ndarray | None]


class Merge(Layer):
    """Base of the layers that make one array of a list of arrays. A subclass defines `merge` and `gradients`.

    The inputs have equal shapes, or shapes that broadcast: one of lower rank gets axes of length 1 behind the batch.
    """

    supports_masking = True
    takes_many = True
    masks = "merge"
    #: How many inputs there must be; None for any number.
    count: int | None = None

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The output for a list of inputs.

        Args:
            x: list of arrays, or of symbols.
            training: `backward` can follow.
            mask: list of a bool array (batch, time) or None for each input, or None.

        Raises:
            ValueError: `x` is no list, or the shapes do not fit each other.
        """
        if not isinstance(x, (list, tuple)):
            raise ValueError(f"{self}: expected a list of inputs, as in {type(self).__name__}()([a, b]), got one "
                             f"{type(x).__name__}")
        if has_symbols(x) or has_symbols(mask):
            return super().__call__(x, training, mask)
        return self.run_call(list(x), training, mask)

    def check_inputs(self, inputs: list[Any]) -> list[np.ndarray]:
        xs = super().check_inputs(inputs)
        self.check_shapes(*(x.shape for x in xs))
        return xs

    # shapes --------------------------------------------------------------------------------------------------------

    def check_count(self, count: int) -> None:
        """Raise a ValueError for another number of inputs than the layer takes."""
        if count != (self.count or max(count, 1)):
            raise ValueError(f"{self}: expected a list of {self.count or 'at least 1'} inputs, got {count}")

    def check_shapes(self, *shapes: Shape) -> None:
        self.check_count(len(shapes))
        if len({shape[0] for shape in shapes if shape} - {None}) > 1:
            raise ValueError(f"{self}: expected inputs of one batch size, got {_listed(shapes)}")
        self._output_shape(shapes)

    def build(self, *input_shapes: Any) -> None:
        self.check_shapes(*listed_shapes(input_shapes))
        self.built = True

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        shapes = listed_shapes(input_shapes)
        self.check_shapes(*shapes)
        return self._output_shape(shapes)

    def _output_shape(self, shapes: tuple[Shape, ...]) -> Shape:
        rest = broadcast_shapes(*(shape[1:] for shape in shapes), assume=False)
        if rest is None:
            raise ValueError(f"{self}: expected inputs of equal shapes, or of shapes that broadcast, got "
                             f"{_listed(shapes)}")
        return (next((shape[0] for shape in shapes if shape and shape[0] is not None), None), *rest)

    # masks ---------------------------------------------------------------------------------------------------------

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """Of a step that any input has unmasked; None if an input has no mask."""
        if mask is None or any(one is None for one in mask):
            return None
        found = mask[0]
        for one in mask[1:]:
            found = np.logical_or(found, one)
        return found

    def masked_outputs(self, masked: list[bool], count: int) -> list[bool]:
        return [all(masked)]

    # values --------------------------------------------------------------------------------------------------------

    def merge(self, xs: list[np.ndarray], masks: Masks) -> tuple[np.ndarray, Any]:
        """The output, and what `gradients` needs.

        Args:
            xs: the inputs, of one rank.
            masks: of each input, with axes of length 1 up to that rank, or None.
        """
        raise NotImplementedError(f"{type(self).__name__} must define merge(xs, masks)")

    def gradients(self, dy: np.ndarray, kept: Any, wanted: list[bool]) -> list[np.ndarray | None]:
        """The gradients of the inputs, of the output's shape."""
        raise NotImplementedError(f"{type(self).__name__} must define gradients(dy, kept, wanted)")

    def forward(self, *xs: np.ndarray, call: Call) -> np.ndarray:
        shapes = [x.shape for x in xs]
        if any(shape != shapes[0] for shape in shapes):
            self.check_shapes(*shapes)
        rank = max(map(len, shapes))
        masks = call.mask or [None] * len(xs)
        y, kept = self.merge([_raised(x, rank) for x in xs],
                             [None if mask is None else _raised(mask.reshape(*mask.shape, *[1] * (x.ndim - mask.ndim)),
                                                                rank) for x, mask in zip(xs, masks, strict=True)])
        if call.taped:
            call.kept = shapes, y.shape, kept
        return y

    def backward(self, dy: Any, *, call: Call | None = None) -> Any:
        call = self.taped(call)
        shapes, shape, kept = call.kept
        dy = self.check_gradient(dy, shape)
        wanted = [call.wants(index) for index in range(len(shapes))]
        found = [summed_to(dx, (own[0], *[1] * (len(shape) - len(own)), *own[1:])).reshape(own)
                 if want and dx is not None else None
                 for dx, own, want in zip(self.gradients(dy, kept, wanted), shapes, wanted, strict=True)]
        return found[0] if len(found) == 1 else found


def listed_shapes(input_shapes: tuple[Any, ...]) -> tuple[Shape, ...]:
    """Shapes one by one, given so or in one list, as Keras's merge layers take them."""
    if len(input_shapes) == 1 and input_shapes[0] and isinstance(input_shapes[0][0], (list, tuple)):
        input_shapes = tuple(input_shapes[0])
    return tuple(tuple(shape) for shape in input_shapes)


def _raised(x: np.ndarray, rank: int) -> np.ndarray:
    """With axes of length 1 behind the batch, up to a rank."""
    return x if x.ndim == rank else x.reshape(x.shape[0], *[1] * (rank - x.ndim), *x.shape[1:])


def _listed(shapes: tuple[Shape, ...]) -> str:
    return ", ".join(map(str, shapes))
