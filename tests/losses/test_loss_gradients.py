# SPDX-License-Identifier: Apache-2.0
"""Gradients against central differences and JAX, and those that are fused with the last activation."""

from __future__ import annotations

import math

import jax
import keras
import numpy as np
import pytest

from fastrnn import losses
from tests.losses.cases import CASES, FUSED, C, N, T, central_differences, data, make, sigmoid, softmax, weights_for


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 4)])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_gradients_are_central_differences(name, arguments, reduction, shape):
    t, p = data(name, arguments, shape, dtype="float64")
    loss = make(name, arguments, reduction)
    for weight, mask in weights_for(shape):
        value, gradient = loss.value_and_gradient(t, p, weight, mask)
        assert value == pytest.approx(loss(t, p, weight, mask), rel=1e-12)
        expected = central_differences(lambda q, w=weight, m=mask: loss(t, q, w, m), p)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shape", [(N, C), (N, T, C)])
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_gradients_are_jax(name, arguments, shape):
    t, p = data(name, arguments, shape)
    for weight, mask in weights_for(shape):
        if mask is not None:  # a traced array carries no mask
            continue
        theirs = getattr(keras.losses, name)(**arguments)
        expected = jax.grad(lambda q, f=theirs, w=weight: f(t, q, w))(p)
        _, gradient = make(name, arguments).value_and_gradient(t, p, weight)
        np.testing.assert_allclose(gradient, np.asarray(expected), rtol=2e-4, atol=1e-6)
        assert gradient.dtype == np.float32
        assert gradient.shape == p.shape
        assert gradient.flags.c_contiguous


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_gradient_method_is_of_each_row(name, arguments):
    t, p = data(name, arguments, (3, 4), dtype="float64")
    loss = make(name, arguments)
    if "ignore_class" in arguments:
        t = np.abs(t) % 2
    expected = central_differences(lambda q: loss.call(t, q).sum(), p)
    np.testing.assert_allclose(loss.gradient(t, p), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 4)])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(("name", "arguments"), FUSED)
def test_fused_gradients_are_those_of_the_logits(name, arguments, soft, shape):
    """Value and gradient are those of the loss of logits, which central differences check above."""
    t, z = data(name, {**arguments, "from_logits": True}, shape, dtype="float64")
    if name == "CategoricalCrossentropy" and not soft:
        t = np.eye(shape[-1])[t.argmax(axis=-1)]
    fused, of_logits = make(name, arguments), make(name, {**arguments, "from_logits": True})
    activation = {"softmax": softmax, "sigmoid": sigmoid}[fused.fused_activation]
    for weight, mask in weights_for(shape):
        value, dz = fused.value_and_logits_gradient(t, activation(z), weight, mask)
        expected, expected_dz = of_logits.value_and_gradient(t, z, weight, mask)
        assert value == pytest.approx(expected, rel=1e-9)
        np.testing.assert_allclose(dz, expected_dz, rtol=1e-9, atol=1e-12)
        assert fused(t, activation(z), weight, mask, fused=True) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rows", ["zero", "two ones", "unnormalized"])
def test_fused_targets_that_are_no_probabilities(rows):
    """Rows of zeros, as padding leaves them, pull at nothing; other rows by as much as they hold."""
    z = np.random.default_rng(0).standard_normal((3, 4))
    t = np.eye(4)[[0, 1, 2]]
    t[1] = {"zero": 0, "two ones": [1, 1, 0, 0], "unnormalized": [0.1, 0.3, 0.9, 2]}[rows]
    value, dz = losses.CategoricalCrossentropy().value_and_logits_gradient(t, softmax(z))
    of_logits = losses.CategoricalCrossentropy(from_logits=True)
    assert value == pytest.approx(of_logits(t, z))
    np.testing.assert_allclose(dz, central_differences(lambda q: of_logits(t, q), z), rtol=1e-6, atol=1e-9)
    if rows == "zero":
        assert not dz[1].any()


