# SPDX-License-Identifier: Apache-2.0
"""Glu: one half of the input is a gate for the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.activations.base import Activation, needed, stable_sigmoid


class Glu(Activation):
    """`a * sigmoid(b)`, a and b being the halves of the input along `axis` (Dauphin et al. 2017).

    Raises:
        ValueError: at a call, if the axis has no halves.

    Example:

    >>> Glu()([[3.0, 4.0, 0.0, 0.0]])
    array([[1.5, 2. ]], dtype=float32)
    """

    needs_input = True

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def _halves(self, x: np.ndarray) -> list[np.ndarray]:
        if x.shape[self.axis] % 2:
            raise ValueError(f"activation 'glu': expected an even size of axis {self.axis}, got {x.shape}")
        return np.split(x, 2, axis=self.axis)

    def forward(self, x: np.ndarray) -> np.ndarray:
        a, b = self._halves(x)
        return a * stable_sigmoid(b)

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        gate = stable_sigmoid(self._halves(needed(self, x))[1])
        return np.concatenate([dy * gate, dy * y * (1 - gate)], axis=self.axis)

    def output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        found = list(shape)
        size = found[self.axis]
        found[self.axis] = None if size is None else size // 2
        return tuple(found)

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}
