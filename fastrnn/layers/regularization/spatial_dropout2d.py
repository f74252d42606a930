# SPDX-License-Identifier: Apache-2.0
"""SpatialDropout2D: dropout of whole channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.layers.regularization.dropout import Dropout


class SpatialDropout2D(Dropout):
    """Drops channels of pictures (batch, rows, columns, channels) in training, each as a whole (Tompson et al. 2015).

    Args:
        rate: fraction to drop, from 0 to 1.
        data_format: "channels_last", or "channels_first" for (batch, channels, rows, columns); None for the first.
        seed: of the masks; None draws from the library's generator.

    Raises:
        ValueError: `rate` is no fraction; at a call, if the input has other axes.

    Example:

    >>> y = SpatialDropout2D(0.5, seed=1)(np.ones((1, 4, 4, 8)), training=True)
    >>> bool((y == y[:, :1, :1]).all()), sorted({float(value) for value in y.flat})
    (True, [0.0, 2.0])
    """

    def __init__(self, rate: float, data_format: str | None = None, seed: int | None = None, name: str | None = None,
                 dtype: Any = None, **kwargs: Any) -> None:
        self.data_format = "channels_last" if data_format is None else data_format
        shape = {"channels_last": (None, 1, 1, None), "channels_first": (None, None, 1, 1)}.get(self.data_format)
        if shape is None:
            raise ValueError(f"SpatialDropout2D data_format: expected 'channels_last' or 'channels_first', got "
                             f"{data_format!r}")
        super().__init__(rate, shape, seed, name=name, dtype=dtype, **kwargs)

    def check_input(self, x: Any) -> np.ndarray:
        x = super().check_input(x)
        if x.ndim != 4:
            axes = "rows, columns, channels" if self.data_format == "channels_last" else "channels, rows, columns"
            raise ValueError(f"{self}: expected input (batch, {axes}), got {x.shape}")
        return x

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "data_format": self.data_format}
        del config["noise_shape"]
        return config
