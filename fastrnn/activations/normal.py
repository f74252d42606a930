# SPDX-License-Identifier: Apache-2.0
"""The error function: SciPy's, or where there is no SciPy the standard library's, number by number."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["erf", "normal_cdf"]


def erf(x: np.ndarray) -> np.ndarray:
    """2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x, of x's shape and dtype.

    Args:
        x: numbers, an array of any shape.

    Example:

    >>> erf(np.array([0.0, 1.0])).round(6)
    array([0.      , 0.842701])
    """
    try:
        from scipy import special  # here, for scipy costs more to import than everything else together
    except ImportError:
        return np.vectorize(math.erf, otypes=[x.dtype])(x)
    return special.erf(x)


def normal_cdf(x: np.ndarray) -> np.ndarray:
    """The standard normal distribution's function, (1 + erf(x / sqrt(2))) / 2, of x's shape and dtype.

    Args:
        x: numbers, an array of any shape.

    Example:

    >>> normal_cdf(np.array([0.0, 1.0])).round(6)
    array([0.5     , 0.841345])
    """
    try:
        from scipy import special  # as above
    except ImportError:
        return np.vectorize(lambda number: 0.5 * math.erfc(-number / math.sqrt(2)), otypes=[x.dtype])(x)
    return special.ndtr(x)
