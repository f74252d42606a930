# SPDX-License-Identifier: Apache-2.0
"""Multiply: the product of several arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.merge.base import Masks, Merge


class Multiply(Merge):
    """Multiplies a list of inputs, element by element.

    A masked step counts as ones; where all inputs are masked, the output is 0.

    Raises:
        ValueError: at a call, if the shapes neither are equal nor broadcast, or batch sizes differ.

    Example:

    >>> Multiply()([np.array([[1, 2]]), np.array([[10, 20]])])
    array([[10., 40.]], dtype=float32)
    """

    def merge(self, xs: list[np.ndarray], masks: Masks) -> tuple[np.ndarray, Any]:
        one = xs[0].dtype.type(1)
        factors = [x if mask is None else np.where(mask, x, one) for x, mask in zip(xs, masks)]
        y = _product(factors)
        visible = self.compute_mask(xs, masks)
        if visible is not None:
            y = np.where(visible, y, y.dtype.type(0))
        return y, (factors, masks, visible)

    def gradients(self, dy: np.ndarray, kept: Any, wanted: list[bool]) -> list[np.ndarray | None]:
        factors, masks, visible = kept
        if visible is not None:
            dy = dy * visible
        found: list[np.ndarray | None] = []
        for index, (mask, want) in enumerate(zip(masks, wanted)):
            dx = _product([dy, *factors[:index], *factors[index + 1:]]) if want else None
            found.append(dx if dx is None or mask is None else dx * mask)
        return found


def _product(factors: list[np.ndarray]) -> np.ndarray:
    y = factors[0]
    for factor in factors[1:]:
        y = y * factor
    return y


def multiply(inputs: Sequence[Any], **kwargs: Unpack[LayerArguments]) -> Any:
    """The product of arrays or symbols, element by element; see `Multiply`.

    >>> multiply([np.full((1, 2), 3), np.full((1, 2), 5)])
    array([[15., 15.]], dtype=float32)
    """
    return Multiply(**kwargs)(inputs)
