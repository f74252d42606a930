# SPDX-License-Identifier: Apache-2.0
"""Average: the mean of several arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.merge.add import Add
from fastrnn.layers.merge.base import Masks


class Average(Add):
    """The mean of a list of inputs, element by element.

    Raises:
        ValueError: at a call, if the shapes neither are equal nor broadcast, or batch sizes differ.

    Example:

    >>> Average()([np.array([[1, 2]]), np.array([[3, 6]])])
    array([[2., 4.]], dtype=float32)
    """

    def merge(self, xs: list[np.ndarray], masks: Masks) -> tuple[np.ndarray, Any]:
        total, count = super().merge(xs, masks)
        return total / count, count

    def gradients(self, dy: np.ndarray, kept: Any, wanted: list[bool]) -> list[np.ndarray | None]:
        return super().gradients(dy / kept, kept, wanted)


def average(inputs: Sequence[Any], **kwargs: Unpack[LayerArguments]) -> Any:
    """The mean of arrays or symbols, element by element; see `Average`.

    >>> average([np.zeros((1, 2)), np.ones((1, 2))])
    array([[0.5, 0.5]], dtype=float32)
    """
    return Average(**kwargs)(inputs)
