# SPDX-License-Identifier: Apache-2.0
"""What the convolutions share: arguments, weights, both passes."""

from __future__ import annotations

from typing import Any, NamedTuple, Unpack

import numpy as np

from fastrnn import _core, activations, runtime
from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.spatial import Spatial, in_two, one_of, padded_before, whole_numbers, windowed, windows
from fastrnn.layers.variable import Variable


class Kept(NamedTuple):
    """What a forward pass leaves for the backward pass."""

    x: np.ndarray                       # as `images`
    z: np.ndarray | None                # what enters the activation, where its derivative needs that
    y: np.ndarray


class Convolution(Spatial):
    """Base of convolutions of `rank` axes. Their arguments are said where they are layers."""

    described: tuple[str, ...] = ("kernel", "bias")
    paddings: tuple[str, ...] = ("valid", "same")
    #: Whether what would be a convolution's input is the output.
    transposed = False

    def __init__(self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
                 data_format: str | None = None, dilation_rate: Any = 1, groups: int = 1, activation: Any = None,
                 use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
                 kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
                 kernel_constraint: Any = None, bias_constraint: Any = None,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.filters = self.count_of("filters", filters)
        self.groups = self.count_of("groups", groups)
        if self.filters % self.groups:
            raise ValueError(f"{self} groups: expected a divisor of filters={filters}, got {groups}")
        self.set_windows(kernel_size, strides, padding, data_format, dilation_rate)
        self.set_activation(activation, use_bias, activity_regularizer)
        self.describe(locals())

    def set_windows(self, kernel_size: Any, strides: Any, padding: str, data_format: str | None,
                    dilation_rate: Any) -> None:
        """Take the arguments that say where the windows are, or raise a ValueError."""
        self.kernel_size = whole_numbers(kernel_size, self.rank, f"{self} kernel_size")
        self.strides = whole_numbers(strides, self.rank, f"{self} strides")
        self.padding = one_of(padding, self.paddings, f"{self} padding")
        self.set_data_format(data_format)
        self.dilation_rate = whole_numbers(dilation_rate, self.rank, f"{self} dilation_rate")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(f"{self} dilation_rate: expected 1 where strides are larger than 1, got "
                             f"dilation_rate={dilation_rate} and strides={strides}")

    def set_activation(self, activation: Any, use_bias: bool, activity_regularizer: Any) -> None:
        """Take what comes after the sum. An activation that the kernels know is applied there."""
        self.refuse_activity_regularizer(activity_regularizer)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        codes, name = _core.kernels(self.dtype).ACTIVATIONS, self.activation.name
        plain = name in codes and activations.plain_name(self.activation) == name
        self._code = codes[name] if plain else codes["linear"]
        self._after = None if plain else self.activation

    @property
    def output_activation(self) -> str | None:
        return activations.plain_name(self.activation)

    def forget(self) -> None:
        super().forget()
        self._runner: Any = None            # see kernel_runner

    # shapes --------------------------------------------------------------------------------------------------------

    def spans(self) -> tuple[int, ...]:
        """Inputs from the first to the last of a window."""
        return tuple((taps - 1) * dilation + 1 for taps, dilation in zip(self.kernel_size, self.dilation_rate))

    def output_sizes(self, sizes: tuple[Any, ...]) -> tuple[Any, ...]:
        spans = self.spans()
        found = tuple(map(windowed, sizes, spans, self.strides, [self.padding] * self.rank))
        if self.padding == "valid" and any(size is not None and size < 1 for size in found):
            wanted, given = (spans, sizes) if self.rank > 1 else (spans[0], sizes[0])
            raise ValueError(f"{self}: expected at least {wanted} {'steps' if self.rank == 1 else 'rows and columns'}, "
                             f"as a window has, got {given}; pad the input, or use padding='same'")
        return found

    def output_channels(self, channels: Any) -> Any:
        return self.filters

    def wanted_channels(self) -> int | None:
        return self.kernel.shape[-2] * self.groups if self.built else None

    def weight_shapes(self, input_shape: Any) -> dict[str, tuple[int, ...]]:
        channels = int(self.channels_of(input_shape))
        return {"kernel": (*self.kernel_size, channels // self.groups, self.filters),
                **({"bias": (self.filters,)} if self.use_bias else {})}

    def build(self, *input_shapes: Any) -> None:
        shape = tuple(input_shapes[0])
        self.compute_output_shape(shape)
        channels = self.channels_of(shape)
        if channels is None or channels % self.groups:
            raise ValueError(f"{self}: expected a known number of channels, in {self.groups} equal groups, got "
                             f"input {shape}" if self.groups > 1 else
                             f"{self}: expected a known number of channels, got input {shape}")
        shapes = self.weight_shapes(shape)
        self._runner = None
        self.make_kernels(shapes)
        self.bias: Variable | None = None
        if self.use_bias:
            self.bias = self.described_weight("bias", shapes["bias"])
        self.built = True

    def make_kernels(self, shapes: dict[str, tuple[int, ...]]) -> None:
        """Make the weights that come before the bias."""
        self.kernel = self.described_weight("kernel", shapes["kernel"])

    # passes --------------------------------------------------------------------------------------------------------

    def windows(self, sizes: tuple[int, ...]) -> list[Any]:
        """The windows over an input of these sizes: of the rows and of the columns."""
        found = [windows(self.dtype, size, outputs, taps, stride, dilation,
                         padded_before(size, span, stride, self.padding))
                 for size, outputs, taps, stride, dilation, span in zip(
                     sizes, self.output_sizes(sizes), self.kernel_size, self.strides, self.dilation_rate,
                     self.spans())]
        return found if self.rank == 2 else [windows(self.dtype, 1, 1, 1, 1, 1, 0), *found]

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

    def finish(self, x: np.ndarray, z: np.ndarray, call: Call) -> np.ndarray:
        """The output, of what the kernels give, and what is kept."""
        z = self.from_images(z)
        y = z if self._after is None else self._after(z)
        if call.taped:
            call.kept = Kept(x, z if self._after is not None and self._after.needs_input else None, y)
        return y

    def gradient_before(self, dy: Any, call: Call) -> np.ndarray:
        """The gradient of what enters the activation, as `images`."""
        _, z, y = call.kept
        dz = self.check_gradient(dy, y.shape, "dz" if call.logits else "dy")
        if not call.logits and self.activation.name != "linear":
            dz = self.activation.backward(y, dz, z)
        return self.images(dz)

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        dz, x = self.gradient_before(dy, call), call.kept.x
        around = self.windows(x.shape[2:-1] if self.rank == 1 else x.shape[1:-1])
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
        return {
            **super().get_config(), "filters": self.filters, "kernel_size": self.kernel_size, "strides": self.strides,
            "padding": self.padding, "data_format": self.data_format, "dilation_rate": self.dilation_rate,
            "groups": self.groups, "activation": activations.serialize(self.activation), "use_bias": self.use_bias,
        }
