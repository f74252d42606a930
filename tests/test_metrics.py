# SPDX-License-Identifier: Apache-2.0
"""Metrics against Keras over several batches, by hand, and the names that they resolve from."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras.src.backend import set_keras_mask
from keras.src.trainers.compile_utils import get_metric

from fastrnn import losses, metrics
from fastrnn.metrics.base import LossMean

N, T, C = 7, 3, 8
DENSE = ["CategoricalAccuracy", "TopKCategoricalAccuracy", "CategoricalCrossentropy", "CategoricalHinge"]
SPARSE = ["SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy", "SparseCategoricalCrossentropy"]
CASES = [
    *[(name, {}) for name in (*DENSE, *SPARSE)],
    ("TopKCategoricalAccuracy", {"k": 2}),
    ("SparseTopKCategoricalAccuracy", {"k": 2}),
    ("SparseTopKCategoricalAccuracy", {"k": 3, "from_sorted_ids": True}),
    ("Accuracy", {}),
    ("BinaryAccuracy", {}),
    ("BinaryAccuracy", {"threshold": 0.7}),
    ("BinaryCrossentropy", {}),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}),
    ("SparseCategoricalCrossentropy", {"from_logits": True}),
    *[(name, {}) for name in ("MeanSquaredError", "RootMeanSquaredError", "MeanAbsoluteError", "LogCoshError")],
    *[(name, {}) for name in ("MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "CosineSimilarity")],
    *[(name, {}) for name in ("KLDivergence", "Poisson", "Hinge", "SquaredHinge")],
]
CONFUSION = [
    ("Precision", {}),
    ("Recall", {}),
    ("Precision", {"thresholds": 0.3}),
    ("Recall", {"thresholds": [0.9, 0.2, 0.5]}),
    ("Precision", {"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]}),
    ("Precision", {"top_k": 2}),
    ("Recall", {"top_k": 3, "thresholds": 0.4}),
    ("Recall", {"class_id": 1}),
    ("Precision", {"class_id": 2, "top_k": 2}),
    ("TruePositives", {}),
    ("FalsePositives", {"thresholds": [0.2, 0.6]}),
    ("TrueNegatives", {}),
    ("FalseNegatives", {}),
    ("AUC", {}),
    ("AUC", {"num_thresholds": 11}),
    ("AUC", {"curve": "PR"}),
    ("AUC", {"curve": "PR", "summation_method": "majoring"}),
    ("AUC", {"summation_method": "minoring"}),
    ("AUC", {"summation_method": "majoring"}),
    ("AUC", {"thresholds": [0.1, 0.2, 0.9]}),
    ("AUC", {"from_logits": True}),
    ("AUC", {"label_weights": [0.5, 1.0, 2.0, 0.1]}),
    ("AUC", {"multi_label": True}),
    ("AUC", {"multi_label": True, "num_labels": 4, "curve": "PR"}),
    ("AUC", {"multi_label": True, "label_weights": [0.5, 1.0, 2.0, 0.1]}),
]


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def batch(name, shape, seed):
    """Targets and predictions of a kind that the metric is for."""
    rng = np.random.default_rng(seed)
    p = softmax(rng.standard_normal(shape)).astype(np.float32)
    if name in SPARSE:
        return rng.integers(0, shape[-1], shape[:-1]), p
    if name in DENSE:
        return np.eye(shape[-1], dtype=np.float32)[rng.integers(0, shape[-1], shape[:-1])], p
    if name == "Accuracy":
        return rng.integers(0, 2, shape), rng.integers(0, 2, shape).astype(np.float32)
    if name == "KLDivergence":
        return softmax(rng.standard_normal(shape)).astype(np.float32), p
    if "Error" in name or name in ("CosineSimilarity", "Poisson"):
        return rng.random(shape).astype(np.float32), rng.random(shape).astype(np.float32)
    return rng.integers(0, 2, shape).astype(np.float32), rng.random(shape).astype(np.float32)


def run(metric, name, shape, weights, batches=3):
    """The metric after some batches, the last of them shorter."""
    for i in range(batches):
        t, p = batch(name, shape, i)
        length = len(t) - 2 * (i == batches - 1)
        weight = None if weights is None else weights[:length]
        metric.update_state(t[:length], p[:length], weight)
    return np.asarray(metric.result())


def weights_for(shape):
    rng = np.random.default_rng(9)
    rows = rng.random(shape[:-1]).astype(np.float32)
    kinds = [None, rows, np.arange(N, dtype=np.float32)]
    return kinds if len(shape) == 2 else [*kinds, (rows > 0.5).astype(np.float32), rows[:, :1]]


# ---- against Keras


@pytest.mark.parametrize("shape", [(N, C), (N, T, C), (N, 1), (N, T, 1)])
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_means_are_keras(name, arguments, shape):
    if shape[-1] == 1 and (name in DENSE or name in SPARSE or name in ("CosineSimilarity", "KLDivergence")):
        shape = (*shape[:-1], 6)
    for weights in weights_for(shape):
        expected = run(getattr(keras.metrics, name)(**arguments), name, shape, weights)
        got = run(getattr(metrics, name)(**arguments), name, shape, weights)
        assert got == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("name", "arguments"), CONFUSION)
@pytest.mark.parametrize("shape", [(N, 4), (N, 1)])
def test_confusion_is_keras(name, arguments, shape):
    if shape[-1] == 1 and not {"top_k", "class_id", "multi_label", "label_weights"}.isdisjoint(arguments):
        return
    if name == "AUC" and arguments.get("from_logits"):
        shape = (60, 1)
    for weights in [None, np.arange(shape[0], dtype=np.float32)]:
        expected = run(getattr(keras.metrics, name)(**arguments), name, shape, weights)
        got = run(getattr(metrics, name)(**arguments), name, shape, weights)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["BinaryAccuracy", "SparseCategoricalAccuracy", "MeanSquaredError"])
def test_a_mask_is_a_weight_of_zero_and_one(name):
    shape = (N, T, C)
    t, p = batch(name, shape, 0)
    rng = np.random.default_rng(1)
    mask, weights = rng.random((N, T)) > 0.4, rng.random((N, T)).astype(np.float32)
    for weight in (None, weights, weights[:, :1]):
        traced = keras.ops.convert_to_tensor(p)
        set_keras_mask(traced, keras.ops.convert_to_tensor(mask))
        theirs, ours = getattr(keras.metrics, name)(), getattr(metrics, name)()
        theirs.update_state(t, traced, weight)
        ours.update_state(t, p, metrics.masked_weight(weight, mask))
        assert ours.result() == pytest.approx(float(theirs.result()), rel=1e-5)
    assert metrics.masked_weight(weights, None) is weights
    assert metrics.masked_weight(None, None) is None


def test_steps_of_one_unit_beside_flat_targets_have_a_weight_each(rng):
    t, p = rng.random((N, T)), rng.random((N, T, 1))
    weight = (rng.random((N, T)) > 0.5).astype(np.float32)
    for name in ("MeanSquaredError", "RootMeanSquaredError", "BinaryAccuracy", "BinaryCrossentropy", "AUC", "Recall"):
        flat, full = getattr(metrics, name)(), getattr(metrics, name)()
        targets = t if "Error" in name else t > 0.5
        flat.update_state(targets, p, weight)
        full.update_state(targets[..., None], p, weight)
        assert flat.result() == pytest.approx(full.result())


@pytest.mark.parametrize("shape", [(N, C), (N, T, C)])
@pytest.mark.parametrize(
    "name",
    ["binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy", "top_k_categorical_accuracy",
     "sparse_top_k_categorical_accuracy"],
)  # fmt: skip
def test_functions_are_keras(name, shape):
    owner = {
        "binary_accuracy": "BinaryAccuracy",
        "categorical_accuracy": DENSE[0],
        "top_k_categorical_accuracy": DENSE[1],
    }
    t, p = batch(owner.get(name, SPARSE[0]), shape, 0)
    np.testing.assert_array_equal(getattr(metrics, name)(t, p), np.asarray(getattr(keras.metrics, name)(t, p)))


def test_top_k_ties_and_what_is_no_class():
    p = np.array([[0.3, 0.3, 0.3, 0.1], [np.nan, 0.5, 0.2, 0.3]], np.float32)
    for t in ([2, 0], [3, 1], [-1, 4]):
        got = metrics.sparse_top_k_categorical_accuracy(t, p, k=1)
        assert got.tolist() == {(2, 0): [1, 0], (3, 1): [0, 1], (-1, 4): [0, 0]}[tuple(t)]


# ---- by hand


def test_by_hand():
    accuracy = metrics.BinaryAccuracy()
    assert accuracy.result() == 0
    accuracy.update_state([[1], [0], [1]], [[0.9], [0.6], [0.4]])
    assert accuracy.result() == pytest.approx(1 / 3)
    accuracy.update_state([[1]], [[0.9]])
    assert accuracy.result() == 0.5
    accuracy.reset_state()
    assert accuracy.result() == 0
    assert metrics.BinaryAccuracy()([[1], [0]], [[0.5], [0.5]]) == 0.5  # 0.5 is not above the threshold
    assert metrics.MeanSquaredError()([[0.0, 1.0]], [[1.0, 3.0]]) == 2.5
    assert metrics.CosineSimilarity()([[3.0, 4.0]], [[4.0, 3.0]]) == pytest.approx(0.96)
    assert metrics.AUC()([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == pytest.approx(0.75)


def test_each_sample_counts_once_whatever_its_batch():
    """The mean over an epoch is not the mean of the batches' means."""
    metric = metrics.MeanAbsoluteError()
    metric.update_state(np.zeros((3, 1)), np.ones((3, 1)))
    metric.update_state(np.zeros((1, 1)), np.full((1, 1), 5.0))
    assert metric.result() == 2


