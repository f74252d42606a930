# SPDX-License-Identifier: Apache-2.0
"""Maximum: the largest of several arrays' elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.merge.base import Masks, Merge


class Maximum(Merge):
    """The largest of a list of inputs, element by element. Equal ones share the gradient.

    A masked step does not count; where all inputs are masked, the output is the first.

    Raises:
        ValueError: at a call, if the shapes neither are equal nor broadcast, or batch sizes differ.

    Example:

    >>> Maximum()([np.array([[1, 20]]), np.array([[10, 2]])])
    array([[10., 20.]], dtype=float32)
    """

    choose: ClassVar[Any] = np.maximum
    #: What every other value is chosen before.
    last = -np.inf

    def merge(self, xs: list[np.ndarray], masks: Masks) -> tuple[np.ndarray, Any]:
        last = xs[0].dtype.type(self.last)
        y: Any = None
        for x, mask in zip(xs, masks):
            x = x if mask is None else np.where(mask, x, last)
            y = x if y is None else self.choose(y, x)
        visible = self.compute_mask(xs, masks)
        if visible is not None:
            y = np.where(visible, y, xs[0])
        return y, (xs, masks, visible, y)

    def gradients(self, dy: np.ndarray, kept: Any, wanted: list[bool]) -> list[np.ndarray | None]:
        xs, masks, visible, y = kept
        chosen = [x == y if mask is None else (x == y) & mask for x, mask in zip(xs, masks)]
        if visible is not None:
            chosen[0] = chosen[0] | ~visible
        shared = dy / np.maximum(sum(one.astype(dy.dtype) for one in chosen), 1)
        return [shared * one if want else None for one, want in zip(chosen, wanted)]


def maximum(inputs: Sequence[Any], **kwargs: Unpack[LayerArguments]) -> Any:
    """The largest of arrays or symbols, element by element; see `Maximum`.

    >>> maximum([np.full((1, 2), 3), np.full((1, 2), 5)])
    array([[5., 5.]], dtype=float32)
    """
    return Maximum(**kwargs)(inputs)
