# SPDX-License-Identifier: Apache-2.0
"""Seeds and one-hot targets."""

from __future__ import annotations

import random

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import fastrnn.preprocessing.sequence
from fastrnn import runtime
from fastrnn.utils import pad_sequences, set_random_seed, to_categorical


def draws():
    return random.random(), np.random.rand(), runtime.rng().random()


class TestSetRandomSeed:
    @pytest.mark.parametrize("seed", [0, 7, np.int64(7), 2**32 - 1])
    def test_repeats(self, seed):
        set_random_seed(seed)
        first = draws()
        assert draws() != first
        set_random_seed(seed)
        assert draws() == first

    def test_seeds_differ(self):
        set_random_seed(1)
        first = draws()
        set_random_seed(2)
        assert all(a != b for a, b in zip(first, draws(), strict=True))

    @pytest.mark.parametrize("seed", [None, 1.0, "1", -1, 2**32])
    def test_errors(self, seed):
        with pytest.raises(ValueError, match=r"seed must be an integer from 0 to 2\*\*32 - 1, got"):
            set_random_seed(seed)


class TestToCategorical:
    def test_values(self):
        one_hot = to_categorical([0, 2, 1], num_classes=4)
        assert one_hot.dtype == np.float64
        assert one_hot.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0]]

    def test_number_of_classes_is_the_largest_plus_one(self):
        assert to_categorical([3]).tolist() == [[0, 0, 0, 1]]
        assert to_categorical([3], num_classes=0).shape == (1, 4)

    @pytest.mark.parametrize(
        "shape, expected",
        [((), (5,)), ((3,), (3, 5)), ((3, 1), (3, 5)), ((1,), (1, 5)), ((2, 3), (2, 3, 5)), ((2, 3, 1), (2, 3, 5))],
    )
    def test_shapes(self, shape, expected):
        assert to_categorical(np.full(shape, 4), 5).shape == expected

    @pytest.mark.parametrize("dtype", ["int8", "uint64", "float32", "bool", "object", "<U1"])
    def test_dtypes(self, dtype):
        x = np.array(["1", "0"]) if dtype == "<U1" else np.array([1, 0]).astype(dtype)
        assert to_categorical(x).tolist() == [[0, 1], [1, 0]]

    def test_empty(self):
        assert to_categorical([], num_classes=3).shape == (0, 3)
        assert to_categorical(np.zeros((2, 0), int), num_classes=3).shape == (2, 0, 3)
        with pytest.raises(ValueError, match="x is empty, so it has no largest class; give num_classes"):
            to_categorical([])

    @pytest.mark.parametrize(
        "x, num_classes, message",
        [
            ([0, 3], 3, "x must hold classes from 0 to 2, got 3"),
            ([0, -1], 3, "x must hold classes from 0 on, got -1"),
            ([-1, -1], None, "got -1"),
            ([0, 1.5], 3, "x must hold integer class indices, got 1.5"),
            ([0, np.nan], 3, "got nan"),
            ([0, np.inf], 3, "got inf"),
            (np.array([2**64 - 1], "uint64"), 3, "got 18446744073709551615"),
            (["a"], 3, "x must hold integer class indices"),
            ([None], 3, "x must hold integer class indices"),
            ([[0], [1, 2]], 3, "x must hold integer class indices"),
            ([0], -2, "num_classes must be positive, got -2"),
        ],
    )
    def test_errors(self, x, num_classes, message):
        with pytest.raises(ValueError, match=message):
            to_categorical(x, num_classes)

    @given(
        arrays(np.int64, array_shapes(max_dims=4, max_side=4), elements=st.integers(0, 9)), st.sampled_from([None, 10])
    )
    def test_same_as_keras(self, x, num_classes):
        ours, theirs = to_categorical(x, num_classes), keras.utils.to_categorical(x, num_classes)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(ours.argmax(-1), x[..., 0] if x.ndim > 1 and x.shape[-1] == 1 else x)


def test_pad_sequences_is_here_too():
    assert pad_sequences is fastrnn.preprocessing.sequence.pad_sequences
