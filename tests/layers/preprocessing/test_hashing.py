# SPDX-License-Identifier: Apache-2.0
"""Hashing against Keras's."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.layers import Hashing

STRINGS = np.array([["A", "omar"], ["stringA", ""], ["é", "A"]], object)
NUMBERS = np.array([[1, -22], [10**12, 0], [7, 1]])


@pytest.mark.parametrize("x", [STRINGS, NUMBERS, NUMBERS + 0.75, STRINGS[:, :1], STRINGS[:, 0]],
                         ids=["strings", "numbers", "floats", "column", "line"])  # fmt: skip
@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
def test_is_keras(x, mode):
    for options in {}, {"salt": 133}, {"salt": [137, -5]}, {"mask_value": "A" if x.dtype == object else 1}:
        ours, theirs = (library.layers.Hashing(7, output_mode=mode, **options) for library in (fastrnn, keras))
        given = x.astype("float32") if x.dtype == float else x
        expected = np.asarray(theirs(given))
        got = ours(given)
        assert got.shape == expected.shape
        np.testing.assert_array_equal(got, expected, err_msg=str(options))
        again = Hashing.from_config(json.loads(json.dumps(ours.get_config())))
        np.testing.assert_array_equal(again(given), got)
        keras.layers.Hashing.from_config(ours.get_config())


@pytest.mark.parametrize("x", [STRINGS, STRINGS.tolist(), STRINGS.astype("U"), NUMBERS], ids=lambda x: str(type(x)))
def test_within_a_model(x):
    kind = "int64" if x is NUMBERS else "string"
    layer = Hashing(9)
    model = fastrnn.Sequential([fastrnn.Input((2,), dtype=kind), layer, fastrnn.layers.Embedding(9, 2)])
    assert layer.output.dtype == "int64"
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.layers[1](layer(x)))


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Hashing(0), "num_bins: expected a positive whole number"),
    (lambda: Hashing(3, salt=[1, 2, 3]), "salt: expected a whole number, two of them or None"),
    (lambda: Hashing(3, output_mode="tf_idf"), "output_mode: expected 'int'"),
    (lambda: Hashing(3, dtype="float32"), "dtype: expected 'int32' or 'int64'"),
    (lambda: Hashing(3)([None]), "expected"),
])  # fmt: skip
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
