# SPDX-License-Identifier: Apache-2.0
"""RMSNormalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.normalization.base import OverAxes, epsilon_of


class RMSNormalization(OverAxes):
    """Scales each sample, and each of its steps, to a mean square of 1 (Zhang & Sennrich 2019)::

        y = x / sqrt(mean(x^2) + epsilon) * scale

    Args:
        axis: of the features, or several: the mean is over these; the scale has their shape.
        epsilon: added to the mean.

    Raises:
        ValueError: an axis is none of the input's, or that of the batch.

    Example:

    >>> RMSNormalization(epsilon=0)(np.array([[1.0, 7.0]]))
    array([[0.2, 1.4]], dtype=float32)
    """

    def __init__(self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.axis = self.axes_of(axis)
        self.epsilon = epsilon_of(self, epsilon)

    def weight_shapes(self, input_shape: Any) -> dict[str, tuple[int, ...]]:
        return {"scale": self.sizes(input_shape)}

    def build(self, *input_shapes: Any) -> None:
        shapes = self.weight_shapes(input_shapes[0])
        self.know_axes(input_shapes[0])
        self.scale = self.add_weight("scale", shapes["scale"], "ones")
        self.built = True

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        if not call.taped and (rows := self.infer_rows(x, self.scale, None, self.epsilon, False)) is not None:
            return rows
        squares = np.square(x).mean(self.normalized(x.ndim), keepdims=True)
        inverse = 1 / np.sqrt(squares + x.dtype.type(self.epsilon))
        normalized = x * inverse
        if call.taped:
            call.kept = normalized, inverse
        return normalized * self.broadcast(self.scale.data, x.ndim)

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        normalized, inverse = call.kept
        dy = self.check_gradient(dy, normalized.shape)
        axes = self.normalized(dy.ndim)
        if self.trainable:
            others = tuple(axis for axis in range(dy.ndim) if axis not in axes)
            call.gradient(self.scale)[...] = (dy * normalized).sum(others)
        if not call.wants():
            return None
        dn = dy * self.broadcast(self.scale.data, dy.ndim)
        return (dn - normalized * (dn * normalized).mean(axes, keepdims=True)) * inverse

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}
