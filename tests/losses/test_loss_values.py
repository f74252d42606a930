# SPDX-License-Identifier: Apache-2.0
"""Losses against Keras, with every kind of weight and mask, and by hand."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from fastrnn import losses
from tests.losses.cases import CASES, REDUCTIONS, C, N, T, data, in_keras, make, weights_for


@pytest.mark.parametrize("shape", [(N, C), (N, T, C), (N, 1)])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_values_are_keras(name, arguments, reduction, shape):
    """With every kind of weight and mask that Keras takes."""
    if shape[-1] == 1 and ("Categorical" in name or name in ("KLDivergence", "CosineSimilarity")):
        shape = (N, 2)
    t, p = data(name, arguments, shape)
    for weight, mask in weights_for(shape):
        if np.ndim(weight) == 0 and weight is not None and reduction == "mean_with_sample_weight":
            continue  # Keras divides by the one number, and gives the sum
        expected = np.asarray(in_keras(name, arguments, reduction, t, p, weight, mask))
        got = make(name, arguments, reduction)(t, p, weight, mask)
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-6)
        assert isinstance(got, float) or reduction == "none"


@pytest.mark.parametrize("shape", [(N, C), (N, T, C)])
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_functions_are_keras(name, arguments, shape):
    t, p = data(name, arguments, shape)
    function = getattr(losses, losses.snake_case(name))
    given = {"q": 0.5, **arguments} if "Generalized" in name else arguments     # which Keras has no default for
    expected = np.asarray(getattr(keras.losses, function.__name__)(t, keras.ops.convert_to_tensor(p), **given))
    got = function(t, p, **arguments)
    np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-6)
    assert got.dtype == np.float32
    assert type(losses.get(function)) is getattr(losses, name)


def test_by_hand():
    t, p = np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([[0.5, 0.5], [0.25, 1.0]])
    assert losses.MeanSquaredError()(t, p) == pytest.approx((0.25 + 0.25 + 0.5625) / 4)
    assert losses.MeanAbsoluteError()(t, p) == pytest.approx(1.75 / 4)
    assert losses.MeanSquaredError(reduction="sum")(t, p) == pytest.approx(1.0625 / 2)
    np.testing.assert_allclose(losses.MeanAbsoluteError(reduction=None)(t, p), [0.5, 0.375])
    assert losses.Huber(delta=0.6)(t, p) == pytest.approx((0.125 + 0.125 + 0.6 * 0.75 - 0.18) / 4)
    assert losses.CategoricalCrossentropy()([[0, 1]], [[0.2, 0.8]]) == pytest.approx(-math.log(0.8))
    assert losses.CategoricalCrossentropy()([[0, 1]], [[0.5, 2.0]]) == pytest.approx(-math.log(0.8))
    assert losses.SparseCategoricalCrossentropy()([1], [[0.2, 0.8]]) == pytest.approx(-math.log(0.8))
    assert losses.BinaryCrossentropy()([[1.0]], [[0.0]]) == pytest.approx(-math.log(1e-7))
    assert losses.BinaryCrossentropy()([[1.0]], [[0.25]]) == pytest.approx(math.log(4))
    assert losses.BinaryCrossentropy(label_smoothing=0.5)([[1.0]], [[0.25]]) == pytest.approx(
        0.75 * math.log(4) + 0.25 * math.log(4 / 3)
    )


def test_mean_over_a_mask_by_hand():
    """The masked steps' share goes to the others: the mean is over those that count."""
    t, p = np.zeros((1, 4, 1)), np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1)
    mask = np.array([[True, False, True, False]])
    loss = losses.MeanSquaredError()
    assert loss(t, p, mask=mask) == 5
    assert loss(t, p, np.array([[1.0, 9, 3, 9]]), mask) == 14
    assert loss(t, p, mask=np.zeros((1, 4), bool)) == 0
    assert losses.MeanSquaredError(reduction="sum")(t, p, mask=mask) == 10
    weighted_mean = losses.MeanSquaredError(reduction="mean_with_sample_weight")
    assert weighted_mean(t, p, np.array([[1.0, 9, 3, 9]]), mask) == 7


def test_a_weight_for_each_sequence_weighs_each_of_its_steps():
    t, p = data("MeanSquaredError", {}, (N, T, C))
    weight = np.arange(N, dtype=np.float32)
    for reduction in ("sum_over_batch_size", "sum", "mean_with_sample_weight"):
        loss = losses.MeanSquaredError(reduction=reduction)
        assert loss(t, p, weight) == pytest.approx(loss(t, p, np.repeat(weight[:, None], T, axis=1)), rel=1e-6)
    assert losses.MeanSquaredError(reduction="mean_with_sample_weight")(t, p, np.ones(N)) == pytest.approx(
        losses.MeanSquaredError()(t, p)
    )
