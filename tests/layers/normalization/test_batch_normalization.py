# SPDX-License-Identifier: Apache-2.0
"""BatchNormalization by hand, against Keras and PyTorch; its moving averages; in models."""

from __future__ import annotations

import threading

import keras
import numpy as np
import pytest
import torch

import fastrnn
from fastrnn.layers import GRU, LSTM, BatchNormalization, Dense, Embedding, Layer, TimeDistributed
from fastrnn.utils import set_random_seed


def built(shape, rng, **options):
    layer = BatchNormalization(**options)
    layer.build(shape)
    layer.set_weights([rng.uniform(0.5, 1.5, v.shape) for v in layer.weights])
    return layer


def test_by_hand():
    layer = BatchNormalization(momentum=0.75, epsilon=3)
    y = layer([[0.0], [2.0]], training=True)        # mean 1, variance 1, divided by sqrt(1 + 3)
    np.testing.assert_array_equal(y, [[-0.5], [0.5]])
    np.testing.assert_array_equal(layer.moving_mean.data, [0.25])
    np.testing.assert_array_equal(layer.moving_variance.data, [1])
    np.testing.assert_array_equal(layer.backward([[1.0], [0.0]]), [[0.5 * (1 - 0.5 - 0.5 * 0.25)], [0.5 * -0.375]])
    np.testing.assert_array_equal(layer.gamma.grad, [-0.5])
    np.testing.assert_array_equal(layer.beta.grad, [1])
    np.testing.assert_array_equal(layer([[2.25]]), [[1]])


SHAPES = [((6, 5), -1, None), ((3, 4, 5), -1, None), ((3, 4, 5), 1, None), ((3, 4, 2, 5), 3, None),
          ((3, 4, 5), -1, "steps"), ((3, 4, 5), 1, "steps"), ((3, 4, 5), -1, "none of them")]


@pytest.mark.parametrize("options", [{}, {"scale": False, "momentum": 0.5}, {"center": False, "epsilon": 0.1},
                                     {"trainable": False}])
@pytest.mark.parametrize("shape, axis, masked", SHAPES)
def test_calls_are_keras(shape, axis, masked, options, rng):
    """In training twice, with the moving averages after it, then in inference."""
    layer = built(shape, rng, axis=axis, **options)
    theirs = keras.layers.BatchNormalization(axis=axis, **options)
    theirs.build(shape)
    theirs.set_weights(layer.get_weights())
    mask = {"steps": rng.random(shape[:2]) < 0.6, "none of them": np.zeros(shape[:2], bool)}.get(masked)
    for training in True, True, False:
        x = rng.standard_normal(shape).astype("float32") * 3 + 1
        wanted = np.asarray(theirs(x, training=training, mask=mask))
        np.testing.assert_allclose(layer(x, training=training, mask=mask), wanted, rtol=1e-4, atol=5e-6)
        for own, other in zip(layer.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-6)
    assert [v.name for v in layer.weights] == [v.name for v in theirs.weights]
    assert [v.name for v in layer.trainable_weights] == [v.name for v in theirs.trainable_weights]


