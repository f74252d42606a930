# SPDX-License-Identifier: Apache-2.0
"""What a metric counts in, if it asks for it by `add_variable`."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.layers.array_operators import ArrayOperators


class MetricVariable(ArrayOperators):
    """An array that a metric keeps from batch to batch. NumPy's functions and operators take it as an array.

    Args:
        value: the first values.
        dtype: what it says it is; floats are kept in float64 and integers in int64, so that long sums stay exact.
        name: "total", "count", ...

    Example:

    >>> total = MetricVariable(np.zeros(2), "float32", "total")
    >>> total.assign_add([1, 2])
    array([1., 2.])
    >>> total / 2
    array([0.5, 1. ])
    """

    trainable = False

    def __init__(self, value: Any, dtype: str = "float32", name: str = "variable") -> None:
        self.dtype = dtype
        self.name = self.path = name
        kind = np.dtype(dtype).kind
        kept: type = np.float64 if kind == "f" else np.int64 if kind in "iu" else np.bool_
        self._data: np.ndarray = np.array(value, kept)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape

    @property
    def ndim(self) -> int:
        return self._data.ndim

    @property
    def value(self) -> np.ndarray:
        """A read-only view of the values; change them by `assign`."""
        view = self._data.view()
        view.flags.writeable = False
        return view

    def numpy(self) -> np.ndarray:
        """A copy of the values, in the variable's dtype."""
        return self._data.astype(self.dtype)

    def assign(self, value: Any) -> np.ndarray:
        """Set the values, and give them back.

        Raises:
            ValueError: the shape differs, or the values are no numbers.
        """
        new = np.asarray(value)
        if new.dtype.kind not in "fiub":
            raise ValueError(f"metric variable '{self.name}': expected numbers, got dtype {new.dtype}")
        if new.shape != self.shape:
            raise ValueError(f"metric variable '{self.name}': expected shape {self.shape}, got {new.shape}")
        self._data[...] = new
        return self._data.copy()

    def assign_add(self, value: Any) -> np.ndarray:
        """Add to the values, and give them back."""
        return self.assign(self._data + np.asarray(value))

    def assign_sub(self, value: Any) -> np.ndarray:
        """Subtract from the values, and give them back."""
        return self.assign(self._data - np.asarray(value))

    def __float__(self) -> float:
        return float(self._data)

    def __int__(self) -> int:
        return int(self._data)

    def __bool__(self) -> bool:
        return bool(self._data)

    def __repr__(self) -> str:
        return f"<MetricVariable name={self.name}, shape={self.shape}, dtype={self.dtype}, value={self._data.tolist()}>"
