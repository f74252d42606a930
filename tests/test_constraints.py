# SPDX-License-Identifier: Apache-2.0
"""Projections against Keras and by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fastrnn import constraints

CASES = [
    ("MaxNorm", {"max_value": 1.5}),
    ("MaxNorm", {"max_value": 1.5, "axis": 1}),
    ("MaxNorm", {"max_value": 1.5, "axis": [0, 1]}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": 1}),
    ("MinMaxNorm", {"min_value": 1.0, "max_value": 2.0}),
    ("MinMaxNorm", {"min_value": 1.0, "max_value": 2.0, "rate": 0.3, "axis": 1}),
]

matrices = hnp.arrays(np.float32, (3, 4), elements=st.floats(-100, 100, width=32))


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_is_keras(name, arguments, rng):
    w = rng.standard_normal((5, 7)).astype(np.float32)
    before = w.copy()
    w.setflags(write=False)
    got = getattr(constraints, name)(**arguments)(w)
    expected = np.asarray(getattr(keras.constraints, name)(**arguments)(w))
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)
    assert got.dtype == np.float32 and got is not w
    np.testing.assert_array_equal(w, before)


@given(matrices, st.floats(0.1, 10))
def test_norms_are_at_most_the_maximum(w, largest):
    norms = np.linalg.norm(constraints.MaxNorm(largest)(w), axis=0)
    assert (norms <= largest * (1 + 1e-5)).all()


@given(matrices)
def test_what_is_allowed_stays(w):
    np.testing.assert_allclose(constraints.MaxNorm(1e6)(w), w, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(constraints.NonNeg()(np.abs(w)), np.abs(w))


def test_by_hand():
    w = np.array([[3.0, 0.0], [4.0, 0.0]])
    np.testing.assert_allclose(constraints.UnitNorm()(w), [[0.6, 0], [0.8, 0]], rtol=1e-6)
    np.testing.assert_allclose(constraints.MaxNorm(2.5)(w), [[1.5, 0], [2, 0]], rtol=1e-6)
    np.testing.assert_allclose(constraints.MinMaxNorm(6.0, 7.0, rate=0.5)(w), [[3.3, 0], [4.4, 0]], rtol=1e-6)
    np.testing.assert_array_equal(constraints.NonNeg()(-w), 0 * w)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_configurations_go_to_keras_and_back(name, arguments):
    ours = getattr(constraints, name)(**arguments)
    theirs = keras.constraints.deserialize(constraints.serialize(ours))
    assert theirs.get_config() == ours.get_config()
    assert constraints.get(keras.constraints.serialize(theirs)).get_config() == ours.get_config()


def test_get():
    assert constraints.get(None) is None
    assert constraints.get("non_neg").get_config() == {}
    assert constraints.get("MaxNorm").get_config() == keras.constraints.MaxNorm().get_config()
    assert constraints.max_norm is constraints.MaxNorm and constraints.unit_norm is constraints.UnitNorm
    assert constraints.get(np.abs) is np.abs
    with pytest.raises(ValueError, match="unknown constraint 'max'"):
        constraints.get("max")
