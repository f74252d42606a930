# SPDX-License-Identifier: Apache-2.0
"""Activations without exponentials: straight pieces, and softsign."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.activations.base import Activation, needed


class Linear(Activation):
    """`x`"""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return dy


class Relu(Activation):
    """`max(x, 0)`; with arguments: `x` above `threshold`, cut to [0, max_value] if that is given, and
    `negative_slope * (x - threshold)` below.

    Example:

    >>> Relu(max_value=6.0)([-1.0, 2.0, 9.0])
    array([0., 2., 6.], dtype=float32)
    """

    def __init__(self, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> None:
        self.negative_slope = negative_slope
        self.max_value = max_value
        self.threshold = threshold
        self.needs_input = negative_slope != 0 or threshold != 0

    def forward(self, x: np.ndarray) -> np.ndarray:
        y = np.maximum(x, 0) if self.threshold == 0 else np.where(x > self.threshold, x, x.dtype.type(0))
        if self.max_value is not None:
            y = np.clip(y, 0, self.max_value)
        if self.negative_slope:
            y = y + self.negative_slope * np.minimum(x - self.threshold, 0)
        return y

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        x = needed(self, x) if self.needs_input else y
        dx = dy * (x > self.threshold)
        if self.max_value is not None:
            dx *= (x > 0) & (x < self.max_value)
        if self.negative_slope:
            dx += dy * (self.negative_slope * (x < self.threshold))
        return dx

    def get_config(self) -> dict[str, Any]:
        return {"negative_slope": self.negative_slope, "max_value": self.max_value, "threshold": self.threshold}


class Relu6(Activation):
    """`min(max(x, 0), 6)`"""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.clip(x, 0, 6)

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return dy * ((y > 0) & (y < 6))


class LeakyRelu(Activation):
    """`x` where it is positive, `negative_slope * x` elsewhere.

    Raises:
        ValueError: the slope is negative.
    """

    def __init__(self, negative_slope: float = 0.2) -> None:
        if not negative_slope >= 0:
            raise ValueError(f"leaky_relu: expected negative_slope to be 0 or more, got {negative_slope!r}")
        self.negative_slope = negative_slope

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x, self.negative_slope * x)

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return np.where(y > 0, dy, self.negative_slope * dy)

    def get_config(self) -> dict[str, Any]:
        return {"negative_slope": self.negative_slope}


class HardSigmoid(Activation):
    """`min(max(x + 3, 0), 6) / 6`, as in Keras 3 (Keras 2 used slope 0.2)."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.clip(x + 3, 0, 6) / 6

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return dy * ((y > 0) & (y < 1)) * y.dtype.type(1 / 6)


class HardTanh(Activation):
    """`min(max(x, -1), 1)`"""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.clip(x, -1, 1)

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return dy * (np.abs(y) < 1)


class HardSilu(Activation):
    """`x * min(max(x + 3, 0), 6) / 6`, also called hard_swish."""

    needs_input = True

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x * (np.clip(x + 3, 0, 6) / 6)

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        x = needed(self, x)
        return dy * np.where(x >= 3, x.dtype.type(1), (x > -3) * (x / 3 + 0.5))


class Softsign(Activation):
    """`x / (1 + abs(x))`"""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x / (1 + np.abs(x))

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return dy * np.square(1 - np.abs(y))
