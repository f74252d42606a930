# SPDX-License-Identifier: Apache-2.0
"""Dense by hand, against Keras, and its gradients against central differences."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastrnn
from fastrnn import activations
from fastrnn.layers import Dense
from tests.conftest import assert_close

NAMES = ["linear", "relu", "sigmoid", "tanh", "hard_sigmoid", "softmax", "softplus", "elu", "selu", "silu", "gelu",
         "leaky_relu", "exponential", "log_softmax"]  # fmt: skip


def built(width, units, rng, **options):
    layer = Dense(units, **options)
    layer.build((None, width))
    layer.set_weights([rng.standard_normal(v.shape) * 0.5 for v in layer.weights])
    return layer


def test_by_hand():
    layer = Dense(2)
    layer.build((None, 3))
    layer.set_weights([[[1, 2], [3, 4], [5, 6]], [10, 20]])
    np.testing.assert_array_equal(layer([[1, 1, 1], [1, 0, -1]], training=True), [[19, 32], [6, 16]])
    np.testing.assert_array_equal(layer.backward([[1, 0], [0, 1]]), [[1, 3, 5], [2, 4, 6]])
    np.testing.assert_array_equal(layer.kernel.grad, [[1, 1], [1, 0], [1, -1]])
    np.testing.assert_array_equal(layer.bias.grad, [1, 1])


@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 5), (2, 1, 3, 5)])
@pytest.mark.parametrize("activation", NAMES)
def test_outputs_are_keras(activation, shape, rng):
    layer, theirs = built(5, 7, rng, activation=activation), keras.layers.Dense(7, activation=activation)
    theirs.build(shape)
    theirs.set_weights(layer.get_weights())
    x = rng.standard_normal(shape).astype("float32")
    np.testing.assert_allclose(layer(x), np.asarray(theirs(x)), rtol=2e-5, atol=2e-6)
    assert layer(x).shape == layer.compute_output_shape(shape) == theirs.compute_output_shape(shape)


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("activation", NAMES)
@pytest.mark.usefixtures("both_ways")
def test_gradients_are_central_differences(activation, use_bias, rng):
    layer = built(4, 5, rng, activation=activation, use_bias=use_bias, dtype="float64")
    x, dy = rng.standard_normal((3, 2, 4)), rng.standard_normal((3, 2, 5))
    layer(x, training=True)
    dx = layer.backward(dy)
    for values, gradient in [(x, dx), *((v.data, v.grad) for v in layer.weights)]:
        expected = np.empty_like(values)
        for index in np.ndindex(values.shape):
            middle, results = values[index], []
            for step in 1e-6, -1e-6:
                values[index] = middle + step
                for variable in layer.weights:
                    variable.touch()
                results.append((layer(x) * dy).sum())
            values[index] = middle
            expected[index] = (results[0] - results[1]) / 2e-6
        assert_close(gradient, expected, 1e-6)


@given(
    st.integers(0, 40), st.integers(1, 70), st.integers(1, 70), st.integers(1, 5), st.booleans(),
    st.sampled_from(["float32", "float64"]),
)  # fmt: skip
def test_any_size(rows, width, units, threads, use_bias, dtype):
    rng = np.random.default_rng(rows + width + units)
    fastrnn.set_num_threads(threads)
    layer = built(width, units, rng, use_bias=use_bias, dtype=dtype)
    x, dy = (rng.standard_normal((rows, n)).astype(dtype) for n in (width, units))
    w, tolerance = layer.kernel.value, 1e-5 if dtype == "float32" else 1e-12
    b = layer.bias.value if use_bias else 0
    assert_close(layer(x, training=True), x.astype("f8") @ w + b, tolerance, "output")
    assert_close(layer.backward(dy), dy.astype("f8") @ w.T, tolerance, "dx")
    assert_close(layer.kernel.grad, x.astype("f8").T @ dy, tolerance, "dW")
    if use_bias:
        assert_close(layer.bias.grad, dy.astype("f8").sum(axis=0), tolerance, "db")


@pytest.mark.parametrize("activation", ["tanh", "softmax"])
@pytest.mark.usefixtures("both_ways")
def test_same_bits_for_any_number_of_threads(activation, rng):
    layer = built(130, 75, rng, activation=activation)
    x, dy = (rng.standard_normal((8, 19, n)).astype("float32") for n in (130, 75))
    found = []
    for threads in 1, 2, 3, 5:
        fastrnn.set_num_threads(threads)
        y = layer(x, training=True)
        found.append([y, layer.backward(dy), *(v.grad.copy() for v in layer.weights)])
    for other in found[1:]:
        for a, b in zip(other, found[0], strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_batch_around_a_row_does_not_change_it(rng):
    """What the tile promises, and BLAS does not."""
    fastrnn.runtime.set_blas("never")
    layer, x = built(37, 21, rng, activation="sigmoid"), rng.standard_normal((50, 37)).astype("float32")
    y = layer(x)
    for rows in 1, 2, 7, 33:
        np.testing.assert_array_equal(layer(x[:rows]), y[:rows])


def logits_back(layer, dz):
    """The input's gradient from that of what enters the activation."""
    layer.default_call.logits = True
    dx = layer.backward(dz)
    layer.default_call.logits = False
    return dx


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "tanh"])
def test_gradients_from_what_enters_the_activation(activation, rng):
    """As a loss that is fused with the activation gives them."""
    layer = built(5, 4, rng, activation=activation, dtype="float64")
    x, dy = rng.standard_normal((3, 2, 5)), rng.standard_normal((3, 2, 4))
    y = layer(x, training=True)
    dx = layer.backward(dy)
    expected = [dx, *(v.grad.copy() for v in layer.weights)]
    dz = activations.get(activation).backward(y, dy)
    for a, b in zip([logits_back(layer, dz), *(v.grad for v in layer.weights)], expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_gradients_only_where_asked_for(rng):
    layer, x = built(5, 4, rng), rng.standard_normal((3, 5))
    layer(x, training=True)
    layer.default_call.spared = frozenset([0])
    assert layer.backward(np.ones((3, 4))) is None
    assert layer.kernel.grad is not None
    frozen = built(5, 4, rng, trainable=False)
    frozen(x, training=True)
    assert frozen.backward(np.ones((3, 4))).shape == (3, 5)
    assert frozen.kernel.grad is None and frozen.bias.grad is None


@pytest.mark.usefixtures("both_ways")
def test_new_weights_act_at_once(rng):
    layer, x = built(3, 2, rng), np.eye(3, dtype="float32")
    layer(x, training=True)
    layer.backward(np.zeros((3, 2)))
    layer.set_weights([np.ones((3, 2)), np.zeros(2)])
    np.testing.assert_array_equal(layer(x, training=True), np.ones((3, 2)))
    np.testing.assert_array_equal(layer.backward(np.ones((3, 2))), np.full((3, 3), 2))
    layer.bias.assign([1, 2])
    np.testing.assert_array_equal(layer(x), [[2, 3]] * 3)


def test_errors(rng):
    layer = built(5, 4, rng, name="head")
    with pytest.raises(ValueError, match=r"Dense 'head': expected input \(batch, \.\.\., 5\), got \(3, 6\)"):
        layer(np.ones((3, 6)))
    with pytest.raises(RuntimeError, match="Dense 'head': backward needs a call with training=True"):
        layer.backward(np.ones((3, 4)))
    layer(np.ones((3, 5)), training=True)
    with pytest.raises(ValueError, match="Dense 'head' dy: expected"):
        layer.backward(np.ones((3, 5)))
    for units in 0, -1, 2.5, True, "4":
        with pytest.raises(ValueError, match="units: expected a positive whole number"):
            Dense(units)
    with pytest.raises(ValueError, match="Dense 'top': expected input .* known number of features"):
        Dense(3, name="top").build((None, None))


@pytest.mark.usefixtures("both_ways")
def test_penalties_and_constraints(rng):
    layer = built(3, 2, rng, kernel_regularizer="l2", bias_regularizer=fastrnn.regularizers.L1(0.1),
                  kernel_constraint="non_neg")  # fmt: skip
    w, b = layer.kernel.value.copy(), layer.bias.value.copy()
    assert sum(layer.losses) == pytest.approx(0.01 * (w**2).sum() + 0.1 * np.abs(b).sum(), rel=1e-5)
    layer(np.zeros((1, 3)), training=True)
    layer.backward(np.zeros((1, 2)))
    layer.add_regularization_grads()
    np.testing.assert_allclose(layer.kernel.grad, 0.02 * w, rtol=1e-5)
    np.testing.assert_allclose(layer.bias.grad, 0.1 * np.sign(b), rtol=1e-5)
    fastrnn.optimizers.SGD(0.0).apply(layer.weights)
    np.testing.assert_array_equal(layer.kernel.value, np.maximum(w, 0))


def test_configurations_are_keras():
    arguments = {"activation": "relu", "use_bias": False, "kernel_initializer": "he_normal", "name": "head",
                 "kernel_regularizer": "l2", "bias_constraint": "max_norm"}  # fmt: skip
    theirs = keras.layers.Dense(4, **arguments).get_config()
    ours = Dense(4, **arguments).get_config()
    same = ("units", "activation", "use_bias", "name", "trainable")
    assert {k: ours[k] for k in same} == {k: theirs[k] for k in same}
    again = {k: v for k, v in theirs.items() if k not in ("quantization_config",)}
    assert Dense.from_config(again).get_config() == Dense.from_config(ours).get_config() == ours


def test_first_values_are_those_of_keras():
    """By their bounds: glorot_uniform for the kernel, zeros for the bias."""
    layer = Dense(50)
    layer.build((None, 70))
    assert 0.9 < np.abs(layer.kernel.value).max() / np.sqrt(6 / 120) <= 1
    assert not layer.bias.value.any()
    assert layer.count_params() == 70 * 50 + 50


@pytest.mark.parametrize("layer", [Dense, lambda units, activation: fastrnn.layers.Activation(activation)])
def test_only_a_plain_activation_is_fused_with_a_loss(layer, rng):
    """A softmax over another axis, and a function that has the name of an activation, are not what the name says."""
    x, y = rng.standard_normal((4, 3, 3)), np.eye(3)[rng.integers(0, 3, (4, 3))]
    for activation, fused in ("softmax", True), (activations.Softmax(axis=1), False), (activations.Softmax(), True):
        model = fastrnn.Sequential([fastrnn.Input((3, 3)), layer(3, activation)])
        model.compile("sgd", "categorical_crossentropy")
        p = model.predict(x, verbose=0)
        p = p / p.sum(axis=-1, keepdims=True)               # as Keras's loss does
        expected = -np.log(p[y.astype(bool)]).mean()
        np.testing.assert_allclose(model.evaluate(x, y, verbose=0), expected, rtol=1e-4)
        assert (model.layers[0].output_activation == "softmax") == fused

    def softmax(x):
        return 0 * x + 1

    np.testing.assert_array_equal(Dense(3, softmax)(x), np.ones((4, 3, 3)))
