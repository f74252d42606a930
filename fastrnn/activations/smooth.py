# SPDX-License-Identifier: Apache-2.0
"""Activations built on exp, tanh and erf."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastrnn.activations.base import Activation, needed, stable_sigmoid, stable_softplus
from fastrnn.activations.normal import normal_cdf


class Sigmoid(Activation):
    """`1 / (1 + exp(-x))`"""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return stable_sigmoid(x)

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return dy * (y * (1 - y))


class LogSigmoid(Activation):
    """`-log(1 + exp(-x))`"""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return -stable_softplus(-x)

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return -dy * np.expm1(y)


class Tanh(Activation):
    """`tanh(x)`"""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.tanh(x)

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return dy * (1 - y * y)


class Softplus(Activation):
    """`log(1 + exp(x))`"""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return stable_softplus(x)

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return -dy * np.expm1(-y)


class Squareplus(Activation):
    """`(x + sqrt(x^2 + b)) / 2`, without exponentials much like softplus (Barron 2021)."""

    def __init__(self, b: float = 4) -> None:
        if not b >= 0:
            raise ValueError(f"squareplus: expected b to be 0 or more, got {b!r}")
        self.b = b

    def forward(self, x: np.ndarray) -> np.ndarray:
        return (x + np.sqrt(np.square(x) + self.b)) / 2

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        squares = np.square(y)
        return dy * squares / np.maximum(squares + self.b / 4, np.finfo(y.dtype).tiny)

    def get_config(self) -> dict[str, Any]:
        return {"b": self.b}


class Exponential(Activation):
    """`exp(x)`"""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.exp(x)

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return dy * y


class Elu(Activation):
    """`x` where it is positive, `alpha * (exp(x) - 1)` elsewhere (Clevert et al. 2015)."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return np.where(y > 0, dy, dy * (y + self.alpha))

    def get_config(self) -> dict[str, Any]:
        return {"alpha": self.alpha}


class Celu(Elu):
    """`x` where it is positive, `alpha * (exp(x / alpha) - 1)` elsewhere (Barron 2017)."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0) / self.alpha))

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return np.where(y > 0, dy, dy * (y / self.alpha + 1))


class Selu(Activation):
    """1.0507 times `x` where it is positive, `1.6733 * (exp(x) - 1)` elsewhere (Klambauer et al. 2017)."""

    scale = 1.0507009873554804934193349852946
    alpha = 1.6732632423543772848170429916717

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, self.scale * x, (self.scale * self.alpha) * np.expm1(np.minimum(x, 0)))

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return np.where(y > 0, self.scale * dy, dy * (y + self.scale * self.alpha))


class Silu(Activation):
    """`x * sigmoid(x)`, also called swish (Ramachandran et al. 2017)."""

    needs_input = True

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x * stable_sigmoid(x)

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        s = stable_sigmoid(needed(self, x))
        return dy * (s + y * (1 - s))


class Gelu(Activation):
    """`x * (1 + erf(x / sqrt(2))) / 2`; with `approximate`, by tanh (Hendrycks and Gimpel 2016)."""

    needs_input = True

    def __init__(self, approximate: bool = False) -> None:
        self.approximate = approximate

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x * self._cdf(x)

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        x = needed(self, x)
        cdf = self._cdf(x)
        if self.approximate:  # of (1 + tanh(u)) / 2: (1 - tanh(u)**2) / 2 * du
            density = 2 * cdf * (1 - cdf) * (math.sqrt(2 / math.pi) * (1 + 0.134145 * x * x))
        else:
            density = np.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
        return dy * (cdf + x * density)

    def _cdf(self, x: np.ndarray) -> np.ndarray:
        if self.approximate:
            return 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
        return normal_cdf(x)

    def get_config(self) -> dict[str, Any]:
        return {"approximate": self.approximate}


class Mish(Activation):
    """`x * tanh(softplus(x))` (Misra 2019)."""

    needs_input = True

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x * np.tanh(stable_softplus(x))

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        x = needed(self, x)
        t = np.tanh(stable_softplus(x))
        return dy * (t + x * (1 - t * t) * stable_sigmoid(x))


class Softmax(Activation):
    """`exp(x) / sum(exp(x))` along `axis`.

    Example:

    >>> Softmax()([[0.0, np.log(3.0)]]).round(2)
    array([[0.25, 0.75]], dtype=float32)
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: np.ndarray) -> np.ndarray:
        y = x - x.max(axis=self.axis, keepdims=True)
        np.exp(y, out=y)
        y /= y.sum(axis=self.axis, keepdims=True)
        return y

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return y * (dy - (y * dy).sum(axis=self.axis, keepdims=True))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


class LogSoftmax(Softmax):
    """`x - log(sum(exp(x)))` along `axis`."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        y = x - x.max(axis=self.axis, keepdims=True)
        y -= np.log(np.exp(y).sum(axis=self.axis, keepdims=True))
        return y

    def backward(self, y: np.ndarray, dy: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        return dy - np.exp(y) * dy.sum(axis=self.axis, keepdims=True)
