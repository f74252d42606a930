# SPDX-License-Identifier: Apache-2.0
"""Permute: a sample's axes in another order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Shape
from fastrnn.layers.shape.base import Moving


class Permute(Moving):
    """Puts the axes behind the batch in another order.

    Args:
        dims: the axes of the input in their new order, counted from 1; ``(2, 1)`` swaps time and features.

    Raises:
        ValueError: `dims` are not the numbers from 1 on, each once; at a call, if the input has other axes.

    Example:

    >>> Permute((2, 1))(np.ones((2, 3, 4))).shape
    (2, 4, 3)
    """

    def __init__(self, dims: Sequence[int], **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        given = tuple(dims) if isinstance(dims, (list, tuple)) else (dims, None)
        if not all(isinstance(dim, (int, np.integer)) for dim in given) or sorted(given) != list(
                range(1, len(given) + 1)):
            raise ValueError(f"{self} dims: expected the numbers from 1 on in some order, as (2, 1), got {dims!r}")
        self.dims = tuple(int(dim) for dim in given)
        self.axes = ("batch", *(f"axis {dim}" for dim in range(1, len(given) + 1)))

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        return (input_shapes[0][0], *(input_shapes[0][dim] for dim in self.dims))

    def moved(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.ascontiguousarray(x.transpose(0, *self.dims))

    def moved_back(self, dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return np.ascontiguousarray(dy.transpose(np.argsort((0, *self.dims))))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": self.dims}
