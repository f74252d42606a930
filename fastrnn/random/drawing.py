# SPDX-License-Identifier: Apache-2.0
"""Arrays of random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn.config import floatx
from fastrnn.initializers import TruncatedNormal
from fastrnn.ops.dispatch import op, tensor, values
from fastrnn.random.seeds import generator


def sizes(function: str, shape: Any) -> tuple[int, ...]:
    """A shape of whole numbers.

    Raises:
        ValueError: it has others, as None, the size of a symbol's batch.
    """
    found = tuple(shape) if isinstance(shape, (list, tuple, np.ndarray)) else (shape,)
    if not all(isinstance(size, (int, np.integer)) and size >= 0 for size in found):
        raise ValueError(f"random.{function} shape: expected whole numbers, got {found}; the size of a symbol's batch "
                         "is known when the model runs: draw in the call of a Layer, or in a Lambda")
    return tuple(int(size) for size in found)


def _float_dtype(function: str, dtype: Any) -> np.dtype[Any]:
    kind = np.dtype(floatx() if dtype is None else dtype)
    if kind.kind != "f":
        raise ValueError(f"random.{function} dtype: expected one of floats, got {dtype!r}")
    return kind


def _drawn(function: str, dtype: Any) -> tuple[np.dtype[Any], Any]:
    """The dtype of the result, and that to draw in: NumPy's generators know float32 and float64."""
    kind = _float_dtype(function, dtype)
    return kind, np.float32 if kind.itemsize <= 4 else np.float64


@op
def normal(shape: Sequence[int], mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normally distributed numbers. Mean and standard deviation may be arrays, and have gradients.

    >>> normal((2, 3), seed=1).shape
    (2, 3)
    """
    kind, drawn = _drawn("normal", dtype)
    x = generator(seed).standard_normal(sizes("normal", shape), drawn).astype(kind, copy=False)
    return _scaled(x, stddev, mean)


@op
def truncated_normal(shape: Sequence[int], mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
                     ) -> Any:
    """Normally distributed numbers; those more than two standard deviations from the mean are drawn again.

    >>> bool(abs(truncated_normal((1000,), seed=1)).max() <= 2)
    True
    """
    kind = _float_dtype("truncated_normal", dtype)
    draw = TruncatedNormal(0.0, 1.0, int(generator(seed).integers(2**62)))
    return _scaled(draw(sizes("truncated_normal", shape), kind), stddev, mean)


@op
def uniform(shape: Sequence[int], minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Uniformly distributed numbers from `minval` to below `maxval`; whole ones for a dtype of whole numbers.

    >>> bool((uniform((1000,), 2.0, 3.0, seed=1) >= 2).all())
    True
    """
    if dtype is not None and np.dtype(dtype).kind in "iu":
        return randint(shape, minval, maxval, dtype, seed)
    kind, drawn = _drawn("uniform", dtype)
    x = generator(seed).random(sizes("uniform", shape), drawn).astype(kind, copy=False)
    return _scaled(x, maxval - minval, minval)


def _scaled(x: np.ndarray, factor: Any, shift: Any) -> Any:
    """x times a factor plus a shift, numbers or arrays, traced or not, in the dtype of x."""
    def of(value: Any) -> Any:
        return value if isinstance(value, (int, float)) else tensor(value, x.dtype)

    return x * of(factor) + of(shift)


@op
def randint(shape: Sequence[int], minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None) -> Any:
    """Whole numbers from `minval` to below `maxval`.

    >>> sorted(set(randint((100,), 0, 3, seed=1).tolist()))
    [0, 1, 2]
    """
    kind = np.dtype(dtype)
    if kind.kind not in "iu":
        raise ValueError(f"random.randint dtype: expected one of whole numbers, got {dtype!r}")
    low, high = values(minval), values(maxval)
    return np.asarray(generator(seed).integers(low, high, sizes("randint", shape)), kind)


@op
def gamma(shape: Sequence[int], alpha: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers of gamma distributions of scale 1. They have no gradient.

    >>> bool((gamma((3,), 2.0, seed=1) > 0).all())
    True
    """
    kind = _float_dtype("gamma", dtype)
    return np.asarray(generator(seed).standard_gamma(values(alpha), sizes("gamma", shape)), kind)


@op
def beta(shape: Sequence[int], alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers of beta distributions. They have no gradient.

    >>> bool((beta((3,), 2.0, 2.0, seed=1) < 1).all())
    True
    """
    kind = _float_dtype("beta", dtype)
    return np.asarray(generator(seed).beta(values(alpha), values(beta), sizes("beta", shape)), kind)


@op
def binomial(shape: Sequence[int], counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None) -> Any:
    """How many of so many trials succeed. They have no gradient.

    >>> binomial((2,), 5, 1.0, seed=1)
    array([5., 5.], dtype=float32)
    """
    kind = np.dtype(floatx() if dtype is None else dtype)
    trials, share = np.asarray(values(counts)).astype("int64"), np.asarray(values(probabilities), "float64")
    return np.asarray(generator(seed).binomial(trials, share, sizes("binomial", shape)), kind)
