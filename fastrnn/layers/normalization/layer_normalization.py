# SPDX-License-Identifier: Apache-2.0
"""LayerNormalization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn import arrays
from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Layer
from fastrnn.layers.variable import Variable


class LayerNormalization(Layer):
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

    supports_masking = True
    described = ("beta", "gamma")

    def __init__(self, axis: int | Sequence[int] = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True,
                 beta_initializer: Any = "zeros", gamma_initializer: Any = "ones", beta_regularizer: Any = None,
                 gamma_regularizer: Any = None, beta_constraint: Any = None, gamma_constraint: Any = None,
                 rms_scaling: bool = False, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        axes: Sequence[Any] = axis if isinstance(axis, (list, tuple)) else [axis]
        if not axes or not all(isinstance(one, (int, np.integer)) and not isinstance(one, bool) for one in axes):
            raise ValueError(f"{self} axis: expected a whole number or a list of them, got {axis!r}")
        if not isinstance(epsilon, (int, float, np.number)) or not 0 <= epsilon < np.inf:
            raise ValueError(f"{self} epsilon: expected a number of 0 or more, got {epsilon!r}")
        if rms_scaling:
            raise ValueError(f"{self} rms_scaling: is not supported, as Keras itself does not advise it")
        self.axis = [int(one) for one in axes] if isinstance(axis, (list, tuple)) else int(axes[0])
        self.epsilon = float(epsilon)
        self.center, self.scale = bool(center), bool(scale)
        self.describe(locals())
        self._widths: dict[int, int] = {}       # of the normalized axes, once built
        self._rank = 0

    def _axes(self, rank: int) -> tuple[int, ...]:
        """The axes, counted from the front."""
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        found = sorted({axis + rank if axis < 0 else axis for axis in axes})
        if len(found) != len(axes) or found[0] < 1 or found[-1] >= rank:
            raise ValueError(f"{self} axis: expected different axes of an input with {rank}, the batch's not among "
                             f"them, got {self.axis}")
        return tuple(found)

    def weight_shapes(self, input_shape: Any) -> dict[str, tuple[int, ...]]:
        shape = tuple(input_shape[axis] for axis in self._axes(len(input_shape)))
        if not all(shape):
            raise ValueError(f"{self}: expected an input with a known size of axis {self.axis}, got "
                             f"{tuple(input_shape)}")
        return {**({"gamma": shape} if self.scale else {}), **({"beta": shape} if self.center else {})}

    def build(self, *input_shapes: Any) -> None:
        input_shape = input_shapes[0]
        shapes = self.weight_shapes(input_shape)
        self._rank = len(input_shape)
        self._widths = {axis: int(input_shape[axis]) for axis in self._axes(self._rank)}
        self.gamma: Variable | None = None
        self.beta: Variable | None = None
        if self.scale:
            self.gamma = self.described_weight("gamma", shapes["gamma"])
        if self.center:
            self.beta = self.described_weight("beta", shapes["beta"])
        self.built = True

    def check_input(self, x: Any) -> np.ndarray:
        x = arrays.as_float(x, self.dtype, f"{self} input")
        # With axes counted from the end alone, inputs of any rank have them.
        axes = self._axes(x.ndim)
        if self.built and [x.shape[axis] for axis in axes] != list(self._widths.values()):
            raise ValueError(f"{self}: expected input with sizes {list(self._widths.values())} of axis {self.axis}, "
                             f"got {x.shape}")
        return x

    @property
    def normalized_axes(self) -> tuple[int, ...]:
        """The axes, counted from the front, of an input like that which the layer was built for."""
        return self._axes(self._rank)

    def broadcast(self, weight: np.ndarray, rank: int | None = None) -> np.ndarray:
        """A weight with the axes of an input of that rank (of the rank that the layer was built for, if not given)."""
        rank = self._rank if rank is None else rank
        axes = iter(weight.shape)
        normalized = self._axes(rank)
        return weight.reshape([next(axes) if axis in normalized else 1 for axis in range(rank)])

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        axes = self._axes(x.ndim)
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
        axes = self._axes(dy.ndim)
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
