# SPDX-License-Identifier: Apache-2.0
"""What metrics of several processes have counted, added up: the metric of all their samples."""

from __future__ import annotations

import numpy as np
import pytest

from fastrnn import metrics
from fastrnn.training.objective import Objective

RNG = np.random.default_rng(0)
BINARY = RNG.integers(0, 2, (40, 1)).astype("float32"), RNG.random((40, 1)).astype("float32")
CLASSES = np.eye(3, dtype="float32")[RNG.integers(0, 3, 40)], RNG.dirichlet(np.ones(3), 40).astype("float32")
NUMBERS = RNG.standard_normal((40, 2)), RNG.standard_normal((40, 2))
INDICES = RNG.integers(0, 3, 40), RNG.integers(0, 3, 40)


class Own(metrics.Metric):
    """Counts in a variable, and in a metric that it holds."""

    def __init__(self):
        super().__init__(name="own")
        self.seen = self.add_variable((2,), name="seen")
        self.mean = metrics.Mean()

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.seen.assign_add([len(y_true), 1])
        self.mean.update_state(y_pred)

    def result(self):
        return float(self.seen.value.sum() + self.mean.result())


@pytest.mark.parametrize(("metric", "data"), [
    (metrics.BinaryAccuracy(), BINARY), (metrics.AUC(), BINARY), (metrics.Precision(), BINARY),
    (metrics.Recall(), BINARY), (metrics.TruePositives(), BINARY), (metrics.PrecisionAtRecall(0.5), BINARY),
    (metrics.CategoricalAccuracy(), CLASSES), (metrics.F1Score(), CLASSES), (metrics.OneHotMeanIoU(3), CLASSES),
    (metrics.CategoricalCrossentropy(), CLASSES), (metrics.MeanIoU(3), INDICES),
    (metrics.MeanSquaredError(), NUMBERS), (metrics.RootMeanSquaredError(), NUMBERS), (metrics.R2Score(), NUMBERS),
    (metrics.PearsonCorrelation(), NUMBERS), (metrics.CosineSimilarity(), NUMBERS), (Own(), NUMBERS),
], ids=lambda one: one.name if isinstance(one, metrics.Metric) else "")  # fmt: skip
def test_add_up(metric, data):
    t, p = data
    metric.reset_state()
    none = metric.counted()
    counts = []
    for part in (slice(0, 15), slice(15, 40)):
        metric.reset_state()
        metric.update_state(t[part], p[part])
        counts.append(metric.counted())
    metric.reset_state()
    metric.update_state(t[:15], p[:15])
    metric.update_state(t[15:], p[15:])
    expected = metric.result()
    metric.recount(iter([a + b for a, b in zip(*counts)]))
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-12)
    assert len(none) == len(counts[0])
    metric.reset_state()
    metric.recount(iter(counts[0]))
    metric.update_state(t[15:], p[15:])
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-12)


def test_of_an_objective():
    objective = Objective("mse", ["mae"])
    objective.bind(0, (4, 1), (None, 1))
    objective.count(2.0, 3)
    objective.update([np.ones((3, 1))], [np.zeros((3, 1))], [None], [None])
    counts, logs = objective.counted(), objective.logs()
    objective.reset()
    objective.recount(counts)
    assert objective.logs() == logs == {"loss": 2.0, "mae": 1.0}


def test_attributes_of_its_own():
    class Hits(metrics.Metric):
        def reset_state(self):
            self.hits = 0

    with pytest.raises(NotImplementedError, match="'hits': counts in attributes of its own"):
        Hits().counted()
