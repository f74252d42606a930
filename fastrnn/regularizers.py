# SPDX-License-Identifier: Apache-2.0
"""Penalties on weights, added to the loss, each with its gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrnn.registry import Configurable, Registry, absent_from

__all__ = ["L1", "L1L2", "L2", "OrthogonalRegularizer", "Regularizer", "deserialize", "get", "serialize"]

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    __getattr__ = absent_from(__name__, __all__)


class Regularizer(Configurable):
    """A penalty on a weight. A subclass defines `__call__` and `gradient`.

    Example:

    >>> class Lasso(Regularizer):
    ...     def __call__(self, w):
    ...         return float(abs(w).sum())
    ...     def gradient(self, w):
    ...         return np.sign(w)
    """

    def __call__(self, w: np.ndarray) -> float:
        """The penalty, a number, for the weight `w` of any shape."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(w)")

    def gradient(self, w: np.ndarray) -> np.ndarray:
        """The gradient of the penalty: an array of `w`'s shape and dtype."""
        raise NotImplementedError(f"{type(self).__name__} must define gradient(w), needed for training")


class L1L2(Regularizer):
    """`l1 * sum(abs(w)) + l2 * sum(w**2)`.

    Args:
        l1: factor of the sum of absolute values, 0 or more.
        l2: factor of the sum of squares, 0 or more.

    Raises:
        ValueError: a factor is negative, infinite or no number.

    Example:

    >>> L1L2(l1=0.5, l2=0.25)(np.array([1.0, -2.0]))
    2.75
    >>> L1L2(l1=0.5, l2=0.25).gradient(np.array([1.0, -2.0]))
    array([ 1. , -1.5])
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = _factor(type(self).__name__, "l1", 0.0 if l1 is None else l1)
        self.l2 = _factor(type(self).__name__, "l2", 0.0 if l2 is None else l2)

    def __call__(self, w: np.ndarray) -> float:
        w = np.asarray(w)
        penalty = 0.0
        if self.l1:
            penalty += self.l1 * float(np.abs(w).sum(dtype=np.float64))
        if self.l2:
            penalty += self.l2 * float(np.square(w).sum(dtype=np.float64))
        return penalty

    def gradient(self, w: np.ndarray) -> np.ndarray:
        w = np.asarray(w)
        gradient = (2.0 * self.l2) * w
        if self.l1:
            gradient += self.l1 * np.sign(w)
        return gradient

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class L1(L1L2):
    """`l1 * sum(abs(w))`.

    Example:

    >>> L1(0.5)(np.array([1.0, -2.0]))
    1.5
    """

    def __init__(self, l1: float | None = 0.01) -> None:
        super().__init__(l1=0.01 if l1 is None else l1)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(L1L2):
    """`l2 * sum(w**2)`.

    Example:

    >>> L2(0.5)(np.array([1.0, -2.0]))
    2.5
    """

    def __init__(self, l2: float | None = 0.01) -> None:
        super().__init__(l2=0.01 if l2 is None else l2)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """Draws the rows (or columns) of a matrix towards being orthogonal: `factor` times the mean absolute cosine
    between two different ones.

    Args:
        factor: factor of the penalty, 0 or more.
        mode: "rows" or "columns".

    Raises:
        ValueError: an argument is out of range, or the weight is no matrix.

    Example:

    >>> OrthogonalRegularizer(1.0)(np.eye(3))
    0.0
    >>> round(OrthogonalRegularizer(1.0)(np.ones((2, 2))), 6)
    1.0
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _factor("OrthogonalRegularizer", "factor", factor)
        if mode not in ("rows", "columns"):
            raise ValueError(f"OrthogonalRegularizer: expected mode to be 'rows' or 'columns', got {mode!r}")
        self.mode = mode

    def _rows(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """The rows scaled to length 1, one over their lengths, and the factor of each cosine."""
        w = np.asarray(w)
        if w.ndim != 2:
            raise ValueError(f"OrthogonalRegularizer: expected a matrix, got shape {w.shape}")
        rows = w if self.mode == "rows" else w.T
        # A row of zeros keeps a finite scale, as in Keras, whose epsilon this is.
        scale = 1.0 / np.maximum(np.sqrt(np.square(rows).sum(axis=1, keepdims=True)), 1e-7)
        pairs = len(rows) * (len(rows) - 1) / 2
        return rows * scale, scale, 0.5 * self.factor / pairs if pairs else 0.0

    def __call__(self, w: np.ndarray) -> float:
        rows, _, factor = self._rows(w)
        cosines = np.abs(rows @ rows.T)
        return factor * float(cosines.sum(dtype=np.float64) - np.trace(cosines, dtype=np.float64))

    def gradient(self, w: np.ndarray) -> np.ndarray:
        rows, scale, factor = self._rows(w)
        signs = np.sign(rows @ rows.T)
        np.fill_diagonal(signs, 0)
        drows = (2.0 * factor) * (signs @ rows)
        dw = scale * (drows - rows * (rows * drows).sum(axis=1, keepdims=True))
        return dw if self.mode == "rows" else np.ascontiguousarray(dw.T)

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


def _factor(owner: str, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < math.inf:
        raise ValueError(f"{owner}: expected {name} to be a finite number, 0 or more, got {value!r}")
    return float(value)


l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer

_registry = Registry("regularizer", [L1, L2, L1L2, OrthogonalRegularizer], {"l1_l2": L1L2}, module="keras.regularizers")


def get(identifier: Any) -> Any:
    """The regularizer of a name, a configuration, a class or an instance; None for None.

    Raises:
        ValueError: the name is not known, or the object has no gradient.

    Example:

    >>> get("l2")
    L2(l2=0.01)
    """
    regularizer = _registry.get(identifier)
    if regularizer is not None and not hasattr(regularizer, "gradient"):
        raise ValueError(
            f"regularizer {regularizer!r} has no gradient; subclass fastrnn.regularizers.Regularizer and define "
            "__call__(w) and gradient(w)"
        )
    return regularizer


def serialize(regularizer: Any) -> Any:
    """The configuration of a regularizer, in the format of Keras 3."""
    return _registry.serialize(regularizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The regularizer of a configuration; its name is looked up in `custom_objects`, then among the known ones."""
    return _registry.deserialize(config, custom_objects)
