# SPDX-License-Identifier: Apache-2.0
"""Targets, weights and class indices that do not fit, and the way out that the errors name."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from fastrnn import losses, ops
from tests.losses.cases import C, N, T, data


def test_an_axis_of_one_is_all_that_may_differ(rng):
    t, p = rng.random((N, 1)).astype("f"), rng.random((N, 1)).astype("f")
    loss = losses.MeanSquaredError()
    value, gradient = loss.value_and_gradient(t, p)
    for target, prediction in ((t[:, 0], p), (t, p[:, 0])):
        again, same = loss.value_and_gradient(target, prediction)
        assert again == value
        np.testing.assert_array_equal(same.ravel(), gradient.ravel())
        assert same.shape == prediction.shape
    assert loss(t[:, 0], p[:, 0]) == pytest.approx(value)
    assert loss(t[:, 0], p[:, 0], np.arange(N)) == pytest.approx(loss(t, p, np.arange(N)))


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
def test_sequences_of_one_unit_beside_flat_targets(rng, reduction):
    """As in Keras without weights for steps; with them, which Keras does not take here, a row for each step."""
    t, p = rng.random((N, T)).astype("f"), rng.random((N, T, 1)).astype("f")
    loss = losses.MeanSquaredError(reduction=reduction)
    expected = float(keras.losses.MeanSquaredError(reduction=reduction)(t, p))
    value, gradient = loss.value_and_gradient(t, p)
    assert value == pytest.approx(expected, rel=1e-6)
    assert gradient.shape == p.shape
    weight = rng.random(N).astype("f")
    expected = float(keras.losses.MeanSquaredError(reduction=reduction)(t, p, weight))
    assert loss(t, p, weight) == pytest.approx(expected, rel=1e-6)
    mask = rng.random((N, T)) > 0.5
    value, gradient = loss.value_and_gradient(t, p, mask=mask)
    assert value == pytest.approx(loss(t[..., None], p, mask=mask), rel=1e-6)
    assert not gradient[~mask].any()


@pytest.mark.parametrize(
    ("name", "t", "p", "message"),
    [
        ("CategoricalCrossentropy", (8, 5, 52), (8, 52), "set return_sequences=True on the last recurrent layer"),
        ("MeanSquaredError", (8, 5), (8, 1), "set return_sequences=True on the last recurrent layer"),
        ("MeanSquaredError", (8, 5, 3), (8, 3), "expected y_true of shape (8, 3), got (8, 5, 3); where the targets"),
        ("BinaryCrossentropy", (8, 5, 1), (8, 1), "set return_sequences=True on the last recurrent layer"),
        ("SparseCategoricalCrossentropy", (8, 5), (8, 52), "set return_sequences=True on the last recurrent layer"),
        ("SparseCategoricalCrossentropy", (8, 5, 1), (8, 52), "set return_sequences=True on the last recurrent"),
        ("SparseCategoricalCrossentropy", (8,), (8, 5, 52), "set return_sequences=False on the last recurrent layer"),
        ("CategoricalCrossentropy", (8, 52), (8, 5, 52), "set return_sequences=False on the last recurrent layer"),
        ("BinaryCrossentropy", (8,), (8, 5, 1), "set return_sequences=False on the last recurrent layer"),
        ("CategoricalCrossentropy", (8,), (8, 52), "use sparse_categorical_crossentropy, or fastrnn.utils.to_"),
        ("CategoricalCrossentropy", (8, 1), (8, 52), "use sparse_categorical_crossentropy"),
        ("CategoricalCrossentropy", (8, 5), (8, 5, 52), "use sparse_categorical_crossentropy"),
        ("BinaryCrossentropy", (8,), (8, 2), "give the last layer 1 unit"),
        ("SparseCategoricalCrossentropy", (8, 52), (8, 52), "for one-hot targets use categorical_crossentropy"),
        ("MeanSquaredError", (8, 3), (8, 4), "give the last layer 3 units, or targets with 4 values"),
        ("MeanSquaredError", (7, 4), (8, 4), "there are 7 targets for 8 predictions"),
        ("SparseCategoricalCrossentropy", (7,), (8, 4), "there are 7 targets for 8 predictions"),
        ("MeanSquaredError", (8,), (8, 4), "must have the same number of axes"),
        ("MeanSquaredError", (), (8, 4), "must have the same number of axes"),
        ("SparseCategoricalCrossentropy", (8, 3, 2), (8, 3, 4), "one class index a prediction"),
    ],
)
def test_targets_that_do_not_fit_say_the_way_out(name, t, p, message):
    loss = getattr(losses, name)()
    for method in (loss, loss.value_and_gradient, loss.call):
        with pytest.raises(ValueError, match=f"^{loss.name}: expected ") as error:
            method(np.zeros(t), np.full(p, 0.5))
        assert message in str(error.value)
        assert str(t) in str(error.value)


@pytest.mark.parametrize(("name", "t", "p"), [
    ("MeanSquaredError", (8, 5), (8, 1)), ("CategoricalCrossentropy", (8, 4), (8, 3)),
    ("BinaryCrossentropy", (8, 3), (8, 2)), ("SparseCategoricalCrossentropy", (8, 3), (8, 3)),
    ("Huber", (8, 5), (8, 5, 2)),
])  # fmt: skip
def test_shapes_alone_tell_as_much(name, t, p):
    loss = getattr(losses, name)()
    with pytest.raises(ValueError, match=r"\w") as from_values:
        loss(np.zeros(t), np.full(p, 0.5))
    with pytest.raises(ValueError, match=r"\w") as from_shapes:
        loss.check_shapes(t, p)
    assert str(from_shapes.value) == str(from_values.value)


@pytest.mark.parametrize(("name", "t", "p"), [
    ("MeanSquaredError", (8,), (8, 1)), ("MeanSquaredError", (8, 5, 1), (8, 5)), ("Huber", (8, 5), (8, 5)),
    ("SparseCategoricalCrossentropy", (8, 5, 1), (8, 5, 3)), ("SparseCategoricalCrossentropy", (8,), (8, 3)),
])  # fmt: skip
def test_shapes_that_fit(name, t, p):
    getattr(losses, name)().check_shapes(t, p)


def test_a_loss_of_ones_own_takes_any_shapes():
    losses.Loss().check_shapes((8, 5), (8, 2))


@pytest.mark.parametrize(
    ("weight", "mask", "message"),
    [
        (np.ones(5), None, "expected sample_weight of shape (6,) or (6, 3), got (5,)"),
        (np.ones((6, 4)), None, "expected sample_weight of shape (6,) or (6, 3), got (6, 4)"),
        (np.ones((6, 3, 2)), None, "expected sample_weight of shape (6,) or (6, 3), got (6, 3, 2)"),
        (["a"] * 6, None, "expected sample_weight to hold numbers"),
        (None, np.ones((6, 4), bool), "expected mask of shape (6,) or (6, 3), got (6, 4)"),
    ],
)
def test_weights_that_do_not_fit(weight, mask, message):
    t, p = data("MeanSquaredError", {}, (N, T, C))
    with pytest.raises(ValueError, match="mean_squared_error: ") as error:
        losses.MeanSquaredError().value_and_gradient(t, p, weight, mask)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("t", "message"),
    [
        ([0, 4], "from 0 to 3, got 4; the last layer has 4 units"),
        ([0, -1], "from 0 to 3, got -1"),
        ([0, 2**40], "from 0 to 3, got 1099511627776"),
        (np.array([0, 2**64 - 1], np.uint64), "from 0 to 3, got -1"),
        ([0.0, math.nan], "to be whole numbers, got nan"),
        ([0.0, math.inf], "to be whole numbers, got inf"),
        ([0.0, 1.5], "to be whole numbers, got 1.5"),
        (["a", "b"], "to hold class indices, got dtype"),
        (np.array([0, None]), "to hold class indices, got dtype object"),
    ],
)
@pytest.mark.parametrize("arguments", [{}, {"from_logits": True}])
def test_class_indices_are_checked_before_they_are_used(t, message, arguments):
    loss = losses.SparseCategoricalCrossentropy(**arguments)
    p = np.full((2, 4), 0.25, np.float32)
    for method in (loss, loss.value_and_gradient, loss.call):
        with pytest.raises(ValueError, match=r"^sparse_categorical_crossentropy: expected ") as error:
            method(t, p)
        assert message in str(error.value)


def test_only_the_ignored_class_may_be_no_class():
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    p = np.full((2, 4), 0.25, np.float32)
    assert loss([-1, 2], p) == pytest.approx(math.log(4))
    assert loss([-1, -1], p) == 0
    with pytest.raises(ValueError, match="got -2"):
        loss([-1, -2], p)


@pytest.mark.parametrize("bad", ["strings", [["a"], ["b"]], np.array([[None], [1]])])
def test_what_is_no_number(bad):
    loss = losses.MeanSquaredError()
    with pytest.raises(ValueError, match="mean_squared_error: expected y_true to hold numbers, got dtype"):
        loss(bad, np.ones((2, 1)))
    with pytest.raises(ValueError, match="mean_squared_error: expected y_pred to hold numbers, got dtype"):
        loss(np.ones((2, 1)), bad)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3)])
@pytest.mark.parametrize("name", ["MeanSquaredError", "CategoricalCrossentropy", "SparseCategoricalCrossentropy"])
def test_the_loss_of_nothing_is_zero(name, shape):
    loss = getattr(losses, name)()
    t = np.zeros(shape[:-1] if "Sparse" in name else shape)
    value, gradient = loss.value_and_gradient(t, np.zeros(shape, np.float32))
    assert value == 0
    assert gradient.shape == shape
    if loss.fused_activation:
        assert loss.value_and_logits_gradient(t, np.zeros(shape, np.float32))[0] == 0


def test_one_class_warns():
    with pytest.warns(UserWarning, match="the predictions have one class"):
        losses.CategoricalCrossentropy()(np.ones((2, 1)), np.ones((2, 1)))


@pytest.mark.filterwarnings("error")
def test_infinities_and_nan_show_in_the_loss_and_nowhere_else():
    p = np.array([[np.inf, 1.0], [np.nan, 1.0]], np.float32)
    for name in ("MeanSquaredError", "BinaryCrossentropy", "CategoricalCrossentropy", "LogCosh", "CosineSimilarity"):
        assert not math.isfinite(getattr(losses, name)()(np.ones((2, 2)), p))


def test_a_loss_function_that_returns_nothing():
    def forgetful(y_true, y_pred):
        y_true - y_pred

    loss = losses.get(forgetful)
    for call in loss, loss.value_and_gradient:
        with pytest.raises(ValueError, match=r"forgetful: expected the loss to give an array or a number, got None"):
            call(np.zeros((2, 1)), np.ones((2, 1)))


def test_a_loss_that_has_no_gradient_names_the_function():
    p = np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]], "float32")
    best = losses.get(lambda y_true, y_pred: ops.cast(ops.argmax(y_pred, -1), "float32") - y_true)
    assert best([1.0, 1.0], p) == -0.5
    with pytest.raises(ValueError, match=r"<lambda>: nothing can be trained by it: ops.argmax has no gradient"):
        best.value_and_gradient([1.0, 1.0], p)
    # A loss that is meant to be constant trains nothing, and neither do parts of another one.
    nothing = losses.get(lambda y_true, y_pred: ops.sum(ops.zeros_like(y_pred), -1))
    assert not nothing.value_and_gradient([1.0, 1.0], p)[1].any()
    part = losses.get(lambda y_true, y_pred: ops.max(y_pred, -1) * ops.cast(ops.argmax(y_pred, -1), "float32"))
    assert part.value_and_gradient([1.0, 1.0], p)[1].tolist() == [[0.0, 0.5, 0.0], [0.0, 0.0, 0.0]]