def test_mean_and_sum():
    mean, total = metrics.Mean(), metrics.Sum()
    for values, weight in (([1.0, 2.0, 3.0], None), (4.0, None), ([[1.0, 3.0], [5.0, 7.0]], [0.5, 1.5]), (2.0, 3.0)):
        theirs, sums = keras.metrics.Mean(), keras.metrics.Sum()
        theirs.update_state(values, weight)
        sums.update_state(values, None if np.ndim(weight) else weight)
        mean.reset_state()
        total.reset_state()
        mean.update_state(values, weight)
        total.update_state(values, None if np.ndim(weight) else weight)
        assert mean.result() == pytest.approx(float(theirs.result()))
        assert total.result() == pytest.approx(float(sums.result()))


def test_counts_stay_exact():
    """Past 2**24, where a float32 counter stops."""
    metric = metrics.Mean()
    metric.count = metric.total = float(1 << 24)
    metric.update_state(np.ones(1, np.float32))
    assert metric.count == metric.total == (1 << 24) + 1


def test_nan_predictions_are_no_positives():
    p = np.array([np.nan, 0.9], np.float32)
    assert metrics.Recall()([1, 1], p) == 0.5
    assert metrics.Recall(thresholds=[0.1, 0.5])([1, 1], p).tolist() == [0.5, 0.5]


