# SPDX-License-Identifier: Apache-2.0
"""Stepper: what a model gives for a sequence, from its pieces."""

from __future__ import annotations

import numpy as np
import pytest

import fastrnn
from fastrnn.generation.stepping import Stepper
from fastrnn.layers import GRU, LSTM, RNN, Dense, Embedding, GRUCell, LSTMCell, MinGRU, SimpleRNN

TOKENS = np.array([[0, 3, 1, 0, 0, 2, 5, 0, 4], [2, 0, 0, 1, 3, 3, 0, 0, 0]])


def made(layers, mask_zero, dtype="float32"):
    model = fastrnn.Sequential([Embedding(6, 4, mask_zero=mask_zero, dtype=dtype), *layers,
                                Dense(6, activation="softmax", dtype=dtype)])
    model.build((None, None))
    rng = np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(rng.normal(0, 0.7, variable.shape))
    return model


@pytest.mark.parametrize("mask_zero", [False, True])
@pytest.mark.parametrize("sizes", [(1,) * 9, (4, 5), (3, 1, 1, 4), (9,)])
@pytest.mark.parametrize("layers", [
    lambda: [LSTM(5, return_sequences=True)], lambda: [GRU(5, return_sequences=True), SimpleRNN(4)],
    lambda: [MinGRU(5, return_sequences=True, zero_output_for_mask=True), GRU(4, return_sequences=True)],
    lambda: [RNN([LSTMCell(5), GRUCell(4)], return_sequences=True)], lambda: [RNN([LSTMCell(5), GRUCell(4)])],
], ids=["lstm", "stack", "zero output", "cells", "last of cells"])
def test_probabilities(layers, sizes, mask_zero):
    model = made(layers(), mask_zero)
    step, end = Stepper(model, [], 0, 2), 0
    for size in sizes:
        found = step(TOKENS[:, end:end + size])
        end += size
        expected = model.predict(TOKENS[:, :end], verbose=0)
        expected = expected[:, -1] if expected.ndim == 3 else expected
        assert np.abs(found - expected).max() < 1e-6


def test_in_float64():
    model = made([LSTM(5, return_sequences=True, dtype="float64")], False, "float64")
    step = Stepper(model, [], 0, 2)
    for t in range(9):
        found = step(TOKENS[:, t:t + 1])
    assert np.abs(found - model.predict(TOKENS, verbose=0)[:, -1]).max() < 1e-14


def test_other_sequences():
    """After `take` the rows are those of the sequences that were taken."""
    model = made([LSTM(5, return_sequences=True), GRU(4, return_sequences=True)], True)
    step = Stepper(model, [], 0, 2)
    step(TOKENS[:, :4])
    step.take(np.array([1, 1, 0]))
    found = step(TOKENS[[0, 1, 1], 4:])
    expected = model.predict(np.hstack([TOKENS[[1, 1, 0], :4], TOKENS[[0, 1, 1], 4:]]), verbose=0)[:, -1]
    assert np.abs(found - expected).max() < 1e-6


def test_a_model_with_a_call_of_its_own():
    class Own(fastrnn.Model):
        def __init__(self):
            super().__init__()
            self.dense = Dense(3)

        def call(self, x):
            return self.dense(x)

    with pytest.raises(TypeError, match=r"a Sequential or a Model\(inputs, outputs\), got Own '.*', whose call"):
        Stepper(Own(), [], 0, 1)
