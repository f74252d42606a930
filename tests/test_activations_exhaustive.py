# SPDX-License-Identifier: Apache-2.0
"""The kernels' tanh, sigmoid and exp against float64: of every float32 there is, or of a sample."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastrnn
from fastrnn import _core

KERNELS = {dtype: _core.kernels(dtype) for dtype in ("float32", "float64")}
CODES = {**KERNELS["float32"].ACTIVATIONS, "exponential": KERNELS["float32"].EXPONENTIAL}
INFINITY, SIGN = 0x7F800000, 0x80000000  # as bits
BINADE = 1 << 23  # as many bit patterns share an exponent
#: The distance of a float32 to the next, by its exponent's bits.
ULP = 2.0 ** (np.maximum(np.arange(256), 1) - 150)


def kernel(name: str, x: np.ndarray) -> np.ndarray:
    y = np.empty_like(x)
    KERNELS[x.dtype.name].activate_array(CODES[name], x, y)
    return y


def floats(first: int, last: int, step: int = 1) -> np.ndarray:
    """The float32 of these bit patterns."""
    return np.arange(first, last, step, np.uint32).view(np.float32)


def ulps(y: np.ndarray, expected: np.ndarray) -> float:
    """The largest error of float32 `y` in units in the last place of what is expected, a float64; NaN if one is."""
    error = np.abs(y - expected)
    error /= ULP[(expected.astype(np.float32).view(np.uint32) >> 23) & 255]
    return float(error.max())


def test_errors_are_counted_right():
    for x in 1.0, 3.7, 1e-30, 1e-40, 0.0:
        y = one = np.full(4, x, np.float32)
        for count in range(4):
            assert ulps(y, one.astype(np.float64)) == count
            y = np.nextafter(y, np.float32(9))
        assert np.isnan(ulps(np.array([x, np.nan], np.float32), np.array([x, x])))


def ulps_below_one(y: np.ndarray) -> float:
    return float(1 - np.float64(y.min())) * 2**24


# Each of these takes values that share their exponent, and what the kernel made of them, checks the bounds, and returns
# the largest error in ulps. The ends, where the function is a line, are most of all float32: they are done without it.


def error_of_tanh(x: np.ndarray, y: np.ndarray) -> float:
    """Of values of 0 or more."""
    assert y.min() >= 0 and y.max() <= 1
    if x[0] >= 16:
        return ulps_below_one(y)
    if x[0] < 2.0**-13:  # x - x^3 / 3 is within 0.1 ulp of x
        return float(np.abs(x.view(np.int32) - y.view(np.int32)).max()) + 0.1
    return ulps(y, np.tanh(x.astype(np.float64)))


def error_of_sigmoid(x: np.ndarray, y: np.ndarray) -> float:
    positive = bool(x[-1] > 0)
    assert (y.min() >= 0.5 and y.max() <= 1) if positive else (y.min() >= 0 and y.max() <= 0.5)
    size = abs(float(x[0]))
    if size >= 128:
        return ulps_below_one(y) if positive else float(y.max()) / 2.0**-149
    if size < 2.0**-26:  # 1/2 + x / 4
        return float(np.abs(np.float64([y.min(), y.max()]) - 0.5).max()) * 2**24 + 0.2
    e = np.exp(-np.abs(x.astype(np.float64)))
    return ulps(y, (1 if positive else e) / (1 + e))


def check_tanh(first: int, last: int, step: int = 1) -> float:
    """Of positive values, and that those of negative ones differ in sign alone."""
    x = floats(first, last, step)
    y = kernel("tanh", x)
    assert (kernel("tanh", -x).view(np.uint32) == y.view(np.uint32) | SIGN).all(), f"not odd in {x[0]} .. {x[-1]}"
    return error_of_tanh(x, y)


def check_sigmoid(first: int, last: int, step: int = 1) -> float:
    x = floats(first, last, step)
    return max(error_of_sigmoid(values, kernel("sigmoid", values)) for values in (x, -x))


def check_nan(name: str, first: int, last: int, step: int = 1) -> None:
    x = floats(first, last, step)
    assert np.isnan(kernel(name, x)).all() and np.isnan(kernel(name, -x)).all()


CHECKS = {"tanh": check_tanh, "sigmoid": check_sigmoid}


@pytest.mark.parametrize("name", CHECKS)
def test_every_101st_float32(name):
    worst = max(CHECKS[name](first, first + BINADE, 101) for first in range(0, INFINITY, BINADE))
    assert worst <= 2, f"{worst} ulp"
    check_nan(name, INFINITY + 1, SIGN, 101)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_all_float32(name):
    """All 2^32 of them, on all cores."""
    size = 1 << 15  # at a time, so that all of it stays in the cache

    def check_binade(start: int) -> float:
        if start == INFINITY:
            for first in range(start, start + BINADE, size):
                check_nan(name, first + (first == INFINITY), first + size)
            return 0.0
        return max(CHECKS[name](first, first + size) for first in range(start, start + BINADE, size))

    with ThreadPoolExecutor(fastrnn.get_num_threads()) as pool:
        worst = max(pool.map(check_binade, range(0, SIGN, BINADE)))
    assert worst <= 2, f"{worst} ulp"


def test_exp():
    worst = 0.0
    for first in range(0, INFINITY, BINADE):
        for x in (values := floats(first, first + BINADE, 509)), -values:
            with np.errstate(over="ignore"):
                y, expected = kernel("exponential", x), np.exp(x.astype(np.float64))
            finite = expected < float(np.finfo(np.float32).max)
            assert np.isinf(y[~finite]).all()
            if finite.any():
                worst = max(worst, ulps(y[finite], expected[finite]))
    assert worst <= 2, f"{worst} ulp"
    check_nan("exponential", INFINITY + 1, SIGN, 1009)


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
