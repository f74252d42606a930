# SPDX-License-Identifier: Apache-2.0
"""Losses that layers inside a model add."""

from __future__ import annotations

import numpy as np
import pytest

import fastrnn
from fastrnn import layers

N, T, D, H = 6, 5, 3, 4


def both_ways(cell: str, merge_mode: str | None, sequences: bool, **options) -> layers.Bidirectional:
    layer = getattr(layers, cell)(H, return_sequences=sequences, activity_regularizer=fastrnn.regularizers.L2(0.3),
                                  **options)
    return layers.Bidirectional(layer, merge_mode=merge_mode)


def merged(one, two, merge_mode):
    return {"concat": layers.Concatenate(), "sum": layers.Add(), "ave": layers.Average(), "mul": layers.Multiply()}[
        merge_mode]([one, two])


def in_order(y, turned):
    return layers.Lambda(lambda y: y[:, ::-1] if turned else y)(y)


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("merge_mode", ["concat", "sum", "ave", "mul"])
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_penalties_of_both_layers_of_a_bidirectional_count(cell, merge_mode, sequences):
    rng = np.random.default_rng(3)
    x, mask = rng.standard_normal((N, T, D)).astype("float32"), rng.random((N, T)) < 0.7
    x *= mask[:, :, None]
    y = rng.standard_normal((N, T, 2) if sequences else (N, 2)).astype("float32")
    given = fastrnn.Input((T, D))
    both = both_ways(cell, merge_mode, sequences)
    front = layers.Identity() if sequences else layers.Masking()    # a mask of sequences would be turned round too
    whole = fastrnn.Model(given, layers.Dense(2)(both(front(given))))
    again = fastrnn.Input((T, D))
    options = {"return_sequences": sequences, "activity_regularizer": fastrnn.regularizers.L2(0.3)}
    one, two = (getattr(layers, cell)(H, go_backwards=back, **options)(front(again)) for back in (False, True))
    parts = fastrnn.Model(again, layers.Dense(2)(merged(in_order(one, False), in_order(two, sequences), merge_mode)))
    parts.set_weights(whole.get_weights())
    for model in whole, parts:
        model.compile(fastrnn.optimizers.SGD(0.1), "mse")
    assert whole.evaluate(x, y, verbose=0) == pytest.approx(parts.evaluate(x, y, verbose=0), rel=1e-5)
    for _ in range(2):
        assert whole.train_on_batch(x, y) == pytest.approx(parts.train_on_batch(x, y), rel=1e-5)
    for got, expected in zip(whole.get_weights(), parts.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(whole.predict(x, verbose=0), parts.predict(x, verbose=0), rtol=1e-5, atol=1e-6)


def test_penalties_count_with_states_and_two_outputs():
    x, y = np.ones((N, T, D), "float32"), np.zeros((N, T, H), "float32")
    given = fastrnn.Input((T, D))
    both = both_ways("LSTM", None, True, return_state=True)
    one, two, *states = both(given)
    assert len(states) == 4
    model = fastrnn.Model(given, [one, two])
    model.compile("sgd", ["mse", "mse"])
    outputs = [np.asarray(array, "float64") for array in both(x)]
    penalty = 0.3 * sum((array ** 2).sum() for array in outputs) / N
    expected = penalty + sum((array ** 2).mean() for array in outputs[:2])
    assert model.evaluate(x, [y, y], verbose=0)[0] == pytest.approx(expected, rel=1e-5)
    model.compile(fastrnn.optimizers.SGD(0.05), ["mse", "mse"])
    first = [model.train_on_batch(x, [y, y])[0] for _ in range(20)]
    assert first[0] == pytest.approx(expected, rel=1e-5) and first[-1] < 0.8 * first[0]


def test_penalties_count_in_code_of_the_users_own():
    class Own(fastrnn.Model):
        def __init__(self):
            super().__init__()
            self.both, self.top = both_ways("GRU", "sum", True), layers.Dense(2)

        def call(self, x):
            return self.top(self.both(x))

    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((N, T, D)).astype("float32"), np.zeros((N, T, 2), "float32")
    own, given = Own(), fastrnn.Input((T, D))
    own(x)
    whole = fastrnn.Model(given, layers.Dense(2)(both_ways("GRU", "sum", True)(given)))
    whole.set_weights(own.get_weights())
    for model in own, whole:
        model.compile(fastrnn.optimizers.SGD(0.1), "mse")
    for _ in range(3):
        assert own.train_on_batch(x, y) == pytest.approx(whole.train_on_batch(x, y), rel=1e-5)
    for got, expected in zip(own.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
