# SPDX-License-Identifier: Apache-2.0
"""Training by several ranks: the same bits with shards, the same numbers without, on all ranks."""

from __future__ import annotations

import film_review_data
import film_reviews
import numpy as np
import pytest

import fastrnn
from fastrnn import distribution
from fastrnn.preprocessing.text import Tokenizer
from tests.distribution import models
from tests.distribution.running import ranks

pytestmark = pytest.mark.alone


def test_same_bits_on_any_number_of_ranks_and_threads():
    one = ranks(1, "every", 8, 0.2, threads=2).result
    assert one == ranks(2, "every", 8, 0.2).result
    assert one == ranks(4, "every", 8, 0.2, threads=2).result


def test_same_bits_of_the_film_reviews(tmp_path):
    texts, labels = film_review_data.load_reviews()
    texts, labels = film_reviews.shuffle(texts, labels, 0)
    tokenizer = Tokenizer(num_words=film_reviews.NUM_WORDS)
    tokenizer.fit_on_texts(texts)
    np.savez(tmp_path / "reviews.npz", x=film_reviews.encode(tokenizer, texts[:1500]), y=labels[:1500])
    one, two, four = (ranks(count, "reviews", tmp_path / "reviews.npz").result for count in (1, 2, 4))
    assert one == two == four
    assert one["history"]["loss"][1] < one["history"]["loss"][0]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_same_numbers_as_one_process(count):
    """Without dropout; `normalized` takes statistics of each share by itself."""
    found = ranks(count, "every", 0, 0.0).result
    for name, got in found.items():
        alone = models.trained(name, 0.0)
        if count == 1:
            assert got["weights"] == alone["weights"] and got["predicted"] == alone["predicted"], name
        if count == 1 or name != "normalized":
            for key, values in alone["history"].items():
                np.testing.assert_allclose(got["history"][key], values, rtol=0, atol=1e-5, err_msg=f"{name} {key}")
            np.testing.assert_allclose(list(got["evaluated"].values()), list(alone["evaluated"].values()), atol=1e-5)


def test_all_ranks_see_the_same_and_one_writes(tmp_path):
    run = ranks(2, "agree", tmp_path)
    found = run.result
    assert found["same"] and found["epochs"] == 2
    assert sorted(found["files"]) == ["again.keras", "log.csv", "model.keras"]
    assert run.out.count("Epoch 1/5") == run.out.count("early stopping") == run.out.count("Trainable params") == 1
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3
    costs = found["costs"]
    assert 0 < costs["seconds_in_sums"] < costs["seconds"] and costs["bytes_sent"] > 0


@pytest.mark.parametrize("kind", ["whole", "own"])
def test_sources(kind):
    found = ranks(2, "sources", kind).result
    one = ranks(1, "sources", kind).result
    np.testing.assert_allclose(found["history"]["loss"], one["history"]["loss"], atol=1e-5)
    for got, expected in zip(found["weights"], one["weights"]):
        np.testing.assert_allclose(got, expected, atol=1e-5)


class TestHere:
    """In this process alone, which is a rank of one without `mpirun`."""

    @pytest.fixture(autouse=True)
    def reset(self):
        yield
        distribution.set_distribution(None)

    def test_the_same_bits_as_without(self):
        alone = models.trained("two_outputs", 0.0)
        distribution.set_distribution(distribution.DataParallel())
        assert distribution.distribution().size == 1
        assert models.trained("two_outputs", 0.0) == alone

    def test_a_metric_that_counts_in_attributes(self):
        class Own(fastrnn.metrics.Metric):
            def reset_state(self):
                self.hits = 0

            def update_state(self, y_true, y_pred, sample_weight=None):
                self.hits += 1

            def result(self):
                return self.hits

        distribution.set_distribution(distribution.DataParallel())
        model = fastrnn.Sequential([fastrnn.Input((1,)), fastrnn.layers.Dense(1)])
        model.compile("sgd", "mse", metrics=[Own()])
        with pytest.raises(NotImplementedError, match="add_variable"):
            model.fit(np.ones((4, 1)), np.ones((4, 1)), verbose=0)

    @pytest.mark.parametrize("shards", [0, 3, True, "8", -2])
    def test_bad_shards(self, shards):
        with pytest.raises(ValueError, match="power of two"):
            distribution.DataParallel(shards=shards)

    def test_shards_of_parts(self):
        with pytest.raises(ValueError, match="leave one of the two out"):
            distribution.DataParallel(shards=2, auto_shard_dataset=False)

    def test_no_distribution(self):
        with pytest.raises(TypeError, match="expected a DataParallel or None"):
            distribution.set_distribution("data")


def test_without_mpi4py(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mpi4py", None)
    with pytest.raises(ImportError, match=r"fastrnn\[mpi\]"):
        distribution.DataParallel()
