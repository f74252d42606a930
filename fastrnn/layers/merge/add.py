# SPDX-License-Identifier: Apache-2.0
"""Add: the sum of several arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.merge.base import Masks, Merge


class Add(Merge):
    """Adds up a list of inputs.

    Raises:
        ValueError: at a call, if the shapes neither are equal nor broadcast, or batch sizes differ.

    Example:

    >>> Add()([np.array([[1, 2]]), np.array([[10, 20]]), np.array([[100]])])
    array([[111., 122.]], dtype=float32)
    """

    def merge(self, xs: list[np.ndarray], masks: Masks) -> tuple[np.ndarray, Any]:
        y = xs[0]
        for x in xs[1:]:
            y = y + x
        return y, len(xs)

    def gradients(self, dy: np.ndarray, kept: Any, wanted: list[bool]) -> list[np.ndarray | None]:
        return [dy] * kept


def add(inputs: Sequence[Any], **kwargs: Unpack[LayerArguments]) -> Any:
    """The sum of arrays or symbols; see `Add`.

    >>> add([np.ones((1, 2)), np.ones((1, 2))])
    array([[2., 2.]], dtype=float32)
    """
    return Add(**kwargs)(inputs)