def test_fused_gradient_by_hand():
    p = np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]], np.float32)
    value, dz = losses.CategoricalCrossentropy().value_and_logits_gradient([[0, 1, 0], [0, 0, 1]], p)
    assert value == pytest.approx(-(math.log(0.5) + math.log(0.8)) / 2)
    np.testing.assert_allclose(dz, [[0.1, -0.25, 0.15], [0.05, 0.05, -0.1]], rtol=1e-6)
    again, dz_again = losses.SparseCategoricalCrossentropy().value_and_logits_gradient([1, 2], p)
    assert again == value
    np.testing.assert_array_equal(dz, dz_again)
    value, dz = losses.BinaryCrossentropy().value_and_logits_gradient([1, 0], np.array([[0.8], [0.4]], np.float32))
    assert value == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    np.testing.assert_allclose(dz, [[-0.1], [0.2]], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fused_losses_of_certainty_are_finite(dtype):
    """A probability of 0 counts as the smallest normal number; its gradient is as large as any other's."""
    worst = -math.log(np.finfo(dtype).tiny)
    p = np.array([[0.0, 1.0]], dtype)
    for loss, t in (
        (losses.CategoricalCrossentropy(), [[1.0, 0.0]]),
        (losses.CategoricalCrossentropy(label_smoothing=1e-9), [[1.0, 0.0]]),
        (losses.SparseCategoricalCrossentropy(), [0]),
    ):
        value, dz = loss.value_and_logits_gradient(t, p)
        assert value == pytest.approx(worst, rel=1e-6)
        np.testing.assert_allclose(dz, [[-1, 1]], rtol=1e-6)
    value, dz = losses.BinaryCrossentropy().value_and_logits_gradient([[1.0, 0.0]], p)
    assert value == pytest.approx(worst, rel=1e-6)
    np.testing.assert_allclose(dz, [[-0.5, 0.5]])


def test_certainty_without_fusion_is_cut_as_in_keras():
    """Beyond the cut there is no gradient."""
    p = np.array([[0.0, 1.0]], np.float32)
    for name, t in (("CategoricalCrossentropy", [[1.0, 0.0]]), ("BinaryCrossentropy", [[1.0, 0.0]])):
        value, gradient = getattr(losses, name)().value_and_gradient(t, p)
        assert value == pytest.approx(float(getattr(keras.losses, name)()(np.array(t), p)), rel=1e-6)
        assert not gradient.any()
    _, gradient = losses.SparseCategoricalCrossentropy().value_and_gradient([0], p)
    assert not gradient.any()


def test_huge_logits_are_finite():
    z = np.array([[1e4, -1e4, 0.0]], np.float32)
    for loss, t in (
        (losses.CategoricalCrossentropy(from_logits=True), [[0, 1, 0]]),
        (losses.SparseCategoricalCrossentropy(from_logits=True), [1]),
        (losses.BinaryCrossentropy(from_logits=True), [[0, 1, 0]]),
    ):
        value, gradient = loss.value_and_gradient(t, z)
        assert 5e3 < value < 3e4
        assert np.isfinite(gradient).all()


def test_what_each_loss_tells_the_training_loop():
    for name, fused in (
        ("BinaryCrossentropy", "sigmoid"),
        ("CategoricalCrossentropy", "softmax"),
        ("SparseCategoricalCrossentropy", "softmax"),
    ):
        loss = getattr(losses, name)()
        assert loss.fused_activation == fused
        assert loss.wants_probabilities
        loss = getattr(losses, name)(from_logits=True)
        assert loss.fused_activation is None
        assert not loss.wants_probabilities
    assert losses.KLDivergence().wants_probabilities
    assert not losses.MeanSquaredError().wants_probabilities
    with pytest.raises(ValueError, match="mean_squared_error: has no activation to be fused with"):
        losses.MeanSquaredError().value_and_logits_gradient([[1.0]], [[1.0]])