def test_gradients_are_pytorchs(rng):
    x, dy = rng.standard_normal((6, 9, 5)).astype("float32"), rng.standard_normal((6, 9, 5)).astype("float32")
    layer, theirs = built((None, 9, 5), rng, epsilon=1e-5, momentum=0.9), torch.nn.BatchNorm1d(5)
    names = ("weight", "bias", "running_mean", "running_var")
    theirs.load_state_dict({**{name: torch.tensor(v.data.copy()) for name, v in zip(names, layer.weights)},
                            "num_batches_tracked": torch.tensor(0)})
    given = torch.tensor(x, requires_grad=True)
    result = theirs(given.transpose(1, 2)).transpose(1, 2)
    result.backward(torch.tensor(dy))
    np.testing.assert_allclose(layer(x, training=True), result.detach().numpy(), rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(layer.backward(dy), given.grad.numpy(), rtol=1e-4, atol=5e-6)
    np.testing.assert_allclose(layer.gamma.grad, theirs.weight.grad.numpy(), rtol=1e-4, atol=5e-6)
    np.testing.assert_allclose(layer.moving_mean.data, theirs.running_mean.numpy(), rtol=1e-5, atol=1e-6)
    layer.default_call.spared = frozenset([0])
    assert layer.backward(dy) is None


def both(layers_of, rng, x, y, epochs=3, **fit):
    """Histories of one model in both libraries, from the same weights, and the models."""
    models = [layers_of(fastrnn), layers_of(keras)]
    models[1].set_weights(models[0].get_weights())
    histories = []
    for model, library in zip(models, (fastrnn, keras)):
        model.compile(library.optimizers.Adam(0.01), "mse", metrics=["mae"])
        histories.append(model.fit(x, y, batch_size=8, epochs=epochs, shuffle=False, verbose=0, **fit).history)
    return histories, models


def stack(library):
    layers = library.layers
    return library.Sequential([
        library.Input((6, 3)), layers.BatchNormalization(), layers.LSTM(5, return_sequences=True),
        layers.BatchNormalization(momentum=0.8), layers.GRU(4), layers.BatchNormalization(trainable=False),
        layers.Dense(4, use_bias=False), layers.BatchNormalization(scale=False), layers.Activation("relu"),
        layers.Dense(1)])


def words(library):
    """A mask reaches the normalization."""
    layers, x = library.layers, library.Input((6,), dtype="int32")
    y = layers.BatchNormalization()(layers.Embedding(9, 4, mask_zero=True)(x))
    return library.Model(x, layers.Dense(1)(layers.LSTM(5)(y)))


def shared(library):
    """One normalization over two inputs: its averages move twice a step."""
    layers, x = library.layers, library.Input((6, 3))
    norm = layers.BatchNormalization(momentum=0.7)
    return library.Model(x, layers.Dense(1)(layers.LSTM(5)(norm(layers.Dense(3, use_bias=False)(norm(x))))))


def stepwise(library):
    """In a wrapper each step is a batch, whose average moves by itself; a mask says whose steps count."""
    layers, x = library.layers, library.Input((6,), dtype="int32")
    y = layers.Embedding(9, 4, mask_zero=True)(x)
    y = layers.TimeDistributed(layers.BatchNormalization(momentum=0.9, center=False))(y)
    inside = library.Sequential([library.Input((4,)), layers.Dense(3, use_bias=False), layers.BatchNormalization()])
    return library.Model(x, layers.Dense(1)(layers.LSTM(5)(layers.TimeDistributed(inside)(y))))


@pytest.mark.parametrize("make", [stack, words, shared, stepwise])
def test_training_is_keras(make, rng):
    set_random_seed(0)
    x = rng.standard_normal((28, 6, 3)).astype("float32") * 2 + 0.5
    if make in (words, stepwise):
        x = rng.integers(0, 9, (28, 6)).astype("int32")
    y = rng.standard_normal((28, 1)).astype("float32")
    histories, models = both(make, rng, x, y, validation_data=(x[:8], y[:8]))
    assert histories[0].keys() == histories[1].keys()
    for key, values in histories[0].items():
        np.testing.assert_allclose(values, histories[1][key], rtol=2e-4, err_msg=key)
    for ours, theirs in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-4)
    np.testing.assert_allclose(models[0].predict(x, verbose=0), models[1].predict(x, verbose=0), rtol=1e-3, atol=2e-4)


def test_a_frozen_model_does_not_move(rng):
    """As in transfer learning: setting `trainable` of a model sets that of its layers."""
    base = fastrnn.Sequential([fastrnn.Input((4, 3)), BatchNormalization(), GRU(3)])
    base.trainable = False
    model = fastrnn.Sequential([fastrnn.Input((4, 3)), base, Dense(1)])
    before = base.get_weights()
    x = rng.standard_normal((8, 4, 3)) + 5
    model.compile("sgd", "mse")
    model.fit(x, np.ones((8, 1)), epochs=2, verbose=0)
    for one, two in zip(base.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, two)
    assert len(model.trainable_weights) == 2 and len(model.non_trainable_weights) == len(before)


def test_prediction_and_evaluation_do_not_move(rng):
    model = fastrnn.Sequential([fastrnn.Input((4, 3)), BatchNormalization(), GRU(3), Dense(1)])
    model.compile("sgd", "mse")
    x, before = rng.standard_normal((8, 4, 3)) + 5, model.get_weights()
    model.predict(x, verbose=0)
    model.evaluate(x, np.ones((8, 1)), verbose=0)
    for one, two in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, two)


class Breaks(Layer):
    """Fails where an input is negative."""

    def forward(self, x, *, call):
        if x.min() < 0:
            raise ArithmeticError("negative")
        call.kept = x.shape
        return x

    def backward(self, dy, *, call=None):
        return dy


