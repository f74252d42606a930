# SPDX-License-Identifier: Apache-2.0
"""Names, defaults and configurations against Keras, and losses of the user's own."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from fastrnn import losses
from tests.losses.cases import CASES, REDUCTIONS, C, N, T, central_differences, weights_for


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (lambda: losses.MeanSquaredError(reduction="average"), "mean_squared_error: expected reduction to be one of"),
        (lambda: losses.BinaryCrossentropy(label_smoothing=1.5), "expected label_smoothing from 0 to 1, got 1.5"),
        (lambda: losses.CategoricalCrossentropy(axis=1), "categorical_crossentropy: expected axis=-1, got 1"),
        (lambda: losses.get("mse_"), "unknown loss 'mse_' (did you mean 'mse'"),
        (lambda: losses.get("crossentropy"), "needs the shapes of targets and predictions"),
        (lambda: losses.get(3), "cannot read 3 as a loss"),
    ],
)
def test_arguments_out_of_range(make_it, message):
    with pytest.raises(ValueError, match=r"\w") as error:
        make_it()
    assert message in str(error.value)


def test_training_needs_one_number():
    with pytest.raises(ValueError, match="reduction 'none' gives one value a row, and training needs one number"):
        losses.MeanSquaredError(reduction="none").value_and_gradient([[1.0]], [[1.0]])


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_names_defaults_and_configurations_are_keras(name):
    ours, theirs = getattr(losses, name)(), getattr(keras.losses, name)()
    assert ours.name == theirs.name
    assert ours.reduction == theirs.reduction
    assert theirs.get_config().items() <= ours.get_config().items() | theirs.get_config().items()
    for key, value in theirs.get_config().items():
        assert ours.get_config().get(key, value) == value
    assert type(losses.get(keras.losses.serialize(theirs))) is type(ours)
    assert type(keras.saving.deserialize_keras_object(losses.serialize(ours))) is type(theirs)
    assert losses.get(losses.serialize(ours)).get_config() == ours.get_config()


def test_names_of_keras():
    for name in ("mse", "MSE", "mae", "MAE", "mape", "msle", "kld", "bce", "huber", "log_cosh", "hinge", "poisson"):
        function = keras.losses.get(name).__name__
        assert losses.snake_case(type(losses.get(name)).__name__) == function
        assert type(losses.get(keras.losses.serialize(keras.losses.get(name)))) is type(losses.get(name))
    assert losses.get(losses.mse) is not losses.get(losses.mse)
    assert losses.get(None) is None
    assert losses.get({"class_name": "MeanSquaredError", "config": {"reduction": "auto"}}).reduction == REDUCTIONS[0]


@pytest.mark.parametrize(
    ("t", "p", "name"),
    [
        ((None,), (None, 1), "binary"),
        ((32, 1), (32, 1), "binary"),
        ((32, 5, 1), (32, 5, 1), "binary"),
        ((32,), (32, 10), "sparse_categorical"),
        ((32, 1), (32, 10), "sparse_categorical"),
        ((32, 5), (32, 5, 10), "sparse_categorical"),
        ((32, 10), (32, 10), "categorical"),
        ((32, 5, 10), (32, 5, 10), "categorical"),
    ],
)
def test_crossentropy_is_the_one_that_fits(t, p, name):
    assert losses.get("crossentropy", t, p).name == losses.get("ce", t, p).name == f"{name}_crossentropy"


class Quartic(losses.Loss):
    def call(self, y_true, y_pred):
        return ((y_pred - y_true) ** 4).mean(axis=-1)

    def gradient(self, y_true, y_pred):
        return 4 * (y_pred - y_true) ** 3 / y_pred.shape[-1]


def test_a_loss_of_the_users_own(rng):
    t, p = rng.standard_normal((N, T, C)), rng.standard_normal((N, T, C))
    loss = Quartic()
    assert loss.name == "quartic"
    assert losses.get(loss) is loss
    assert type(losses.deserialize(losses.serialize(loss), {"Quartic": Quartic})) is Quartic
    for weight, mask in weights_for((N, T, C)):
        value, gradient = loss.value_and_gradient(t, p, weight, mask)
        assert value == pytest.approx(loss(t, p, weight, mask))
        expected = central_differences(lambda q, w=weight, m=mask: loss(t, q, w, m), p)
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)


def test_a_gradient_of_the_users_own_has_the_wrong_shape():
    class Wrong(losses.Loss):
        def call(self, y_true, y_pred):
            return y_pred.sum(axis=-1)

        def gradient(self, y_true, y_pred):
            return np.ones(3)

    with pytest.raises(ValueError, match=r"wrong: expected gradient\(\) to give shape \(1, 1\), got \(3,\)"):
        Wrong().value_and_gradient([[0.0]], [[2.0]])
