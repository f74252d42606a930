# SPDX-License-Identifier: Apache-2.0
"""UnitNormalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.normalization.base import OverAxes

# Keras divides by no smaller norm.
SMALLEST = 1e-12


class UnitNormalization(OverAxes):
    """Scales each sample, and each of its steps, to length 1: `y = x / sqrt(sum(x^2))`.

    Args:
        axis: of the sum, or several.

    Raises:
        ValueError: an axis is none of the input's, or that of the batch.

    Example:

    >>> UnitNormalization()(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]], dtype=float32)
    """

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.axis = self.axes_of(axis)

    def build(self, *input_shapes: Any) -> None:
        self.normalized(len(input_shapes[0]))
        self.built = True

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        norm = np.sqrt(np.square(x).sum(self.normalized(x.ndim), keepdims=True))
        inverse = 1 / np.maximum(norm, x.dtype.type(SMALLEST))
        y: np.ndarray = x * inverse
        if call.taped:
            call.kept = y, inverse, norm > SMALLEST
        return y

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        y, inverse, scaled = call.kept
        dy = self.check_gradient(dy, y.shape)
        if not call.wants():
            return None
        along = (dy * y).sum(self.normalized(y.ndim), keepdims=True)
        return (dy - np.where(scaled, along, 0) * y) * inverse

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
