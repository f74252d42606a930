# SPDX-License-Identifier: Apache-2.0
"""Cropping1D: a sequence without its first and last steps."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Shape
from fastrnn.layers.shape.base import Moving, two_sizes


class Cropping1D(Moving):
    """Cuts steps off both ends of a sequence (batch, time, features).

    Args:
        cropping: how many steps at each end, or (at the start, at the end).

    Raises:
        ValueError: `cropping` is no such number; at a call, if no step is left.

    Example:

    >>> Cropping1D((1, 2))(np.ones((2, 8, 4))).shape
    (2, 5, 4)
    """

    axes = ("batch", "time", "features")

    def __init__(self, cropping: int | tuple[int, int] = (1, 1), **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.cropping = two_sizes(cropping, f"{self} cropping")

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        batch, time, features = input_shapes[0]
        if time is not None and time <= sum(self.cropping):
            raise ValueError(f"{self}: expected more than {sum(self.cropping)} steps, which cropping {self.cropping} "
                             f"cuts off, got {tuple(input_shapes[0])}")
        return (batch, None if time is None else time - sum(self.cropping), features)

    def moved(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        start = self.cropping[0]
        return np.ascontiguousarray(x[:, start:start + shape[1]])

    def moved_back(self, dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        dx = np.zeros(shape, dy.dtype)
        start = self.cropping[0]
        dx[:, start:start + dy.shape[1]] = dy
        return dx

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": self.cropping}
