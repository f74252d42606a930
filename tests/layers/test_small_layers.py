# SPDX-License-Identifier: Apache-2.0
"""Dropout, Activation, Input and TimeDistributed."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn import utils
from fastrnn.layers import LSTM, Activation, Dense, Dropout, Embedding, Input, InputLayer, TimeDistributed

# -- Dropout


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean(rate):
    utils.set_random_seed(0)
    x = np.ones((200, 300), "float32")
    y = Dropout(rate)(x, training=True)
    assert set(np.unique(y)) == {0, np.float32(1 / (1 - rate))}
    assert (y == 0).mean() == pytest.approx(rate, abs=0.01)
    assert y.mean() == pytest.approx(1, abs=0.05)


def test_dropout_acts_in_training_alone(rng):
    x = rng.standard_normal((3, 4)).astype("float32")
    np.testing.assert_array_equal(Dropout(0.9)(x), x)


def test_dropout_drops_the_same_of_the_gradient(rng):
    layer, x = Dropout(0.4), rng.random((20, 30)).astype("float32") + 1
    y = layer(x, training=True)
    dy = rng.standard_normal(x.shape).astype("float32")
    np.testing.assert_allclose(layer.backward(dy), dy * y / x, rtol=1e-6)
    layer.default_call.spared = frozenset([0])
    assert layer.backward(dy) is None
    with pytest.raises(RuntimeError, match="backward needs a call with training=True"):
        Dropout(0.4).backward(dy)


def test_dropout_of_nothing_and_of_all(rng):
    x = rng.standard_normal((3, 4)).astype("float32")
    none, everything = Dropout(0), Dropout(1)
    np.testing.assert_array_equal(none(x, training=True), x)
    np.testing.assert_array_equal(none.backward(x), x)
    assert not everything(x, training=True).any() and not everything.backward(x).any()


def test_dropout_masks_repeat_with_the_seed(rng):
    x = np.ones((10, 20), "float32")
    a, b = Dropout(0.5, seed=3), Dropout(0.5, seed=3)
    first, second = a(x, training=True), a(x, training=True)
    np.testing.assert_array_equal(b(x, training=True), first)
    assert (first != second).any()
    utils.set_random_seed(5)
    one = Dropout(0.5)(x, training=True)
    utils.set_random_seed(5)
    np.testing.assert_array_equal(Dropout(0.5)(x, training=True), one)


def test_dropout_shares_its_mask_by_noise_shape():
    y = Dropout(0.5, noise_shape=(None, 1, 8), seed=0)(np.ones((5, 7, 8)), training=True)
    assert (y == y[:, :1]).all() and 0 < (y[:, 0] == 0).sum() < 40
    with pytest.raises(ValueError, match=r"Dropout 'd' noise_shape: expected 2 dimensions as the input \(3, 4\)"):
        Dropout(0.5, noise_shape=(None, 1, 8), name="d")(np.ones((3, 4)), training=True)


def test_dropout_arguments():
    for rate in -0.1, 1.1, np.nan:
        with pytest.raises(ValueError, match="rate: expected a fraction from 0 to 1"):
            Dropout(rate)
    config = Dropout(0.25, noise_shape=(None, 1), seed=3, name="d").get_config()
    assert Dropout.from_config(config).get_config() == config
    assert Dropout.from_config(keras.layers.Dropout(0.25, seed=3, name="d").get_config()).rate == 0.25


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_in_a_model_is_the_same_for_any_number_of_threads(dtype, rng):
    x, y = rng.standard_normal((16, 9, 5)), rng.standard_normal((16, 1))
    found = []
    for threads in 1, 2, 3, 5:
        fastrnn.set_num_threads(threads)
        utils.set_random_seed(1)
        model = fastrnn.Sequential([Dropout(0.3, dtype=dtype), LSTM(9, dtype=dtype), Dropout(0.5, dtype=dtype),
                                    Dense(1, dtype=dtype)])  # fmt: skip
        model.compile("adam", "mse")
        model.fit(x, y, epochs=2, batch_size=8, verbose=0)
        found.append(model.get_weights())
    for other in found[1:]:
        for a, b in zip(other, found[0], strict=True):
            np.testing.assert_array_equal(a, b)


# -- Activation


@pytest.mark.parametrize("name", ["linear", "relu", "sigmoid", "tanh", "softmax", "gelu", "silu"])
def test_activation(name, rng):
    layer, x = Activation(name), rng.standard_normal((4, 3, 5)).astype("float32")
    np.testing.assert_allclose(layer(x), np.asarray(keras.layers.Activation(name)(x)), rtol=2e-6, atol=2e-6)
    y = layer(x, training=True)
    dy = rng.standard_normal(x.shape).astype("float32")
    np.testing.assert_array_equal(layer.backward(dy), fastrnn.activations.get(name).backward(y, dy, x))
    layer.default_call.logits = True
    np.testing.assert_array_equal(layer.backward(dy), dy)
    layer.default_call.spared = frozenset([0])
    assert layer.backward(dy) is None
    assert layer.compute_output_shape((None, 3, 5)) == (None, 3, 5)


def test_activation_arguments():
    config = Activation("relu", name="a").get_config()
    assert config["activation"] == "relu" and Activation.from_config(config).get_config() == config
    assert Activation.from_config(keras.layers.Activation("tanh", name="a").get_config()).activation.name == "tanh"
    with pytest.raises(ValueError, match="unknown activation 'rleu'"):
        Activation("rleu")
    with pytest.raises(RuntimeError, match="backward needs a call with training=True"):
        Activation("relu").backward(np.ones((1, 1)))


# -- Input


def test_input():
    assert Input((None, 52)).batch_shape == (None, None, 52)
    assert Input(7).batch_shape == (None, 7)
    assert Input((3,), batch_size=4).batch_shape == (4, 3) == Input(batch_shape=(4, 3)).batch_shape
    with pytest.raises(ValueError, match=r"Input: expected shape, e.g. Input\(shape=\(None, 52\)\)"):
        Input()
    with pytest.raises(ValueError, match="Input: sparse input is not supported"):
        Input((3,), sparse=True)
    layer = InputLayer((None, 3), dtype="int32", name="words")
    assert InputLayer.from_config(layer.get_config()).get_config() == layer.get_config()
    theirs = keras.layers.InputLayer((None, 3), name="words").get_config()
    assert InputLayer.from_config(theirs).batch_shape == (None, None, 3)
    x = np.ones((2, 3), "float32")
    assert layer.forward(x, call=layer.default_call) is x and layer.weights == []
    np.testing.assert_array_equal(layer.backward(2 * x), 2 * x)


# -- TimeDistributed


def test_every_step_alike(rng):
    inner = Dense(4, activation="softmax")
    layer = TimeDistributed(inner)
    x = rng.standard_normal((3, 5, 7)).astype("float32")
    y = layer(x, training=True)
    assert y.shape == layer.compute_output_shape(x.shape) == (3, 5, 4)
    for t in range(5):
        np.testing.assert_array_equal(y[:, t], inner(x[:, t]))
    dy = rng.standard_normal(y.shape).astype("float32")
    dx = layer.backward(dy)
    gradients = [v.grad.copy() for v in layer.trainable_weights]
    inner(x.reshape(15, 7), training=True)
    np.testing.assert_array_equal(dx.reshape(15, 7), inner.backward(dy.reshape(15, 4)))
    for a, b in zip(gradients, inner.trainable_weights, strict=True):
        np.testing.assert_array_equal(a, b.grad)
    layer(x, training=True)
    expected = fastrnn.activations.get("softmax").backward(y, dy)
    layer.default_call.logits = True
    np.testing.assert_allclose(layer.backward(expected), dx, rtol=1e-5, atol=1e-6)
    layer.default_call.spared = frozenset([0])
    assert layer.backward(dy) is None
    assert layer.output_activation == "softmax" and layer.count_params() == 32


def test_a_recurrent_layer_at_every_step(rng):
    """Sequences of sequences: the outer steps are samples to the layer inside."""
    layer = TimeDistributed(LSTM(4))
    x = rng.standard_normal((2, 3, 5, 6)).astype("float32")
    y = layer(x, training=True)
    assert y.shape == (2, 3, 4)
    theirs = keras.layers.TimeDistributed(keras.layers.LSTM(4))
    theirs.build(x.shape)
    theirs.set_weights(layer.get_weights())
    np.testing.assert_allclose(y, np.asarray(theirs(x)), rtol=1e-5, atol=1e-6)
    assert layer.backward(np.ones_like(y)).shape == x.shape


def test_indices_stay_indices(rng):
    layer = TimeDistributed(Embedding(9, 2))
    x = rng.integers(0, 9, (2, 3, 4))
    y = layer(x, training=True)
    assert layer.input_kind == "index" and y.shape == (2, 3, 4, 2)
    assert layer.backward(np.ones_like(y)) is None
    assert layer.weights[0].row_gradient.sum() == 48
    with pytest.raises(ValueError, match="expected indices from 0 to 8"):
        layer(x + 1)


def test_time_distributed_arguments(rng):
    layer = TimeDistributed(Dense(4, name="inner"), name="outer")
    config = layer.get_config()
    assert TimeDistributed.from_config(config).get_config() == config
    theirs = keras.layers.TimeDistributed(keras.layers.Dense(4, name="inner"), name="outer").get_config()
    theirs["layer"]["config"].pop("quantization_config", None)
    assert TimeDistributed.from_config(theirs).layer.units == 4
    with pytest.raises(ValueError, match=r"TimeDistributed 'outer': expected input \(batch, time, \.\.\.\)"):
        layer(np.ones((3, 4)))
    with pytest.raises(ValueError, match="TimeDistributed layer: expected a layer, got 3"):
        TimeDistributed(3)
    assert TimeDistributed(LSTM(3)).output_activation is None
    assert TimeDistributed(Dense(3, dtype="float64"))(np.ones((1, 2, 3))).dtype == np.float64


def test_time_distributed_over_several_outputs():
    layer = TimeDistributed(LSTM(2, return_state=True, name="inner"), name="outer")
    with pytest.raises(ValueError, match="TimeDistributed 'outer': LSTM 'inner' has several outputs; expected one"):
        layer(np.ones((2, 4, 5, 3), "float32"))
