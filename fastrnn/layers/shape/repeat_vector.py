# SPDX-License-Identifier: Apache-2.0
"""RepeatVector: a row as every step of a sequence."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Shape
from fastrnn.layers.shape.base import Moving


class RepeatVector(Moving):
    """Repeats each row: (batch, features) becomes (batch, n, features).

    Args:
        n: how many steps.

    Raises:
        TypeError: `n` is no whole number.
        ValueError: `n` is below 1; at a call, if the input has other axes.

    Example:

    >>> RepeatVector(3)(np.ones((2, 4))).shape
    (2, 3, 4)
    """

    axes = ("batch", "features")

    def __init__(self, n: int, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        if not isinstance(n, (int, np.integer)) or isinstance(n, bool):
            raise TypeError(f"{self} n: expected a whole number, got {n!r}")
        if n < 1:
            raise ValueError(f"{self} n: expected 1 or more, got {n!r}")
        self.n = int(n)

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        batch, features = input_shapes[0]
        return (batch, self.n, features)

    def moved(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.repeat(x[:, None], self.n, axis=1)

    def moved_back(self, dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return dy.sum(axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}
