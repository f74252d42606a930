# SPDX-License-Identifier: Apache-2.0
"""Masking against Keras: outputs, masks, gradients, and models of it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras.src.backend import get_keras_mask

import fastrnn
from fastrnn import layers
from tests.conftest import assert_gradients


def padded(shape: tuple[int, ...], value: float, seed: int = 0) -> np.ndarray:
    """Random numbers; the second sample has steps of the value in the middle and at the end, and single ones."""
    x = np.random.default_rng(seed).standard_normal(shape).astype("float32")
    x[1, 1:2] = x[1, -1:] = value
    x[0, ..., 0] = value
    return x


@pytest.mark.parametrize("value", [0.0, -1.0, 7])
@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 4, 3, 2), (2, 3)], ids=str)
def test_outputs_and_masks(shape, value):
    ours, theirs = layers.Masking(value), keras.layers.Masking(value)
    for x in padded(shape, value), padded(shape, value).round().astype("int32"):
        y, expected = ours(x), theirs(x)
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(ours.compute_mask(x), get_keras_mask(expected))
        assert y.dtype == x.dtype
    assert ours.get_config()["mask_value"] == theirs.get_config()["mask_value"] == value


def test_no_gradient_goes_to_masked_steps():
    layer, x = layers.Masking(2.0), padded((2, 5, 3), 2.0)
    layer(x, training=True)
    np.testing.assert_array_equal(layer.backward(np.ones(x.shape)), np.broadcast_to(layer.compute_mask(x)[..., None],
                                                                                    x.shape))
    assert_gradients(layers.Masking(2.0, dtype="float64"), [np.random.default_rng(0).standard_normal((2, 3, 2))])


def test_a_mask_of_its_own_replaces_another():
    x = padded((2, 5, 3), 0.0)
    layer = layers.Masking()
    np.testing.assert_array_equal(layer.compute_mask(x, np.zeros((2, 5), bool)), layer.compute_mask(x))


@pytest.mark.parametrize("value", [None, "a", [1.0], np.ones(2)], ids=str)
def test_values_that_are_none_are_refused(value):
    with pytest.raises(ValueError, match=r"Masking '.*' mask_value: expected a number, got"):
        layers.Masking(value)


def test_a_stored_value_is_read():
    config = {"mask_value": {"class_name": "__numpy__", "config": {"value": 2.0, "dtype": "float32"}}}
    assert layers.Masking.from_config(config).mask_value == 2
    assert layers.Masking(np.float32(2)).get_config()["mask_value"] == 2


def test_there_is_a_time_axis():
    with pytest.raises(ValueError, match=r"Masking '.*': expected input \(batch, \.\.\., features\), got \(3,\)"):
        layers.Masking()(np.ones(3))


def test_whole_samples_without_time_do_not_count_in_the_loss():
    """A mask (batch,), as Keras makes it."""
    x, y = padded((4, 3), 0.0), np.ones((4, 1), "float32")
    x[2] = 0
    losses = []
    for library in fastrnn, keras:
        model = library.Sequential([library.Input((3,)), library.layers.Masking(),
                                    library.layers.Dense(1, kernel_initializer="ones")])
        model.compile(library.optimizers.SGD(0.1), "mse")
        losses.append([model.evaluate(x, y, verbose=0), model.train_on_batch(x, y), *model.get_weights()])
    for one, other in zip(*losses, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize("sequences", [False, True])
def test_models_are_keras(sequences, rng):
    def model(library):
        names, x = library.layers, library.Input((None, 3))
        masked = names.Masking(-1.0)(x)
        both = names.Add()([names.LSTM(4, return_sequences=True)(masked), names.Dense(4)(masked)])
        joined = names.concatenate([both, masked])
        return library.Model(x, names.Dense(2)(names.GRU(4, return_sequences=sequences)(joined)))

    ours, theirs = model(fastrnn), model(keras)
    ours.set_weights([rng.uniform(-0.8, 0.8, weight.shape) for weight in ours.get_weights()])
    theirs.set_weights(ours.get_weights())
    x = padded((4, 5, 3), -1.0)
    y = rng.standard_normal((4, 5, 2) if sequences else (4, 2))
    np.testing.assert_allclose(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), rtol=1e-4, atol=1e-6)
    for library, one in (fastrnn, ours), (keras, theirs):
        one.compile(library.optimizers.SGD(0.2), "mse")
        one.fit(x, y, epochs=3, batch_size=4, shuffle=False, verbose=0)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
