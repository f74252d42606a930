# SPDX-License-Identifier: Apache-2.0
"""Projections of weights, applied after each update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrnn.registry import Configurable, Registry, absent_from

__all__ = ["Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "deserialize", "get", "serialize"]

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    __getattr__ = absent_from(__name__, __all__)

EPSILON = 1e-7  # Keras's


class Constraint(Configurable):
    """A projection of a weight. A subclass defines `__call__`.

    Example:

    >>> class AtMostOne(Constraint):
    ...     def __call__(self, w):
    ...         return np.minimum(w, 1)
    """

    def __call__(self, w: np.ndarray) -> np.ndarray:
        """The weight nearest to `w` that is allowed: a new array of its shape and dtype."""
        return w


class NonNeg(Constraint):
    """Sets negative weights to zero.

    Example:

    >>> NonNeg()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def __call__(self, w: np.ndarray) -> np.ndarray:
        return np.maximum(w, 0)


class MinMaxNorm(Constraint):
    """Keeps the Euclidean norms along `axis` between two values.

    Each slice is scaled by `wanted / (norm + 1e-7)`, where
    `wanted = rate * clip(norm, min_value, max_value) + (1 - rate) * norm`.

    Args:
        min_value: the smallest norm.
        max_value: the largest norm.
        rate: 1 projects all the way, less goes that share of the way.
        axis: the axis, or axes, along which norms are taken: 0 for the weights into each unit of a kernel
            (input, units).

    Example:

    >>> MinMaxNorm(1.0, 2.0)(np.array([[3.0, 0.1], [4.0, 0.0]])).round(4)
    array([[1.2, 1. ],
           [1.6, 0. ]])
    """

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: int | list[int] = 0
    ) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: np.ndarray) -> np.ndarray:
        norms = _norms(w, self.axis)
        wanted = self.rate * np.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return w * (wanted / (norms + EPSILON))

    def get_config(self) -> dict[str, Any]:
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


class MaxNorm(Constraint):
    """Keeps the Euclidean norms along `axis` at `max_value` or less.

    Args:
        max_value: the largest norm.
        axis: as in `MinMaxNorm`.

    Example:

    >>> MaxNorm(1.0)(np.array([[3.0, 0.1], [4.0, 0.0]])).round(4)
    array([[0.6, 0.1],
           [0.8, 0. ]])
    """

    def __init__(self, max_value: float = 2, axis: int | list[int] = 0) -> None:
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: np.ndarray) -> np.ndarray:
        norms = _norms(w, self.axis)
        return w * (np.clip(norms, 0, self.max_value) / (norms + EPSILON))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class UnitNorm(Constraint):
    """Makes the Euclidean norms along `axis` 1.

    Args:
        axis: as in `MinMaxNorm`.

    Example:

    >>> UnitNorm()(np.array([[3.0], [4.0]])).round(4)
    array([[0.6],
           [0.8]])
    """

    def __init__(self, axis: int | list[int] = 0) -> None:
        self.axis = axis

    def __call__(self, w: np.ndarray) -> np.ndarray:
        return w / (_norms(w, self.axis) + EPSILON)

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


def _norms(w: np.ndarray, axis: int | list[int]) -> np.ndarray:
    return np.sqrt(np.square(w).sum(axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=True))


max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm

_registry = Registry("constraint", [MaxNorm, MinMaxNorm, NonNeg, UnitNorm], module="keras.constraints")


def get(identifier: Any) -> Any:
    """The constraint of a name, a configuration, a class, an instance or a function; None for None.

    >>> get("max_norm")
    MaxNorm(max_value=2, axis=0)
    """
    return _registry.get(identifier)


def serialize(constraint: Any) -> Any:
    """The configuration of a constraint, in the format of Keras 3."""
    return _registry.serialize(constraint)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The constraint of a configuration; its name is looked up in `custom_objects`, then among the known ones."""
    return _registry.deserialize(config, custom_objects)
