# SPDX-License-Identifier: Apache-2.0
"""What all convolutions share: arguments, windows, weights, what comes after the sum."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, Unpack

import numpy as np

from fastrnn import _core, activations
from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.spatial import Spatial, one_of, padded_before, whole_numbers, windowed, windows
from fastrnn.layers.variable import Variable


class Kept(NamedTuple):
    """What a forward pass leaves for the backward pass."""

    x: np.ndarray                       # as `images`
    z: np.ndarray | None                # what enters the activation, where its derivative needs that
    y: np.ndarray


class ConvolutionBase(Spatial):
    """Base of convolutions of `rank` axes. Their arguments are said where they are layers."""

    paddings: tuple[str, ...] = ("valid", "same")
    #: By which arguments each weight is described, where these do not have its name.
    described_by: ClassVar[dict[str, str]] = {}
    #: Of channels, each of which has a part of the outputs.
    groups = 1

    bias: Variable | None = None

    def __init__(self, activity_regularizer: Any = None, **kwargs: Unpack[LayerArguments]) -> None:
        given = {} if activity_regularizer is None else {"activity_regularizer": activity_regularizer}
        super().__init__(**kwargs, **given)

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

    def set_activation(self, activation: Any, use_bias: bool) -> None:
        """Take what comes after the sum. An activation that the kernels know is applied there."""
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
        self._runner: Any = None            # what the kernels know of the layer

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

    def weight_shapes(self, input_shape: Any) -> dict[str, tuple[int, ...]]:
        channels = int(self.channels_of(input_shape))
        bias = {"bias": (self.output_channels(channels),)} if self.use_bias else {}
        return {**self.kernel_shapes(channels), **bias}

    def kernel_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the weights that come before the bias, for so many channels of the input."""
        raise NotImplementedError(f"{type(self).__name__} must define kernel_shapes(channels)")

    def build(self, *input_shapes: Any) -> None:
        shape = tuple(input_shapes[0])
        self.compute_output_shape(shape)
        channels = self.channels_of(shape)
        if channels is None or channels % self.groups:
            raise ValueError(f"{self}: expected a known number of channels"
                             f"{f' in {self.groups} equal groups' if self.groups > 1 else ''}, got input {shape}")
        self._runner = None
        for name, weight_shape in self.weight_shapes(shape).items():
            setattr(self, name, self.described_weight(name, weight_shape, self.described_by.get(name, "")))
        self.built = True

    # passes --------------------------------------------------------------------------------------------------------

    def windows(self, sizes: tuple[int, ...]) -> list[Any]:
        """The windows over an input of these sizes: of the rows and of the columns."""
        found = [windows(self.dtype, size, outputs, taps, stride, dilation,
                         padded_before(size, span, stride, self.padding))
                 for size, outputs, taps, stride, dilation, span in zip(
                     sizes, self.output_sizes(sizes), self.kernel_size, self.strides, self.dilation_rate,
                     self.spans())]
        return found if self.rank == 2 else [windows(self.dtype, 1, 1, 1, 1, 1, 0), *found]

    def finish(self, x: np.ndarray, z: np.ndarray, call: Call) -> np.ndarray:
        """The output, of what the kernels give, and what is kept."""
        z = self.from_images(z)
        y = z if self._after is None else self._after(z)
        if call.taped:
            call.kept = Kept(x, z if self._after is not None and self._after.needs_input else None, y)
        return y

    def gradient_before(self, dy: Any, call: Call) -> np.ndarray:
        """The gradient of what enters the activation, as `images`."""
        z, y = call.kept.z, call.kept.y
        dz = self.check_gradient(dy, y.shape, "dz" if call.logits else "dy")
        if not call.logits and self.activation.name != "linear":
            dz = self.activation.backward(y, dz, z)
        return self.images(dz)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "kernel_size": self.kernel_size, "strides": self.strides, "padding": self.padding,
            "data_format": self.data_format, "dilation_rate": self.dilation_rate,
            "activation": activations.serialize(self.activation), "use_bias": self.use_bias,
        }
