# SPDX-License-Identifier: Apache-2.0
"""Dense."""

from __future__ import annotations

from typing import Any, NamedTuple, Unpack

import numpy as np

from fastrnn import _core, activations, arrays, runtime
from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Layer, Shape
from fastrnn.layers.variable import Variable


class Kept(NamedTuple):
    """What a forward pass leaves for the backward pass."""

    x: np.ndarray
    z: np.ndarray | None                # what enters the activation, where its derivative needs that
    y: np.ndarray


class Dense(Layer):
    """Fully connected layer: ``activation(x W + b)`` on the last axis.

    Args:
        units: width of the output.
        activation: a name, an activation, or None for none.
        use_bias: add b.
        kernel_initializer, bias_initializer: first values of W (features, units) and b (units,).
        kernel_regularizer, bias_regularizer: penalties on them.
        kernel_constraint, bias_constraint: applied to them after each update.

    Example:

    >>> Dense(3, activation="softmax")(np.zeros((2, 5, 8))).shape
    (2, 5, 3)
    """

    supports_masking = True
    described = ("kernel", "bias")

    def __init__(self, units: int, activation: Any = None, use_bias: bool = True,
                 kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
                 kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
                 kernel_constraint: Any = None, bias_constraint: Any = None, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = self.count_of("units", units)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.describe(locals())
        # An activation that the kernel knows is applied there.
        codes = _core.kernels(self.dtype).ACTIVATIONS
        name = self.activation.name
        plain = name in codes and activations.plain_name(self.activation) == name
        self._code = codes[name] if plain else codes["linear"]
        self._softmax = activations.plain_name(self.activation) == "softmax"
        self._after = None if plain or self._softmax else self.activation

    @property
    def output_activation(self) -> str | None:
        return activations.plain_name(self.activation)

    def forget(self) -> None:
        super().forget()
        self._runner: Any = None            # see kernel_runner

    def weight_shapes(self, input_shape: Any) -> dict[str, tuple[int, ...]]:
        return {"kernel": (int(input_shape[-1]), self.units), **({"bias": (self.units,)} if self.use_bias else {})}

    def build(self, *input_shapes: Any) -> None:
        input_shape = input_shapes[0]
        if len(input_shape) < 2 or input_shape[-1] is None:
            raise ValueError(f"{self}: expected input (batch, ..., features) with a known number of features, "
                             f"got {tuple(input_shape)}")
        shapes = self.weight_shapes(input_shape)
        self._runner = None
        self.kernel = self.described_weight("kernel", shapes["kernel"])
        self.bias: Variable | None = None
        if self.use_bias:
            self.bias = self.described_weight("bias", shapes["bias"])
        self.built = True

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        return (*input_shapes[0][:-1], self.units)

    def check_input(self, x: Any) -> np.ndarray:
        if not arrays.is_ready(x, self.dtype):
            x = arrays.as_float(x, self.dtype, f"{self} input")
        if x.ndim < 2 or (self.built and x.shape[-1] != len(self.kernel.data)):
            width = len(self.kernel.data) if self.built else "features"
            one_sample = "; for one sample pass x[None]" if x.ndim == 1 else ""
            raise ValueError(f"{self}: expected input (batch, ..., {width}), got {x.shape}{one_sample}")
        return x

    def runner(self) -> Any:
        return self.kernel_runner() if self._after is None else None

    def kernel_runner(self) -> Any:
        """The compiled object for activation(x W + b), without what activation the kernels lack, and its gradients."""
        if self._runner is None:
            self._runner = _core.kernels(self.dtype).DenseRunner(self.kernel, self.bias, self._code, self._softmax)
        return self._runner

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        runner, threads = self.kernel_runner(), runtime.get_num_threads()
        z = runner.output(x, threads)
        if z is None:                       # x lies otherwise than the kernels have it
            x = self.check_input(x)
            z = runner.output(x, threads)
        y = z if self._after is None else self._after(z)
        if call.taped:
            call.kept = Kept(x, z if self._after is not None and self._after.needs_input else None, y)
        return y

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        x, z, y = call.kept
        dz = np.ascontiguousarray(self.check_gradient(dy, y.shape, "dz" if call.logits else "dy"))
        runner, threads = self.kernel_runner(), runtime.get_num_threads()
        if call.logits:
            pass
        elif self._softmax:
            dy, dz = dz, np.empty_like(y)
            _core.kernels(self.dtype).softmax_rows_backward(y, dy, dz, threads)
        elif self.activation.name != "linear":
            dz = np.ascontiguousarray(self.activation.backward(y, dz, z))
        scratch = call.buffers.flat("scratch", runner.scratch_size(x, threads), self.dtype)
        dw = call.gradient(self.kernel) if self.trainable else None
        db = call.gradient(self.bias) if self.trainable and self.bias is not None else None
        return runner.backward(x, dz, call.wants(), dw, db, scratch, threads)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "units": self.units, "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
        }
