# SPDX-License-Identifier: Apache-2.0
"""The kernel of the cross-entropy that is fused with a softmax."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrnn import _core
from fastrnn.losses import CategoricalCrossentropy

TINY = {dtype: np.finfo(dtype).tiny for dtype in ("float32", "float64")}


def run(t, p, threads=1):
    values, gradient, alone = np.empty(len(p), p.dtype), np.empty_like(p), np.empty(len(p), p.dtype)
    kernels = _core.kernels(p.dtype.name)
    kernels.crossentropy_rows(t, p, values, gradient, threads)
    kernels.crossentropy_rows(t, p, alone, None, threads)
    np.testing.assert_array_equal(alone, values)
    return values, gradient


@given(rows=st.integers(0, 9), classes=st.integers(1, 40), one_hot=st.booleans(),
       dtype=st.sampled_from(["float32", "float64"]), seed=st.integers(0, 99))
def test_is_the_formula(rows, classes, one_hot, dtype, seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(classes), rows).astype(dtype)
    p[rng.random(p.shape) < 0.1] = 0
    t = np.eye(classes)[rng.integers(0, classes, rows)] if one_hot else rng.random((rows, classes))
    t = t.astype(dtype)
    values, gradient = run(t, p)
    logs = np.log(np.maximum(p, TINY[dtype]).astype("float64"))
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(values, -(t * logs).sum(axis=1), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(gradient, p * t.sum(axis=1, keepdims=True) - t, rtol=tolerance, atol=tolerance)
    if one_hot:
        np.testing.assert_array_equal(gradient, p - t)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scale_and_sum(dtype):
    rng = np.random.default_rng(0)
    p, t = rng.dirichlet(np.ones(53), 700).astype(dtype), np.eye(53, dtype=dtype)[rng.integers(0, 53, 700)]
    values, gradient = run(t, p)
    scaled, kernels = np.empty_like(p), _core.kernels(dtype)
    totals = {kernels.crossentropy_rows(t, p, values, scaled, threads, 0.125) for threads in (1, 2, 3, 5)}
    assert len(totals) == 1
    assert totals.pop() == pytest.approx(values.sum(dtype="float64") / 8, rel=1e-13)
    np.testing.assert_array_equal(scaled, gradient / 8)


@pytest.mark.parametrize("shape", [(1, 2), (33, 7), (128, 5, 52)], ids=str)
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum"])
def test_the_short_way_is_the_long_one(shape, reduction):
    """The loss without weights, which the kernel reduces, beside that with weights of one, which it does not."""
    rng, loss = np.random.default_rng(0), CategoricalCrossentropy(reduction=reduction)
    p = rng.dirichlet(np.ones(shape[-1]), shape[:-1]).astype("float32")
    t = np.eye(shape[-1], dtype="float32")[rng.integers(0, shape[-1], shape[:-1])]
    value, gradient = loss.value_and_logits_gradient(t, p)
    expected, derivative = loss.value_and_logits_gradient(t, p, sample_weight=np.ones(shape[0], "float32"))
    assert gradient.shape == shape
    assert value == pytest.approx(expected, rel=1e-12) == loss(t, p, fused=True)
    np.testing.assert_array_equal(gradient, derivative)
    half = loss.value_and_logits_gradient(t.astype("float16"), p)
    assert half[0] == pytest.approx(value, rel=1e-12)
    np.testing.assert_array_equal(half[1], gradient)


def test_same_bits_for_any_number_of_threads():
    rng = np.random.default_rng(0)
    p, t = (rng.random((3000, 53)).astype("float32") for _ in range(2))
    expected = run(t, p)
    for threads in 2, 3, 5:
        for got, want in zip(run(t, p, threads), expected, strict=True):
            np.testing.assert_array_equal(got, want)


def test_nan_is_kept():
    p, t = np.full((1, 5), 0.2, "float32"), np.eye(5, dtype="float32")[:1]
    p[0, 0] = np.nan
    values, gradient = run(t, p)
    assert np.isnan(values[0]) and np.isnan(gradient[0, 0])
    t[0, 0] = np.nan
    assert np.isnan(run(t, np.full((1, 5), 0.2, "float32"))[0][0])


@pytest.mark.parametrize("what", ["t", "p", "values", "gradient"])
def test_other_shapes_are_refused(what):
    arrays = {"t": np.zeros((4, 3), "float32"), "p": np.zeros((4, 3), "float32"),
              "values": np.zeros(4, "float32"), "gradient": np.zeros((4, 3), "float32")}
    arrays[what] = arrays[what][:3]
    with pytest.raises(ValueError, match="kernel argument"):
        _core.kernels("float32").crossentropy_rows(*arrays.values(), 1)
