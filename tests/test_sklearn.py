# SPDX-License-Identifier: Apache-2.0
"""Estimators for scikit-learn: its own checks, sequences of unequal lengths, pipelines, searches, copies."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import fastrnn
from fastrnn.sklearn import RNNClassifier, RNNRegressor

RNG = np.random.default_rng(5)
#: As for every estimator that goes by batches: a weight of 2 is not two samples, which would come in two of them.
STOCHASTIC = {"check_sample_weight_equivalence_on_dense_data": "trained in batches"}


def waves(samples: int = 60) -> tuple[list[np.ndarray], np.ndarray]:
    """Rising and falling sequences of unequal lengths, with two features."""
    y = RNG.integers(0, 2, samples)
    return [np.cumsum(RNG.standard_normal((RNG.integers(3, 9), 2)) * 0.1 + (0.3 if one else -0.3), axis=0)
            for one in y], np.where(y, "up", "down")


@pytest.mark.parametrize("estimator", [RNNClassifier(), RNNRegressor()])
def test_scikit_learns_checks(estimator):
    found = check_estimator(estimator, expected_failed_checks=STOCHASTIC, on_skip=None)
    assert len(found) > 50
    assert {check["check_name"] for check in found if check["status"] == "skipped"} <= {"check_array_api_input"}


def test_sequences_of_unequal_lengths():
    x, y = waves()
    model = RNNClassifier(units=8, epochs=30, random_state=0).fit(x, y)
    assert model.score(x, y) > 0.95
    longer = [np.concatenate([one, np.zeros((4, 2))])[:len(one)] for one in x]
    np.testing.assert_array_equal(model.predict(longer), model.predict(x))
    with pytest.raises(ValueError, match="expected 2 features a step, got 3"):
        model.predict([np.zeros((4, 3))])
    with pytest.raises(ValueError, match="as many features in each"):
        model.fit([np.zeros((4, 3)), np.zeros((4, 2))], ["up", "down"])


def test_a_step_that_is_not_there_does_not_count():
    x, y = waves(40)
    model = RNNClassifier(units=4, epochs=5, random_state=0).fit(x, y)
    alone = np.concatenate([model.predict_proba([one]) for one in x])
    np.testing.assert_allclose(model.predict_proba(x), alone, atol=1e-6)


def test_three_axes_several_outputs_and_other_cells():
    x = RNG.standard_normal((80, 5, 3))
    y = np.stack([x.sum(axis=(1, 2)), x[:, -1, 0]], axis=1)
    model = RNNRegressor(cell="LSTM", units=16, num_layers=2, bidirectional=True, epochs=60, random_state=0).fit(x, y)
    assert model.predict(x).shape == (80, 2)
    assert model.score(x, y) > 0.8
    with pytest.raises(ValueError, match="RNNRegressor cell: expected the name of a recurrent layer"):
        RNNRegressor(cell="Dense").fit(x, y)


def test_pipeline_search_and_copies():
    x = RNG.standard_normal((60, 6))
    y = (x.sum(axis=1) > 0).astype(int)
    pipeline = make_pipeline(StandardScaler(), RNNClassifier(units=4, epochs=10, random_state=0))
    search = GridSearchCV(pipeline, {"rnnclassifier__units": [2, 8]}, cv=2, n_jobs=2).fit(x, y)
    assert search.best_score_ > 0.6
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict_proba(x), search.best_estimator_.predict_proba(x))
    assert clone(pipeline).get_params()["rnnclassifier__units"] == 4


def test_balanced_classes_and_partial_fit():
    x = np.concatenate([RNG.standard_normal((90, 4)) - 0.3, RNG.standard_normal((10, 4)) + 0.3])
    y = np.array([0] * 90 + [1] * 10)
    plain, balanced = (RNNClassifier(units=8, epochs=15, class_weight=weight, random_state=0).fit(x, y)
                       for weight in (None, "balanced"))
    assert balanced.predict_proba(x)[:, 1].mean() > plain.predict_proba(x)[:, 1].mean() + 0.1
    model = RNNClassifier(units=8, random_state=0)
    for _ in range(20):
        model.partial_fit(x[::2], y[::2], classes=[0, 1, 2])
    assert model.predict_proba(x).shape == (100, 3)
    with pytest.raises(ValueError, match="expected classes"):
        model.partial_fit(x[:2], [0, 7])


def test_a_model_of_ones_own_and_the_same_numbers_each_time():
    def build(shape, outputs):
        model = fastrnn.Sequential([fastrnn.Input(shape), fastrnn.layers.GRU(4), fastrnn.layers.Dense(outputs)])
        model.compile("adam", "mse")
        return model

    x = RNG.standard_normal((30, 4))
    first, second = (RNNRegressor(build_model=build, epochs=3, random_state=1).fit(x, x[:, 0]) for _ in range(2))
    np.testing.assert_array_equal(first.predict(x), second.predict(x))
