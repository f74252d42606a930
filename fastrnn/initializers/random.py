# SPDX-License-Identifier: Apache-2.0
"""Initializers with random values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn import runtime
from fastrnn._core import blas_threads
from fastrnn.initializers.base import Initializer, Shape

# The standard deviation of a standard normal variable cut at -2 and 2.
TRUNCATED_STDDEV = 0.8796256610342398


class RandomInitializer(Initializer):
    """An initializer with random values.

    Args:
        seed: an integer gives the same values at every call; None draws from the generator that
            `fastrnn.utils.set_random_seed` seeds, so that each weight differs from the last.
    """

    def __init__(self, seed: int | Mapping[str, Any] | None = None) -> None:
        if isinstance(seed, Mapping):  # the seed generator of a Keras 3 configuration
            seed = seed.get("config", {}).get("seed")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int | np.integer)):
            raise ValueError(f"{type(self).__name__}: expected seed to be an integer or None, got {seed!r}")
        self.seed = None if seed is None else int(seed)

    def rng(self) -> np.random.Generator:
        """The generator of this call's values."""
        return runtime.rng() if self.seed is None else np.random.default_rng(self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class RandomNormal(RandomInitializer):
    """Normally distributed.

    Example:

    >>> float(RandomNormal(mean=3.0, seed=1)((1000,)).mean().round(2))
    3.0
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def __call__(self, shape: Shape, dtype: Any = "float32") -> np.ndarray:
        return _normal(self.rng(), shape, self.mean, self.stddev, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """Normally distributed, with values more than two standard deviations from the mean drawn again.

    Example:

    >>> bool(abs(TruncatedNormal(stddev=1.0, seed=1)((1000,))).max() <= 2)
    True
    """

    def __call__(self, shape: Shape, dtype: Any = "float32") -> np.ndarray:
        return _truncated_normal(self.rng(), shape, self.mean, self.stddev, dtype)


class RandomUniform(RandomInitializer):
    """Uniformly distributed between `minval` and `maxval`.

    Example:

    >>> RandomUniform(0.0, 1.0, seed=1)((2,)).shape
    (2,)
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def __call__(self, shape: Shape, dtype: Any = "float32") -> np.ndarray:
        return _uniform(self.rng(), shape, self.minval, self.maxval, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, "minval": self.minval, "maxval": self.maxval}


class VarianceScaling(RandomInitializer):
    """Random values whose variance is `scale / n`, n being the number of inputs, of outputs, or their mean.

    Args:
        scale: a positive number.
        mode: n is "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal" (cut at two standard deviations, which are chosen so that the variance holds
            after the cut; "normal" means the same), "untruncated_normal" or "uniform".
        seed: as in every random initializer.
        input_axes: axes of the weight whose product is the number of inputs; the last but one by default.
        output_axes: axes of the weight whose product is the number of outputs; the last by default.

    Raises:
        ValueError: an argument is not one of those named.

    Example:

    >>> w = VarianceScaling(mode="fan_in", distribution="uniform", seed=1)((300, 100))
    >>> float((w.var() * 300).round(2))
    1.0
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(seed)
        if not scale > 0:
            raise ValueError(f"VarianceScaling: expected a positive scale, got {scale!r}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"VarianceScaling: expected mode to be 'fan_in', 'fan_out' or 'fan_avg', got {mode!r}")
        distribution = distribution.lower()
        if distribution == "normal":
            distribution = "truncated_normal"
        if distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise ValueError(
                "VarianceScaling: expected distribution to be 'truncated_normal', 'untruncated_normal' or 'uniform', "
                f"got {distribution!r}"
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes

    def __call__(self, shape: Shape, dtype: Any = "float32") -> np.ndarray:
        fan_in, fan_out = fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return _uniform(self.rng(), shape, -limit, limit, dtype)
        if self.distribution == "untruncated_normal":
            return _normal(self.rng(), shape, 0.0, math.sqrt(variance), dtype)
        return _truncated_normal(self.rng(), shape, 0.0, math.sqrt(variance) / TRUNCATED_STDDEV, dtype)

    def get_config(self) -> dict[str, Any]:
        config = {"scale": self.scale, "mode": self.mode, "distribution": self.distribution}
        return {**self._seed_and_axes(), **config}

    def _seed_and_axes(self) -> dict[str, Any]:
        axes = {"input_axes": self.input_axes, "output_axes": self.output_axes}
        # Only the newest versions of Keras know the axes: left out of a configuration where they are not set.
        return {"seed": self.seed, **{key: value for key, value in axes.items() if value is not None}}


class _FixedScaling(VarianceScaling):
    """A `VarianceScaling` known by a name of its own."""

    _scale, _mode, _distribution = 1.0, "fan_in", "uniform"

    def __init__(
        self,
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(self._scale, self._mode, self._distribution, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        return self._seed_and_axes()


class GlorotUniform(_FixedScaling):
    """Uniform within `sqrt(6 / (inputs + outputs))` (Glorot and Bengio 2010): the default of kernels.

    Example:

    >>> w = GlorotUniform(seed=1)((50, 100))
    >>> bool(abs(w).max() <= 0.2)
    True
    """

    _scale, _mode, _distribution = 1.0, "fan_avg", "uniform"


class GlorotNormal(_FixedScaling):
    """Truncated normal of variance `2 / (inputs + outputs)` (Glorot and Bengio 2010)."""

    _scale, _mode, _distribution = 1.0, "fan_avg", "truncated_normal"


class HeUniform(_FixedScaling):
    """Uniform within `sqrt(6 / inputs)` (He et al. 2015)."""

    _scale, _mode, _distribution = 2.0, "fan_in", "uniform"


class HeNormal(_FixedScaling):
    """Truncated normal of variance `2 / inputs` (He et al. 2015)."""

    _scale, _mode, _distribution = 2.0, "fan_in", "truncated_normal"


class LecunUniform(_FixedScaling):
    """Uniform within `sqrt(3 / inputs)` (LeCun et al. 1998)."""

    _scale, _mode, _distribution = 1.0, "fan_in", "uniform"


class LecunNormal(_FixedScaling):
    """Truncated normal of variance `1 / inputs` (LeCun et al. 1998)."""

    _scale, _mode, _distribution = 1.0, "fan_in", "truncated_normal"


class Orthogonal(RandomInitializer):
    """A random orthogonal matrix times `gain` (Saxe et al. 2013): the default of recurrent kernels.

    The Q of the QR decomposition of a normal matrix, the signs of its columns chosen so that R's diagonal is positive,
    which makes it uniform over the orthogonal matrices (Mezzadri 2007). A rectangle has orthonormal rows or columns,
    whichever are fewer. All axes but the last count as rows.

    Raises:
        ValueError: the weight has fewer than two axes.

    Example:

    >>> w = Orthogonal(seed=1)((2, 8))
    >>> bool(np.allclose(w @ w.T, np.eye(2), atol=1e-6))
    True
    """

    def __init__(self, gain: float = 1.0, seed: Any = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Shape, dtype: Any = "float32") -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: expected a weight of two axes or more, got shape {tuple(shape)}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        normal = self.rng().standard_normal((max(rows, columns), min(rows, columns)))
        with blas_threads.NUMPY:
            q, r = np.linalg.qr(normal)
        q *= np.where(np.diagonal(r) < 0, -self.gain, self.gain)
        if rows < columns:
            q = q.T
        return np.array(q, dtype, order="C").reshape(tuple(shape))

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, "gain": self.gain}


def fans(
    shape: Shape, input_axes: Sequence[int] | None = None, output_axes: Sequence[int] | None = None
) -> tuple[int, int]:
    """The number of inputs and outputs of a weight: (inputs, outputs) of a matrix, both times the leading axes of
    anything larger, as Keras counts them.

    >>> fans((8, 32)), fans((8,)), fans((3, 8, 32))
    ((8, 32), (8, 8), (24, 96))
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    leading = math.prod(shape[:-2])
    return leading * shape[-2], leading * shape[-1]


def _drawn_dtype(dtype: Any) -> np.dtype:
    """The precision to draw in: NumPy's generators know float32 and float64."""
    return np.dtype(np.float32 if np.dtype(dtype).itemsize <= 4 else np.float64)


def _normal(rng: np.random.Generator, shape: Shape, mean: float, stddev: float, dtype: Any) -> np.ndarray:
    x = rng.standard_normal(tuple(shape), _drawn_dtype(dtype))
    return (x * stddev + mean).astype(dtype, copy=False)


def _truncated_normal(rng: np.random.Generator, shape: Shape, mean: float, stddev: float, dtype: Any) -> np.ndarray:
    x = rng.standard_normal(tuple(shape), _drawn_dtype(dtype))
    flat = x.reshape(-1)
    outside = np.flatnonzero(np.abs(flat) > 2)
    while outside.size:
        flat[outside] = rng.standard_normal(outside.size, x.dtype)
        outside = outside[np.abs(flat[outside]) > 2]
    return (x * stddev + mean).astype(dtype, copy=False)


def _uniform(rng: np.random.Generator, shape: Shape, low: float, high: float, dtype: Any) -> np.ndarray:
    x = rng.random(tuple(shape), _drawn_dtype(dtype))
    return (x * (high - low) + low).astype(dtype, copy=False)
