# SPDX-License-Identifier: Apache-2.0
"""F-scores, R2, intersections over unions, rates at rates and correlations against Keras, over several batches."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from fastrnn import metrics

N = 30
SCORES = [
    *[("F1Score", {"average": average, "threshold": threshold})
      for average in (None, "micro", "macro", "weighted") for threshold in (None, 0.4)],
    ("FBetaScore", {"beta": 2.0}), ("FBetaScore", {"beta": 0.5, "average": "weighted", "threshold": 0.6}),
    *[("R2Score", {"class_aggregation": how, "num_regressors": number})
      for how in (None, "uniform_average", "variance_weighted_average") for number in (0, 3)],
    ("PearsonCorrelation", {}), ("PearsonCorrelation", {"axis": (0, 1)}),
    ("ConcordanceCorrelation", {}), ("ConcordanceCorrelation", {"axis": 0}),
]  # fmt: skip
RATES = [
    (name, {argument: value, **more})
    for name, argument in (("SensitivityAtSpecificity", "specificity"), ("SpecificityAtSensitivity", "sensitivity"),
                           ("PrecisionAtRecall", "recall"), ("RecallAtPrecision", "precision"))
    for value, more in ((0.5, {}), (0.9, {}), (0.0, {}), (1.0, {}), (0.4, {"num_thresholds": 1}),
                        (0.4, {"num_thresholds": 2}), (0.6, {"num_thresholds": 11}), (0.6, {"class_id": 1}))
]  # fmt: skip
OVERLAPS = [
    ("IoU", {"num_classes": 4, "target_class_ids": [0, 2]}),
    ("IoU", {"num_classes": 4, "target_class_ids": (1, 3), "ignore_class": 1}),
    ("IoU", {"num_classes": 3, "target_class_ids": [1]}),       # with indices that are no class
    ("IoU", {"num_classes": 4, "target_class_ids": [3], "sparse_y_pred": False}),
    ("MeanIoU", {"num_classes": 4}), ("MeanIoU", {"num_classes": 9, "ignore_class": 0}),
    ("MeanIoU", {"num_classes": 4, "sparse_y_true": False, "sparse_y_pred": False}),
    ("OneHotIoU", {"num_classes": 4, "target_class_ids": [0, 1]}), ("OneHotMeanIoU", {"num_classes": 4}),
    ("OneHotMeanIoU", {"num_classes": 4, "sparse_y_pred": True, "ignore_class": 2}),
    ("BinaryIoU", {}), ("BinaryIoU", {"target_class_ids": [0], "threshold": 0.3}),
    ("BinaryIoU", {"target_class_ids": [1]}),
]  # fmt: skip


def batch(name, arguments, seed):
    """Targets and predictions of a kind that the metric is for."""
    rng = np.random.default_rng(seed)
    p = rng.random((N, 4)).astype(np.float32)
    if name == "R2Score" or "Correlation" in name:
        return rng.random((N, 4)).astype(np.float32) + p, p
    if name == "BinaryIoU":
        return rng.integers(0, 2, N), p[:, 0]
    if "IoU" in name:
        t = rng.integers(0, 4, N)
        one_hot = arguments.get("sparse_y_true", "OneHot" not in name) is False
        of_classes = arguments.get("sparse_y_pred", "OneHot" not in name) is False
        return (np.eye(4)[t] if one_hot else t), (p if of_classes else rng.integers(0, 4, N))
    return (rng.random((N, 4)) > 0.6).astype(np.float32), p


def run(metric, name, arguments, weights):
    """The metric after three batches, the last of them shorter."""
    for i in range(3):
        t, p = batch(name, arguments, i)
        length = N - 4 * (i == 2)
        metric.update_state(t[:length], p[:length], None if weights is None else weights[:length])
    return np.asarray(metric.result())


@pytest.mark.parametrize(("name", "arguments"), [*SCORES, *RATES, *OVERLAPS])
def test_are_keras(name, arguments):
    weights = [None, np.arange(N, dtype=np.float32 if "IoU" not in name else np.int64)]
    if arguments.get("axis", -1) != -1:
        weights = [None]
    for weight in weights:
        expected = run(getattr(keras.metrics, name)(**arguments), name, arguments, weight)
        got = run(getattr(metrics, name)(**arguments), name, arguments, weight)
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-6)
        assert got.shape == expected.shape


@pytest.mark.parametrize("name", ["pearson_correlation", "concordance_correlation"])
@pytest.mark.parametrize("axis", [-1, 0, (0, 1), (1, 2)])
def test_correlations_as_functions(name, axis, rng):
    t, p = rng.random((3, 4, 5)).astype("f"), rng.random((3, 4, 5)).astype("f")
    got = getattr(metrics, name)(t, p, axis=axis)
    np.testing.assert_allclose(got, np.asarray(getattr(keras.metrics, name)(t, p, axis=axis)), rtol=1e-4, atol=1e-6)
    assert got.dtype == np.float32


@pytest.mark.parametrize(("name", "arguments"), [*SCORES, *RATES, *OVERLAPS])
def test_batches_are_one_batch_and_a_reset_forgets(name, arguments):
    if "Correlation" in name:
        return
    metric = getattr(metrics, name)(**arguments)
    t, p = batch(name, arguments, 5)
    metric.update_state(t, p)
    whole = metric.result()
    metric.update_state(*batch(name, arguments, 6))
    metric.reset_state()
    metric.update_state(t[:7], p[:7])
    metric.update_state(t[7:], p[7:])
    np.testing.assert_allclose(metric.result(), whole, rtol=1e-12)


def test_weights_of_intersections_need_not_be_whole():
    """As Keras's documentation has it, where its code makes whole numbers of them."""
    metric = metrics.MeanIoU(num_classes=2)
    assert metric([0, 0, 1, 1], [0, 1, 0, 1], [0.3, 0.3, 0.3, 0.1]) == pytest.approx(0.23809525)
    metric = metrics.BinaryIoU((0, 1), 0.3)
    assert metric([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7], [0.2, 0.3, 0.4, 0.1]) == pytest.approx(0.17361112)


