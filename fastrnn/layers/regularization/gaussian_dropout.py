# SPDX-License-Identifier: Apache-2.0
"""GaussianDropout: dropout by normal factors."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.regularization.dropout import Dropout


class GaussianDropout(Dropout):
    """Multiplies the inputs in training by normal factors of mean 1 and the variance that dropout at this rate has,
    `rate / (1 - rate)` (Srivastava et al. 2014).

    Args:
        rate: of the dropout, from 0 to below 1.
        seed: of the factors; None draws from the library's generator.

    Raises:
        ValueError: `rate` is not from 0 to below 1.

    Example:

    >>> GaussianDropout(0.5)(np.ones((1, 2)))
    array([[1., 1.]], dtype=float32)
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(rate, None, seed, **kwargs)
        if rate == 1:
            raise ValueError(f"{self} rate: expected a fraction below 1, got {rate!r}: the variance has no bound")

    def fill(self, factors: np.ndarray, rng: np.random.Generator) -> None:
        rng.standard_normal(dtype=factors.dtype, out=factors)
        factors *= np.sqrt(self.rate / (1 - self.rate))
        factors += 1

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["noise_shape"]
        return config
