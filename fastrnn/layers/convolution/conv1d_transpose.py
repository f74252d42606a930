# SPDX-License-Identifier: Apache-2.0
"""Conv1DTranspose."""

from __future__ import annotations

from typing import Any, Unpack

from fastrnn.layers.arguments import LayerArguments, handed_on
from fastrnn.layers.convolution.convolution import Convolution
from fastrnn.layers.spatial import whole_numbers, windows


class Conv1DTranspose(Convolution):
    """The way back through a `Conv1D` as a layer: each step adds to a window of the output what it has times the
    kernel, ``y[t s + k d - p] += x[t] W[k]``, so that a stride of s makes a sequence s times as long (Dumoulin and
    Visin 2016). A mask does not go on.

    Args:
        filters: width of the output.
        kernel_size: steps of a window.
        strides: steps of the output from window to window.
        padding: "valid" for an output of all windows; "same" for `strides` steps for each of the input.
        output_padding: steps more than the least that the output can have, fewer than `strides`; None for as many as
            `padding` says.
        data_format: "channels_last", or "channels_first" for inputs (batch, features, time).
        dilation_rate: steps from one element of a window to the next; 1 where strides are larger.
        activation: a name, an activation, or None for none.
        use_bias: add b.
        kernel_initializer, bias_initializer: first values of W (kernel_size, filters, features) and b (filters,).
        kernel_regularizer, bias_regularizer: penalties on them.
        kernel_constraint, bias_constraint: applied to them after each update.

    Raises:
        ValueError: an argument is none of these; at a call, if the input has other axes.

    Example:

    >>> import numpy as np
    >>> Conv1DTranspose(16, 3, strides=2, padding="same")(np.zeros((2, 10, 8))).shape
    (2, 20, 16)
    """

    transposed = True

    def __init__(self, filters: int, kernel_size: int | tuple[int], strides: int | tuple[int] = 1,
                 padding: str = "valid", output_padding: int | tuple[int] | None = None,
                 data_format: str | None = None, dilation_rate: int | tuple[int] = 1, activation: Any = None,
                 use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
                 kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
                 kernel_constraint: Any = None, bias_constraint: Any = None,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**handed_on(locals(), "output_padding"))
        self.output_padding = None
        if output_padding is not None:
            self.output_padding = whole_numbers(output_padding, self.rank, f"{self} output_padding", 0)
            if any(more >= stride for more, stride in zip(self.output_padding, self.strides)):
                raise ValueError(f"{self} output_padding: expected less than strides={strides}, got {output_padding}")

    def _ends(self) -> tuple[int, int]:
        """Steps of the whole windows that are cut off at the start, and how many there are beyond a stride each."""
        (stride,), (span,) = self.strides, self.spans()
        more = None if self.output_padding is None else self.output_padding[0]
        if self.padding == "valid":
            return 0, span - stride + (max(stride - span, 0) if more is None else more)
        padding = stride + span - 2 if more is None else span + span % 2 - 2 + more
        return span - 1 - min((padding + 1) // 2, span - 1), 0 if more is None else span % 2 - stride + more

    def output_sizes(self, sizes: tuple[Any, ...]) -> tuple[Any, ...]:
        size = sizes[0]
        return (None if size is None else max(0, size * self.strides[0] + self._ends()[1]) if size else 0,)

    def wanted_channels(self) -> int | None:
        return self.kernel.shape[-1] if self.built else None

    def kernel_shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        return {"kernel": (*self.kernel_size, self.filters, channels)}

    def windows(self, sizes: tuple[int, ...]) -> list[Any]:
        """Of the convolution that this one is the way back of: from the output to the input."""
        return [windows(self.dtype, 1, 1, 1, 1, 1, 0),
                windows(self.dtype, self.output_sizes(sizes)[0], sizes[0], self.kernel_size[0], self.strides[0],
                        self.dilation_rate[0], self._ends()[0])]

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "output_padding": self.output_padding}
        del config["groups"]
        return config


Convolution1DTranspose = Conv1DTranspose
