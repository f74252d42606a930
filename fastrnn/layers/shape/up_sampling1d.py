# SPDX-License-Identifier: Apache-2.0
"""UpSampling1D: each step of a sequence several times."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Shape
from fastrnn.layers.shape.base import Moving


class UpSampling1D(Moving):
    """Repeats each step of a sequence (batch, time, features).

    Args:
        size: how often.

    Raises:
        TypeError: `size` is no whole number.
        ValueError: it is below 1; at a call, if the input has other axes.

    Example:

    >>> UpSampling1D(3)(np.ones((2, 5, 4))).shape
    (2, 15, 4)
    """

    axes = ("batch", "time", "features")

    def __init__(self, size: int = 2, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        if not isinstance(size, (int, np.integer)) or isinstance(size, bool):
            raise TypeError(f"{self} size: expected a whole number, got {size!r}")
        if size < 1:
            raise ValueError(f"{self} size: expected 1 or more, got {size!r}")
        self.size = int(size)

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        batch, time, features = input_shapes[0]
        return (batch, None if time is None else time * self.size, features)

    def moved(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.repeat(x, self.size, axis=1)

    def moved_back(self, dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return dy.reshape(*shape[:2], self.size, shape[2]).sum(axis=2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}
