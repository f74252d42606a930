# SPDX-License-Identifier: Apache-2.0
"""The circle loss against Keras, JAX and central differences."""

from __future__ import annotations

import jax
import keras
import numpy as np
import pytest

from fastrnn import losses
from tests.losses.cases import central_differences


def data(samples=7, units=3, classes=3, seed=0, dtype="float32"):
    rng = np.random.default_rng(seed)
    p = rng.standard_normal((samples, units))
    return rng.integers(0, classes, samples), (p / np.linalg.norm(p, axis=1, keepdims=True)).astype(dtype)


@pytest.mark.parametrize("classes", [1, 3, 7])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none"])
@pytest.mark.parametrize("arguments", [{}, {"gamma": 2.0, "margin": 0.1}, {"gamma": 5.0, "remove_diagonal": False}],
                         ids=str)
def test_values_and_gradients_are_keras(arguments, reduction, classes):
    t, p = data(classes=classes, seed=classes)
    ours, theirs = (module.Circle(**arguments, reduction=reduction) for module in (losses, keras.losses))
    for weight in (None, np.arange(7, dtype=np.float32)):
        np.testing.assert_allclose(ours(t, p, weight), np.asarray(theirs(t, p, weight)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("arguments", [{"gamma": 2.0}, {"gamma": 4.0, "margin": 0.1, "remove_diagonal": False}],
                         ids=str)
def test_gradients_are_jax(arguments):
    """Without the diagonal, whose distance of 0 is where a slope ends. Of the sum: JAX drops the mask of samples
    without others."""
    t, p = data(9, 4, 2)
    ours, theirs = (module.Circle(**arguments, reduction="sum") for module in (losses, keras.losses))
    if arguments.get("remove_diagonal", True):
        expected = np.asarray(jax.grad(lambda q: theirs(t, q))(p))
        np.testing.assert_allclose(ours.value_and_gradient(t, p)[1], expected, rtol=1e-3, atol=1e-4)
    t, p = data(9, 4, 2, dtype="float64")
    p = p * 0.9
    for weight in (None, np.arange(9.0)):
        value, gradient = ours.value_and_gradient(t, p, weight)
        assert value == pytest.approx(ours(t, p, weight))
        expected = central_differences(lambda q, w=weight: ours(t, q, w), p)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)
    mean = losses.Circle(**arguments)
    _, gradient = mean.value_and_gradient(t, p)
    np.testing.assert_allclose(gradient, central_differences(lambda q: mean(t, q), p), atol=1e-7)
    np.testing.assert_allclose(mean.gradient(t, p), central_differences(lambda q: mean.call(t, q).sum(), p), atol=1e-6)


def test_samples_without_another_of_their_label_do_not_count():
    t, p = np.array([0, 0, 1]), np.array([[1.0, 0], [0.8, 0.6], [0, 1]])
    loss = losses.Circle(gamma=2.0)
    values = loss.call(t, p)
    assert values[2] == 0
    assert loss(t, p) == pytest.approx(values[:2].mean())
    value, gradient = losses.Circle().value_and_gradient([1, 1], p[:2])
    assert value == 0
    assert not gradient.any()


def test_other_embeddings_are_keras():
    t, p = data(5)
    others, embeddings = data(8, seed=1)
    got = losses.circle(t, p, others, embeddings, gamma=3)
    expected = keras.losses.circle(t, p, others, embeddings, gamma=3)
    np.testing.assert_allclose(got, np.asarray(expected), rtol=1e-5)
    np.testing.assert_allclose(losses.circle(t, p), losses.Circle().call(t, p))


@pytest.mark.parametrize(("t", "p", "message"), [
    (np.zeros((3, 2)), np.zeros((3, 2)), r"circle: expected y_true of shape \(3,\), one whole number a sample"),
    (np.full(3, 0.5), np.zeros((3, 2)), "circle: expected whole numbers in y_true, got 0.5"),
    (np.zeros(3), np.zeros((3, 2, 2)), r"circle: expected y_pred of shape \(batch, units\)"),
])
def test_what_does_not_fit(t, p, message):
    with pytest.raises(ValueError, match=message):
        losses.Circle()(t, p)


def test_configuration_is_keras():
    ours, theirs = losses.Circle(gamma=2.0), keras.losses.Circle(gamma=2.0)
    assert ours.get_config() == theirs.get_config()
    assert losses.get(keras.losses.serialize(theirs)).gamma == 2
    assert keras.losses.deserialize(losses.serialize(ours)).gamma == 2
    assert losses.get("circle").margin == keras.losses.get("circle").__defaults__[-1]
