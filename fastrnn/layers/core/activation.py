# SPDX-License-Identifier: Apache-2.0
"""Activation as a layer of its own."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn import _core, activations, arrays, runtime
from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Layer, Shape


class Activation(Layer):
    """Applies an activation function.

    Args:
        activation: a name, e.g. "relu", or an activation.

    Example:

    >>> Activation("relu")(np.array([-1.0, 2.0]))
    array([0., 2.], dtype=float32)
    """

    supports_masking = True

    def __init__(self, activation: Any, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    @property
    def output_activation(self) -> str | None:
        return activations.plain_name(self.activation)

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        return self.activation.output_shape(tuple(input_shapes[0]))

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        y = self._infer(x) if not call.taped and arrays.is_ready(x, self.dtype) else None
        if y is None:
            y = self.activation(x)
        if call.taped:
            call.kept = x, y
        return y

    def _infer(self, x: np.ndarray) -> np.ndarray | None:
        """The activation by the kernels, which are faster than NumPy; None where they lack it."""
        kernels, name = _core.kernels(self.dtype), activations.plain_name(self.activation)
        y = np.empty_like(x)
        if name == "softmax" and x.ndim > 1:
            kernels.softmax_rows(x, y, runtime.get_num_threads())
        elif name in kernels.ACTIVATIONS:
            kernels.activate_array(kernels.ACTIVATIONS[name], x, y)
        else:
            return None
        return y

    def runner(self) -> Any:
        return _core.kernels(self.dtype).LineRunner([]) if activations.plain_name(self.activation) == "linear" else None

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        x, y = call.kept
        dy = self.check_gradient(dy, y.shape, "dz" if call.logits else "dy")
        if not call.wants():
            return None
        return dy if call.logits else self.activation.backward(y, dy, x)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}
