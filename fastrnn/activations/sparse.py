# SPDX-License-Identifier: Apache-2.0
"""Activations that give zeros where their smooth kin give small numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.activations.base import Activation


class SparsePlus(Activation):
    """`x` from 1 on, 0 up to -1, `(x + 1)^2 / 4` between."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.where(x < 1, np.square(np.clip(x, -1, 1) + 1) / 4, x)

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return dy * np.sqrt(np.minimum(y, 1))


class SparseSigmoid(Activation):
    """`(x + 1) / 2`, cut to [0, 1]."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.clip(x + 1, 0, 2) / 2

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return dy * ((y > 0) & (y < 1)) * y.dtype.type(0.5)


class Sparsemax(Activation):
    """The point nearest to `x` whose elements along `axis` are not negative and have the sum 1 (Martins & Astudillo
    2016): `max(x - tau, 0)`.

    Keras 3.15 adds up wrong where more than one element is left: there its result has not that sum.

    Example:

    >>> Sparsemax()([[2.0, 1.5, 0.0]])
    array([[0.75, 0.25, 0.  ]], dtype=float32)
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: np.ndarray) -> np.ndarray:
        falling = -np.sort(-x, axis=self.axis)
        shape = [1] * x.ndim
        shape[self.axis] = -1
        count = np.arange(1, x.shape[self.axis] + 1, dtype=x.dtype).reshape(shape)
        sums = np.cumsum(falling, axis=self.axis, dtype=x.dtype)
        left = np.maximum((falling * count > sums - 1).sum(axis=self.axis, keepdims=True), 1)
        tau = (np.take_along_axis(sums, left - 1, self.axis) - 1) / left.astype(x.dtype)
        return np.maximum(x - tau, 0)

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        left = y > 0
        count = np.maximum(left.sum(axis=self.axis, keepdims=True), 1).astype(y.dtype)
        return left * (dy - (dy * left).sum(axis=self.axis, keepdims=True) / count)

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}
