# SPDX-License-Identifier: Apache-2.0
"""The kernels' tanh, sigmoid and exp against float64: of every float32 there is, or of a sample."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastrnn import _core

KERNELS = {dtype: _core.kernels(dtype) for dtype in ("float32", "float64")}
CODES = {**KERNELS["float32"].ACTIVATIONS, "exponential": KERNELS["float32"].EXPONENTIAL}
INFINITY, SIGN = 0x7F800000, 0x80000000  # as bits
CHUNK = 1 << 18  # bit patterns at a time: they share their exponent
#: The distance of a float32 to the next, by its exponent's bits.
ULP = 2.0 ** (np.maximum(np.arange(256), 1) - 150)


def kernel(name: str, x: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    KERNELS[x.dtype.name].activate_array(CODES[name], x, y)
    return y


def floats(bits: np.ndarray) -> np.ndarray:
    return bits.astype(np.uint32).view(np.float32)


def ulps(y: np.ndarray, expected: np.ndarray) -> float:
    """The largest error of float32 `y` in units in the last place of what is expected, a float64; NaN if one is."""
    error = np.abs(y.astype(np.float64) - expected)
    error /= ULP[(expected.astype(np.float32).view(np.uint32) >> 23) & 255]
    return float(error.max())


# References. Each takes values that share sign and exponent, so that the ends, most of all float32, cost little.


def tanh(x: np.ndarray) -> np.ndarray:
    low = abs(float(x[0]))
    if low >= 16:
        return np.sign(x)
    if low < 2.0**-13:
        return x - x * x * x / 3
    return np.tanh(x)


def sigmoid(x: np.ndarray) -> np.ndarray:
    low = abs(float(x[0]))
    if low >= 128:
        return np.float64(x > 0)
    if low < 2.0**-20:
        return 0.5 + x / 4
    if x[0] > 0:
        return 1 / (1 + np.exp(-x))
    e = np.exp(x)
    return e / (1 + e)


def exponential(x: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.exp(x)


def check(name: str, reference: Callable[[np.ndarray], np.ndarray], bits: np.ndarray, low: float, high: float) -> float:
    """The largest error in ulps of finite values of one sign and exponent, whose results must stay in bounds."""
    x = floats(bits)
    y = kernel(name, x)
    assert y.min() >= low and y.max() <= high, f"{name} leaves [{low}, {high}] in {x[0]} .. {x[-1]}"
    return ulps(y, reference(x.astype(np.float64)))


def check_tanh(first: int, step: int = 1) -> float:
    """Of positive values, and that those of negative ones differ in sign alone."""
    bits = np.arange(first, first + CHUNK, step)
    x = floats(bits)
    negative = kernel("tanh", floats(bits + SIGN))
    np.testing.assert_array_equal(negative.view(np.uint32) ^ SIGN, kernel("tanh", x).view(np.uint32))
    return check("tanh", tanh, bits, 0, 1)


def check_sigmoid(first: int, step: int = 1) -> float:
    bits = np.arange(first, first + CHUNK, step)
    return max(check("sigmoid", sigmoid, bits, 0.5, 1), check("sigmoid", sigmoid, bits + SIGN, 0, 0.5))


CHECKS = {"tanh": check_tanh, "sigmoid": check_sigmoid}


def check_what_is_not_finite(name: str, bits: np.ndarray) -> None:
    for sign in 0, SIGN:
        assert np.isnan(kernel(name, floats(bits + sign))).all()


@pytest.mark.parametrize("name", CHECKS)
def test_every_101st_float32(name):
    worst = max(CHECKS[name](first, 101) for first in range(0, INFINITY, CHUNK))
    assert worst <= 2
    check_what_is_not_finite(name, np.arange(INFINITY + 1, SIGN, 101))


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_all_float32(name):
    """All 2^32 of them, on all cores: about half a minute on two."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None) as pool:
        worst = max(pool.map(CHECKS[name], range(0, INFINITY, CHUNK)))
        assert worst <= 2, f"{worst} ulp"
        chunks = [np.arange(first, first + CHUNK) for first in range(INFINITY, SIGN, CHUNK)]
        chunks[0] = chunks[0][1:]  # infinity itself
        list(pool.map(lambda bits: check_what_is_not_finite(name, bits), chunks))


