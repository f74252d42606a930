# SPDX-License-Identifier: Apache-2.0
"""pad_sequences: values by hand, properties, and Keras's function beside ours."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrnn.preprocessing.sequence import pad_sequences

RAGGED = [[1], [2, 3], [4, 5, 6]]
sides = st.sampled_from(["pre", "post"])
ragged = st.lists(st.lists(st.integers(-100, 100), max_size=6), min_size=1, max_size=6)


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({}, [[0, 0, 1], [0, 2, 3], [4, 5, 6]]),
        ({"padding": "post"}, [[1, 0, 0], [2, 3, 0], [4, 5, 6]]),
        ({"maxlen": 2}, [[0, 1], [2, 3], [5, 6]]),
        ({"maxlen": 2, "truncating": "post"}, [[0, 1], [2, 3], [4, 5]]),
        ({"maxlen": 2, "padding": "post"}, [[1, 0], [2, 3], [5, 6]]),
        ({"maxlen": 4, "value": -1}, [[-1, -1, -1, 1], [-1, -1, 2, 3], [-1, 4, 5, 6]]),
        ({"maxlen": 0}, [[], [], []]),
    ],
)
def test_values(arguments, expected):
    padded = pad_sequences(RAGGED, **arguments)
    assert padded.dtype == np.int32
    assert padded.tolist() == expected


def test_dtype():
    padded = pad_sequences([[0.5], [1.5, 2.5]], dtype="float32", value=np.nan)
    assert padded.dtype == np.float32
    np.testing.assert_array_equal(padded, np.array([[np.nan, 0.5], [1.5, 2.5]], np.float32))
    assert pad_sequences([[True]], maxlen=2, dtype=bool).tolist() == [[False, True]]


def test_strings():
    words = [["one"], ["two", "three"]]
    expected = [["pad", "one"], ["two", "three"]]
    assert pad_sequences(words, dtype=object, value="pad").tolist() == expected
    assert pad_sequences(words, dtype="object", value="pad").tolist() == expected
    assert pad_sequences(words, dtype="<U5", value="pad").tolist() == expected


def test_items_with_a_shape():
    padded = pad_sequences([[[1, 2]], [], [[3, 4], [5, 6]]])
    assert padded.tolist() == [[[0, 0], [1, 2]], [[0, 0], [0, 0]], [[3, 4], [5, 6]]]
    assert pad_sequences([np.ones((2, 3, 4)), np.ones((1, 3, 4))]).shape == (2, 2, 3, 4)


def test_kinds_of_sequences():
    expected = [[0, 1], [2, 3]]
    assert pad_sequences(([1], (2, 3))).tolist() == expected
    assert pad_sequences([np.array([1]), np.array([2, 3])]).tolist() == expected
    assert pad_sequences(np.array([[1, 2, 3], [4, 5, 6]])[:, ::-1], maxlen=2).tolist() == [[2, 1], [5, 4]]
    assert pad_sequences({7: [1], 3: [2, 3]}.values()).tolist() == expected


def test_empty():
    assert pad_sequences([[], []]).shape == (2, 0)
    assert pad_sequences([[], []], maxlen=2, value=3).tolist() == [[3, 3], [3, 3]]
    assert pad_sequences([], maxlen=2).shape == (0, 2)


def test_the_input_is_not_changed():
    sequences = [[1], [2, 3]]
    pad_sequences(sequences, maxlen=1)
    assert sequences == [[1], [2, 3]]


@pytest.mark.parametrize(
    "sequences, arguments, message",
    [
        (RAGGED, {"padding": "left"}, "padding must be 'pre' or 'post', got 'left'"),
        (RAGGED, {"truncating": "end"}, "truncating must be 'pre' or 'post', got 'end'"),
        (RAGGED, {"maxlen": -1}, "maxlen must be 0 or more, got -1"),
        ([], {}, "sequences is empty, so there is no longest one; give maxlen"),
        (3, {}, "must be a list of sequences, got int"),
        (iter(RAGGED), {}, "make a list of a generator first"),
        ([1, 2, 3], {}, "item 0 is 1; put a single sequence in a list"),
        (np.arange(3), {}, "put a single sequence in a list"),
        (RAGGED, {"value": "pad"}, "value 'pad' is a string, which dtype int32 cannot hold; use dtype=object"),
        ([["word"]], {}, "sequence 0 does not fit dtype int32: invalid literal"),
        ([[1], [2**40]], {}, "sequence 1 does not fit dtype int32"),
        ([[1], [None]], {}, "sequence 1 does not fit dtype int32"),
        ([[1], [[2, 3]]], {}, r"one shape: \(\) in sequence 0, but \(2,\) in sequence 1"),
        ([[[1], [2, 3]]], {}, "sequence 0 does not fit an array"),
    ],
)
def test_errors(sequences, arguments, message):
    with pytest.raises(ValueError, match=message):
        pad_sequences(sequences, **arguments)


@given(ragged, st.none() | st.integers(1, 8), sides, sides, st.integers(-5, 5))
def test_same_as_keras(sequences, maxlen, padding, truncating, value):
    arguments = {"maxlen": maxlen, "padding": padding, "truncating": truncating, "value": value}
    ours, theirs = pad_sequences(sequences, **arguments), keras.utils.pad_sequences(sequences, **arguments)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


@given(ragged, sides)
def test_padding_loses_nothing(sequences, padding):
    padded = pad_sequences(sequences, padding=padding, value=1000)
    assert [[item for item in row if item != 1000] for row in padded.tolist()] == sequences
