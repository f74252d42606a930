# SPDX-License-Identifier: Apache-2.0
"""SeparableConv1D."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Unpack

import numpy as np

from fastrnn import _core, runtime
from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.convolution.base import ConvolutionBase
from fastrnn.layers.convolution.depthwise import depthwise, depthwise_input_gradient, depthwise_weight_gradient
from fastrnn.layers.spatial import windows
from fastrnn.layers.variable import Variable


class Kept(NamedTuple):
    """What a forward pass leaves for the backward pass."""

    x: np.ndarray                       # as `images`
    middle: np.ndarray                  # between the two convolutions
    z: np.ndarray | None                # what enters the activation, where its derivative needs that
    y: np.ndarray


class SeparableConv1D(ConvolutionBase):
    """Convolution of each feature by itself over the steps of a sequence, whose outputs are then mixed, step by step:
    fewer weights than those of a `Conv1D` (Chollet 2017). A mask does not go on.

    Args:
        filters: width of the output.
        kernel_size: steps of a window.
        strides: steps from window to window.
        padding: "valid" for windows inside the sequence; "same" for as many outputs as steps, divided by the stride.
        data_format: "channels_last", or "channels_first" for inputs (batch, features, time).
        dilation_rate: steps from one element of a window to the next; 1 where strides are larger.
        depth_multiplier: kernels of each feature.
        activation: a name, an activation, or None for none.
        use_bias: add b.
        depthwise_initializer, pointwise_initializer, bias_initializer: first values of the kernels (kernel_size,
            features, depth_multiplier) and (1, features * depth_multiplier, filters), and of b (filters,).
        depthwise_regularizer, pointwise_regularizer, bias_regularizer: penalties on them.
        depthwise_constraint, pointwise_constraint, bias_constraint: applied to them after each update.

    Raises:
        ValueError: an argument is none of these; at a call, if the input has other axes or too few steps.

    Example:

    >>> import numpy as np
    >>> SeparableConv1D(16, 3, padding="same")(np.zeros((2, 10, 8))).shape
    (2, 10, 16)
    """

    described = ("depthwise", "pointwise", "bias")
    described_by: ClassVar[dict[str, str]] = {"depthwise_kernel": "depthwise", "pointwise_kernel": "pointwise"}

    depthwise_kernel: Variable
    pointwise_kernel: Variable

    def __init__(self, filters: int, kernel_size: int | tuple[int], strides: int | tuple[int] = 1,
                 padding: str = "valid", data_format: str | None = None, dilation_rate: int | tuple[int] = 1,
                 depth_multiplier: int = 1, activation: Any = None, use_bias: bool = True,
                 depthwise_initializer: Any = "glorot_uniform", pointwise_initializer: Any = "glorot_uniform",
                 bias_initializer: Any = "zeros", depthwise_regularizer: Any = None, pointwise_regularizer: Any = None,
                 bias_regularizer: Any = None, activity_regularizer: Any = None, depthwise_constraint: Any = None,
                 pointwise_constraint: Any = None, bias_constraint: Any = None,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(activity_regularizer, **kwargs)
        self.filters = self.count_of("filters", filters)
        self.depth_multiplier = self.count_of("depth_multiplier", depth_multiplier)
        self.set_windows(kernel_size, strides, padding, data_format, dilation_rate)
        self.set_activation(activation, use_bias)
        self.describe(locals())

    def output_channels(self, channels: Any) -> Any:
        return self.filters

    def wanted_channels(self) -> int | None:
        return self.depthwise_kernel.shape[-2] if self.built else None

    def kernel_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        return {"depthwise_kernel": (*self.kernel_size, channels, self.depth_multiplier),
                "pointwise_kernel": (*(1,) * self.rank, channels * self.depth_multiplier, self.filters)}

    def kernel_runner(self) -> Any:
        """The compiled object for the second convolution, the bias and the activation."""
        if self._runner is None:
            self._runner = _core.kernels(self.dtype).ConvolutionRunner(self.pointwise_kernel, self.bias, self._code, 1,
                                                                       False)
        return self._runner

    def points(self, middle: np.ndarray) -> list[Any]:
        """The windows of the second convolution, of one step each."""
        return [windows(self.dtype, size, size, 1, 1, 1, 0) for size in middle.shape[1:3]]

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        sizes = self.sizes_of(x.shape)
        x = self.images(x)
        linear = _core.kernels(self.dtype).ACTIVATIONS["linear"]
        middle = depthwise(x, self.depthwise_kernel.data, None, self.windows(sizes), self.output_sizes(sizes), linear)
        z = np.empty((*middle.shape[:-1], self.filters), x.dtype)
        self.kernel_runner().output(middle, z, *self.points(middle), runtime.get_num_threads())
        y = self.finish(x, z, call)
        if call.taped:
            call.kept = Kept(x, middle, call.kept.z, y)
        return y

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        dz, x, middle = self.gradient_before(dy, call), call.kept.x, call.kept.middle
        around, points = self.windows(x.shape[3 - self.rank:-1]), self.points(middle)
        runner, threads = self.kernel_runner(), runtime.get_num_threads()
        between = np.empty_like(middle)
        if self.trainable or call.wants():
            runner.input_gradient(dz, between, *points, threads)
        if self.trainable:
            scratch = call.buffers.flat("scratch", runner.scratch_size(threads), self.dtype)
            runner.weight_gradients(middle, dz, call.gradient(self.pointwise_kernel),
                                    None if self.bias is None else call.gradient(self.bias), scratch, *points, threads)
            depthwise_weight_gradient(x, between, call.gradient(self.depthwise_kernel), around)
        if not call.wants():
            return None
        return self.from_images(depthwise_input_gradient(between, self.depthwise_kernel.data, x.shape, around))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "depth_multiplier": self.depth_multiplier}


SeparableConvolution1D = SeparableConv1D
