# SPDX-License-Identifier: Apache-2.0
"""SpatialDropout1D: dropout of whole features."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.regularization.dropout import Dropout


class SpatialDropout1D(Dropout):
    """Drops features of sequences (batch, time, features) in training, each in all steps or in none (Tompson et al.
    2015).

    Args:
        rate: fraction to drop, from 0 to 1.
        seed: of the masks; None draws from the library's generator.

    Raises:
        ValueError: `rate` is no fraction; at a call, if the input has other axes.

    Example:

    >>> y = SpatialDropout1D(0.5, seed=1)(np.ones((1, 4, 8)), training=True)
    >>> bool((y == y[:, :1]).all()), sorted({float(value) for value in y.flat})
    (True, [0.0, 2.0])
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(rate, (None, 1, None), seed, **kwargs)

    def check_input(self, x: Any) -> np.ndarray:
        x = super().check_input(x)
        if x.ndim != 3:
            raise ValueError(f"{self}: expected input (batch, time, features), got {x.shape}")
        return x

    def get_config(self) -> dict[str, Any]:
        # Keras's takes no `trainable`.
        return {key: value for key, value in super().get_config().items() if key not in ("noise_shape", "trainable")}
