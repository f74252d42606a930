# SPDX-License-Identifier: Apache-2.0
"""How many time steps each row of a batch has."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn import arrays


def check_lengths(lengths: Any, batch: int, steps: int) -> np.ndarray:
    """Time steps of each row as int32 (batch,).

    Raises:
        ValueError: there are more or fewer than rows, or one is not from 0 to `steps`.

    >>> check_lengths([2, 0], 2, 5).tolist()
    [2, 0]
    """
    given = arrays.as_whole(lengths, "lengths")
    if given.shape != (batch,) or (batch and not 0 <= given.min() <= given.max() <= steps):
        what = f"values from {given.min()} to {given.max()}" if given.shape == (batch,) else f"shape {given.shape}"
        raise ValueError(f"lengths: expected ({batch},) of 0 to {steps} time steps, got {what}")
    return given.astype(np.int32)
