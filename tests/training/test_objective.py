# SPDX-License-Identifier: Apache-2.0
"""The averages of loss and metrics over an epoch."""

from __future__ import annotations

import numpy as np
import pytest

import fastrnn
from fastrnn import losses, metrics
from fastrnn.training.objective import Objective


def bound(*args, shape=(4, 1), **kwargs) -> Objective:
    objective = Objective(*args, **kwargs)
    objective.bind(0, shape, shape)
    return objective


def update(objective: Objective, y, output, weight, mask, value) -> None:
    objective.count(value, len(output))
    objective.update([y], [output], [weight], [mask])


def test_the_loss_is_weighted_by_the_size_of_the_batches():
    objective = bound("mse")
    update(objective, np.zeros((3, 1)), np.zeros((3, 1)), None, None, 2.0)
    update(objective, np.zeros((1, 1)), np.zeros((1, 1)), None, None, 6.0)
    assert objective.values() == [3.0]
    objective.reset()
    assert objective.values() == [0.0]


def test_names_and_order():
    objective = bound("mse", ["mae", "accuracy"])
    assert objective.names == ["loss", "mae", "accuracy"]
    assert list(objective.logs()) == ["accuracy", "loss", "mae"]


def test_equal_names_are_told_apart():
    objective = bound("mse", ["mae", "mae"], ["mae", "mae"])
    assert objective.names == ["loss", "mae", "mae_1", "weighted_mae", "weighted_mae_1"]


def test_sample_weights_count_in_weighted_metrics_alone():
    objective = bound("mse", ["mae"], ["mae"])
    update(objective, np.zeros((2, 1)), np.array([[1.0], [3.0]]), np.array([3.0, 1.0]), None, 0.0)
    assert objective.values()[1:] == [2.0, 1.5]


def test_masked_steps_count_in_metrics_that_are_no_means_of_a_function():
    objective = bound("mse", ["mae", metrics.RootMeanSquaredError()], [metrics.RootMeanSquaredError()], shape=(2, 2, 1))
    y, output = np.zeros((2, 2, 1)), np.array([[[1.0], [9.0]], [[2.0], [4.0]]])
    weight = np.array([[2.0, 1.0], [1.0, 0.0]])
    update(objective, y, output, weight, np.array([[True, False], [True, True]]), 0.0)
    _, mae, plain, weighted = objective.values()
    assert mae == pytest.approx(7 / 3)
    assert plain == pytest.approx(np.sqrt((1 + 81 + 4 + 16) / 4))
    assert weighted == pytest.approx(np.sqrt((2 * 1 + 81 + 4) / 4))


def test_masked_steps_count_in_no_mean():
    objective = bound("mse", ["mae"], ["mae"], shape=(2, 2, 1))
    y, output = np.zeros((2, 2, 1)), np.array([[[1.0], [9.0]], [[2.0], [4.0]]])
    mask = np.array([[True, False], [True, True]])
    update(objective, y, output, np.array([6.0, 1.0]), mask, 0.0)
    plain, weighted = objective.values()[1:]
    by_hand = metrics.MeanAbsoluteError()
    by_hand.update_state(y, output, mask.astype("float32"))
    assert plain == by_hand.result() != 4.0
    by_hand.reset_state()
    by_hand.update_state(y, output, np.array([[6.0, 0.0], [1.0, 1.0]]))
    assert weighted == by_hand.result()


@pytest.mark.parametrize(("y", "output", "kind"), [
    ((4,), (4, 1), metrics.BinaryAccuracy), ((4, 3), (4, 3), metrics.CategoricalAccuracy),
    ((4,), (4, 3), metrics.SparseCategoricalAccuracy), ((4, 5, 1), (4, 5, 3), metrics.SparseCategoricalAccuracy)])
def test_accuracy_is_what_the_shapes_ask_for(y, output, kind):
    objective = Objective(None, ["accuracy"])
    assert objective.metrics == []
    objective.bind(0, y, output)
    assert type(objective.metrics[0]) is kind
    assert objective.names == ["loss", "accuracy"]


def test_targets_that_the_loss_cannot_take():
    objective = Objective("mse", ["accuracy"])
    for _ in range(2):
        with pytest.raises(ValueError, match=r"mean_squared_error: expected y_true of shape \(4, 3\), got \(4,\)"):
            objective.bind(0, (4,), (4, 3))
    objective.bind(0, (4, 3), (4, 3))
    objective.bind(0, (7, 3), (7, 3))


def test_crossentropy_is_what_the_shapes_ask_for():
    objective = Objective("crossentropy", ["acc"])
    assert objective.has_loss and objective.heads[0].loss is None
    objective.bind(0, (4, 3), (4, 3))
    assert isinstance(objective.heads[0].loss, losses.CategoricalCrossentropy)


def test_refuses():
    with pytest.raises(TypeError, match=r"metrics=\['accuracy'\]"):
        Objective("mse", "accuracy")
    with pytest.raises(ValueError, match="unknown loss 'no such'"):
        Objective("no such")
    with pytest.raises(ValueError, match=r"unknown loss 'mean_square_error' \(did you mean 'mean_squared_error'"):
        Objective("mean_square_error")
    assert not Objective().has_loss


@pytest.mark.parametrize("group", ["metrics", "weighted_metrics"])
@pytest.mark.parametrize(("bad", "message"), [
    ("f1", "unknown metric 'f1': expected one of .*Precision, PrecisionAt"),
    ("acuracy", r"unknown metric 'acuracy' \(did you mean 'accuracy'\?\): expected one of"),
    (None, "expected a metric, got None"),
    (3, "cannot read 3 as a metric"), ({"class_name": "F2Score", "config": {}}, "unknown metric 'F2Score'"),
])  # fmt: skip
def test_metrics_are_known_before_the_first_batch(group, bad, message):
    for given in ([bad], ["mse", bad], [["accuracy", bad]]):
        with pytest.raises(ValueError, match=message):
            Objective("mse", **{group: given})
    Objective("mse", **{group: ["accuracy", "acc", "ce", "crossentropy", "mae", metrics.AUC, metrics.AUC(), "Recall"]})


def test_what_shapes_say_is_found_out_once_for_batches_of_one_shape(monkeypatch):
    model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4), fastrnn.layers.Dense(2)])
    model.compile("adam", "mse", metrics=["accuracy"])
    asked = []
    shape_of = fastrnn.layers.Dense.compute_output_shape
    monkeypatch.setattr(fastrnn.layers.Dense, "compute_output_shape",
                        lambda self, *shapes: asked.append(shapes) or shape_of(self, *shapes))
    for batch, times in (8, 1), (8, 1), (5, 2), (8, 3):
        model.train_on_batch(np.ones((batch, 5, 3)), np.ones((batch, 2)))
        assert len(asked) == times
    named = model.objective._averaged()
    model.train_on_batch(np.ones((8, 5, 3)), np.ones((8, 2)))
    assert model.objective._averaged() is named and list(named) == ["accuracy"]
    model.add(fastrnn.layers.Dense(1))
    assert model.output_shapes([np.ones((8, 5, 3))]) == [(8, 1)]
