# SPDX-License-Identifier: Apache-2.0
"""Subtract: the difference of two arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.merge.base import Masks, Merge


class Subtract(Merge):
    """Subtracts the second input from the first.

    Raises:
        ValueError: at a call, if there are not two inputs, or their shapes neither are equal nor broadcast.

    Example:

    >>> Subtract()([np.array([[10, 20]]), np.array([[1, 2]])])
    array([[ 9., 18.]], dtype=float32)
    """

    count = 2

    def merge(self, xs: list[np.ndarray], masks: Masks) -> tuple[np.ndarray, Any]:
        return xs[0] - xs[1], None

    def gradients(self, dy: np.ndarray, kept: Any, wanted: list[bool]) -> list[np.ndarray | None]:
        return [dy, -dy if wanted[1] else None]


def subtract(inputs: Sequence[Any], **kwargs: Unpack[LayerArguments]) -> Any:
    """The first of two arrays or symbols less the second; see `Subtract`.

    >>> subtract([np.ones((1, 2)), np.ones((1, 2))])
    array([[0., 0.]], dtype=float32)
    """
    return Subtract(**kwargs)(inputs)
