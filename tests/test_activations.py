# SPDX-License-Identifier: Apache-2.0
"""Activations on NumPy arrays against Keras, and their derivatives against central differences."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from fastrnn import activations
from fastrnn.activations.gated import Glu

NAMES = [
    "linear", "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "sigmoid", "hard_sigmoid", "log_sigmoid", "tanh",
    "hard_tanh", "softplus", "softsign", "exponential", "silu", "hard_silu", "gelu", "mish", "softmax", "log_softmax",
    "sparsemax", "sparse_plus", "sparse_sigmoid", "squareplus", "hard_shrink", "soft_shrink", "tanh_shrink",
]  # fmt: skip
CASES = [
    *[(name, {}) for name in NAMES],
    ("relu", {"negative_slope": 0.1}),
    ("relu", {"max_value": 1.0}),
    ("relu", {"threshold": 0.5}),
    ("relu", {"threshold": -0.5, "negative_slope": 0.3, "max_value": 1.2}),
    ("leaky_relu", {"negative_slope": 0.05}),
    ("elu", {"alpha": 0.4}),
    ("celu", {"alpha": 0.4}),
    ("gelu", {"approximate": True}),
    ("softmax", {"axis": 0}),
    ("log_softmax", {"axis": 0}),
    ("sparsemax", {"axis": 0}),
    ("squareplus", {"b": 0.5}),
    ("hard_shrink", {"threshold": 1.2}),
    ("soft_shrink", {"threshold": 0.2}),
    ("threshold", {"threshold": 0.7, "default_value": -1.5}),
]
X = np.linspace(-8.08, 8.08, 161).reshape(7, 23) + 0.013  # off the kinks


def with_arguments(name, arguments):
    activation = activations.get(name)
    return type(activation)(**arguments) if arguments else activation


@pytest.mark.parametrize(("name", "arguments"), [case for case in CASES if case[0] != "sparsemax"])
def test_values_are_keras(name, arguments):
    x = X.astype(np.float32)
    expected = np.asarray(getattr(keras.activations, name)(x, **arguments))
    got = with_arguments(name, arguments)(x)
    np.testing.assert_allclose(got, expected, rtol=2e-6, atol=2e-6)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(getattr(activations, name)(x, **arguments), got)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_derivatives_are_central_differences(name, arguments):
    activation = with_arguments(name, arguments)
    dy = np.random.default_rng(1).standard_normal(X.shape)
    expected = np.empty_like(X)
    for index in np.ndindex(X.shape):
        step = np.zeros_like(X)
        step[index] = 1e-6
        expected[index] = ((activation(X + step) - activation(X - step)) * dy).sum() / 2e-6
    y = activation(X)
    x = X if activation.needs_input else None
    np.testing.assert_allclose(activation.backward(y, dy, x), expected, rtol=1e-6, atol=2e-8)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_backward_keeps_float32_and_its_arguments(name, arguments):
    activation = with_arguments(name, arguments)
    x = X.astype(np.float32)
    y, dy = activation(x), np.ones_like(x)
    for array in (x, y, dy):
        array.setflags(write=False)
    dx = activation.backward(y, dy, x)
    assert dx.dtype == np.float32 and dx.shape == x.shape
    np.testing.assert_array_equal(x, X.astype(np.float32))


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_extreme_inputs_warn_of_nothing_and_keep_nan(name, arguments):
    x = np.array([[-1e4, -100.0, -0.0, 0.0, 80.0, np.nan]], np.float32)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = with_arguments(name, arguments)(x)
    # What is not above a threshold is 0, as in Keras.
    assert np.isnan(y[0, -1]) or arguments.get("threshold") or name in ("hard_shrink", "soft_shrink")
    assert np.isfinite(y[0, :-1]).all() or "softmax" in name


def test_sparsemax_is_the_nearest_distribution(rng):
    """By bisection of what is taken from all elements; Keras's is the same where one element is left."""
    x = rng.standard_normal((50, 7))
    low, high = x.min(-1, keepdims=True) - 1, x.max(-1, keepdims=True)
    for _ in range(60):
        middle = (low + high) / 2
        much = np.maximum(x - middle, 0).sum(-1, keepdims=True) > 1
        low, high = np.where(much, middle, low), np.where(much, high, middle)
    np.testing.assert_allclose(activations.sparsemax(x), np.maximum(x - low, 0), atol=1e-12)
    alone = np.array([[0.0, 3.0, 1.0], [-5.0, -9.0, -7.0]], np.float32)
    np.testing.assert_allclose(activations.sparsemax(alone), np.asarray(keras.activations.sparsemax(alone)))


