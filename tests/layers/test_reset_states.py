# SPDX-License-Identifier: Apache-2.0
"""`reset_states`: forgets the states of a stateful layer, or sets them, as Keras 2's argument `states` does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fastrnn.layers import GRU, LSTM, Bidirectional
from tests.conftest import CELLS, make_layer, states_of

N, T, D, H = 3, 4, 2, 5


@pytest.fixture
def x(rng) -> np.ndarray:
    return rng.standard_normal((N, T, D)).astype("float32")


@pytest.mark.parametrize("cell", CELLS)
def test_the_next_call_begins_with_them(cell, x, rng):
    layer = make_layer(cell, D, H, rng, stateful=True)
    states = states_of(cell, N, H, rng, "float32")
    expected = layer(x, initial_state=states).copy()
    again = layer(x).copy()         # from where that ended
    assert not np.array_equal(again, expected)
    for given in (states, tuple(states), [s.tolist() for s in states], [torch.from_numpy(s) for s in states],
                  states if cell == "LSTM" else states[0]):
        layer.reset_states(states=given)
        np.testing.assert_array_equal(layer(x), expected)
        np.testing.assert_array_equal(layer(x), again)
    layer.reset_states()
    begun = layer(x).copy()
    layer.reset_state()
    np.testing.assert_array_equal(layer(x), begun)


@pytest.mark.parametrize("cell", CELLS)
def test_they_are_copied(cell, x, rng):
    layer = make_layer(cell, D, H, rng, stateful=True)
    states = states_of(cell, N, H, rng, "float32")
    layer.reset_states(states)
    expected = layer(x).copy()
    layer.reset_states(states)
    for state in states:
        state[...] = 7
    np.testing.assert_array_equal(layer(x), expected)


def test_both_directions(x, rng):
    layer = Bidirectional(LSTM(H, stateful=True))
    layer.build((None, None, D))
    states = [*states_of("LSTM", N, H, rng, "float32"), *states_of("LSTM", N, H, rng, "float32")]
    expected = layer(x, initial_state=states).copy()
    layer(x)
    layer.reset_states(states)
    np.testing.assert_array_equal(layer(x), expected)
    for bad in (states[:3], states[:2], [*states[:3], np.zeros((N, H + 1))], [*states, states[0]]):
        layer.reset_states(states)
        with pytest.raises(ValueError, match="states: expected"):
            layer.reset_states(bad)
        np.testing.assert_array_equal(layer(x), expected)   # the forward layer's are as they were, too
    layer.reset_states()
    assert not np.array_equal(layer(x), expected)


@pytest.mark.parametrize(("bad", "message"), [
    ([np.zeros((N, H))], "expected 2 arrays, got 1"), ([], "expected 2 arrays, got 0"),
    ([np.zeros((N, H)), np.zeros((N + 1, H))], r"expected \(batch, units\) = \(3, 5\), got \(4, 5\)"),
    ([np.zeros((N, H + 1))] * 2, r"expected \(batch, units\) = \(3, 5\), got \(3, 6\)"),
    ([np.zeros(H)] * 2, r"expected \(batch, units\) = \(5, 5\), got \(5,\)"), ([0.0, 0.0], r"got \(\)"),
    ([np.full((N, H), "a")] * 2, "strings"), ([[[1, 2], [3]]] * 2, "ragged"),
])  # fmt: skip
def test_what_does_not_fit_changes_nothing(bad, message, x, rng):
    layer = make_layer("LSTM", D, H, rng, stateful=True, name="encoder")
    states = states_of("LSTM", N, H, rng, "float32")
    expected = layer(x, initial_state=states).copy()
    layer.reset_states(states)
    with pytest.raises(ValueError, match=rf"^LSTM 'encoder' states: .*{message}"):
        layer.reset_states(bad)
    np.testing.assert_array_equal(layer(x), expected)


def test_a_layer_that_keeps_none():
    with pytest.raises(ValueError, match="GRU 'plain': reset_states can set the states of a stateful layer alone; "
                                         "make it with stateful=True, or pass them as initial_state"):
        GRU(2, name="plain").reset_states(np.zeros((1, 2)))
