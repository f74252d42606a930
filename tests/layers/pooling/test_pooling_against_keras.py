# SPDX-License-Identifier: Apache-2.0
"""Pooling layers against installed Keras: values, gradients, masks, shapes, configurations, files, what is refused."""

from __future__ import annotations

from typing import Any

import jax
import keras
import numpy as np
import pytest

import fastrnn
from fastrnn import layers
from fastrnn.saving import load_model

_WINDOWS_1D = [
    ({"pool_size": 2}, (7, 3)), ({"pool_size": 3, "strides": 1}, (7, 3)),
    ({"pool_size": (3,), "strides": 2, "padding": "same"}, (7, 20)), ({"pool_size": 4, "padding": "same"}, (3, 3)),
    ({"pool_size": 1, "strides": 3, "padding": "same"}, (7, 3)),
    ({"pool_size": 2, "data_format": "channels_first"}, (3, 7))]  # fmt: skip
_WINDOWS_2D = [
    ({"pool_size": 2}, (5, 6, 3)), ({"pool_size": (2, 3), "strides": (1, 2), "padding": "same"}, (5, 6, 3)),
    ({"pool_size": 3, "strides": 2, "data_format": "channels_first"}, (3, 5, 6))]  # fmt: skip
_ALL = [({}, 0), ({"keepdims": True}, 0), ({"data_format": "channels_first"}, 0)]
CASES: dict[str, list[tuple[dict[str, Any], Any]]] = {
    "MaxPooling1D": _WINDOWS_1D, "AveragePooling1D": _WINDOWS_1D, "MaxPooling2D": _WINDOWS_2D,
    "AveragePooling2D": _WINDOWS_2D, **{f"Global{kind}Pooling{rank}D": [(o, (5, 6, 4)[-rank - 1:]) for o, _ in _ALL]
                                        for kind in ("Max", "Average") for rank in (1, 2)}}  # fmt: skip
EVERY = [pytest.param(name, options, shape, id=f"{name} {options}")
         for name, cases in CASES.items() for options, shape in cases]  # fmt: skip


def pair(name: str, options: dict[str, Any]) -> tuple[Any, Any]:
    return getattr(layers, name)(**options, name="this"), getattr(keras.layers, name)(**options, name="this")


