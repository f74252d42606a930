# SPDX-License-Identifier: Apache-2.0
"""Copies of layers and models that were used already: equal to the bit, and apart from the original."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import fastrnn
from fastrnn import layers

N, T, D = 3, 4, 5
COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda layer: pickle.loads(pickle.dumps(layer))}
LAYERS = {
    "SimpleRNN": lambda: layers.SimpleRNN(7, dropout=0.5, seed=1),
    "LSTM": lambda: layers.LSTM(7, recurrent_dropout=0.5, seed=1),
    "GRU": lambda: layers.GRU(7, return_sequences=True),
    "MinGRU": lambda: layers.MinGRU(7, return_sequences=True),
    "peepholes": lambda: layers.LSTM(7, use_peepholes=True),
    "stateful": lambda: layers.LSTM(7, stateful=True),
    "float64": lambda: layers.GRU(7, dtype="float64", reset_after=False),
    "Bidirectional": lambda: layers.Bidirectional(layers.LSTM(7), merge_mode="mul"),
    "Dense": lambda: layers.Dense(7, "softmax"),
    "Dropout": lambda: layers.Dropout(0.5, seed=1),
    "BatchNormalization": lambda: layers.BatchNormalization(),
    "LayerNormalization": lambda: layers.LayerNormalization(),
    "Activation": lambda: layers.Activation("relu"),
    "TimeDistributed": lambda: layers.TimeDistributed(layers.Dense(7)),
}


def words(rng):
    return rng.integers(0, 11, (N, T))


def model() -> fastrnn.Sequential:
    stack = [layers.Embedding(11, D), layers.LSTM(7, dropout=0.2, seed=3), layers.Dense(2, "softmax")]
    model = fastrnn.Sequential(stack)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_layers(make, copied, rng):
    layer, x = make(), rng.standard_normal((N, T, D)).astype("float32")
    dy = np.ones_like(layer(x, training=True))
    layer.backward(dy)
    layer(x)
    others = [copied(layer) for _ in range(8)]      # at addresses of all kinds
    expected = [layer(x), layer(x), layer(x, training=True), layer.backward(dy)]
    for other in others:
        results = [other(x), other(x), other(x, training=True), other.backward(dy)]
        for got, wanted in zip(results, expected, strict=True):
            np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_is_apart(copied, rng):
    layer, x = layers.LSTM(7), rng.standard_normal((N, T, D))
    before = layer(x)
    other = copied(layer)
    other.set_weights([w * 2 for w in other.get_weights()])
    assert not np.array_equal(other(x), before)
    np.testing.assert_array_equal(layer(x), before)


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_training_goes_on_in_both(copied, rng):
    one, x, y = model(), words(rng), rng.integers(0, 2, N)
    for _ in range(3):
        one.train_on_batch(x, y)
    two = copied(one)
    for _ in range(3):
        assert one.train_on_batch(x, y) == two.train_on_batch(x, y)
    np.testing.assert_array_equal(one.predict(x, verbose=0), two.predict(x, verbose=0))
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_backward_needs_a_call_of_the_copy(rng):
    layer, x = layers.LSTM(7), rng.standard_normal((N, T, D))
    y = layer(x, training=True)
    with pytest.raises(RuntimeError, match="training=True"):
        copy.deepcopy(layer).backward(np.ones_like(y))
    layer.backward(np.ones_like(y))


def test_a_copied_model_takes_layers(rng):
    one = model()
    one(words(rng))
    two = copy.deepcopy(one)
    with pytest.raises(ValueError, match="already"):
        two.add(two.layers[-1])
    two.pop()
    two.add(layers.Dense(3, name="three"))
    assert two(words(rng)).shape == (N, 3) and one(words(rng)).shape == (N, 2)
