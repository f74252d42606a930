# SPDX-License-Identifier: Apache-2.0
"""GaussianNoise: normal noise on the inputs, in training."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn import runtime
from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Layer


class GaussianNoise(Layer):
    """Adds normal noise of mean 0 in training.

    Args:
        stddev: of the noise, from 0 to 1 as in Keras.
        seed: of the noise; None draws from the library's generator.

    Raises:
        ValueError: `stddev` is not from 0 to 1.

    Example:

    >>> GaussianNoise(0.1)(np.ones((1, 2)))
    array([[1., 1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        if not 0 <= stddev <= 1:
            raise ValueError(f"{self} stddev: expected a number from 0 to 1, got {stddev!r}")
        self.stddev = float(stddev)
        self.seed = seed
        self._rng = None if seed is None else np.random.Generator(np.random.SFC64(seed))

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        if call.taped:
            call.kept = x.shape
        if not call.training or self.stddev == 0:
            return x
        noise = (self._rng or runtime.rng()).standard_normal(x.shape, dtype=x.dtype)
        noise *= self.stddev
        noise += x
        return noise

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        dy = self.check_gradient(dy, call.kept)
        return dy if call.wants() else None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev, "seed": self.seed}
