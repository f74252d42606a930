# SPDX-License-Identifier: Apache-2.0
"""UpSampling2D: each row and column of images several times, or rows and columns between them."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn import arrays
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Shape
from fastrnn.layers.shape.base import Moving, check_data_format
from fastrnn.layers.spatial import one_of, whole_numbers


class UpSampling2D(Moving):
    """Makes images (batch, height, width, channels) larger by repeating their rows and columns, or by rows and columns
    between them.

    Args:
        size: how often each row and each column; one number for both.
        data_format: "channels_last", or "channels_first" for inputs (batch, channels, height, width).
        interpolation: "nearest" repeats, "bilinear" goes straight from the middle of one pixel to that of the next;
            Keras's others are not there.

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
        self.interpolation = one_of(interpolation, ("nearest", "bilinear"), f"{self} interpolation")
        self._axis = 1
        if self.data_format == "channels_first":
            self._axis, self.axes = 2, ("batch", "channels", "height", "width")

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        shape = list(input_shapes[0])
        for axis, size in enumerate(self.size, self._axis):
            shape[axis] = None if shape[axis] is None else shape[axis] * size
        return tuple(shape)

    def check_input(self, x: Any) -> np.ndarray:
        x = super().check_input(x)
        return x if self.interpolation == "nearest" else arrays.as_float(x, self.dtype, f"{self} input")

    def output_dtypes(self, inputs: list[Any], count: int) -> list[str]:
        return super().output_dtypes(inputs, count) if self.interpolation == "nearest" else [self.dtype] * count

    def moved(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        if self.interpolation == "bilinear":
            for axis, size in enumerate(self.size, self._axis):
                x = _along(_between(x.shape[axis], size, x.dtype), x, axis)
            return np.ascontiguousarray(x)
        return np.repeat(np.repeat(x, self.size[0], self._axis), self.size[1], self._axis + 1)

    def moved_back(self, dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        if self.interpolation == "bilinear":
            for axis, size in enumerate(self.size, self._axis):
                dy = _along(_between(shape[axis], size, dy.dtype).T, dy, axis)
            return np.ascontiguousarray(dy)
        axis, (height, width) = self._axis, shape[self._axis:self._axis + 2]
        parts = dy.reshape(*shape[:axis], height, self.size[0], width, self.size[1], *shape[axis + 2:])
        return parts.sum((axis + 1, axis + 3))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "data_format": self.data_format,
                "interpolation": self.interpolation}


def _between(length: int, size: int, dtype: Any) -> np.ndarray:
    """What each of `length * size` pixels takes of each of `length`: of the two whose middles it lies between, at the
    ends of one alone.

    >>> _between(2, 2, "float32").tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    place = np.clip((np.arange(length * size) + 0.5) / size - 0.5, 0, max(0, length - 1))
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(length))).astype(dtype)


def _along(shares: np.ndarray, x: np.ndarray, axis: int) -> np.ndarray:
    """The sums of x along an axis, each element times its share; without BLAS: the same bits on any threads."""
    return np.moveaxis(np.einsum("oi,i...->o...", shares, np.moveaxis(x, axis, 0)), 0, axis)
