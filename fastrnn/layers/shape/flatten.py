# SPDX-License-Identifier: Apache-2.0
"""Flatten: each sample as one row."""

from __future__ import annotations

from math import prod
from typing import Any, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Shape
from fastrnn.layers.shape.base import Moving, check_data_format


class Flatten(Moving):
    """Makes one row of each sample: (batch, ...) becomes (batch, features), and (batch,) becomes (batch, 1).

    Args:
        data_format: "channels_last", or "channels_first" for inputs (batch, channels, ...), which go to the end first.

    Example:

    >>> Flatten()(np.ones((2, 3, 4))).shape
    (2, 12)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.data_format = check_data_format(data_format, str(self))

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        batch, *rest = input_shapes[0]
        return (batch, None if None in rest else prod(rest))

    def moved(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return (np.moveaxis(x, 1, -1) if self._moves(x.ndim) else x).reshape(shape)

    def moved_back(self, dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        if not self._moves(len(shape)):
            return dy.reshape(shape)
        return np.ascontiguousarray(np.moveaxis(dy.reshape(shape[0], *shape[2:], shape[1]), -1, 1))

    def _moves(self, rank: int) -> bool:
        return self.data_format == "channels_first" and rank > 2

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}
