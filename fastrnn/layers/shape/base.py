# SPDX-License-Identifier: Apache-2.0
"""What the layers share that move elements to other places."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.graph.call import Call
from fastrnn.layers.base import Layer, Shape


class Moving(Layer):
    """Base of the layers that move elements: whole numbers stay whole, and no mask goes on.

    A subclass defines `moved`, `moved_back` and `compute_output_shape`, which raises a ValueError for a shape that the
    layer does not take.
    """

    input_kind = "any"
    masks = "drop"
    #: The input's axes, in words, where their number is fixed.
    axes: tuple[str, ...] | None = None

    def check_input(self, x: Any) -> np.ndarray:
        x = arrays.as_float_or_whole(x, self.dtype, f"{self} input")
        self.check_shapes(x.shape)
        return x

    def check_shapes(self, *shapes: Shape) -> None:
        shape = shapes[0]
        if not shape or (self.axes is not None and len(shape) != len(self.axes)):
            raise ValueError(f"{self}: expected input ({', '.join(self.axes or ('batch', '...'))}), got {shape}")
        self.compute_output_shape(shape)

    def compute_mask(self, x: Any, mask: Any = None) -> None:
        return None

    def moved(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The output, C-contiguous, of this shape."""
        raise NotImplementedError(f"{type(self).__name__} must define moved(x, shape)")

    def moved_back(self, dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The gradient of an input of this shape."""
        raise NotImplementedError(f"{type(self).__name__} must define moved_back(dy, shape)")

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        shape = self.compute_output_shape(x.shape)
        if call.taped:
            call.kept = x.shape, shape, x.dtype.kind == "f"
        return self.moved(x, shape)

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        own, shape, floats = call.kept
        dy = self.check_gradient(dy, shape)
        return self.moved_back(dy, own) if floats and call.wants() else None


def two_sizes(value: Any, what: str) -> tuple[int, int]:
    """One size for both ends, or one for each.

    >>> two_sizes(1, "padding"), two_sizes([1, 0], "padding")
    ((1, 1), (1, 0))
    """
    sizes = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    if len(sizes) != 2 or not all(isinstance(size, (int, np.integer)) and not isinstance(size, bool) and size >= 0
                                  for size in sizes):
        raise ValueError(f"{what}: expected a whole number, 0 or more, or two of them, got {value!r}")
    return int(sizes[0]), int(sizes[1])


def check_data_format(value: str | None, what: str) -> str:
    """ "channels_last", as None too, or "channels_first"."""
    if value not in (None, "channels_last", "channels_first"):
        raise ValueError(f"{what} data_format: expected 'channels_last' or 'channels_first', got {value!r}")
    return value or "channels_last"
