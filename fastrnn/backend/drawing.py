# SPDX-License-Identifier: Apache-2.0
"""Keras 2's names of functions that draw random numbers: see `fastrnn.random`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastrnn import random
from fastrnn.backend.state import variable
from fastrnn.config import floatx
from fastrnn.layers.variable import Variable


def random_normal(shape: Sequence[int], mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normally distributed numbers.

    >>> random_normal((2, 3)).shape
    (2, 3)
    """
    return random.normal(shape, mean, stddev, dtype, seed)


def random_uniform(shape: Sequence[int], minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None
                   ) -> Any:
    """Uniformly distributed numbers.

    >>> random_uniform((2, 3)).shape
    (2, 3)
    """
    return random.uniform(shape, minval, maxval, dtype, seed)


def truncated_normal(shape: Sequence[int], mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
                     ) -> Any:
    """Normally distributed numbers, none more than two standard deviations from the mean.

    >>> truncated_normal((2, 3)).shape
    (2, 3)
    """
    return random.truncated_normal(shape, mean, stddev, dtype, seed)


def random_bernoulli(shape: Sequence[int], p: float = 0.0, dtype: Any = None, seed: Any = None) -> Any:
    """1 with a probability, else 0.

    >>> random_bernoulli((2,), p=1.0)
    array([1., 1.], dtype=float32)
    """
    return (random.uniform(shape, seed=seed) < p).astype(dtype or floatx())


random_binomial = random_bernoulli


def random_normal_variable(shape: Sequence[int], mean: float, scale: float, dtype: Any = None, name: str | None = None,
                           seed: Any = None) -> Variable:
    """A variable of normally distributed numbers.

    >>> random_normal_variable((2,), 0.0, 1.0).shape
    (2,)
    """
    return variable(random.normal(shape, mean, scale, dtype, seed), dtype, name)


def random_uniform_variable(shape: Sequence[int], low: float, high: float, dtype: Any = None, name: str | None = None,
                            seed: Any = None) -> Variable:
    """A variable of uniformly distributed numbers.

    >>> random_uniform_variable((2,), 0.0, 1.0).shape
    (2,)
    """
    return variable(random.uniform(shape, low, high, dtype, seed), dtype, name)


def dropout(x: Any, level: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Zeros in the place of a share of the elements, the others over 1 - level; whether in training or not.

    >>> dropout([1.0, 2.0], 0.0)
    array([1., 2.], dtype=float32)
    """
    return random.dropout(x, level, noise_shape, seed)
