# SPDX-License-Identifier: Apache-2.0
"""How much memory the values of one run may take: asked before each is made."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastrnn.saving.errors import MAX_RANK
from fastrnn.saving.onnx.graph import Unsupported


class Room:
    """The bytes that are left for values.

    Args:
        most: bytes that may be in use at once.
    """

    def __init__(self, most: int) -> None:
        self.most, self.used = most, 0

    def has(self, size: int) -> bool:
        """Whether that many bytes are left."""
        return size <= self.most - self.used

    def check(self, shape: Iterable[int], dtype: Any) -> None:
        """Refuse an array that there is no room for, before it is made."""
        sizes = [int(size) for size in shape]
        if len(sizes) > MAX_RANK or any(size < 0 for size in sizes):
            raise Unsupported(f"expected a shape of at most {MAX_RANK} axes, got {tuple(sizes)[:20]}")
        size = math.prod(max(size, 1) for size in sizes) * np.dtype(dtype).itemsize
        if size > self.most - self.used:
            raise Unsupported(f"an array of shape {tuple(sizes)} takes {size} bytes, of {self.most} that may be used "
                              f"{self.most - self.used} are left; feed smaller batches or load with a larger max_bytes")

    def take(self, array: np.ndarray) -> None:
        """Count a value that was made."""
        self.used += array.nbytes

    def give_back(self, array: np.ndarray) -> None:
        """Count a value no more."""
        self.used -= array.nbytes
