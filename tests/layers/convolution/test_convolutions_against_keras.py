# SPDX-License-Identifier: Apache-2.0
"""Convolutions against installed Keras and PyTorch: values, gradients, shapes, configurations, files, refusals."""

from __future__ import annotations

from typing import Any

import jax
import keras
import numpy as np
import pytest
import torch

import fastrnn
from fastrnn import layers
from fastrnn.saving import load_model

CASES: dict[str, list[tuple[dict[str, Any], tuple[int, ...]]]] = {
    "Conv1D": [
        ({"filters": 4, "kernel_size": 3}, (9, 5)),
        ({"filters": 4, "kernel_size": [2], "strides": (3,), "activation": "relu"}, (9, 5)),
        ({"filters": 4, "kernel_size": 4, "strides": 2, "padding": "same", "use_bias": False}, (9, 5)),
        ({"filters": 4, "kernel_size": 3, "padding": "causal", "dilation_rate": 4, "activation": "tanh"}, (9, 5)),
        ({"filters": 4, "kernel_size": 3, "padding": "causal", "strides": 2, "activation": "softmax"}, (9, 5)),
        ({"filters": 4, "kernel_size": 3, "padding": "SAME", "dilation_rate": 2, "groups": 2}, (9, 6)),
        ({"filters": 4, "kernel_size": 4, "padding": "same", "data_format": "channels_first",
          "activation": "softmax"}, (5, 9)),
        ({"filters": 4, "kernel_size": 2, "padding": "causal", "data_format": "channels_first"}, (5, 9)),
        ({"filters": 70, "kernel_size": 5, "padding": "same", "activation": "gelu"}, (60, 40))],
    "Conv2D": [
        ({"filters": 4, "kernel_size": 3}, (6, 7, 2)),
        ({"filters": 4, "kernel_size": (2, 3), "strides": (2, 1), "padding": "same", "activation": "relu"}, (6, 7, 2)),
        ({"filters": 4, "kernel_size": 2, "dilation_rate": (2, 3), "groups": 2, "use_bias": False}, (6, 7, 2)),
        ({"filters": 3, "kernel_size": 4, "strides": 3, "padding": "same", "data_format": "channels_first"},
         (2, 6, 7))],
    "Conv1DTranspose": [
        *(({"filters": 4, "kernel_size": taps, "strides": stride, "padding": padding}, (5, 3))
          for taps in (1, 2, 3, 4) for stride in (1, 2, 3) for padding in ("valid", "same")),
        ({"filters": 4, "kernel_size": 3, "strides": 3, "output_padding": 1, "use_bias": False}, (5, 3)),
        ({"filters": 4, "kernel_size": 4, "strides": 3, "padding": "same", "output_padding": 0}, (5, 3)),
        ({"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": (1,)}, (5, 3)),
        ({"filters": 4, "kernel_size": 3, "dilation_rate": 3, "activation": "relu"}, (5, 3)),
        ({"filters": 4, "kernel_size": 2, "dilation_rate": 2, "padding": "same"}, (5, 3)),
        ({"filters": 30, "kernel_size": 5, "strides": 2, "data_format": "channels_first",
          "activation": "softmax"}, (20, 40))],
    "DepthwiseConv1D": [
        ({"kernel_size": 3}, (9, 5)), ({"kernel_size": 2, "strides": 3, "depth_multiplier": 3}, (9, 5)),
        ({"kernel_size": 4, "padding": "same", "dilation_rate": 2, "activation": "relu"}, (9, 40)),
        ({"kernel_size": 3, "strides": 2, "padding": "same", "depth_multiplier": 2, "use_bias": False,
          "data_format": "channels_first", "activation": "gelu"}, (5, 9))],
    "SeparableConv1D": [
        ({"filters": 4, "kernel_size": 3}, (9, 5)),
        ({"filters": 40, "kernel_size": 2, "strides": 3, "depth_multiplier": 3, "activation": "tanh"}, (9, 5)),
        ({"filters": 4, "kernel_size": 4, "padding": "same", "dilation_rate": 2, "activation": "gelu"}, (9, 40)),
        ({"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same", "use_bias": False,
          "data_format": "channels_first"}, (5, 9))],
}  # fmt: skip
EVERY = [pytest.param(name, options, shape, id=f"{name} {options}")
         for name, cases in CASES.items() for options, shape in cases]  # fmt: skip


