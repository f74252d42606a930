# SPDX-License-Identifier: Apache-2.0
"""Activations that take small inputs to zero, or to another value."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.activations.base import Activation, needed


class HardShrink(Activation):
    """`x` where `abs(x) > threshold`, 0 elsewhere."""

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.where(np.abs(x) > self.threshold, x, x.dtype.type(0))

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return dy * (y != 0)

    def get_config(self) -> dict[str, Any]:
        return {"threshold": self.threshold}


class SoftShrink(HardShrink):
    """`x` brought nearer to 0 by `threshold`, 0 where it is not farther away than that."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        zero = x.dtype.type(0)
        return np.where(x > self.threshold, x - self.threshold, np.where(x < -self.threshold, x + self.threshold, zero))


class TanhShrink(Activation):
    """`x - tanh(x)`"""

    needs_input = True

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x - np.tanh(x)

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return dy * np.square(np.tanh(needed(self, x)))


class Threshold(Activation):
    """`x` where it is more than `threshold`, `default_value` elsewhere. Both must be given, as in Keras.

    Example:

    >>> Threshold(1.0, -1.0)([0.5, 2.0])
    array([-1.,  2.], dtype=float32)
    """

    needs_input = True

    def __init__(self, threshold: float | None = None, default_value: float | None = None) -> None:
        self.threshold, self.default_value = threshold, default_value

    def _values(self) -> tuple[float, float]:
        if self.threshold is None or self.default_value is None:
            raise ValueError("activation 'threshold': expected threshold and default_value, as in "
                             "fastrnn.activations.Threshold(1.0, 0.0), got none of them or one")
        return self.threshold, self.default_value

    def forward(self, x: np.ndarray) -> np.ndarray:
        threshold, default = self._values()
        return np.where(x > threshold, x, x.dtype.type(default))

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return dy * (needed(self, x) > self._values()[0])

    def get_config(self) -> dict[str, Any]:
        return {"threshold": self.threshold, "default_value": self.default_value}
