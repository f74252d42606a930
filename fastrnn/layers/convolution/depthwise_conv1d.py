# SPDX-License-Identifier: Apache-2.0
"""DepthwiseConv1D."""

from __future__ import annotations

from typing import Any, ClassVar, Unpack

import numpy as np

from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.convolution.base import ConvolutionBase
from fastrnn.layers.convolution.depthwise import depthwise, depthwise_input_gradient, depthwise_weight_gradient
from fastrnn.layers.variable import Variable


class DepthwiseConv1D(ConvolutionBase):
    """Convolution of each feature by itself over the steps of a sequence: output c m + j has the kernel j of the m that
    feature c has. A mask does not go on.

    Args:
        kernel_size: steps of a window.
        strides: steps from window to window.
        padding: "valid" for windows inside the sequence; "same" for as many outputs as steps, divided by the stride.
        depth_multiplier: kernels of each feature.
        data_format: "channels_last", or "channels_first" for inputs (batch, features, time).
        dilation_rate: steps from one element of a window to the next; 1 where strides are larger.
        activation: a name, an activation, or None for none.
        use_bias: add b.
        depthwise_initializer, bias_initializer: first values of the kernel (kernel_size, features, depth_multiplier)
            and b (features * depth_multiplier,).
        depthwise_regularizer, bias_regularizer: penalties on them.
        depthwise_constraint, bias_constraint: applied to them after each update.

    Raises:
        ValueError: an argument is none of these; at a call, if the input has other axes or too few steps.

    Example:

    >>> import numpy as np
    >>> DepthwiseConv1D(3, depth_multiplier=2)(np.zeros((2, 10, 8))).shape
    (2, 8, 16)
    """

    described = ("depthwise", "bias")
    described_by: ClassVar[dict[str, str]] = {"kernel": "depthwise"}

    kernel: Variable

    def __init__(self, kernel_size: int | tuple[int], strides: int | tuple[int] = 1, padding: str = "valid",
                 depth_multiplier: int = 1, data_format: str | None = None, dilation_rate: int | tuple[int] = 1,
                 activation: Any = None, use_bias: bool = True, depthwise_initializer: Any = "glorot_uniform",
                 bias_initializer: Any = "zeros", depthwise_regularizer: Any = None, bias_regularizer: Any = None,
                 activity_regularizer: Any = None, depthwise_constraint: Any = None, bias_constraint: Any = None,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(activity_regularizer, **kwargs)
        self.depth_multiplier = self.count_of("depth_multiplier", depth_multiplier)
        self.set_windows(kernel_size, strides, padding, data_format, dilation_rate)
        self.set_activation(activation, use_bias)
        self.describe(locals())

    def output_channels(self, channels: Any) -> Any:
        return None if channels is None else channels * self.depth_multiplier

    def wanted_channels(self) -> int | None:
        return self.kernel.shape[-2] if self.built else None

    def kernel_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        return {"kernel": (*self.kernel_size, channels, self.depth_multiplier)}

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        sizes = self.sizes_of(x.shape)
        x = self.images(x)
        bias = None if self.bias is None else self.bias.data
        z = depthwise(x, self.kernel.data, bias, self.windows(sizes), self.output_sizes(sizes), self._code)
        return self.finish(x, z, call)

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        dz, x = self.gradient_before(dy, call), call.kept.x
        around = self.windows(x.shape[3 - self.rank:-1])
        if self.trainable:
            depthwise_weight_gradient(x, dz, call.gradient(self.kernel), around)
            if self.bias is not None:
                call.gradient(self.bias)[...] = dz.sum((0, 1, 2), dtype=np.float64)
        if not call.wants():
            return None
        return self.from_images(depthwise_input_gradient(dz, self.kernel.data, x.shape, around))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "depth_multiplier": self.depth_multiplier}