def pair(name: str, options: dict[str, Any], shape: tuple[int, ...] | None = None) -> tuple[Any, Any]:
    """Both layers, built with the same weights if the input's shape is given."""
    ours, theirs = getattr(layers, name)(**options, name="this"), getattr(keras.layers, name)(**options, name="this")
    if shape is not None:
        for layer in ours, theirs:
            layer.build((None, *shape))
        rng = np.random.default_rng(1)
        ours.set_weights([rng.uniform(-0.6, 0.6, w.shape) for w in ours.weights])
        theirs.set_weights(ours.get_weights())
    return ours, theirs


@pytest.mark.parametrize(("name", "options", "shape"), EVERY)
def test_values_gradients_and_configuration(name, options, shape, rng):
    ours, theirs = pair(name, options, shape)
    assert [w.path.split("/")[-1] for w in theirs.weights] == [w.name for w in ours.weights]
    x = rng.standard_normal((3, *shape)).astype("float32")
    y = ours(x, training=True)
    np.testing.assert_allclose(y, theirs(x), rtol=1e-5, atol=2e-5)
    assert y.dtype == "float32" and y.flags.c_contiguous and y.shape == ours.compute_output_shape(x.shape)
    dy = rng.standard_normal(y.shape).astype("float32")

    def loss(weights: list[Any], x: Any) -> Any:
        return (theirs.stateless_call(weights, [], x)[0] * dy).sum()

    expected_dw, expected_dx = jax.grad(loss, (0, 1))([v.value for v in theirs.trainable_variables], x)
    np.testing.assert_allclose(ours.backward(dy), expected_dx, rtol=1e-4, atol=2e-5)
    for weight, expected in zip(ours.weights, expected_dw, strict=True):
        np.testing.assert_allclose(weight.grad, expected, rtol=1e-4, atol=1e-4)
    config = theirs.get_config()
    for argument, value in ours.get_config().items():
        assert argument == "dtype" or argument.endswith("initializer") or value == config[argument], argument
    assert set(config) - set(ours.get_config()) <= {"activity_regularizer"}
    assert type(ours).from_config(config).get_config() == ours.get_config()
    assert ours(x[:0]).shape == (0, *y.shape[1:])


@pytest.mark.parametrize(("name", "options", "shape"), EVERY)
def test_shapes_of_symbols(name, options, shape):
    """With sizes that may vary in every place but that of the channels."""
    channels = 0 if options.get("data_format") == "channels_first" else len(shape) - 1
    for varies in set(range(-1, len(shape))) - {channels}:
        given = tuple(None if axis == varies else size for axis, size in enumerate(shape))
        ours, theirs = pair(name, options)
        assert ours(fastrnn.Input(given)).shape == theirs(keras.Input(given)).shape


@pytest.mark.parametrize(("name", "options", "shape"), EVERY)
@pytest.mark.parametrize("suffix", [".keras", ".h5", ".safetensors"])
def test_files(name, options, shape, suffix, tmp_path, rng):
    """Keras's file in fastrnn, and fastrnn's in Keras, or in itself where Keras does not have the format."""
    ours, theirs = pair(name, options, shape)
    ours, theirs = (library.Sequential([library.Input(shape), layer]) for library, layer in
                    ((fastrnn, ours), (keras, theirs)))
    x = rng.standard_normal((2, *shape)).astype("float32")
    expected = theirs.predict(x, verbose=0)
    if suffix != ".safetensors":
        theirs.save(tmp_path / f"theirs{suffix}")
        loaded = load_model(tmp_path / f"theirs{suffix}")
        np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, rtol=1e-5, atol=2e-5)
        assert loaded.layers[0].get_config() == ours.layers[0].get_config()
    ours.save(tmp_path / f"ours{suffix}")
    library = fastrnn if suffix == ".safetensors" else keras
    loaded = library.models.load_model(tmp_path / f"ours{suffix}")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, rtol=1e-5, atol=2e-5)


