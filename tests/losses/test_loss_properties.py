# SPDX-License-Identifier: Apache-2.0
"""What masks, weights and class indices are equal to, and arrays of every kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrnn import losses
from tests.losses.cases import CASES, C, N, T, data, make, one_hot

small = st.integers(0, 10_000)


@given(small, st.sampled_from(["MeanSquaredError", "CategoricalCrossentropy", "SparseCategoricalCrossentropy"]))
def test_a_mask_is_the_loss_of_what_it_leaves(seed, name):
    rng = np.random.default_rng(seed)
    t, p = data(name, {}, (N, T, C), seed, "float64")
    mask = rng.random((N, T)) > 0.5
    value, gradient = getattr(losses, name)().value_and_gradient(t, p, mask=mask)
    if not mask.any():
        assert value == 0
        assert not gradient.any()
        return
    expected, rest = getattr(losses, name)().value_and_gradient(t[mask], p[mask])
    assert value == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(gradient[mask], rest, rtol=1e-9)
    assert not gradient[~mask].any()


@given(small)
def test_a_mask_of_true_and_weights_of_one_change_nothing(seed):
    t, p = data("CategoricalCrossentropy", {}, (N, T, C), seed)
    loss = losses.CategoricalCrossentropy()
    value, gradient = loss.value_and_gradient(t, p)
    for weight, mask in ((None, np.ones((N, T), bool)), (np.ones((N, T)), None), (np.ones(N), np.ones((N, T), bool))):
        again, same = loss.value_and_gradient(t, p, weight, mask)
        assert again == pytest.approx(value, rel=1e-6)
        np.testing.assert_allclose(same, gradient, rtol=1e-6)


@given(small, st.lists(st.integers(0, 3), min_size=N, max_size=N))
def test_whole_weights_are_repetitions(seed, weights):
    t, p = data("BinaryCrossentropy", {}, (N, C), seed, "float64")
    loss = losses.BinaryCrossentropy(reduction="sum")
    expected = loss(np.repeat(t, weights, axis=0), np.repeat(p, weights, axis=0))
    assert loss(t, p, np.array(weights)) == pytest.approx(expected, rel=1e-9)


@given(small)
def test_an_ignored_class_is_a_mask(seed):
    t, p = data("SparseCategoricalCrossentropy", {"ignore_class": 9}, (N, T, C), seed, "float64")
    mask = t != 9
    ignoring = losses.SparseCategoricalCrossentropy(ignore_class=9)
    plain = losses.SparseCategoricalCrossentropy()
    value, gradient = ignoring.value_and_logits_gradient(t, p)
    expected, rest = plain.value_and_logits_gradient(np.where(mask, t, 0), p, mask=mask)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, rest, rtol=1e-12)


@given(small)
def test_class_indices_are_one_hot_rows(seed):
    t, p = data("SparseCategoricalCrossentropy", {}, (N, T, C), seed)
    dense, sparse = losses.CategoricalCrossentropy(), losses.SparseCategoricalCrossentropy()
    for method in ("value_and_gradient", "value_and_logits_gradient"):
        value, gradient = getattr(sparse, method)(t, p)
        expected, rest = getattr(dense, method)(one_hot(t), p)
        assert value == pytest.approx(expected, rel=1e-6)
        np.testing.assert_allclose(gradient, rest, rtol=2e-6, atol=1e-7)


def kinds_of(array):
    padded = np.zeros((2 * len(array), *array.shape[1:]), array.dtype)
    padded[::2] = array
    yield padded[::2]
    yield array[::-1].copy()[::-1]
    yield np.asfortranarray(array)
    yield array.astype(array.dtype.newbyteorder())
    yield array.astype("float64")
    yield array.tolist()
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:]
    misaligned = np.frombuffer(raw.data, array.dtype).reshape(array.shape)
    misaligned[...] = array
    yield misaligned


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_every_kind_of_array_is_its_contiguous_copy(name, arguments):
    t, p = data(name, arguments, (N, C))
    loss = make(name, arguments)
    weight = np.arange(N, dtype=np.float32)
    t.setflags(write=False)
    p.setflags(write=False)
    value, gradient = loss.value_and_gradient(t, p, weight)
    for target in kinds_of(t):
        assert loss.value_and_gradient(target, p, weight)[0] == pytest.approx(value, rel=1e-6)
    for prediction in kinds_of(p):
        again, same = loss.value_and_gradient(t, prediction, list(weight))
        assert again == pytest.approx(value, rel=1e-6)
        np.testing.assert_allclose(same, gradient, rtol=1e-4, atol=1e-6)
        assert same.shape == p.shape
        assert same.flags.writeable


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "int64", "float16", "float64", ">i4", ">f4"])
def test_targets_of_every_dtype(dtype):
    p = np.array([[0.3, 0.7], [0.6, 0.4]], np.float32)
    t = np.array([1, 0]).astype(dtype)
    expected = losses.SparseCategoricalCrossentropy()([1, 0], p)
    assert losses.SparseCategoricalCrossentropy()(t, p) == losses.SparseCategoricalCrossentropy()(t[:, None], p)
    assert losses.SparseCategoricalCrossentropy()(t, p) == expected
    assert losses.BinaryCrossentropy()(t, p[:, 1:]) == pytest.approx(losses.BinaryCrossentropy()([[1], [0]], p[:, 1:]))


@pytest.mark.parametrize("dtype", ["float16", "int32", "bool"])
def test_predictions_of_other_dtypes_become_float32(dtype):
    p = np.array([[0, 1], [1, 1]]).astype(dtype)
    value, gradient = losses.MeanSquaredError().value_and_gradient([[1.0, 0], [1, 1]], p)
    assert value == 0.5
    assert gradient.dtype == np.float32


def test_float64_stays_float64():
    t, p = data("MeanSquaredError", {}, (N, C), dtype="float64")
    assert losses.MeanSquaredError().value_and_gradient(t, p)[1].dtype == np.float64


def test_large_sums_are_kept_in_float64():
    p = np.full((1 << 18, 1), 0.1, np.float32)
    value = losses.MeanAbsoluteError(reduction="sum")(np.zeros_like(p), p)
    assert value == pytest.approx(float(np.float32(0.1)) * p.size, rel=1e-12)
