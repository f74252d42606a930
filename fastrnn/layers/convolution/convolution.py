# SPDX-License-Identifier: Apache-2.0
"""What the convolutions share whose outputs are sums over channels: one kernel, both passes."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn import _core, runtime
from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.convolution.base import ConvolutionBase
from fastrnn.layers.spatial import in_two
from fastrnn.layers.variable import Variable


class Convolution(ConvolutionBase):
    """Base of convolutions with one kernel."""

    described: tuple[str, ...] = ("kernel", "bias")
    #: Whether what would be a convolution's input is the output.
    transposed = False

    kernel: Variable

    def __init__(self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
                 data_format: str | None = None, dilation_rate: Any = 1, groups: int = 1, activation: Any = None,
                 use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
                 kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
                 kernel_constraint: Any = None, bias_constraint: Any = None,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(activity_regularizer, **kwargs)
        self.filters = self.count_of("filters", filters)
        self.groups = self.count_of("groups", groups)
        if self.filters % self.groups:
            raise ValueError(f"{self} groups: expected a divisor of filters={filters}, got {groups}")
        self.set_windows(kernel_size, strides, padding, data_format, dilation_rate)
        self.set_activation(activation, use_bias)
        self.describe(locals())

    def output_channels(self, channels: Any) -> Any:
        return self.filters

    def wanted_channels(self) -> int | None:
        return self.kernel.shape[-2] * self.groups if self.built else None

    def kernel_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        return {"kernel": (*self.kernel_size, channels // self.groups, self.filters)}

    def kernel_runner(self) -> Any:
        """The compiled object for activation(x * W + b), without what activation the kernels lack, and its
        gradients."""
        if self._runner is None:
            self._runner = _core.kernels(self.dtype).ConvolutionRunner(self.kernel, self.bias, self._code, self.groups,
                                                                       self.transposed)
        return self._runner

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        sizes = self.sizes_of(x.shape)
        x = self.images(x)
        z = np.empty((len(x), *in_two(self.output_sizes(sizes)), self.filters), x.dtype)
        self.kernel_runner().output(x, z, *self.windows(sizes), runtime.get_num_threads())
        return self.finish(x, z, call)

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        dz, x = self.gradient_before(dy, call), call.kept.x
        around = self.windows(x.shape[3 - self.rank:-1])
        runner, threads = self.kernel_runner(), runtime.get_num_threads()
        if self.trainable:
            scratch = call.buffers.flat("scratch", runner.scratch_size(threads), self.dtype)
            dw, db = call.gradient(self.kernel), None if self.bias is None else call.gradient(self.bias)
            if db is not None and self.transposed:
                db[...] = dz.sum((0, 1, 2), dtype=np.float64)
                db = None
            runner.weight_gradients(x, dz, dw, db, scratch, *around, threads)
        if not call.wants():
            return None
        dx = np.empty_like(x)
        runner.input_gradient(dz, dx, *around, threads)
        return self.from_images(dx)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "groups": self.groups}
