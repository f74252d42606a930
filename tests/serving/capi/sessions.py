# SPDX-License-Identifier: Apache-2.0
"""What the tests of the C interface share: a model, its input, and outputs with guards around them."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastrnn
from fastrnn import Input, Sequential
from fastrnn import layers as L
from tests.serving.recipes import WIDTH

SLOTS, STEPS = 4, 9
#: Models of the recipes that C cannot have, and the kind of the layer that needs Python.
IN_PYTHON = {"convolution": "Conv1D", "normalization": "UnitNormalization", "MinGRU": "Dense"}


def ready(x: np.ndarray, dtype: str = "float32") -> np.ndarray:
    """An input as C has it."""
    return np.ascontiguousarray(x, dtype if x.dtype.kind == "f" else "int32")


def lstm(dtype: str = "float32", units: int = 6) -> Any:
    fastrnn.utils.set_random_seed(1)
    return Sequential([Input((None, WIDTH), dtype=dtype), L.LSTM(units, return_sequences=True, dtype=dtype),
                       L.Dense(3, dtype=dtype)])


class Outputs:
    """An array that C writes to, between others that it must not touch."""

    def __init__(self, *shape: int, dtype: str = "float32") -> None:
        self.size = int(np.prod(shape))
        self.all = np.full(self.size + 64, -7, dtype)
        self.y = self.all[32:32 + self.size].reshape(shape)

    def untouched(self) -> bool:
        return bool((self.all == -7).all())

    def guards_hold(self) -> bool:
        return bool((self.all[:32] == -7).all() and (self.all[32 + self.size:] == -7).all())