def test_a_step_that_fails_moves_nothing():
    model = fastrnn.Sequential([fastrnn.Input((2,)), BatchNormalization(), Breaks(), Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises(ArithmeticError):
        model.train_on_batch(np.array([[1.0, 2.0], [3.0, 9.0]]), np.ones((2, 1)))
    for one, two in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, two)


def test_an_empty_batch_moves_nothing(rng):
    layer = built((None, 3), rng)
    before = layer.get_weights()
    assert layer(np.ones((0, 3)), training=True).shape == (0, 3)
    assert layer.backward(np.ones((0, 3))).shape == (0, 3)
    for one, two in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, two)


def test_threads_predict_while_one_trains(rng):
    """Each prediction is by some mean and variance that the layer had, and not by part of one."""
    layer = built((None, 64), rng, center=False, scale=False, momentum=0, epsilon=0)
    ones, done, wrong = np.ones((2, 64), "float32"), threading.Event(), []

    def predict():
        while not done.is_set():
            y = layer(ones)
            if np.ptp(y[0]) > 1e-3 * np.abs(y[0]).max():
                wrong.append(y)

    layer(np.stack([np.zeros(64), np.full(64, 4.0)]), training=True)
    threads = [threading.Thread(target=predict) for _ in range(3)]
    for thread in threads:
        thread.start()
    for step in range(300):
        layer(np.stack([np.zeros(64), np.full(64, 4.0 + step % 3)]), training=True)
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong


def test_in_a_wrapper_with_a_mask(rng):
    model = fastrnn.Sequential([fastrnn.Input((7,)), Embedding(9, 4, mask_zero=True), BatchNormalization(),
                                TimeDistributed(Dense(3)), LSTM(2)])
    model.compile("sgd", "mse")
    x = rng.integers(0, 9, (12, 7))
    assert np.isfinite(model.train_on_batch(x, np.ones((12, 2))))


def test_configurations():
    theirs = keras.layers.BatchNormalization(axis=1, momentum=0.5, epsilon=0.5, center=False, name="n",
                                             gamma_regularizer="l2", moving_mean_initializer="ones")
    layer = BatchNormalization.from_config(theirs.get_config())
    assert (layer.axis, layer.momentum, layer.epsilon, layer.center, layer.scale) == (1, 0.5, 0.5, False, True)
    config = layer.get_config()
    assert BatchNormalization.from_config(config).get_config() == config
    again = keras.layers.BatchNormalization.from_config(config).get_config()
    for key in set(again) - {"dtype"}:
        assert again[key] == theirs.get_config()[key]
    assert BatchNormalization.from_config({**config, "axis": [1]}).axis == 1       # as Keras 2 writes it


@pytest.mark.parametrize("options, problem", [
    ({"axis": "last"}, "axis: expected a whole number"), ({"axis": [1, 2]}, "axis: expected a whole number"),
    ({"axis": True}, "axis: expected a whole number"), ({"epsilon": -1}, "epsilon: expected a number of 0 or more"),
    ({"momentum": 2}, "momentum: expected a number from 0 to 1"), ({"momentum": None}, "momentum: expected a number"),
    ({"renorm": True}, "renorm: batch renormalization is not supported"),
    ({"axis": 3}, "axis: expected an axis of the input, which has 3, got 3"), ({"axis": -4}, "axis: expected an axis"),
])
def test_errors(options, problem):
    with pytest.raises(ValueError, match=f"BatchNormalization 'n' {problem}"):
        BatchNormalization(name="n", **options).build((None, 4, 3))


def test_inputs_that_do_not_fit(rng):
    layer = BatchNormalization(name="n")
    with pytest.raises(ValueError, match="'n': expected an input with a known size of axis -1"):
        layer.build((None, None))
    layer = built((None, 3), rng, name="n")
    before = layer.get_weights()
    for training in False, True:
        with pytest.raises(ValueError, match=r"'n': expected input with 3 features in axis -1, got \(2, 4\)"):
            layer(np.ones((2, 4)), training=training)
        with pytest.raises(ValueError, match=r"'n' axis: expected an axis of the input, which has 1"):
            layer(np.ones(3), training=training)
        with pytest.raises(ValueError, match=r"'n' mask: expected"):
            layer(np.ones((2, 3)), training=training, mask=np.ones((2, 3), bool))
    for one, two in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, two)
