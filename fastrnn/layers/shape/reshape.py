# SPDX-License-Identifier: Apache-2.0
"""Reshape: samples of another shape, of as many elements."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Shape
from fastrnn.layers.shape.base import Moving


class Reshape(Moving):
    """Gives each sample another shape.

    Args:
        target_shape: without the batch; one size may be -1, which stands for what is left over.

    Raises:
        ValueError: more than one size is -1; at a call, if a sample has another number of elements.

    Example:

    >>> Reshape((3, -1))(np.ones((2, 12))).shape
    (2, 3, 4)
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        sizes = tuple(target_shape) if isinstance(target_shape, (list, tuple)) else (None,)
        if not all(isinstance(size, (int, np.integer)) and not isinstance(size, bool) and size >= -1
                   for size in sizes) or sizes.count(-1) > 1:
            raise ValueError(f"{self} target_shape: expected sizes of a sample's axes, one of which may be -1, got "
                             f"{target_shape!r}")
        self.target_shape = tuple(int(size) for size in sizes if size is not None)

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        batch, *rest = input_shapes[0]
        target = self.target_shape
        if None in rest:
            return (batch, *(None if size == -1 else size for size in target))
        elements, known = prod(rest), prod(size for size in target if size != -1)
        if -1 in target:
            fits, expected = known > 0 and elements % known == 0, f"a multiple of {known}"
        else:
            fits, expected = elements == known, str(known)
        if not fits:
            raise ValueError(f"{self}: expected samples of {expected} elements for target_shape {target}, got "
                             f"{elements} in {tuple(input_shapes[0])}")
        return (batch, *(elements // known if size == -1 else size for size in target))

    def moved(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return x.reshape(shape)

    def moved_back(self, dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return dy.reshape(shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": self.target_shape}