# ---- properties


@given(
    st.integers(0, 10_000), st.sampled_from(["CategoricalAccuracy", "MeanSquaredError", "BinaryCrossentropy", "AUC"])
)
def test_batches_are_one_batch(seed, name):
    shape = (N, C)
    parts = [batch(name, shape, seed + i) for i in range(3)]
    one, many = getattr(metrics, name)(), getattr(metrics, name)()
    one.update_state(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    for t, p in parts:
        many.update_state(t, p)
    assert many.result() == pytest.approx(one.result(), rel=1e-6)


@given(st.integers(0, 10_000), st.lists(st.integers(0, 3), min_size=N, max_size=N).filter(any))
def test_whole_weights_are_repetitions(seed, weights):
    for name in ("BinaryAccuracy", "MeanSquaredError", "Precision", "AUC"):
        t, p = batch(name, (N, 1), seed)
        weighted, repeated = getattr(metrics, name)(), getattr(metrics, name)()
        weighted.update_state(t, p, np.array(weights))
        repeated.update_state(np.repeat(t, weights, axis=0), np.repeat(p, weights, axis=0))
        assert weighted.result() == pytest.approx(repeated.result(), rel=1e-6)


@given(st.integers(0, 10_000))
def test_auc_with_every_prediction_apart_is_the_share_of_pairs_in_order(seed):
    rng = np.random.default_rng(seed)
    p = rng.permutation(np.arange(1, 20, dtype=np.float32)) / 20
    t = rng.random(19) > 0.5
    t[:2] = [True, False]
    pairs = p[t][:, None] > p[~t][None, :]
    assert metrics.AUC(num_thresholds=401)(t, p) == pytest.approx(pairs.mean())


def test_an_ignored_class_does_not_count():
    p = softmax(np.random.default_rng(0).standard_normal((N, T, C)))
    t = np.random.default_rng(1).integers(0, C, (N, T))
    t[:, 0] = -1
    metric = metrics.SparseCategoricalCrossentropy(ignore_class=-1)
    expected = losses.SparseCategoricalCrossentropy()(t[:, 1:], p[:, 1:])
    assert metric(t, p) == pytest.approx(expected)
    metric.reset_state()
    assert metric(t, p, np.ones(N)) == pytest.approx(expected)


# ---- names


SHAPES = [
    ((32,), (32, 1)),
    ((32, 1), (32, 1)),
    ((32, 5, 1), (32, 5, 1)),
    ((32,), (32, 10)),
    ((32, 1), (32, 10)),
    ((32, 5), (32, 5, 10)),
    ((32, 5, 1), (32, 5, 10)),
    ((32, 10), (32, 10)),
    ((32, 5, 10), (32, 5, 10)),
]


@pytest.mark.parametrize(("t", "p"), SHAPES)
@pytest.mark.parametrize(
    "identifier", ["accuracy", "acc", "Accuracy", "mse", "AUC", "binary_accuracy", "MeanSquaredError"]
)
def test_names_mean_what_they_do_in_keras(identifier, t, p):
    theirs = get_metric(identifier, np.zeros(t), np.zeros(p))
    ours = metrics.get(identifier, t, p)
    assert type(ours).__name__ == type(theirs).__name__
    assert ours.name == theirs.name


@pytest.mark.parametrize(("t", "p"), SHAPES)
def test_crossentropy_is_the_one_that_fits(t, p):
    metric = metrics.get("ce", t, p)
    assert type(metric).__name__ == type(losses.get("ce", t, p)).__name__
    assert metric.name == "ce"


@pytest.mark.parametrize("name", ["mse", "MAE", "mean_squared_error", "AUC", "auc", "precision", "accuracy", "bce"])
def test_names_without_shapes_are_keras(name):
    ours, theirs = metrics.get(name), keras.metrics.get(name)
    assert type(ours).__name__ == type(theirs).__name__
    assert ours.name.split("_0")[0] == theirs.name.rstrip("_0123456789") or ours.name == theirs.name


def test_every_class_has_keras_names_defaults_and_configuration():
    for name in {name for name, _ in (*CASES, *CONFUSION)}:
        ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
        config, expected = ours.get_config(), theirs.get_config()
        assert config.pop("name") == expected.pop("name").rstrip("_0123456789")
        config.pop("axis", None), expected.pop("axis", None)
        assert config == {key: value for key, value in expected.items() if key in config}
        assert type(metrics.get(keras.metrics.serialize(theirs))) is type(ours)
        assert type(keras.metrics.deserialize(metrics.serialize(ours))) is type(theirs)
        assert metrics.get(metrics.serialize(ours)).get_config() == ours.get_config()
        assert ours._direction == getattr(theirs, "_direction", None)
    for name, arguments in CONFUSION:
        metric = getattr(metrics, name)(**arguments)
        assert metrics.get(metrics.serialize(metric)).get_config() == metric.get_config()


def test_functions_and_losses_are_means(rng):
    t, p = rng.random((N, T, 2)).astype("f"), rng.random((N, T, 2)).astype("f")

    def largest_error(y_true, y_pred):
        return np.abs(y_true - y_pred).max(axis=-1)

    metric = metrics.get(largest_error, t.shape, p.shape)
    assert metric.name == "largest_error"
    assert metric(t, p) == pytest.approx(np.abs(t - p).max(axis=-1).mean())
    for loss in (losses.Huber(0.5), losses.get("mse")):
        metric = metrics.get(loss)
        assert type(metric) is LossMean
        assert metric.name == loss.name
        assert metric(t, p) == pytest.approx(loss(t, p))
    assert metrics.get(losses.huber, t.shape, p.shape).name == "huber"
    assert metrics.get(None) is None
    instance = metrics.Recall(name="found")
    assert metrics.get(instance, t.shape, p.shape) is instance
    assert instance.name == "found"


def test_a_metric_of_the_users_own():
    class Largest(metrics.Metric):
        def reset_state(self):
            self.largest = -np.inf

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.largest = max(self.largest, y_pred.max())

        def result(self):
            return float(self.largest)

    metric = metrics.get(Largest)
    assert metric.name == "largest"
    assert metric(np.zeros(2), np.array([1.0, 3.0])) == 3
    assert type(metrics.deserialize(metrics.serialize(metric), {"Largest": Largest})) is Largest


# ---- errors


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (lambda: metrics.get("acuracy"), "unknown metric 'acuracy' (did you mean 'accuracy'?): expected one of"),
        (lambda: metrics.get("acc"), "metric 'acc': needs the shapes of targets and predictions"),
        (lambda: metrics.get("crossentropy"), "metric 'crossentropy': needs the shapes"),
        (lambda: metrics.Precision(thresholds=1.5), "Precision: expected thresholds from 0 to 1, got 1.5"),
        (lambda: metrics.Recall(thresholds=[0.1, None]), "Recall: expected thresholds from 0 to 1"),
        (lambda: metrics.AUC(num_thresholds=1), "AUC: expected num_thresholds to be 2 or more, got 1"),
        (lambda: metrics.AUC(curve="LOC"), "AUC: expected curve to be 'ROC' or 'PR', got 'LOC'"),
        (lambda: metrics.AUC(summation_method="mean"), "AUC: expected summation_method to be"),
        (lambda: metrics.AUC(thresholds=[-0.1]), "AUC: expected thresholds from 0 to 1"),
        (lambda: metrics.AUC(num_labels=3), "AUC: num_labels goes with multi_label=True"),
    ],
)
def test_arguments_out_of_range(make_it, message):
    with pytest.raises(ValueError, match=r"\w") as error:
        make_it()
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("metric", "t", "p", "message"),
    [
        (metrics.BinaryAccuracy(), (8, 5), (8, 1), "binary_accuracy: expected y_true of shape (8, 1), got (8, 5)"),
        (
            metrics.CategoricalAccuracy(),
            (8,),
            (8, 3),
            "categorical_accuracy: expected y_true of shape (8, 3), got (8,)",
        ),
        (metrics.SparseCategoricalAccuracy(), (8, 3), (8, 3), "expected class indices of shape (8,), got (8, 3)"),
        (metrics.Precision(class_id=3), (8, 3), (8, 3), "predictions of shape (8, 3) have no class 3"),
        (metrics.AUC(multi_label=True), (8,), (8,), "expected predictions of shape (batch, labels), got (8,)"),
        (metrics.AUC(multi_label=True, num_labels=2), (8, 3), (8, 3), "expected 2 labels, got predictions of shape"),
    ],
)
def test_shapes_that_do_not_fit(metric, t, p, message):
    with pytest.raises(ValueError, match=r"\w") as error:
        metric.update_state(np.zeros(t), np.zeros(p))
    assert message in str(error.value)


def test_weights_that_do_not_fit():
    for metric in (metrics.BinaryAccuracy(), metrics.Recall(), metrics.AUC(), metrics.MeanSquaredError()):
        with pytest.raises(ValueError, match="expected sample_weight"):
            metric.update_state(np.zeros((4, 1)), np.zeros((4, 1)), np.ones(3))
