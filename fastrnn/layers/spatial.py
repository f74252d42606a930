# SPDX-License-Identifier: Apache-2.0
"""What layers share that slide windows over sequences and images: where the channels are, and sizes."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fastrnn import _core, arrays
from fastrnn.layers.base import Layer, Shape

#: What the kernels take as the size of a window.
_MOST = 1 << 24
_AXES = {1: ("time",), 2: ("height", "width")}


class Spatial(Layer):
    """Base of the layers that take sequences (batch, time, features) or images (batch, height, width, channels), or, of
    the data format "channels_first", with the last axis in the place of the second. No mask goes on.

    A subclass sets `data_format`, and defines `output_sizes`.
    """

    masks = "drop"
    #: Axes between batch and channels.
    rank = 1
    data_format = "channels_last"

    def compute_mask(self, x: Any, mask: Any = None) -> None:
        return None

    def set_data_format(self, value: str | None) -> None:
        """Take the argument, or raise a ValueError."""
        if value not in (None, "channels_last", "channels_first"):
            raise ValueError(f"{self} data_format: expected 'channels_last' or 'channels_first', got {value!r}")
        self.data_format = value or "channels_last"

    # shapes --------------------------------------------------------------------------------------------------------

    def channels_of(self, shape: Any) -> Any:
        """The number of channels in an input's shape."""
        return shape[-1] if self.data_format == "channels_last" else shape[1]

    def sizes_of(self, shape: Any) -> tuple[Any, ...]:
        """The sizes of the axes between batch and channels."""
        return tuple(shape[1:-1] if self.data_format == "channels_last" else shape[2:])

    def shape_of(self, batch: Any, sizes: tuple[Any, ...], channels: Any) -> Shape:
        """The shape of these."""
        return (batch, *sizes, channels) if self.data_format == "channels_last" else (batch, channels, *sizes)

    def output_sizes(self, sizes: tuple[Any, ...]) -> tuple[Any, ...]:
        """Those of the output for those of the input, or a ValueError."""
        raise NotImplementedError(f"{type(self).__name__} must define output_sizes(sizes)")

    def output_channels(self, channels: Any) -> Any:
        """The output's for the input's."""
        return channels

    def wanted_channels(self) -> int | None:
        """The number of channels that the input must have, if that is known."""
        return None

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        shape = tuple(input_shapes[0])
        self.check_rank(shape)
        return self.shape_of(shape[0], self.output_sizes(self.sizes_of(shape)),
                             self.output_channels(self.channels_of(shape)))

    def check_rank(self, shape: Shape) -> None:
        """Raise a ValueError for a shape of other axes or channels."""
        wanted, last = self.wanted_channels(), "features" if self.rank == 1 else "channels"
        if len(shape) != self.rank + 2 or (wanted is not None and self.channels_of(shape) != wanted):
            axes = self.shape_of("batch", _AXES[self.rank], last if wanted is None else wanted)
            raise ValueError(f"{self}: expected input ({', '.join(map(str, axes))}), got {shape}")

    def check_shapes(self, *shapes: Shape) -> None:
        self.compute_output_shape(*shapes)

    def check_input(self, x: Any) -> np.ndarray:
        x = x if arrays.is_ready(x, self.dtype) else arrays.as_float(x, self.dtype, f"{self} input")
        self.compute_output_shape(x.shape)
        return x

    def check_mask(self, mask: Any, x: np.ndarray) -> np.ndarray | None:
        return super().check_mask(mask, x if self.data_format == "channels_last" else np.moveaxis(x, 1, -1))

    # the kernels' form ---------------------------------------------------------------------------------------------

    def images(self, x: np.ndarray) -> np.ndarray:
        """`x` as contiguous (batch, height, width, channels); a sequence has a height of 1."""
        if self.data_format == "channels_first":
            x = np.moveaxis(x, 1, -1)
        if self.rank == 1:
            x = x[:, None]
        return np.ascontiguousarray(x)

    def from_images(self, y: np.ndarray) -> np.ndarray:
        """The way back."""
        if self.rank == 1:
            y = y[:, 0]
        return y if self.data_format == "channels_last" else np.ascontiguousarray(np.moveaxis(y, -1, 1))


def in_two(sizes: tuple[int, ...], other: int = 1) -> tuple[int, int]:
    """The height and width of `Spatial.images` where there may be a width alone.

    >>> in_two((5,)), in_two((2, 3))
    ((1, 5), (2, 3))
    """
    return (other, sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])


def whole_numbers(value: Any, count: int, what: str, least: int = 1) -> tuple[int, ...]:
    """One whole number for each of `count` axes, or one for all.

    >>> whole_numbers(3, 2, "strides"), whole_numbers([1, 2], 2, "strides")
    ((3, 3), (1, 2))
    """
    found = tuple(value) if isinstance(value, (list, tuple)) else (value,) * count
    if len(found) != count or not all(isinstance(size, (int, np.integer)) and not isinstance(size, bool)
                                      and least <= size <= _MOST for size in found):
        several = f", or {count} of them" if count > 1 else ""
        raise ValueError(f"{what}: expected a whole number from {least} to {_MOST}{several}, got {value!r}")
    return tuple(int(size) for size in found)


def one_of(value: Any, names: tuple[str, ...], what: str) -> str:
    """The argument in small letters, or a ValueError."""
    if not isinstance(value, str) or value.lower() not in names:
        raise ValueError(f"{what}: expected {', '.join(map(repr, names[:-1]))} or {names[-1]!r}, got {value!r}")
    return value.lower()


def windowed(size: int | None, window: int, stride: int, padding: str) -> int | None:
    """How many windows there are along an axis; 0 or less if it is too short.

    >>> windowed(10, 3, 1, "valid"), windowed(10, 3, 2, "same")
    (8, 5)
    """
    if size is None:
        return None
    return (size - (window if padding == "valid" else 1)) // stride + 1


def padded_before(size: int, window: int, stride: int, padding: str) -> int:
    """Steps that padding adds at the start: "causal" all that a window needs; "same" half of what all windows need, the
    smaller half.

    >>> padded_before(10, 3, 1, "causal"), padded_before(10, 4, 1, "same"), padded_before(10, 3, 1, "valid")
    (2, 1, 0)
    """
    if padding == "causal":
        return window - 1
    if padding == "valid":
        return 0
    outputs = windowed(size, window, stride, padding)
    assert outputs is not None
    return max((outputs - 1) * stride + window - size, 0) // 2


@functools.lru_cache(maxsize=256)
def windows(dtype: str, inputs: int, outputs: int, taps: int, stride: int, dilation: int, before: int) -> Any:
    """The kernels' windows along an axis."""
    return _core.kernels(dtype).Windows(inputs, outputs, taps, stride, dilation, before)
