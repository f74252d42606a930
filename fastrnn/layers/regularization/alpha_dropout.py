# SPDX-License-Identifier: Apache-2.0
"""AlphaDropout: dropout that keeps mean and variance."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn.activations.smooth import Selu
from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.regularization.dropout import Dropout

# What SELU gives for very negative inputs.
_LOWEST = -Selu.scale * Selu.alpha


class AlphaDropout(Dropout):
    """Sets a fraction of the inputs in training to the lowest value of SELU, then scales and shifts all so that mean 0
    and variance 1 stay (Klambauer et al. 2017).

    Args:
        rate: fraction to drop, from 0 to below 1.
        noise_shape: shape of the mask, None or 1 where it is shared.
        seed: of the masks; None draws from the library's generator.

    Raises:
        ValueError: `rate` is not from 0 to below 1.

    Example:

    >>> AlphaDropout(0.5)(np.ones((1, 2)))
    array([[1., 1.]], dtype=float32)
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(rate, noise_shape, seed, **kwargs)
        if rate == 1:
            raise ValueError(f"{self} rate: expected a fraction below 1, got {rate!r}: nothing would be left to scale")
        self._scale = ((1 - self.rate) * (1 + self.rate * _LOWEST ** 2)) ** -0.5

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        factors = self._draw(x, call) if call.training and self.rate > 0 else None
        if call.taped:
            call.kept = x.shape, factors
        if factors is None:
            return x
        lowest = x.dtype.type(self._scale * _LOWEST)
        y: np.ndarray = x * factors + (lowest * (factors == 0) - lowest * x.dtype.type(self.rate))
        return y

    def fill(self, factors: np.ndarray, rng: np.random.Generator) -> None:
        rng.random(dtype=factors.dtype, out=factors)
        np.multiply(factors >= self.rate, self._scale, out=factors, casting="unsafe")
