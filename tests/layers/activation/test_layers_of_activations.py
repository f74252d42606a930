# SPDX-License-Identifier: Apache-2.0
"""Activations with arguments, as layers, against Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn import layers
from tests.conftest import assert_gradients

CASES = [("ReLU", {}), ("ReLU", {"max_value": 1.0}),
         ("ReLU", {"max_value": 1.5, "negative_slope": 0.1, "threshold": 0.5}),
         ("LeakyReLU", {}), ("LeakyReLU", {"negative_slope": 0.1}), ("ELU", {}), ("ELU", {"alpha": 0.5}),
         ("Softmax", {}), ("Softmax", {"axis": 1}), ("Softmax", {"axis": [1, 2]}), ("Softmax", {"axis": [-1]}),
         ("PReLU", {"alpha_initializer": "ones"}), ("PReLU", {"shared_axes": [1]}),
         ("PReLU", {"shared_axes": 2})]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_values_gradients_and_configuration(name, options, rng):
    ours, theirs = getattr(layers, name)(**options), getattr(keras.layers, name)(**options)
    x = rng.standard_normal((2, 3, 4)).astype("float32")
    for layer in ours, theirs:
        layer.build(x.shape)
    ours.set_weights([rng.uniform(-0.5, 0.5, weight.shape) for weight in theirs.get_weights()])
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-5, atol=1e-6)
    assert_gradients(getattr(layers, name)(**options, dtype="float64"), [x])
    config, expected = ours.get_config(), theirs.get_config()
    assert {key: value for key, value in config.items() if key not in ("name", "dtype")} == {
        key: value for key, value in expected.items() if key not in ("name", "dtype")}
    assert config["name"].rstrip("_0123456789") == expected["name"].rstrip("_0123456789")


def test_a_mask_leaves_elements_out(rng):
    x, mask = rng.standard_normal((2, 3)).astype("float32"), np.array([[1, 0, 1], [0, 0, 0]], bool)
    np.testing.assert_allclose(layers.Softmax()(x, mask=mask), keras.layers.Softmax()(x, mask=mask), rtol=1e-5)
    assert_gradients(layers.Softmax(dtype="float64"), [x], mask=mask)
    steps = rng.standard_normal((2, 3, 4)).astype("float32")
    wide = np.broadcast_to(mask[..., None], steps.shape)
    for axis in 1, 2:
        np.testing.assert_allclose(layers.Softmax(axis)(steps, mask=mask),
                                   keras.layers.Softmax(axis)(steps, mask=wide), rtol=1e-5)
    assert layers.Softmax().compute_mask(x, mask) is None
    assert layers.Softmax().compute_mask(steps, mask) is mask


def test_a_loss_is_fused_with_the_last_axis_alone(rng):
    """The gradient of a cross-entropy is that of Keras for any axis."""
    x, y = rng.standard_normal((2, 3, 3)).astype("float32"), np.eye(3)[[[0, 1, 2], [2, 1, 0]]]
    for axis in -1, 1, 2:
        found = []
        for library in fastrnn, keras:
            model = library.Sequential([library.Input((3, 3)), library.layers.Dense(3, kernel_initializer="ones"),
                                        library.layers.Softmax(axis)])
            model.compile(library.optimizers.SGD(0.5), "categorical_crossentropy")
            found.append([model.train_on_batch(x, y), *model.get_weights()])
        for one, other in zip(*found, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), [
    ("ReLU", {"max_value": -1}), ("ReLU", {"negative_slope": None}), ("ReLU", {"threshold": -0.1}),
    ("LeakyReLU", {"negative_slope": -1}), ("LeakyReLU", {"negative_slope": "a"}), ("ELU", {"alpha": None}),
    ("Softmax", {"axis": "a"}), ("Softmax", {"axis": []}), ("PReLU", {"shared_axes": [0]})])
def test_arguments_that_are_none_are_refused(name, options):
    with pytest.raises(ValueError, match=rf"{name} '.*' {next(iter(options))}: expected"):
        getattr(layers, name)(**options)


def test_inputs_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"Softmax '.*': expected an input with axis 3, got \(2, 3\)"):
        layers.Softmax(3)(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"PReLU '.*': expected an input with known sizes, .* shared_axes=\[1\]"):
        layers.PReLU()(fastrnn.Input((None, 3)))
    with pytest.raises(ValueError, match=r"PReLU '.*' shared_axes: expected axes of the input"):
        layers.PReLU(shared_axes=[3])(np.ones((2, 3)))
    layer = layers.PReLU(shared_axes=[1])
    layer(np.ones((2, 5, 3)))
    assert layer(np.ones((2, 7, 3))).shape == (2, 7, 3)
    for shape in (2, 5, 1), (2, 3), (2, 5, 4):
        with pytest.raises(ValueError, match=r"PReLU '.*': expected an input for slopes \(1, 3\), got"):
            layer(np.ones(shape))