def inputs(shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Values that all differ, and such as have many that are equal."""
    rng = np.random.default_rng(4)
    return {"different": rng.standard_normal((3, *shape)).astype("float32"),
            "equal": rng.integers(0, 2, (3, *shape)).astype("float32")}


@pytest.mark.parametrize(("name", "options", "shape"), EVERY)
def test_values_gradients_and_configuration(name, options, shape, rng):
    ours, theirs = pair(name, options)
    for x in inputs(shape).values():
        y = ours(x, training=True)
        np.testing.assert_allclose(y, theirs(x), rtol=1e-6, atol=1e-7)
        assert y.dtype == "float32" and y.flags.c_contiguous and y.shape == ours.compute_output_shape(x.shape)
        dy = rng.standard_normal(y.shape).astype("float32")
        expected = jax.grad(lambda x, dy=dy: (theirs(x) * dy).sum())(x)
        np.testing.assert_allclose(ours.backward(dy), expected, rtol=1e-5, atol=1e-6)
    config = theirs.get_config()
    for argument, value in ours.get_config().items():
        assert argument == "dtype" or value == config[argument], argument
    assert type(ours).from_config(config).get_config() == ours.get_config()
    assert ours(x[:0]).shape == (0, *y.shape[1:])


@pytest.mark.parametrize(("name", "options", "shape"), EVERY)
def test_shapes_of_symbols(name, options, shape):
    for varies in range(-1, len(shape)):
        given = tuple(None if axis == varies else size for axis, size in enumerate(shape))
        ours, theirs = pair(name, options)
        assert ours(fastrnn.Input(given)).shape == theirs(keras.Input(given)).shape


@pytest.mark.parametrize(("name", "options", "shape"), [cases[-1] for cases in
                                                        [[(n, *case) for case in c] for n, c in CASES.items()]])
@pytest.mark.parametrize("suffix", [".keras", ".h5", ".safetensors"])
def test_files(name, options, shape, suffix, tmp_path):
    ours, theirs = (library.Sequential([library.Input(shape), layer])
                    for library, layer in zip((fastrnn, keras), pair(name, options), strict=True))
    x = inputs(shape)["different"]
    expected = theirs.predict(x, verbose=0)
    if suffix != ".safetensors":
        theirs.save(tmp_path / f"theirs{suffix}")
        loaded = load_model(tmp_path / f"theirs{suffix}")
        np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, rtol=1e-6, atol=1e-7)
    ours.save(tmp_path / f"ours{suffix}")
    loaded = (fastrnn if suffix == ".safetensors" else keras).models.load_model(tmp_path / f"ours{suffix}")
    np.testing.assert_allclose(loaded.predict(x, verbose=0), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D"])
def test_a_nan_is_the_largest(name):
    shape = (2, 4, 4, 3) if name.endswith("2D") else (2, 4, 3)
    for at in range(4):
        x = np.arange(np.prod(shape), dtype="float32").reshape(shape)
        x[0, at] = np.nan
        ours, theirs = pair(name, {})
        np.testing.assert_array_equal(ours(x), theirs(x))


def test_infinities_are_numbers():
    x = np.full((1, 4, 20), -np.inf, "float32")
    assert (layers.MaxPooling1D(2)(x) == -np.inf).all()


@pytest.mark.parametrize("options", [{}, {"keepdims": True}, {"data_format": "channels_first"}])
def test_the_mean_of_the_steps_that_count(options, rng):
    """Whatever the others hold."""
    ours, theirs = pair("GlobalAveragePooling1D", options)
    x = rng.standard_normal((3, 5, 4)).astype("float32")
    mask = np.array([[1, 1, 0, 1, 0], [0, 0, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
    x[0, 2] = np.nan
    if options.get("data_format"):
        x = np.ascontiguousarray(np.moveaxis(x, 1, 2))
    np.testing.assert_allclose(ours(x, mask=mask), theirs(x, mask=mask), rtol=1e-6)
    y = ours(x, training=True, mask=mask)
    dy = rng.standard_normal(y.shape).astype("float32")
    expected = jax.grad(lambda x: (theirs(x, mask=mask) * dy).sum())(x)
    np.testing.assert_allclose(ours.backward(dy), expected, rtol=1e-6)
    assert ours.compute_mask(x, mask) is None and not ours.masked_outputs([True], 1)[0]


def test_no_step_counts():
    """Zeros, and no gradient, where Keras has NaN."""
    layer = layers.GlobalAveragePooling1D()
    y = layer(np.ones((1, 3, 2)), training=True, mask=np.zeros((1, 3), bool))
    np.testing.assert_array_equal(y, np.zeros((1, 2)))
    np.testing.assert_array_equal(layer.backward(np.ones((1, 2))), np.zeros((1, 3, 2)))


def test_the_mask_of_words_reaches_the_mean(rng):
    def model(library: Any) -> Any:
        names = library.layers
        return library.Sequential([library.Input((6,)), names.Embedding(9, 4, mask_zero=True),
                                   names.GlobalAveragePooling1D(), names.Dense(2)])

    ours, theirs = model(fastrnn), model(keras)
    ours.set_weights([rng.uniform(-0.6, 0.6, weight.shape) for weight in ours.get_weights()])
    theirs.set_weights(ours.get_weights())
    x = rng.integers(0, 3, (5, 6))
    x[:, 0] = 1
    np.testing.assert_allclose(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "options", "shape"), [
    ("MaxPooling1D", {"pool_size": 4}, (3, 2)), ("AveragePooling1D", {"pool_size": 2}, (3,)),
    ("MaxPooling2D", {"pool_size": (2, 4)}, (3, 3, 2)), ("AveragePooling2D", {"pool_size": 2}, (3, 3)),
    ("GlobalMaxPooling1D", {}, (3,)), ("GlobalAveragePooling2D", {}, (3, 3))])  # fmt: skip
def test_inputs_that_do_not_fit_are_refused(name, options, shape):
    ours, theirs = pair(name, options)
    with pytest.raises(Exception):  # noqa: B017  Keras's kinds of error are many
        theirs(keras.Input(shape))
    for x in np.ones((2, *shape)), fastrnn.Input(shape):
        with pytest.raises(ValueError, match=rf"{name} 'this': expected .* got "):
            ours(x)


@pytest.mark.parametrize(("argument", "value"), [
    ("pool_size", 0), ("pool_size", (1, 2, 3)), ("pool_size", 2.0), ("pool_size", 2 ** 63 - 1),
    ("strides", 0), ("strides", "2"), ("padding", "causal"), ("padding", None), ("data_format", "last")])  # fmt: skip
@pytest.mark.parametrize("name", ["MaxPooling1D", "AveragePooling1D", "MaxPooling2D", "AveragePooling2D"])
def test_arguments_that_are_none_are_refused(name, argument, value):
    with pytest.raises(ValueError, match=rf"{name} '.*' {argument}: expected .* got"):
        getattr(layers, name)(**{"pool_size": 2, argument: value})


def test_bits_do_not_depend_on_threads(rng):
    x = rng.standard_normal((9, 60, 61)).astype("float32")
    for layer in layers.MaxPooling1D(3, 2, "same"), layers.AveragePooling1D(3, 1), layers.MaxPooling1D(20, 1):
        found = []
        for threads in 1, 2, 5:
            fastrnn.set_num_threads(threads)
            y = layer(x, training=True)
            found.append([y, layer.backward(np.cos(y))])
        for other in found[1:]:
            np.testing.assert_array_equal(found[0][0], other[0])
            np.testing.assert_array_equal(found[0][1], other[1])


def test_keras_other_names():
    for short, name in {"MaxPool": "MaxPooling", "AvgPool": "AveragePooling"}.items():
        for before in "", "Global":
            for rank in "1D", "2D":
                assert getattr(layers, before + short + rank) is getattr(layers, before + name + rank)