def test_exp():
    worst = 0.0
    for sign in 0, SIGN:
        for first in range(0, INFINITY, CHUNK):
            x = floats(np.arange(first, first + CHUNK, 509) + sign)
            y, expected = kernel("exponential", x), exponential(x.astype(np.float64))
            finite = expected < float(np.finfo(np.float32).max)
            assert np.isinf(y[~finite]).all()
            if finite.any():
                worst = max(worst, ulps(y[finite], expected[finite]))
    assert worst <= 2
    check_what_is_not_finite("exponential", np.arange(INFINITY + 1, SIGN, 1009))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ends(dtype):
    x = np.array([0.0, -0.0, np.inf, -np.inf, 1e30, -1e30, np.nan], dtype)
    np.testing.assert_array_equal(kernel("tanh", x), [0, -0.0, 1, -1, 1, -1, np.nan])
    np.testing.assert_array_equal(np.signbit(kernel("tanh", x[:2])), [False, True])
    np.testing.assert_array_equal(kernel("sigmoid", x), [0.5, 0.5, 1, 0, 1, 0, np.nan])
    np.testing.assert_array_equal(kernel("exponential", x), [1, 1, np.inf, 0, np.inf, 0, np.nan])
    np.testing.assert_array_equal(kernel("relu", x), [0, 0, np.inf, 0, np.float64(1e30).astype(dtype), 0, np.nan])
    np.testing.assert_array_equal(kernel("hard_sigmoid", x), [0.5, 0.5, 1, 0, 1, 0, np.nan])
    np.testing.assert_array_equal(kernel("linear", x), x)


@pytest.mark.skipif(np.finfo(np.longdouble).precision <= 15, reason="no type is finer than float64 here")
def test_float64(rng):
    """Against extended precision: a sample of each binade."""
    x = np.concatenate([rng.uniform(0.5, 1, 2000) * 2.0**k for k in range(-60, 11)])
    wide = np.concatenate([x, -x]).astype(np.longdouble)
    with np.errstate(over="ignore", under="ignore"):
        references = {"tanh": np.tanh(wide), "sigmoid": 1 / (1 + np.exp(-wide)), "exponential": np.exp(wide)}
    for name, expected in references.items():
        y = kernel(name, wide.astype(np.float64))
        normal = (np.abs(expected) > np.finfo(np.float64).tiny) & (expected < np.finfo(np.float64).max)
        ulp = np.spacing(np.abs(expected[normal].astype(np.float64)))
        worst = float((np.abs(y[normal] - expected[normal]) / ulp).max())
        assert worst <= 3, f"{name}: {worst} ulp"
        tiny = (np.abs(expected) <= np.finfo(np.float64).tiny) & (np.abs(wide) > 1)
        assert (y[tiny] <= np.finfo(np.float64).tiny).all() and (y[tiny] >= 0).all()
    np.testing.assert_array_equal(kernel("tanh", -x), -kernel("tanh", x))
    assert np.abs(kernel("tanh", x)).max() <= 1 and kernel("sigmoid", x).max() <= 1


@pytest.mark.parametrize("size", [0, 1, 2, 7, 8, 15, 16, 17, 33])
@pytest.mark.parametrize("name", CODES)
def test_any_length(name, size, rng):
    """An element's result does not depend on its place in a vector."""
    x = rng.standard_normal(size).astype("float32")
    single = [kernel(name, x[i : i + 1])[0] for i in range(size)]
    np.testing.assert_array_equal(kernel(name, x), np.array(single, "float32"))
