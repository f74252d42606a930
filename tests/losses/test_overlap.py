# SPDX-License-Identifier: Apache-2.0
"""Dice and Tversky against Keras and central differences, over all axes and some."""

from __future__ import annotations

import jax
import keras
import numpy as np
import pytest

from fastrnn import losses
from tests.losses.cases import central_differences

CASES = [("Dice", {}), ("Tversky", {}), ("Tversky", {"alpha": 0.3, "beta": 0.9})]
AXES = [None, -1, (1, 2), [0, 2], 0]
SHAPE = (4, 3, 5)


def data(seed=0, dtype="float32"):
    rng = np.random.default_rng(seed)
    return (rng.random(SHAPE) > 0.5).astype(dtype), rng.random(SHAPE).astype(dtype)


@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none", "mean_with_sample_weight"])
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_values_and_gradients_are_keras(name, arguments, reduction, axis):
    t, p = data()
    ours = getattr(losses, name)(**arguments, axis=axis, reduction=reduction)
    theirs = getattr(keras.losses, name)(**arguments, axis=tuple(axis) if isinstance(axis, list) else axis,
                                         reduction=reduction)
    np.testing.assert_allclose(ours(t, p), np.asarray(theirs(t, p)), rtol=1e-6)
    np.testing.assert_allclose(getattr(losses, name.lower())(t, p, **arguments, axis=axis), ours.call(t, p))
    if reduction != "none":
        value, gradient = ours.value_and_gradient(t, p)
        assert value == pytest.approx(ours(t, p))
        np.testing.assert_allclose(gradient, np.asarray(jax.grad(lambda q: theirs(t, q))(p)), rtol=1e-5, atol=1e-7)
        assert gradient.shape == p.shape
        assert gradient.dtype == np.float32


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none", "mean_with_sample_weight"])
@pytest.mark.parametrize("axis", [None, (1, 2)], ids=str)
@pytest.mark.parametrize("name", ["Dice", "Tversky"])
def test_weights_are_keras(name, axis, reduction):
    t, p = data()
    weight = np.arange(4, dtype=np.float32)
    ours = getattr(losses, name)(axis=axis, reduction=reduction)
    theirs = getattr(keras.losses, name)(axis=axis, reduction=reduction)
    np.testing.assert_allclose(ours(t, p, weight), np.asarray(theirs(t, p, weight)), rtol=1e-6)
    if reduction != "none":
        _, gradient = ours.value_and_gradient(t, p, weight)
        expected = np.asarray(jax.grad(lambda q: theirs(t, q, weight))(p))
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_gradients_are_central_differences(name, arguments, axis):
    t, p = data(dtype="float64")
    loss = getattr(losses, name)(**arguments, axis=axis)
    for mask in (None, np.arange(12).reshape(4, 3) % 3 > 0) if axis is None else (None,):
        _, gradient = loss.value_and_gradient(t, p, mask=mask)
        expected = central_differences(lambda q, m=mask: loss(t, q, mask=m), p)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-9)


def test_by_hand():
    t, p = np.array([[1.0, 0], [1, 1]]), np.array([[0.5, 0.5], [1, 0]])
    assert losses.Dice()(t, p) == pytest.approx(1 - 2 * 1.5 / (3 + 2))
    assert losses.Tversky(alpha=1, beta=0)(t, p) == pytest.approx(1 - 1.5 / 3)
    assert losses.Dice(reduction="sum")(t, p, np.array([1.0, 3])) == pytest.approx(4 * 0.4)
    assert losses.Dice()(t, p, np.array([1.0, 3])) == pytest.approx(2 * 0.4)
    assert losses.Dice()(t * 0, p * 0) == 1


@pytest.mark.parametrize("name", ["Dice", "Tversky"])
def test_configurations_are_keras(name):
    ours, theirs = getattr(losses, name)(axis=(1, 2)), getattr(keras.losses, name)(axis=(1, 2))
    assert ours.get_config() == {**theirs.get_config(), "axis": [1, 2]}
    assert losses.get(losses.serialize(ours)).get_config() == ours.get_config()
    assert losses.get(keras.losses.serialize(theirs)).axis == (1, 2)
    assert keras.losses.deserialize(losses.serialize(ours)).axis == [1, 2]


def test_axes_that_are_not_there():
    with pytest.raises(ValueError, match=r"dice: expected axis to name axes of predictions with 3 axes.*got 3"):
        losses.Dice(axis=3)(*data())
    with pytest.raises(ValueError, match=r"each once, got \(1, -2\)"):
        losses.Dice(axis=(1, -2))(*data())
    with pytest.raises(ValueError, match="expected sample_weight"):
        losses.Dice(axis=0)(*data(), np.ones(4))
