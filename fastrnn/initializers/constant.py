# SPDX-License-Identifier: Apache-2.0
"""Initializers without randomness."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.initializers.base import Initializer, Shape
from fastrnn.registry import plain_value, value_of_plain


class Zeros(Initializer):
    """All 0.

    Example:

    >>> Zeros()((3,))
    array([0., 0., 0.], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: Any = "float32") -> np.ndarray:
        return np.zeros(tuple(shape), dtype)


class Ones(Initializer):
    """All 1.

    Example:

    >>> Ones()((3,))
    array([1., 1., 1.], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: Any = "float32") -> np.ndarray:
        return np.ones(tuple(shape), dtype)


class Constant(Initializer):
    """A number, or an array that broadcasts to the weight's shape.

    Example:

    >>> Constant(0.5)((2,))
    array([0.5, 0.5], dtype=float32)
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Shape, dtype: Any = "float32") -> np.ndarray:
        try:
            return np.full(tuple(shape), self.value, dtype)
        except ValueError:
            raise ValueError(
                f"Constant: a value of shape {np.shape(self.value)} does not fit a weight of shape {tuple(shape)}"
            ) from None

    def get_config(self) -> dict[str, Any]:
        return {"value": plain_value(self.value)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constant:
        return cls(value_of_plain(config.get("value", 0.0)))


class Identity(Initializer):
    """The identity matrix times `gain`; a rectangle has zeros outside its main diagonal.

    Raises:
        ValueError: the weight is no matrix.

    Example:

    >>> Identity(2.0)((2, 3))
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Shape, dtype: Any = "float32") -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(f"Identity: expected a matrix, got shape {tuple(shape)}")
        return self.gain * np.eye(*shape, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


class FromArray(Constant):
    """An array given in place of an initializer: unlike a `Constant`, it must have the weight's own shape."""

    def __call__(self, shape: Shape, dtype: Any = "float32") -> np.ndarray:
        if tuple(shape) != self.value.shape:
            raise ValueError(
                f"initializer: expected an array of the weight's shape {tuple(shape)}, got {self.value.shape}"
            )
        return np.array(self.value, dtype)
