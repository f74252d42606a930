# SPDX-License-Identifier: Apache-2.0
"""UpSampling2D: each row and column of images several times."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Shape
from fastrnn.layers.shape.base import Moving, check_data_format
from fastrnn.layers.spatial import one_of, whole_numbers


class UpSampling2D(Moving):
    """Makes images (batch, height, width, channels) larger by repeating their rows and columns.

    Args:
        size: how often each row and each column; one number for both.
        data_format: "channels_last", or "channels_first" for inputs (batch, channels, height, width).
        interpolation: "nearest"; Keras's others are not there.

    Raises:
        ValueError: an argument is none of these; at a call, if the input has other axes.

    Example:

    >>> UpSampling2D((2, 3))(np.ones((2, 5, 4, 1))).shape
    (2, 10, 12, 1)
    """

    axes = ("batch", "height", "width", "channels")

    def __init__(self, size: int | tuple[int, int] = (2, 2), data_format: str | None = None,
                 interpolation: str = "nearest", **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.size = whole_numbers(size, 2, f"{self} size")
        self.data_format = check_data_format(data_format, str(self))
        self.interpolation = one_of(interpolation, ("nearest",), f"{self} interpolation")
        self._axis = 1
        if self.data_format == "channels_first":
            self._axis, self.axes = 2, ("batch", "channels", "height", "width")

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        shape = list(input_shapes[0])
        for axis, size in enumerate(self.size, self._axis):
            shape[axis] = None if shape[axis] is None else shape[axis] * size
        return tuple(shape)

    def moved(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.repeat(np.repeat(x, self.size[0], self._axis), self.size[1], self._axis + 1)

    def moved_back(self, dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        axis, (height, width) = self._axis, shape[self._axis:self._axis + 2]
        parts = dy.reshape(*shape[:axis], height, self.size[0], width, self.size[1], *shape[axis + 2:])
        return parts.sum((axis + 1, axis + 3))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "data_format": self.data_format,
                "interpolation": self.interpolation}
