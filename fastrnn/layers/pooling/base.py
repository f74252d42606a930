# SPDX-License-Identifier: Apache-2.0
"""What the pooling layers share that pool windows, and those that pool all there is."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn import _core, runtime
from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.spatial import Spatial, in_two, one_of, padded_before, whole_numbers, windowed, windows


class Pooling(Spatial):
    """Base of pooling over windows of `rank` axes."""

    #: The largest element of each window, else the mean.
    largest = True

    def __init__(self, pool_size: Any, strides: Any, padding: str, data_format: str | None,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.pool_size = whole_numbers(pool_size, self.rank, f"{self} pool_size")
        self.strides = self.pool_size if strides is None else whole_numbers(strides, self.rank, f"{self} strides")
        self.padding = one_of(padding, ("valid", "same"), f"{self} padding")
        self.set_data_format(data_format)

    def output_sizes(self, sizes: tuple[Any, ...]) -> tuple[Any, ...]:
        found = tuple(map(windowed, sizes, self.pool_size, self.strides, [self.padding] * self.rank))
        if self.padding == "valid" and any(size is not None and size < 1 for size in found):
            wanted, given = (self.pool_size, sizes) if self.rank > 1 else (self.pool_size[0], sizes[0])
            raise ValueError(f"{self}: expected at least {wanted} {'steps' if self.rank == 1 else 'rows and columns'}, "
                             f"as a window has, got {given}; use a smaller pool_size, or padding='same'")
        return found

    def windows(self, sizes: tuple[int, ...]) -> list[Any]:
        """The windows over an input of these sizes: of the rows and of the columns."""
        found = [windows(self.dtype, size, outputs, taps, stride, 1, padded_before(size, taps, stride, self.padding))
                 for size, outputs, taps, stride in zip(sizes, self.output_sizes(sizes), self.pool_size,
                                                        self.strides)]
        return found if self.rank == 2 else [windows(self.dtype, 1, 1, 1, 1, 1, 0), *found]

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        sizes = self.sizes_of(x.shape)
        x = self.images(x)
        y = np.empty((len(x), *in_two(self.output_sizes(sizes)), x.shape[-1]), x.dtype)
        around = self.windows(sizes)
        _core.kernels(self.dtype).pool(x, y, *around, self.largest, runtime.get_num_threads())
        given = self.from_images(y)
        if call.taped:
            call.kept = x, y, around, given.shape
        return given

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        x, y, around, shape = call.kept
        dy = self.images(self.check_gradient(dy, shape))
        if not call.wants():
            return None
        dx = np.empty_like(x)
        _core.kernels(self.dtype).pool_backward(x, y, dy, dx, *around, self.largest, runtime.get_num_threads())
        return self.from_images(dx)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pool_size": self.pool_size, "padding": self.padding, "strides": self.strides,
                "data_format": self.data_format}


class GlobalPooling(Spatial):
    """Base of pooling over all of `rank` axes. A subclass defines `forward` and `backward`."""

    def __init__(self, data_format: str | None = None, keepdims: bool = False,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.set_data_format(data_format)
        self.keepdims = bool(keepdims)

    @property
    def axes(self) -> tuple[int, ...]:
        """Those that are pooled."""
        first = 1 if self.data_format == "channels_last" else 2
        return tuple(range(first, first + self.rank))

    def output_sizes(self, sizes: tuple[Any, ...]) -> tuple[Any, ...]:
        if any(size == 0 for size in sizes):
            raise ValueError(f"{self}: expected at least one step, got {sizes if self.rank > 1 else sizes[0]}")
        return (1,) * self.rank

    def compute_output_shape(self, *input_shapes: Any) -> Any:
        shape = super().compute_output_shape(*input_shapes)
        return shape if self.keepdims else (shape[0], self.channels_of(shape))

    def wide(self, y: np.ndarray) -> np.ndarray:
        """An output, or its gradient, with the axes that were pooled."""
        return y if self.keepdims else np.expand_dims(y, self.axes)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format, "keepdims": self.keepdims}


class GlobalMax(GlobalPooling):
    """Base of the largest of all. Elements that are equally large share its gradient."""

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        y: np.ndarray = x.max(axis=self.axes, keepdims=self.keepdims)
        if call.taped:
            call.kept = x, y
        return y

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        x, y = call.kept
        dy = self.wide(self.check_gradient(dy, y.shape))
        if not call.wants():
            return None
        largest = x == self.wide(y)
        share = dy / np.maximum(largest.sum(self.axes, keepdims=True), 1).astype(x.dtype)
        return np.where(largest, share, x.dtype.type(0))


class GlobalAverage(GlobalPooling):
    """Base of the mean of all."""

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        y: np.ndarray = x.mean(axis=self.axes, keepdims=self.keepdims)
        if call.taped:
            call.kept = x.shape, y.shape
        return y

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        shape, output = call.kept
        dy = self.wide(self.check_gradient(dy, output))
        if not call.wants():
            return None
        count = np.prod([shape[axis] for axis in self.axes])
        return np.ascontiguousarray(np.broadcast_to(dy / dy.dtype.type(count), shape))
