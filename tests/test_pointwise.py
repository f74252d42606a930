# SPDX-License-Identifier: Apache-2.0
"""The kernels that are no product, by themselves: rows by index, softmax, sums of squares, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrnn import _core, activations

DTYPES = ["float32", "float64"]
sizes = st.tuples(st.integers(1, 40), st.integers(1, 140))


def tolerance(dtype: str) -> float:
    return 1e-6 if dtype == "float32" else 1e-14


@given(sizes, st.sampled_from(DTYPES), st.floats(-100, 100), st.floats(0, 60), st.integers(1, 5), st.booleans())
def test_softmax(size, dtype, shift, spread, threads, in_place):
    kernels = _core.kernels(dtype)
    rng = np.random.default_rng(size)
    z = (rng.standard_normal(size) * spread + shift).astype(dtype)
    wide = z.astype(np.longdouble)
    expected = np.exp(wide - wide.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    y = z if in_place else np.empty_like(z)
    kernels.softmax_rows(z, y, threads)
    np.testing.assert_allclose(y, expected, rtol=20 * tolerance(dtype), atol=tolerance(dtype))
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=2 * tolerance(dtype))
    dy = rng.standard_normal(size).astype(dtype)
    dx = dy.copy() if in_place else np.empty_like(dy)
    kernels.softmax_rows_backward(y, dx if in_place else dy, dx, threads)
    np.testing.assert_allclose(dx, activations.softmax.backward(expected, dy), rtol=1e-4, atol=20 * tolerance(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_of_extremes(dtype):
    kernels = _core.kernels(dtype)
    rows = [[1e30, -1e30, 0], [-1e5, -1e5, -1e5], [0, 1000, 1000], [np.nan, 1, 2], [-np.inf, 0, 0]]
    for padding in 0, 30:  # longer and shorter than a vector
        z = np.array([row + [row[1]] * padding for row in rows], dtype)
        y = np.empty_like(z)
        kernels.softmax_rows(z, y, 1)
        np.testing.assert_array_equal(y[0], [1] + [0] * (2 + padding))
        np.testing.assert_allclose(y[1], 1 / (3 + padding), rtol=1e-6)
        assert np.isnan(y[3]).all()
        assert y[4, 0] == 0 and y[4, 1] == y[4, 2] > 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_bits_for_any_number_of_threads(dtype, rng):
    kernels = _core.kernels(dtype)
    z, dy = rng.standard_normal((2, 301, 77)).astype(dtype)
    found = []
    for threads in 1, 2, 3, 5:
        y, dx = np.empty_like(z), np.empty_like(z)
        kernels.softmax_rows(z, y, threads)
        kernels.softmax_rows_backward(y, dy, dx, threads)
        found.append((y, dx))
    for y, dx in found[1:]:
        np.testing.assert_array_equal(y, found[0][0])
        np.testing.assert_array_equal(dx, found[0][1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [0, 1, 7, 8, 1000, 16383, 16384, 100003])
def test_sums_of_squares(dtype, size, rng):
    kernels = _core.kernels(dtype)
    g = rng.standard_normal(size).astype(dtype)
    sums = {kernels.sum_of_squares(g, None, threads) for threads in (1, 2, 3, 5, 64, 100)}
    assert len(sums) == 1
    assert sums.pop() == pytest.approx((g.astype(np.longdouble) ** 2).sum(), rel=1e-13)


def test_sums_of_squares_are_in_double_precision():
    kernels = _core.kernels("float32")
    assert kernels.sum_of_squares(np.full((2, 2), 1e30, "float32"), None, 1) == pytest.approx(4e60)
    tenths = np.full(1 << 20, 0.1, "float32")
    assert kernels.sum_of_squares(tenths, None, 2) == pytest.approx((1 << 20) * 0.01, rel=1e-6)
    assert np.isnan(kernels.sum_of_squares(np.array([1, np.nan], "float32"), None, 1))
    assert kernels.sum_of_squares(np.array([1, -np.inf], "float32"), None, 1) == np.inf


def arrays(dtype="float32"):
    """Arguments of each kernel that fit together: V = 4 rows of 3, 5 indices."""

    def zeros(*shape):
        return np.zeros(shape, dtype)

    index, touched = np.zeros(5, np.int32), np.zeros(4, np.uint8)
    return {
        "gather_rows": ([zeros(4, 3), index, zeros(5, 3)], [1]),
        "gather_rows scaled": ([zeros(4, 3), index, zeros(5, 3), zeros(5, 3)], [1]),
        "scatter_rows": ([zeros(5, 3), index, zeros(4, 3), touched], [1]),
        "softmax_rows": ([zeros(4, 3), zeros(4, 3)], [1]),
        "softmax_rows_backward": ([zeros(4, 3), zeros(4, 3), zeros(4, 3)], [1]),
        "activate_array": ([zeros(3), zeros(3)], []),
        "sum_of_squares": ([zeros(4, 3), touched], [1]),
    }


def call(kernels, name, arguments, numbers):
    if name == "gather_rows scaled":
        return kernels.gather_rows(*arguments[:3], *numbers, arguments[3])
    numbers_first = [0] if name == "activate_array" else []
    return getattr(kernels, name)(*numbers_first, *arguments, *numbers)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", arrays())
def test_arrays_that_do_not_fit_are_refused(name, dtype):
    """Nothing is read or written out of bounds, whatever a caller passes."""
    kernels = _core.kernels(dtype)
    good, numbers = arrays(dtype)[name]
    call(kernels, name, good, numbers)
    for i, array in enumerate(good):
        other = {"float32": "float64", "float64": "float32", "int32": "int64", "uint8": "int8"}[array.dtype.name]
        padded = np.zeros([2 * n for n in array.shape], array.dtype)
        bad = [array.astype(other), array.byteswap().view(array.dtype.newbyteorder()),
               padded[tuple(slice(None, None, 2) for _ in array.shape)],
               np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)]  # fmt: skip
        if name not in ("sum_of_squares", "activate_array"):
            bad += [
                np.zeros(array.shape[1:], array.dtype),
                np.zeros((*array.shape[:-1], array.shape[-1] + 1), array.dtype),
            ]
        if array.dtype == np.uint8:
            del bad[3], bad[1]  # bytes have no order, and are aligned anywhere
        for wrong in bad:
            with pytest.raises((ValueError, TypeError), match="kernel argument|expected"):
                call(kernels, name, [*good[:i], wrong, *good[i + 1 :]], numbers)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [-1, 4, 2**31 - 1, -(2**31)])
def test_indices_are_checked_before_any_read(bad, dtype):
    kernels = _core.kernels(dtype)
    for position in range(5):
        index = np.array([3, 0, 1, 3, 2], np.int32)
        index[position] = bad
        out, grad, touched = np.full((5, 3), 7, dtype), np.full((4, 3), 7, dtype), np.ones(4, np.uint8)
        with pytest.raises(ValueError, match="kernel argument 'indices': expected 0 to 3, got"):
            kernels.gather_rows(np.zeros((4, 3), dtype), index, out, 1)
        with pytest.raises(ValueError, match="kernel argument 'indices': expected 0 to 3, got"):
            kernels.scatter_rows(np.zeros((5, 3), dtype), index, grad, touched, 1)
        assert (out == 7).all() and (grad == 7).all() and touched.all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("often", [0.0, 0.9])
def test_rows_are_summed_by_index(often, dtype, rng):
    """Into rows that had another gradient before, whichever thread they belong to."""
    kernels, V, D, M = _core.kernels(dtype), 500, 41, 3000
    index = np.where(rng.random(M) < often, 7, rng.integers(0, V // 2, M)).astype(np.int32)
    dy, expected = rng.standard_normal((M, D)).astype(dtype), np.zeros((V, D))
    np.add.at(expected, index, dy)
    found = []
    for threads in (1, 2, 3, 5):
        grad, touched = np.zeros((V, D), dtype), np.zeros(V, np.uint8)
        kernels.scatter_rows(dy, (V - 1 - index).astype(np.int32), grad, touched, threads)
        kernels.scatter_rows(dy, index, grad, touched, threads)
        np.testing.assert_array_equal(touched, np.bincount(index, minlength=V) > 0)
        found.append(grad)
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-3)
    for grad in found[1:]:
        np.testing.assert_array_equal(grad, found[0])


def test_scales_must_fit_the_rows_taken(rng):
    kernels, index = _core.kernels("float32"), np.zeros(6, np.int32)
    table, scale = rng.standard_normal((4, 3)).astype("f4"), rng.random((2, 3)).astype("f4")
    out = np.zeros((6, 3), "f4")
    kernels.gather_rows(table, index, out, 1, scale)
    np.testing.assert_array_equal(out, table[index] * scale.repeat(3, axis=0))
    with pytest.raises(ValueError, match="kernel argument 'scale': expected a number of rows that divides 6"):
        kernels.gather_rows(table, index, out, 1, np.zeros((4, 3), "f4"))


@given(sizes, st.sampled_from(DTYPES), st.integers(1, 5), st.booleans(), st.integers(0, 2**32))
def test_where_the_largest_stands(size, dtype, threads, odd, seed):
    kernels = _core.kernels(dtype)
    rng = np.random.default_rng(seed)
    t, p = rng.integers(-3, 3, (2, *size)).astype(dtype)        # equal ones are many: the first counts
    if odd:
        for a in (t, p):
            a[rng.random(size) < 0.1] = rng.choice([np.nan, np.inf, -np.inf, -0.0])
    same = np.empty(len(t), np.bool_)
    kernels.same_largest(t, p, same, threads)
    np.testing.assert_array_equal(same, t.argmax(axis=1) == p.argmax(axis=1))


@pytest.mark.parametrize("wrong", [{"t": np.zeros((2, 4), np.float32)}, {"p": np.zeros((3, 3), np.float64)},
                                   {"same": np.empty(2, np.bool_)}, {"same": np.empty(3, np.int8)},
                                   {"same": np.empty((3, 1), np.bool_)}, {"same": np.empty(6, np.bool_)[::2]}])
def test_where_the_largest_stands_refuses(wrong):
    arrays = {"t": np.zeros((3, 3), np.float32), "p": np.zeros((3, 3), np.float32), "same": np.empty(3, np.bool_)}
    with pytest.raises(ValueError, match="kernel argument"):
        _core.kernels("float32").same_largest(*{**arrays, **wrong}.values(), 1)
