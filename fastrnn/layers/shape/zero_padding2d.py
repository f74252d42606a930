# SPDX-License-Identifier: Apache-2.0
"""ZeroPadding2D: images with zeros around them."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Shape
from fastrnn.layers.shape.base import Moving, check_data_format, two_sizes


class ZeroPadding2D(Moving):
    """Adds rows and columns of zeros around images (batch, height, width, channels).

    Args:
        padding: how many at each side; or (above and below, left and right); or ((above, below), (left, right)).
        data_format: "channels_last", or "channels_first" for inputs (batch, channels, height, width).

    Raises:
        ValueError: an argument is none of these; at a call, if the input has other axes.

    Example:

    >>> ZeroPadding2D(((1, 0), (2, 2)))(np.ones((2, 5, 4, 1))).shape
    (2, 6, 8, 1)
    """

    axes = ("batch", "height", "width", "channels")

    def __init__(self, padding: int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]] = (1, 1),
                 data_format: str | None = None, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        sides = padding if isinstance(padding, (list, tuple)) and len(padding) == 2 else (padding, padding)
        self.padding = tuple(two_sizes(side, f"{self} padding") for side in sides)
        self.data_format = check_data_format(data_format, str(self))
        self._axis = 1
        if self.data_format == "channels_first":
            self._axis, self.axes = 2, ("batch", "channels", "height", "width")

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        shape = list(input_shapes[0])
        for axis, sides in enumerate(self.padding, self._axis):
            shape[axis] = None if shape[axis] is None else shape[axis] + sum(sides)
        return tuple(shape)

    def _inside(self, shape: tuple[int, ...]) -> tuple[slice, ...]:
        """Where an input of this shape is in the output."""
        return (*[slice(None)] * self._axis,
                *(slice(first, first + shape[axis]) for axis, (first, _) in enumerate(self.padding, self._axis)))

    def moved(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        y = np.zeros(shape, x.dtype)
        y[self._inside(x.shape)] = x
        return y

    def moved_back(self, dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.ascontiguousarray(dy[self._inside(shape)])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}
