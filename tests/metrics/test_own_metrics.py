# SPDX-License-Identifier: Apache-2.0
"""Metrics of the user's own, written as for Keras: subclasses with variables, and plain functions."""

from __future__ import annotations

import copy

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn import layers, metrics


def keras_style(module):
    """A metric in the words that both packages know."""

    class TruePositives(module.Metric):
        def __init__(self, name="true_positives_of_one", **kwargs):
            super().__init__(name=name, **kwargs)
            self.true_positives = self.add_variable(shape=(), initializer="zeros", name="tp")
            self.by_column = self.add_weight(shape=(2,), initializer="zeros", name="columns")

        def update_state(self, y_true, y_pred, sample_weight=None):
            hits = np.logical_and(np.asarray(y_true) == 1, np.asarray(y_pred) > 0.5).astype("float32")
            if sample_weight is not None:
                hits = hits * np.asarray(sample_weight)[:, None]
            self.true_positives.assign_add(hits.sum())
            self.by_column.assign(self.by_column + hits.sum(axis=0))

        def result(self):
            return self.true_positives

    return TruePositives


def test_a_subclass_is_as_in_keras(rng):
    ours, theirs = keras_style(metrics)(), keras_style(keras.metrics)()
    for weight in (None, rng.random(6).astype("f")):
        t, p = rng.integers(0, 2, (6, 2)), rng.random((6, 2)).astype("f")
        for metric in (ours, theirs):
            metric.update_state(t, p, weight)
    assert float(ours.result()) == pytest.approx(float(theirs.result()), rel=1e-6)
    np.testing.assert_allclose(ours.by_column, np.asarray(theirs.by_column), rtol=1e-6)
    assert [v.shape for v in ours.variables] == [v.shape for v in theirs.variables]
    assert [v.name for v in ours.variables] == [v.name for v in theirs.variables]
    assert ours.get_config() == theirs.get_config()
    ours.reset_state()
    assert float(ours.result()) == 0
    assert not np.asarray(ours.by_column).any()


