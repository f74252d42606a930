# SPDX-License-Identifier: Apache-2.0
"""LayerNormalization by hand, against Keras and PyTorch, and its gradients against central differences."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import torch

import fastrnn
from fastrnn.layers import GRU, Dense, Embedding, LayerNormalization, TimeDistributed
from fastrnn.utils import set_random_seed


def built(shape, rng, **options):
    layer = LayerNormalization(**options)
    layer.build(shape)
    layer.set_weights([rng.standard_normal(v.shape) for v in layer.weights])
    return layer


def test_by_hand():
    layer = LayerNormalization(epsilon=3)
    y = layer([[0.0, 2.0]], training=True)      # mean 1, variance 1, divided by sqrt(1 + 3)
    np.testing.assert_array_equal(y, [[-0.5, 0.5]])
    np.testing.assert_array_equal(layer.backward([[1.0, 0.0]]), [[0.5 * (1 - 0.5 - 0.5 * 0.25), 0.5 * (-0.5 + 0.125)]])
    np.testing.assert_array_equal(layer.gamma.grad, [-0.5, 0])
    np.testing.assert_array_equal(layer.beta.grad, [1, 0])


AXES = [((4, 5), -1), ((2, 3, 5), -1), ((2, 3, 5), [1, 2]), ((2, 3, 5), [1]), ((2, 3, 4, 5), [-1, 1])]


@pytest.mark.parametrize("scale, center", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("shape, axis", AXES)
def test_outputs_are_keras(shape, axis, scale, center, rng):
    if axis == [-1, 1]:
        axis = [1, 3]       # Keras sorts them as they are, and shapes its weights in that order
    layer = built(shape, rng, axis=axis, scale=scale, center=center)
    theirs = keras.layers.LayerNormalization(axis=axis, scale=scale, center=center)
    theirs.build(shape)
    theirs.set_weights(layer.get_weights())
    x = rng.standard_normal(shape).astype("float32") * 3 + 1
    np.testing.assert_allclose(layer(x), np.asarray(theirs(x)), rtol=1e-5, atol=2e-6)
    assert layer.compute_output_shape(shape) == shape
    assert [v.name for v in layer.weights] == ["gamma"] * scale + ["beta"] * center


@pytest.mark.parametrize("scale, center", [(True, True), (False, False)])
@pytest.mark.parametrize("shape, axis", AXES)
def test_gradients_are_central_differences(shape, axis, scale, center, rng):
    layer = built(shape, rng, axis=axis, scale=scale, center=center, dtype="float64")
    x, dy = rng.standard_normal(shape), rng.standard_normal(shape)
    layer(x, training=True)
    dx = layer.backward(dy)
    for values, gradient in [(x, dx), *((v.data, v.grad) for v in layer.weights)]:
        expected = np.empty_like(values)
        for index in np.ndindex(values.shape):
            middle, results = values[index], []
            for step in 1e-6, -1e-6:
                values[index] = middle + step
                results.append((layer(x) * dy).sum())
            values[index] = middle
            expected[index] = (results[0] - results[1]) / 2e-6
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)


def test_gradients_are_pytorchs(rng):
    x, dy = rng.standard_normal((2, 6, 9, 5)).astype("float32")[:, 0], rng.standard_normal((2, 9, 5)).astype("float32")
    layer, theirs = built((None, 9, 5), rng, epsilon=1e-5), torch.nn.LayerNorm(5)
    theirs.load_state_dict({"weight": torch.tensor(layer.gamma.data), "bias": torch.tensor(layer.beta.data)})
    given = torch.tensor(x, requires_grad=True)
    result = theirs(given)
    result.backward(torch.tensor(dy))
    np.testing.assert_allclose(layer(x, training=True), result.detach().numpy(), rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(layer.backward(dy), given.grad.numpy(), rtol=1e-4, atol=5e-6)
    np.testing.assert_allclose(layer.gamma.grad, theirs.weight.grad.numpy(), rtol=1e-4, atol=5e-6)
    layer.default_call.spared = frozenset([0])
    assert layer.backward(dy) is None


def test_what_a_caller_does_with_the_output_changes_no_gradient(rng):
    layer = LayerNormalization(scale=False, center=False)
    x, dy = rng.standard_normal((2, 3)), rng.standard_normal((2, 3))
    layer(x, training=True)
    expected = layer.backward(dy)
    layer(x, training=True)[...] = 7
    np.testing.assert_array_equal(layer.backward(dy), expected)


def test_in_a_model(rng):
    """Trained with Keras's steps; masks pass through; inside TimeDistributed."""
    set_random_seed(0)
    model = fastrnn.Sequential([fastrnn.Input((7,)), Embedding(9, 4, mask_zero=True), LayerNormalization(),
                                GRU(5, return_sequences=True), TimeDistributed(LayerNormalization()), GRU(3), Dense(1)])
    theirs = keras.Sequential([keras.Input((7,)), keras.layers.Embedding(9, 4, mask_zero=True),
                               keras.layers.LayerNormalization(), keras.layers.GRU(5, return_sequences=True),
                               keras.layers.TimeDistributed(keras.layers.LayerNormalization()), keras.layers.GRU(3),
                               keras.layers.Dense(1)])
    theirs.set_weights(model.get_weights())
    x, y = rng.integers(0, 9, (12, 7)), rng.standard_normal((12, 1)).astype("float32")
    for m, library in (model, fastrnn), (theirs, keras):
        m.compile(library.optimizers.SGD(0.1), "mse")
        m.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    for ours, other in zip(model.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(ours, other, rtol=1e-3, atol=1e-5)


def test_frozen_and_empty(rng):
    layer = built((None, 3), rng, trainable=False)
    layer(np.ones((2, 3)), training=True)
    layer.backward(np.ones((2, 3)))
    assert layer.gamma.grad is None and layer.beta.grad is None
    assert layer(np.ones((0, 3))).shape == (0, 3)


def test_configurations():
    for axis in (-1, [1, 2]):
        theirs = keras.layers.LayerNormalization(axis=axis, epsilon=0.5, center=False, name="n", gamma_regularizer="l2")
        layer = LayerNormalization.from_config(theirs.get_config())
        assert (layer.axis, layer.epsilon, layer.center, layer.scale, layer.name) == (axis, 0.5, False, True, "n")
        config = layer.get_config()
        assert LayerNormalization.from_config(config).get_config() == config
        again = keras.layers.LayerNormalization.from_config(config)
        assert again.get_config()["epsilon"] == 0.5
    assert fastrnn.layers.deserialize(fastrnn.layers.serialize(LayerNormalization(name="n"))).name == "n"


@pytest.mark.parametrize("options, problem", [
    ({"axis": "last"}, "axis: expected a whole number"), ({"axis": []}, "axis: expected a whole number"),
    ({"axis": True}, "axis: expected a whole number"), ({"axis": [0.5]}, "axis: expected a whole number"),
    ({"epsilon": -1}, "epsilon: expected a number of 0 or more"), ({"epsilon": np.nan}, "epsilon: expected a number"),
    ({"epsilon": "a"}, "epsilon: expected a number"), ({"rms_scaling": True}, "rms_scaling: is not supported"),
    ({"axis": 0}, "axis: expected different axes"), ({"axis": 3}, "axis: expected different axes"),
    ({"axis": -3}, "axis: expected different axes"), ({"axis": [1, 1]}, "axis: expected different axes"),
    ({"axis": [2, -1]}, "axis: expected different axes"),
])
def test_errors(options, problem):
    with pytest.raises(ValueError, match=f"LayerNormalization 'n' {problem}"):
        LayerNormalization(name="n", **options).build((None, 4, 3))


def test_inputs_that_do_not_fit():
    layer = LayerNormalization(name="n")
    with pytest.raises(ValueError, match="'n': expected an input with a known size of axis -1"):
        layer.build((None, None))
    layer.build((None, 3))
    with pytest.raises(ValueError, match=r"'n': expected input with sizes \[3\] of axis -1, got \(2, 4\)"):
        layer(np.ones((2, 4)))
    with pytest.raises(ValueError, match="dy: expected shape"):
        layer(np.ones((2, 3)), training=True)
        layer.backward(np.ones((2, 4)))
    with pytest.raises(RuntimeError, match="backward needs a call with training=True"):
        LayerNormalization().backward(np.ones((2, 3)))
