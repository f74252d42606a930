# SPDX-License-Identifier: Apache-2.0
"""Rescaling."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn import arrays
from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Layer
from fastrnn.layers.preprocessing.pipelines import is_tensor_of_a_pipeline, within_pipeline
from fastrnn.registry import plain_value, value_of_plain


class Rescaling(Layer):
    """Numbers in another range: ``x * scale + offset``.

    Args:
        scale: a number, or an array that fits the last axes of the input.
        offset: the same.

    Example:

    >>> Rescaling(1 / 127.5, offset=-1)([[0, 255]])
    array([[-1.,  1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = value_of_plain(scale), value_of_plain(offset)
        self._scale = arrays.as_float(self.scale, self.dtype, f"{self} scale")
        self._offset = arrays.as_float(self.offset, self.dtype, f"{self} offset")

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        if is_tensor_of_a_pipeline(x):
            return within_pipeline(self, x, self.dtype)
        return super().__call__(x, training, mask)

    def check_input(self, x: Any) -> np.ndarray:
        x = super().check_input(x)
        self._check(x.shape)
        return x

    def _check(self, shape: tuple[int, ...]) -> None:
        for name, factor in (("scale", self._scale), ("offset", self._offset)):
            try:
                fits = np.broadcast_shapes(shape, factor.shape) == shape
            except ValueError:
                fits = False
            if not fits:
                raise ValueError(f"{self} {name}: expected a number, or an array that fits the last axes of the input "
                                 f"{shape}, got shape {factor.shape}")

    def check_shapes(self, *shapes: Any) -> None:
        wide = self._scale.shape + self._offset.shape and np.broadcast_shapes(self._scale.shape, self._offset.shape)
        sizes = [1 if size is None else size for size in shapes[0]]
        for place in range(1, min(len(wide), len(sizes) - 1) + 1):
            if shapes[0][-place] is None:
                sizes[-place] = wide[-place]
        self._check(tuple(sizes))

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        if call.taped:
            call.kept = x.shape
        y: np.ndarray = x * self._scale + self._offset
        return y

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        dy = self.check_gradient(dy, call.kept)
        return dy * self._scale if call.wants() else None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": plain_value(self.scale), "offset": plain_value(self.offset)}
