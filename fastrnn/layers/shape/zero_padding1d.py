# SPDX-License-Identifier: Apache-2.0
"""ZeroPadding1D: a sequence with zeros before and behind it."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Shape
from fastrnn.layers.shape.base import Moving, check_data_format, two_sizes


class ZeroPadding1D(Moving):
    """Adds steps of zeros at both ends of a sequence (batch, time, features).

    Args:
        padding: how many steps at each end, or (at the start, at the end).
        data_format: "channels_last", or "channels_first" for inputs (batch, features, time).

    Raises:
        ValueError: an argument is none of these; at a call, if the input has other axes.

    Example:

    >>> ZeroPadding1D((1, 2))(np.ones((2, 5, 4))).shape
    (2, 8, 4)
    """

    axes = ("batch", "time", "features")

    def __init__(self, padding: int | tuple[int, int] = 1, data_format: str | None = None,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.padding = two_sizes(padding, f"{self} padding")
        self.data_format = check_data_format(data_format, str(self))
        self._axis = 1
        if self.data_format == "channels_first":
            self._axis, self.axes = 2, ("batch", "features", "time")

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        shape = list(input_shapes[0])
        time = shape[self._axis]
        shape[self._axis] = None if time is None else time + sum(self.padding)
        return tuple(shape)

    def _inside(self, time: int) -> tuple[slice, ...]:
        """Where the input is in the output."""
        return (*[slice(None)] * self._axis, slice(self.padding[0], self.padding[0] + time))

    def moved(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        y = np.zeros(shape, x.dtype)
        y[self._inside(x.shape[self._axis])] = x
        return y

    def moved_back(self, dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.ascontiguousarray(dy[self._inside(shape[self._axis])])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}