def test_metrics_inside():
    """As F1 of precision and recall, in nearly every Keras program that has one; `reset_state` overridden or not."""

    class F1(metrics.Metric):
        def __init__(self, name="f1", **kwargs):
            super().__init__(name=name, **kwargs)
            self.precision, self.recall = metrics.Precision(), metrics.Recall()
            self.more = [metrics.Sum()]
            self.batches = self.add_weight(name="batches", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.precision.update_state(y_true, y_pred, sample_weight)
            self.recall.update_state(y_true, y_pred, sample_weight)
            self.more[0].update_state(y_true)
            self.batches.assign_add(1)

        def result(self):
            p, r = self.precision.result(), self.recall.result()
            return 2 * p * r / (p + r + 1e-7)

    class Own(F1):
        def reset_state(self):
            self.precision.reset_state()
            self.recall.reset_state()

    for cls in (F1, Own):
        metric = cls()
        metric.update_state([1, 0, 1, 1], [0.9, 0.8, 0.7, 0.1])
        assert metric.result() == pytest.approx(2 / 3)
        metric.reset_states()
        assert metric.precision.result() == 0
        assert (int(metric.batches) == 0) == (cls is F1)
        assert (metric.more[0].result() == 0) == (cls is F1)


@pytest.mark.parametrize("arguments", [
    (("tp",), {"initializer": "zeros"}), ((), {"name": "tp", "initializer": "zeros"}), (((),), {"name": "tp"}),
    (("tp", (), ), {}), ((), {"name": "tp", "shape": (), "dtype": "float32"}),
], ids=str)  # fmt: skip
def test_weights_by_keras_2s_arguments_and_3s(arguments):
    metric = metrics.Mean()
    variable = metric.add_weight(*arguments[0], **arguments[1])
    assert (variable.name, variable.shape, variable.dtype) == ("tp", (), "float32")
    assert metric.add_weight("m", (2, 3)).shape == (2, 3)
    np.testing.assert_array_equal(metric.add_weight(shape=(2,), initializer="ones", name="n"), [1, 1])


def test_variables_count_exactly():
    metric = metrics.Mean()
    total = metric.add_weight(name="total")
    total.assign(2.0**25)
    total.assign_add(1)
    assert float(total) == 2.0**25 + 1
    assert float(total.assign_sub(3)) == 2.0**25 - 2
    count = metric.add_variable((), "zeros", dtype="int32", name="count")
    count.assign_add(5)
    assert (int(count), count.dtype, count.numpy().dtype) == (5, "int32", np.int32)
    assert bool(count)
    assert copy.deepcopy(metric).variables[1].numpy() == 5
    with pytest.raises(ValueError, match=r"metric variable 'total': expected shape \(\), got \(2,\)"):
        total.assign_add([1, 2])
    with pytest.raises(ValueError, match="metric variable 'total': expected numbers, got dtype"):
        total.assign("a")
    with pytest.raises(ValueError, match="read-only"):
        total.value[...] = 3


def test_the_constructor_of_metric_must_be_called():
    class Wrong(metrics.Metric):
        def __init__(self):
            self.total = self.add_weight(name="total")

    with pytest.raises(RuntimeError, match=r"Wrong: call super\(\).__init__\(\) at the beginning"):
        Wrong()


@pytest.mark.parametrize("masked", [False, True])
def test_in_training(rng, masked):
    """Own metrics without a place for weights, with dictionaries and arrays, and functions of all kinds."""

    class Plain(metrics.Metric):
        def __init__(self, name="plain"):
            super().__init__(name=name)
            self.seen = self.add_weight(name="seen", initializer="zeros")

        def update_state(self, y_true, y_pred):
            self.seen.assign_add(len(y_true))

        def result(self):
            return {"seen": self.seen, "twice": self.seen * 2}

    def largest(y_true, y_pred):
        return np.abs(y_true - y_pred).max()

    def of_samples(y_true, y_pred):
        return np.abs(y_true - y_pred).mean(axis=-1)

    x = rng.integers(1, 9, (20, 5))
    x[:, 3:] = 0
    y = np.eye(3, dtype="f")[rng.integers(0, 3, (20, 5))]
    model = fastrnn.Sequential([layers.Input((5,)), layers.Embedding(9, 4, mask_zero=masked),
                                layers.GRU(4, return_sequences=True), layers.Dense(3, activation="softmax")])
    overlap = metrics.MeanIoU(3, sparse_y_true=False, sparse_y_pred=False)
    model.compile("sgd", "categorical_crossentropy", metrics=[Plain(), largest, of_samples, overlap])
    logs = model.fit(x, y, epochs=2, batch_size=10, verbose=0, validation_split=0.2).history
    assert logs["seen"] == [16.0, 16.0]
    assert logs["twice"] == [32.0, 32.0]
    assert logs["val_seen"] == [4.0, 4.0]
    assert all(0 < value <= 1 for name in ("largest", "of_samples") for value in logs[name])
    p = model.predict(x)
    found = model.evaluate(x, y, batch_size=20, verbose=0, return_dict=True)
    assert found["largest"] == pytest.approx(np.abs(y - p).max(), rel=1e-6)
    kept = x > 0 if masked else np.ones((20, 5), bool)
    assert found["of_samples"] == pytest.approx(np.abs(y - p).mean(axis=-1)[kept].mean(), rel=1e-6)


def test_an_array_for_each_class_in_training(rng):
    x, y = rng.random((12, 4, 2)).astype("f"), np.eye(3, dtype="f")[rng.integers(0, 3, 12)]
    model = fastrnn.Sequential([layers.Input((4, 2)), layers.LSTM(3), layers.Dense(3, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=[metrics.F1Score(), metrics.F1Score("macro", name="mean")])
    found = model.evaluate(x, y, verbose=0, return_dict=True)
    assert found["f1_score"].shape == (3,)
    assert found["f1_score"].mean() == pytest.approx(found["mean"])
    assert model.fit(x, y, epochs=1, verbose=1).history["f1_score"][0].shape == (3,)