def test_masked_steps_do_not_count(rng):
    t, p, mask = rng.integers(0, 3, (4, 5)), rng.random((4, 5, 3)), rng.random((4, 5)) > 0.4
    masked, kept = metrics.MeanIoU(3, sparse_y_pred=False), metrics.MeanIoU(3, sparse_y_pred=False)
    masked.update_state(t, p, metrics.masked_weight(None, mask))
    kept.update_state(t[mask], p[mask])
    assert masked.result() == kept.result()


@pytest.mark.parametrize(("name", "arguments"), [*SCORES, *RATES, *OVERLAPS])
def test_names_and_configurations_are_keras(name, arguments):
    ours, theirs = getattr(metrics, name)(**arguments), getattr(keras.metrics, name)(**arguments)
    config, expected = ours.get_config(), theirs.get_config()
    assert config.pop("name") == expected.pop("name").rstrip("_0123456789") or ours.name == theirs.name
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in config.items()}
    assert plain == {key: list(value) if isinstance(value, tuple) else value for key, value in expected.items()}
    assert metrics.get(metrics.serialize(ours)).get_config() == ours.get_config()
    assert metrics.get(keras.metrics.serialize(theirs)).get_config().keys() == ours.get_config().keys()
    assert type(keras.metrics.deserialize(metrics.serialize(ours))) is type(theirs)
    assert ours._direction == theirs._direction


@pytest.mark.parametrize(("make_it", "message"), [
    (lambda: metrics.F1Score("mean"), "F1Score: expected average to be None, 'micro', 'macro' or 'weighted'"),
    (lambda: metrics.FBetaScore(beta=0), "FBetaScore: expected beta above 0, got 0"),
    (lambda: metrics.F1Score(threshold=1.5), "F1Score: expected threshold from 0 to 1, 0 excluded, got 1.5"),
    (lambda: metrics.F1Score()(np.ones((3, 2, 2)), np.ones((3, 2, 2))), "f1_score: expected targets and predictions"),
    (lambda: metrics.F1Score()(np.ones(3), np.ones((3, 2))), r"one shape \(batch, classes\), got \(3,\) and \(3, 2\)"),
    (lambda: metrics.R2Score("mean"), "R2Score: expected class_aggregation to be None, 'uniform_average' or"),
    (lambda: metrics.R2Score(num_regressors=-1), "R2Score: expected num_regressors to be 0 or more, got -1"),
    (lambda: metrics.R2Score()(np.ones(3), np.ones(3)), r"r2_score: expected targets and predictions of one shape"),
    (lambda: metrics.PrecisionAtRecall(1.5), "PrecisionAtRecall: expected recall from 0 to 1, got 1.5"),
    (lambda: metrics.RecallAtPrecision(0.5, 0), "RecallAtPrecision: expected num_thresholds to be 1 or more, got 0"),
    (lambda: metrics.PrecisionAtRecall(0.5, class_id=2)(np.ones((3, 2)), np.ones((3, 2))), "have no class 2"),
    (lambda: metrics.IoU(2, [2]), r"IoU: expected target_class_ids from 0 to 1, got \[2\]"),
    (lambda: metrics.MeanIoU(2)(np.ones(3), np.ones(4)), "expected a prediction for each target, got shapes"),
])
def test_what_does_not_fit(make_it, message):
    with pytest.raises(ValueError, match=message):
        make_it()


def test_too_few_targets_for_the_regressors():
    with pytest.warns(UserWarning, match="r2_score: 3 targets are too few to adjust the score to 2 regressors"):
        metrics.R2Score(num_regressors=2)([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])
