# SPDX-License-Identifier: Apache-2.0
"""Layers that move elements, against Keras: values, gradients, shapes, whole numbers, masks, and what is refused."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn import layers
from tests.conftest import assert_gradients

#: The layer's arguments, and a sample's shape.
CASES: dict[str, list[tuple[dict[str, Any], tuple[int, ...]]]] = {
    "Flatten": [({}, (3, 4)), ({}, (3,)), ({}, ()), ({"data_format": "channels_first"}, (2, 3, 4)),
                ({"data_format": "channels_first"}, (3, 4)), ({"data_format": "channels_last"}, (2, 3, 4))],
    "Reshape": [({"target_shape": (4, 3)}, (3, 4)), ({"target_shape": (-1, 2)}, (3, 4)),
                ({"target_shape": [12]}, (3, 4)), ({"target_shape": (2, -1, 3)}, (12,)),
                ({"target_shape": ()}, (1,)), ({"target_shape": (1,)}, ())],
    "Permute": [({"dims": (2, 1)}, (3, 4)), ({"dims": (3, 1, 2)}, (2, 3, 4)), ({"dims": [1]}, (3,))],
    "RepeatVector": [({"n": 3}, (4,)), ({"n": 1}, (4,))],
    "Cropping1D": [({}, (3, 4)), ({"cropping": 2}, (6, 4)), ({"cropping": (0, 2)}, (3, 4)), ({"cropping": 0}, (3, 4)),
                   ({"cropping": [2, 0]}, (3, 4))],
    "ZeroPadding1D": [({}, (3, 4)), ({"padding": (0, 2)}, (3, 4)), ({"padding": [1, 0]}, (3, 4)),
                      ({"padding": 1, "data_format": "channels_first"}, (3, 4))],
    "UpSampling1D": [({}, (3, 4)), ({"size": 3}, (3, 4)), ({"size": 1}, (3, 4))],
    "UpSampling2D": [({}, (3, 4, 2)), ({"size": [3, 1]}, (3, 4, 2)),
                     ({"size": (1, 2), "data_format": "channels_first"}, (2, 3, 4))],
    "ZeroPadding2D": [({}, (3, 4, 2)), ({"padding": (0, 2)}, (3, 4, 2)), ({"padding": ((1, 0), (0, 2))}, (3, 4, 2)),
                      ({"padding": 2, "data_format": "channels_first"}, (2, 3, 4))],
}  # fmt: skip
EVERY = [pytest.param(name, options, shape, id=f"{name} {options} {shape}")
         for name, cases in CASES.items() for options, shape in cases]  # fmt: skip


def pair(name: str, options: dict[str, Any]) -> tuple[Any, Any]:
    return getattr(layers, name)(**options), getattr(keras.layers, name)(**options)


@pytest.mark.parametrize(("name", "options", "shape"), EVERY)
def test_values_gradients_and_configuration(name, options, shape, rng):
    ours, theirs = pair(name, options)
    x = rng.standard_normal((2, *shape)).astype("float32")
    y, expected = ours(x), theirs(x)
    np.testing.assert_array_equal(y, expected)
    assert y.dtype == "float32" and y.flags.c_contiguous and y.shape == ours.compute_output_shape(x.shape)
    whole = np.arange(x.size).reshape(x.shape)
    np.testing.assert_array_equal(ours(whole), theirs(whole))
    assert ours(whole).dtype == whole.dtype and ours(whole, training=True).dtype == whole.dtype
    assert ours.backward(np.ones(y.shape)) is None
    assert_gradients(getattr(layers, name)(**options, dtype="float64"), [x])
    config = theirs.get_config()
    for argument, value in ours.get_config().items():
        assert argument in ("name", "dtype") or value == config[argument]
    assert ours(x[:0]).shape == (0, *y.shape[1:])


@pytest.mark.parametrize(("options", "shape"), [
    ({}, (3, 4, 2)), ({"size": [3, 2], "data_format": "channels_first"}, (2, 1, 5)), ({"size": 5}, (1, 1, 1))])
def test_pixels_between_others(options, shape, rng):
    ours, theirs = pair("UpSampling2D", {"interpolation": "bilinear", **options})
    x = rng.standard_normal((2, *shape)).astype("float32")
    y = ours(x)
    np.testing.assert_allclose(y, theirs(x), rtol=1e-5, atol=1e-6)
    assert y.flags.c_contiguous and y.shape == ours.compute_output_shape(x.shape)
    assert ours(np.ones((2, *shape), int)).dtype == "float32"
    assert_gradients(layers.UpSampling2D(interpolation="bilinear", dtype="float64", **options), [x])


@pytest.mark.parametrize(("name", "options", "shape"), EVERY)
def test_shapes_of_symbols(name, options, shape):
    """With sizes that may vary in every place."""
    for varies in range(-1, len(shape)):
        given = tuple(None if axis == varies else size for axis, size in enumerate(shape))
        ours, theirs = pair(name, options)
        expected = theirs(keras.Input(given))
        symbol = ours(fastrnn.Input(given))
        assert (symbol.shape, symbol.dtype) == (expected.shape, expected.dtype)
        assert ours(fastrnn.Input(given, dtype="int32")).dtype == "int32"


@pytest.mark.parametrize(("name", "options", "shape"), EVERY)
def test_no_mask_goes_on(name, options, shape, rng):
    ours = getattr(layers, name)(**options)
    x = rng.standard_normal((2, *shape))
    assert ours.compute_mask(x, None) is None
    assert ours.masked_outputs([True], 1) == [False]
    if len(shape) > 1:
        np.testing.assert_array_equal(ours(x, mask=np.ones((2, shape[0]), bool)), ours(x))


REFUSED = [
    ("Reshape", {"target_shape": (2, 5)}, (3, 4)), ("Reshape", {"target_shape": (-1, 5)}, (3, 4)),
    ("Reshape", {"target_shape": (-1, 0)}, (3, 4)), ("Permute", {"dims": (1,)}, (3, 4)),
    ("Permute", {"dims": (2, 1)}, (3,)), ("RepeatVector", {"n": 2}, (3, 4)), ("Cropping1D", {"cropping": 2}, (4, 3)),
    ("Cropping1D", {"cropping": (3, 0)}, (3, 4)), ("Cropping1D", {}, (4,)), ("ZeroPadding1D", {}, (4,)),
    ("ZeroPadding1D", {}, (2, 3, 4)), ("UpSampling1D", {}, (4,)), ("UpSampling2D", {}, (3, 4)),
    ("ZeroPadding2D", {}, (3, 4))]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "shape"), REFUSED)
def test_shapes_that_do_not_fit_are_refused(name, options, shape):
    ours, theirs = pair(name, options)
    with pytest.raises(Exception):  # noqa: B017  Keras's kinds of error are many
        theirs(np.ones((2, *shape), "float32"))
    for x in np.ones((2, *shape)), fastrnn.Input(shape):
        with pytest.raises(ValueError, match=rf"{name} '.*': expected .* got "):
            ours(x)
    with pytest.raises(ValueError, match=rf"{name} '.*': expected input"):
        layers.deserialize(layers.serialize(ours))(np.float32(1))


WRONG = [
    ("Reshape", {"target_shape": (-1, -1)}), ("Reshape", {"target_shape": (-2,)}), ("Reshape", {"target_shape": 6}),
    ("Reshape", {"target_shape": (2.0, 6)}), ("Reshape", {"target_shape": (None, 6)}), ("Permute", {"dims": (0, 1)}),
    ("Permute", {"dims": (1, 1)}), ("Permute", {"dims": 2}), ("Permute", {"dims": (1.0, 2)}),
    ("RepeatVector", {"n": 0}), ("Cropping1D", {"cropping": -1}), ("Cropping1D", {"cropping": (1, 2, 3)}),
    ("Cropping1D", {"cropping": {"a": 1}}),
    ("Cropping1D", {"cropping": 1.5}), ("ZeroPadding1D", {"padding": (1, -1)}),
    ("ZeroPadding1D", {"data_format": "last"}), ("UpSampling1D", {"size": 0}), ("UpSampling2D", {"size": 0}),
    ("UpSampling2D", {"size": (1, 2, 3)}), ("UpSampling2D", {"data_format": "last"}),
    ("UpSampling2D", {"interpolation": "bicubic"}), ("ZeroPadding2D", {"padding": -1}),
    ("ZeroPadding2D", {"padding": (1, 2, 3)}), ("ZeroPadding2D", {"padding": ((1, 2), (1, -2))}),
    ("ZeroPadding2D", {"data_format": "last"}), ("Flatten", {"data_format": "last"})]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), WRONG)
def test_arguments_that_are_none_are_refused(name, options):
    argument = next(iter(options))
    with pytest.raises(ValueError, match=rf"{name} '.*' {argument}: expected .* got"):
        getattr(layers, name)(**options)


def test_a_number_of_steps_is_a_whole_number():
    for n in 2.0, True, "2":
        with pytest.raises(TypeError, match=r"RepeatVector '.*' n: expected a whole number, got"):
            layers.RepeatVector(n)


def test_sizes_that_vary_are_checked_when_they_are_known():
    x = fastrnn.Input((None, 2))
    for layer, message in (layers.Cropping1D(2), "Cropping1D '.*': expected more than 4 steps"), \
            (layers.Reshape((3, 2)), r"Reshape '.*': expected samples of 6 elements .* got 8"):
        model = fastrnn.Model(x, layer(x))
        with pytest.raises(ValueError, match=message):
            model.predict(np.ones((1, 4, 2)), verbose=0)


def autoencoder(library: Any) -> Any:
    """A model that has them all."""
    names = library.layers
    x = library.Input((6, 4))
    code = names.GRU(8)(names.ZeroPadding1D((1, 0))(names.Cropping1D((0, 2))(x)))
    steps = names.LSTM(4, return_sequences=True)(names.RepeatVector(6)(code))
    swapped = names.Permute((2, 1))(names.Dense(6)(names.Permute((2, 1))(steps)))
    joined = names.concatenate([swapped, names.Reshape((6, -1))(names.Dense(12)(code))])
    return library.Model(x, names.Dense(3)(names.Flatten()(joined)))


def test_a_model_of_them_is_keras_model(rng):
    ours, theirs = autoencoder(fastrnn), autoencoder(keras)
    ours.set_weights([rng.uniform(-0.6, 0.6, weight.shape) for weight in ours.get_weights()])
    theirs.set_weights(ours.get_weights())
    x, target = rng.standard_normal((6, 6, 4)), rng.standard_normal((6, 3))
    np.testing.assert_allclose(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), rtol=1e-4, atol=1e-5)
    for library, model in (fastrnn, ours), (keras, theirs):
        model.compile(library.optimizers.SGD(0.1), "mse")
        model.fit(x, target, epochs=3, batch_size=3, shuffle=False, verbose=0)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