REFUSED = [
    ("Conv1D", {"filters": 2, "kernel_size": 4}, (3, 2)), ("Conv1D", {"filters": 2, "kernel_size": 2}, (3,)),
    ("Conv1D", {"filters": 2, "kernel_size": 2}, (3, 3, 3)),
    ("Conv1D", {"filters": 2, "kernel_size": 3, "dilation_rate": 3}, (6, 2)),
    ("Conv1D", {"filters": 2, "kernel_size": 3, "groups": 2}, (6, 3)),
    ("Conv2D", {"filters": 2, "kernel_size": (2, 4)}, (3, 3, 2)), ("Conv2D", {"filters": 2, "kernel_size": 2}, (3, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "shape"), REFUSED)
def test_inputs_that_do_not_fit_are_refused(name, options, shape):
    ours, theirs = pair(name, options)
    with pytest.raises(Exception):  # noqa: B017  Keras's kinds of error are many
        theirs(np.ones((2, *shape), "float32"))
    for x in np.ones((2, *shape)), fastrnn.Input(shape):
        with pytest.raises(ValueError, match=rf"{name} 'this': expected .* got "):
            layers.deserialize(layers.serialize(ours))(x)


def test_channels_that_do_not_fit_are_refused():
    for layer, shape, message in (
            (layers.Conv1D(2, 2, name="this"), (3, 4), r"expected input \(batch, time, 4\), got \(2, 3, 5\)"),
            (layers.Conv2D(2, 2, data_format="channels_first", name="this"), (4, 3, 3),
             r"expected input \(batch, 4, height, width\), got \(2, 5, 3, 3\)")):
        layer(np.ones((2, *shape)))
        with pytest.raises(ValueError, match=f"'this': {message}"):
            layer(np.ones((2, *(5 if size == 4 else size for size in shape))))
    with pytest.raises(ValueError, match=r"'this': expected a known number of channels, got"):
        layers.Conv1D(2, 2, name="this")(fastrnn.Input((3, None)))


WRONG = [
    ("filters", 0), ("filters", 2.0), ("kernel_size", 0), ("kernel_size", (1, 2, 3)), ("kernel_size", "3"),
    ("kernel_size", 2 ** 62), ("strides", 0), ("strides", True), ("padding", "full"), ("padding", 1),
    ("data_format", "last"), ("dilation_rate", 0), ("groups", 3), ("groups", 0)]  # fmt: skip


@pytest.mark.parametrize("name", ["Conv1D", "Conv2D"])
@pytest.mark.parametrize(("argument", "value"), WRONG)
def test_arguments_that_are_none_are_refused(name, argument, value):
    with pytest.raises(ValueError, match=rf"{name} '.*' {argument}: expected .* got"):
        getattr(layers, name)(**{"filters": 4, "kernel_size": 2, argument: value})


@pytest.mark.parametrize(("name", "argument", "value"), [
    ("Conv1DTranspose", "output_padding", 2), ("Conv1DTranspose", "output_padding", -1),
    ("Conv1DTranspose", "padding", "causal"), ("SeparableConv1D", "depth_multiplier", 0),
    ("SeparableConv1D", "filters", 0), ("SeparableConv1D", "padding", "causal")])  # fmt: skip
def test_arguments_of_some_that_are_none_are_refused(name, argument, value):
    with pytest.raises(ValueError, match=rf"{name} '.*' {argument}: expected .* got"):
        getattr(layers, name)(**{"filters": 4, "kernel_size": 2, "strides": 2, argument: value})
    with pytest.raises(ValueError, match=r"DepthwiseConv1D '.*' depth_multiplier: expected"):
        layers.DepthwiseConv1D(2, depth_multiplier=0)


def test_causal_padding_is_of_sequences():
    with pytest.raises(ValueError, match=r"padding: expected 'valid' or 'same', got 'causal'"):
        layers.Conv2D(2, 2, padding="causal")
    with pytest.raises(ValueError, match=r"dilation_rate: expected 1 where strides are larger"):
        layers.Conv1D(2, 2, 2, dilation_rate=2)


def test_pytorch_gives_the_same(rng):
    x = rng.standard_normal((4, 30, 8)).astype("float32")
    for stride, dilation, groups in (1, 1, 1), (2, 1, 1), (1, 3, 2):
        layer = layers.Conv1D(12, 3, stride, dilation_rate=dilation, groups=groups)
        y = layer(x, training=True)
        dy = rng.standard_normal(y.shape).astype("float32")
        dx = layer.backward(dy)
        given = torch.tensor(np.moveaxis(x, 1, 2).copy(), requires_grad=True)
        weight = torch.tensor(np.transpose(layer.kernel.data, (2, 1, 0)).copy(), requires_grad=True)
        out = torch.nn.functional.conv1d(given, weight, torch.tensor(layer.bias.data), stride, 0, dilation, groups)
        out.backward(torch.tensor(np.moveaxis(dy, 1, 2).copy()))
        for one, other in (y, out.detach()), (dx, given.grad):
            np.testing.assert_allclose(one, np.moveaxis(other.numpy(), 1, 2), rtol=1e-5, atol=2e-5)
        np.testing.assert_allclose(layer.kernel.grad, np.transpose(weight.grad.numpy(), (2, 1, 0)), rtol=1e-4,
                                   atol=5e-5)


def recognizer(library: Any) -> Any:
    """What stands in front of recurrent layers in speech and activity recognition."""
    names = library.layers
    x = library.Input((40, 3))
    y = names.Conv1D(16, 5, padding="same", activation="relu")(x)
    y = names.MaxPooling1D(2)(y)
    y = names.Conv1D(24, 3, padding="causal", activation="relu", kernel_regularizer="l2")(y)
    y = names.AveragePooling1D(2)(names.Dropout(0.0)(y))
    return library.Model(x, names.Dense(4, activation="softmax")(names.LSTM(8)(y)))


def reader(library: Any) -> Any:
    """And in optical character recognition: images whose columns become steps."""
    names = library.layers
    x = library.Input((8, 20, 1))
    y = names.Conv2D(6, 3, padding="same", activation="relu")(x)
    y = names.MaxPooling2D((2, 2))(y)
    y = names.Conv2D(8, (3, 3), activation="relu", bias_constraint="non_neg")(y)
    y = names.Reshape((8, -1))(names.Permute((2, 1, 3))(y))
    return library.Model(x, names.Dense(4, activation="softmax")(names.Bidirectional(names.GRU(6))(y)))


def film(library: Any) -> Any:
    """And in the captions of films: an image at each step."""
    names = library.layers
    x = library.Input((3, 8, 6, 2))
    y = names.TimeDistributed(names.Conv2D(4, 3, strides=2, padding="same", activation="tanh"))(x)
    y = names.TimeDistributed(names.ZeroPadding2D(1))(names.TimeDistributed(names.UpSampling2D(2))(y))
    y = names.TimeDistributed(names.Conv2D(5, 3, activation="relu"))(names.TimeDistributed(names.MaxPooling2D())(y))
    y = names.LSTM(6, return_sequences=True)(names.TimeDistributed(names.GlobalAveragePooling2D())(y))
    y = names.SeparableConv1D(8, 2, padding="same", activation="relu")(names.UpSampling1D(2)(y))
    y = names.DepthwiseConv1D(2)(names.Conv1DTranspose(4, 3, 2)(y))
    return library.Model(x, names.Dense(4, activation="softmax")(names.GlobalMaxPooling1D()(y)))


@pytest.mark.parametrize("make", [recognizer, reader, film])
def test_models_train_as_keras_models(make, rng):
    ours, theirs = make(fastrnn), make(keras)
    ours.set_weights([rng.uniform(-0.4, 0.4, weight.shape) for weight in ours.get_weights()])
    theirs.set_weights(ours.get_weights())
    x, target = rng.standard_normal((12, *ours.inputs[0].shape[1:])), rng.integers(0, 4, 12)
    histories = []
    for library, model in (fastrnn, ours), (keras, theirs):
        model.compile(library.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
        histories.append(model.fit(x, target, epochs=3, batch_size=4, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(*histories, rtol=2e-4)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-4)


def test_a_mask_ends_here(rng):
    """As in Keras, which warns of it: the recurrent layer above sees all steps."""
    def model(library: Any) -> Any:
        names = library.layers
        return library.Sequential([library.Input((6,)), names.Embedding(9, 4, mask_zero=True),
                                   names.Conv1D(4, 3, padding="same"), names.LSTM(3)])

    ours, theirs = model(fastrnn), model(keras)
    ours.set_weights([rng.uniform(-0.6, 0.6, weight.shape) for weight in ours.get_weights()])
    theirs.set_weights(ours.get_weights())
    x = rng.integers(0, 3, (5, 6))
    np.testing.assert_allclose(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), rtol=1e-4, atol=1e-5)


def test_keras_other_names():
    for name in "Conv1D", "Conv2D", "Conv1DTranspose", "SeparableConv1D":
        assert getattr(layers, name.replace("Conv", "Convolution")) is getattr(layers, name)
