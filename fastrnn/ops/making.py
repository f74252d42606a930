# SPDX-License-Identifier: Apache-2.0
"""Functions that make arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.config import floatx
from fastrnn.ops.dispatch import op, tensor, values


def _sizes(shape: Any) -> Any:
    return tuple(int(size) for size in shape) if np.ndim(shape) else (int(shape),)


def zeros(shape: Any, dtype: Any = None) -> np.ndarray:
    """Zeros, float32 by default.

    >>> zeros((2,))
    array([0., 0.], dtype=float32)
    """
    return np.zeros(_sizes(shape), dtype or floatx())


def ones(shape: Any, dtype: Any = None) -> np.ndarray:
    """Ones, float32 by default.

    >>> ones((2,))
    array([1., 1.], dtype=float32)
    """
    return np.ones(_sizes(shape), dtype or floatx())


def empty(shape: Any, dtype: Any = None) -> np.ndarray:
    """An array of any values.

    >>> empty((2, 3)).shape
    (2, 3)
    """
    return np.empty(_sizes(shape), dtype or floatx())


def full(shape: Any, fill_value: Any, dtype: Any = None) -> np.ndarray:
    """An array of one value.

    >>> full((2,), 7.0)
    array([7., 7.], dtype=float32)
    """
    return np.full(_sizes(shape), values(fill_value), dtype or floatx())


@op
def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Zeros in the shape of x.

    >>> zeros_like([1, 2])
    array([0, 0], dtype=int32)
    """
    return np.zeros_like(values(x), dtype)


@op
def ones_like(x: Any, dtype: Any = None) -> Any:
    """Ones in the shape of x.

    >>> ones_like([1.0, 2.0])
    array([1., 1.], dtype=float32)
    """
    return np.ones_like(values(x), dtype)


@op
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """One value in the shape of x.

    >>> full_like([1, 2], 3)
    array([3, 3], dtype=int32)
    """
    return np.full_like(values(x), values(fill_value), dtype)


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> np.ndarray:
    """Numbers from a start to below a stop, 0 and 1 apart by default.

    >>> arange(3)
    array([0, 1, 2], dtype=int32)
    """
    given = [values(one).item() for one in (start, stop, step) if one is not None]
    if stop is None and step is not None:
        given = [0, *given]
    kind = dtype or (floatx() if any(isinstance(one, float) for one in given) else "int32")
    return np.arange(*given, dtype=kind)


def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None,
             axis: int = 0) -> Any:
    """So many numbers at equal distances.

    >>> linspace(0, 1, 3)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    made: Any = np.linspace
    return made(values(start), values(stop), num, endpoint, retstep, dtype or floatx(), axis)


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> np.ndarray:
    """Ones on a diagonal.

    >>> eye(2)
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    return np.eye(N, M, k, dtype or floatx())


def identity(n: int, dtype: Any = None) -> np.ndarray:
    """A square matrix with ones on its diagonal.

    >>> identity(2).shape
    (2, 2)
    """
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> np.ndarray:
    """Ones on a diagonal and below it.

    >>> tri(2)
    array([[1., 0.],
           [1., 1.]], dtype=float32)
    """
    return np.tri(N, M, k, dtype or floatx())


@op
def array(x: Any, dtype: Any = None) -> Any:
    """x as an array.

    >>> array([1, 2])
    array([1, 2], dtype=int32)
    """
    return tensor(x, dtype)
