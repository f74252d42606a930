# SPDX-License-Identifier: Apache-2.0
"""LayerNormalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.normalization.base import OverAxes, epsilon_of
from fastrnn.layers.variable import Variable


class LayerNormalization(OverAxes):
    """Shifts and scales each sample, and each of its steps, to mean 0 and variance 1 (Ba et al. 2016)::

        y = (x - mean(x)) / sqrt(var(x) + epsilon) * gamma + beta

    Args:
        axis: of the features, or several: mean and variance are over these; gamma and beta have their shape.
        epsilon: added to the variance. PyTorch's is 1e-5.
        center, scale: add beta, multiply by gamma.
        beta_initializer, gamma_initializer: their first values.
        beta_regularizer, gamma_regularizer: penalties on them.
        beta_constraint, gamma_constraint: applied to them after each update.

    Raises:
        ValueError: an axis is none of the input's, or that of the batch.

    Example:

    >>> LayerNormalization(epsilon=0)(np.array([[1.0, 3.0], [10.0, 30.0]]))
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """

    described = ("beta", "gamma")

    def __init__(self, axis: int | Sequence[int] = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
                 beta_initializer: Any = "zeros", gamma_initializer: Any = "ones", beta_regularizer: Any = None,
                 gamma_regularizer: Any = None, beta_constraint: Any = None, gamma_constraint: Any = None,
                 rms_scaling: bool = False, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.axis = self.axes_of(axis)
        self.epsilon = epsilon_of(self, epsilon)
        if rms_scaling:
            raise ValueError(f"{self} rms_scaling: is not supported, as Keras itself does not advise it")
        self.center, self.scale = bool(center), bool(scale)
        self.describe(locals())

    def weight_shapes(self, input_shape: Any) -> dict[str, tuple[int, ...]]:
        shape = self.sizes(input_shape)
        return {**({"gamma": shape} if self.scale else {}), **({"beta": shape} if self.center else {})}

    def build(self, *input_shapes: Any) -> None:
        shapes = self.weight_shapes(input_shapes[0])
        self.know_axes(input_shapes[0])
        self.gamma: Variable | None = None
        self.beta: Variable | None = None
        if self.scale:
            self.gamma = self.described_weight("gamma", shapes["gamma"])
        if self.center:
            self.beta = self.described_weight("beta", shapes["beta"])
        self.built = True

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        if not call.taped and (rows := self.infer_rows(x, self.gamma, self.beta, self.epsilon, True)) is not None:
            return rows
        axes = self.normalized(x.ndim)
        centered = x - x.mean(axes, keepdims=True)
        variance = np.square(centered).mean(axes, keepdims=True)
        inverse = 1 / np.sqrt(variance + x.dtype.type(self.epsilon))
        normalized = np.multiply(centered, inverse, out=centered)
        if call.taped:
            call.kept = normalized, inverse
        y = normalized
        if self.gamma is not None:
            y = y * self.broadcast(self.gamma.data, x.ndim)
        if self.beta is not None:
            y = y + self.broadcast(self.beta.data, x.ndim)
        return y.copy() if y is normalized and call.taped else y

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        normalized, inverse = call.kept
        dy = self.check_gradient(dy, normalized.shape)
        axes = self.normalized(dy.ndim)
        others = tuple(axis for axis in range(dy.ndim) if axis not in axes)
        if self.trainable and self.gamma is not None:
            call.gradient(self.gamma)[...] = (dy * normalized).sum(others)
        if self.trainable and self.beta is not None:
            call.gradient(self.beta)[...] = dy.sum(others)
        if not call.wants():
            return None
        dn = dy if self.gamma is None else dy * self.broadcast(self.gamma.data, dy.ndim)
        dx = dn - dn.mean(axes, keepdims=True) - normalized * (dn * normalized).mean(axes, keepdims=True)
        return np.multiply(dx, inverse, out=dx)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "axis": self.axis, "epsilon": self.epsilon, "center": self.center,
            "scale": self.scale, "rms_scaling": False,
        }