@pytest.mark.parametrize("axis", [-1, 1])
def test_glu(axis, rng):
    x, dy = rng.standard_normal((3, 4, 6)), rng.standard_normal((3, 4, 3) if axis == -1 else (3, 2, 6))
    glu = Glu(axis)
    y = glu(x)
    assert y.shape == dy.shape == glu.output_shape(x.shape)
    np.testing.assert_allclose(y, np.asarray(keras.activations.glu(x.astype("float32"), axis)), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(activations.glu(x, axis), y)
    dx = glu.backward(y, dy, x)
    for at in [(0, 0, 0), (1, 3, 5), (2, 1, 2)]:
        step = np.zeros_like(x)
        step[at] = 1e-6
        np.testing.assert_allclose(dx[at], ((glu(x + step) - glu(x - step)) * dy).sum() / 2e-6, rtol=1e-6, atol=1e-8)
    with pytest.raises(ValueError, match="'glu': expected an even size of axis -1"):
        activations.glu(np.ones((2, 3)))


def test_every_name_of_keras_is_there():
    theirs = {name for name in dir(keras.activations) if not name.startswith("_")}
    assert theirs - set(activations.__all__) == set()


def test_arguments_by_position():
    x = np.array([-1.0, 0.5, 3.0], np.float32)
    np.testing.assert_array_equal(activations.relu(x, 0.1), activations.relu(x, negative_slope=0.1))
    np.testing.assert_array_equal(activations.threshold(x, 1, -2), [-2, -2, 3])
    with pytest.raises(TypeError, match="'relu': expected at most negative_slope, max_value, threshold"):
        activations.relu(x, 1, 2, 3, 4)
    with pytest.raises(TypeError, match="'elu': expected at most alpha"):
        activations.elu(x, 1, alpha=2)
    with pytest.raises(ValueError, match="'threshold': expected threshold and default_value"):
        activations.threshold(x)


def test_by_hand():
    x = np.array([-4.0, -1.0, 0.0, 2.0, 7.0])
    np.testing.assert_allclose(activations.relu(x), [0, 0, 0, 2, 7])
    np.testing.assert_allclose(activations.hard_sigmoid(x), [0, 1 / 3, 0.5, 5 / 6, 1])
    np.testing.assert_allclose(activations.softsign(x), [-0.8, -0.5, 0, 2 / 3, 7 / 8])
    np.testing.assert_allclose(activations.softmax(np.array([0.0, np.log(3)])), [0.25, 0.75])
    np.testing.assert_allclose(activations.sigmoid(np.array([-800.0, 0.0, 800.0])), [0, 0.5, 1])


def test_saturated_ends_have_no_gradient():
    one = np.ones(2)
    for name, x in (("relu", [-1, -2]), ("relu6", [-1, 7]), ("hard_sigmoid", [-4, 4]), ("hard_tanh", [-2, 2])):
        activation = activations.get(name)
        assert not activation.backward(activation(np.array(x, float)), one).any()


def test_softmax_sums_to_one_whatever_its_input(rng):
    x = rng.standard_normal((3, 4, 5)).astype(np.float32) * 100
    np.testing.assert_allclose(activations.softmax(x).sum(axis=-1), 1, rtol=1e-6)


def test_names():
    for name in NAMES:
        assert activations.get(name) is getattr(activations, name)
        assert activations.get(name).name == name == activations.serialize(activations.get(name))
        assert activations.get(keras.activations.serialize(getattr(keras.activations, name))).name == name
    assert activations.get("swish") is activations.silu and activations.get("hard_swish") is activations.hard_silu
    assert activations.get(None) is activations.linear


def test_arguments_in_configurations():
    leaky = activations.LeakyRelu(0.05)
    config = activations.serialize(leaky)
    assert config["config"] == {"negative_slope": 0.05}
    assert activations.deserialize(config).negative_slope == 0.05
    assert activations.serialize(activations.LeakyRelu()) == "leaky_relu"


def test_backward_says_that_it_needs_the_input():
    for name in ("silu", "gelu", "mish", "hard_silu"):
        assert activations.get(name).needs_input
        with pytest.raises(ValueError, match=f"activation '{name}': backward needs the input x"):
            activations.get(name).backward(np.ones(1), np.ones(1))


def test_a_plain_function():
    def cube(x):
        return x**3

    activation = activations.get(cube)
    assert activation.name == "cube" == activations.serialize(activation)
    np.testing.assert_array_equal(activation(np.array([2.0], np.float32)), [8])
    x = np.array([2.0, -1.0])
    np.testing.assert_array_equal(activation.backward(activation(x), np.array([1.0, 0.5]), x), [12, 1.5])
    assert activations.deserialize("cube", {"cube": cube}).name == "cube"


def test_errors():
    with pytest.raises(ValueError, match="unknown activation 'rleu' .did you mean 'relu'.*: expected one of"):
        activations.get("rleu")
    with pytest.raises(ValueError, match="negative_slope to be 0 or more"):
        activations.LeakyRelu(-1)


def test_lists_and_integers_become_float32():
    assert activations.tanh([0, 1]).dtype == np.float32
    assert activations.relu(np.arange(3)).dtype == np.float32
    assert activations.relu(np.arange(3.0)).dtype == np.float64
