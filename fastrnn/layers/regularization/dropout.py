# SPDX-License-Identifier: Apache-2.0
"""Dropout."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn import _core, runtime
from fastrnn.graph.call import Call
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

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        factors = self._draw(x, call) if call.training and self.rate > 0 else None
        if call.taped:
            call.kept = x.shape, factors
        return x if factors is None else x * factors

    def runner(self) -> Any:
        return _core.kernels(self.dtype).LineRunner([])

    def _draw(self, x: np.ndarray, call: Call) -> np.ndarray:
        """What the inputs are multiplied by, in the call's buffer."""
        shape = x.shape
        if self.noise_shape is not None:
            if len(self.noise_shape) != x.ndim:
                raise ValueError(f"{self} noise_shape: expected {x.ndim} dimensions as the input {x.shape}, "
                                 f"got {self.noise_shape}")
            shape = tuple(n if s is None else s for n, s in zip(x.shape, self.noise_shape))
        factors = call.buffers.array("factors", shape, self.dtype)
        self.fill(factors, self._rng or runtime.rng())
        return factors

    def fill(self, factors: np.ndarray, rng: np.random.Generator) -> None:
        """Draw what the inputs are multiplied by."""
        if self.rate == 1:
            factors[...] = 0
        else:
            rng.random(dtype=factors.dtype, out=factors)
            np.multiply(factors >= self.rate, 1 / (1 - self.rate), out=factors, casting="unsafe")

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        shape, factors = call.kept
        dy = self.check_gradient(dy, shape)
        if not call.wants():
            return None
        return dy if factors is None else dy * factors

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "noise_shape": self.noise_shape, "seed": self.seed}
