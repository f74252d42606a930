# SPDX-License-Identifier: Apache-2.0
"""The states of stateful layers, as an attribute."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.layers import LSTM, Bidirectional
from tests.conftest import assert_close

CELLS = ["SimpleRNN", "LSTM", "GRU"]
N, T, D, H = 3, 4, 5, 2


@pytest.mark.parametrize("wrapped", [False, True], ids=["", "Bidirectional"])
@pytest.mark.parametrize("cell", CELLS)
def test_are_keras(cell, wrapped, rng):
    x = rng.standard_normal((N, T, D)).astype("float32")
    theirs, ours = (getattr(layers, cell)(H, stateful=True) for layers in (keras.layers, fastrnn.layers))
    if wrapped:
        theirs, ours = keras.layers.Bidirectional(theirs), Bidirectional(ours)
    assert theirs.states is None and ours.states is None
    theirs.build((N, T, D))
    ours.build((N, T, D))
    ours.set_weights(theirs.get_weights())
    changes = [lambda layer: None, lambda layer: layer(x), lambda layer: layer(x), lambda layer: layer.reset_state()]
    for step, change in enumerate(changes):
        change(theirs)
        change(ours)
        assert type(ours.states) is type(theirs.states)
        assert len(ours.states) == len(theirs.states)
        for got, wanted in zip(ours.states, theirs.states, strict=True):
            assert type(got) is np.ndarray and got.dtype == "float32"
            assert_close(got, keras.ops.convert_to_numpy(wanted), 1e-5, f"after {step} changes")


@pytest.mark.parametrize("make", [LSTM, lambda units: Bidirectional(LSTM(units))], ids=["LSTM", "Bidirectional"])
def test_none_where_nothing_is_kept(make, rng):
    layer = make(H)
    assert layer.states is None
    layer(rng.standard_normal((N, T, D)))
    assert layer.states is None


def test_of_a_batch_known_at_the_first_call(rng):
    layer = LSTM(H, stateful=True)
    layer.build((None, None, D))
    assert layer.states is None
    layer(rng.standard_normal((N, T, D)))
    assert [state.shape for state in layer.states] == [(N, H)] * 2


@pytest.mark.parametrize("return_state", [False, True])
def test_writing_to_them_reaches_no_layer(return_state, rng):
    x = rng.standard_normal((N, T, D))
    layer = LSTM(H, stateful=True, return_state=return_state)
    layer(x)
    kept = layer.states
    for state in layer.states:
        state[...] = 7
    for state, before in zip(layer.states, kept, strict=True):
        np.testing.assert_array_equal(state, before)
