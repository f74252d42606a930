# SPDX-License-Identifier: Apache-2.0
"""Dropout."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn import arrays, runtime
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Layer


class Dropout(Layer):
    """Sets a fraction of the inputs to zero in training, and scales the others by ``1 / (1 - rate)``.

    Args:
        rate: fraction to drop, from 0 to 1.
        noise_shape: shape of the mask, None or 1 where it is shared; e.g. ``(None, 1, 64)`` for all steps alike.
        seed: of the masks; None draws from the library's generator.

    Example:

    >>> Dropout(0.5)(np.ones((2, 2)))
    array([[1., 1.],
           [1., 1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate <= 1:
            raise ValueError(f"{self} rate: expected a fraction from 0 to 1, got {rate!r}")
        self.rate = float(rate)
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)
        self.seed = seed
        self._rng = None if seed is None else np.random.Generator(np.random.SFC64(seed))

    def forget(self) -> None:
        super().forget()
        self._buffers = arrays.Buffers()
        self._mask: np.ndarray | None = None
        self._shape: tuple[int, ...] | None = None      # of the last training call's output

    def forward(self, x: np.ndarray, training: bool = False, mask: np.ndarray | None = None) -> np.ndarray:
        if not training:
            return x
        self._shape, self._mask = x.shape, None
        if self.rate == 0:
            return x
        shape = x.shape
        if self.noise_shape is not None:
            if len(self.noise_shape) != x.ndim:
                raise ValueError(f"{self} noise_shape: expected {x.ndim} dimensions as the input {x.shape}, "
                                 f"got {self.noise_shape}")
            shape = tuple(n if s is None else s for n, s in zip(x.shape, self.noise_shape))
        self._mask = self._buffers.array("mask", shape, self.dtype)
        if self.rate == 1:
            self._mask[...] = 0
        else:
            (self._rng or runtime.rng()).random(dtype=self._mask.dtype, out=self._mask)
            np.multiply(self._mask >= self.rate, 1 / (1 - self.rate), out=self._mask, casting="unsafe")
        return x * self._mask

    def backward(self, dy: Any, input_gradient: bool = True) -> np.ndarray | None:
        if self._shape is None:
            raise self.not_called()
        dy = self.check_gradient(dy, self._shape)
        if not input_gradient:
            return None
        return dy if self._mask is None else dy * self._mask

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "noise_shape": self.noise_shape, "seed": self.seed}
