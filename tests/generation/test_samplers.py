# SPDX-License-Identifier: Apache-2.0
"""The samplers: which tokens they choose, and how often."""

from __future__ import annotations

import numpy as np
import pytest

from fastrnn import generation
from fastrnn.generation import BeamSampler, GreedySampler, RandomSampler, TopKSampler, TopPSampler
from fastrnn.utils import set_random_seed

P = np.array([0.05, 0.4, 0.0, 0.3, 0.15, 0.1])
DRAWS = 60_000


def shares(sampler, p=P):
    """How often each token is drawn."""
    with np.errstate(divide="ignore"):
        picked = sampler.pick(np.log(np.tile(p, (DRAWS, 1))))
    return np.bincount(picked, minlength=len(p)) / DRAWS


def over(*kept):
    """The probabilities of these tokens alone, which sum to 1."""
    found = np.where(np.isin(np.arange(len(P)), kept), P, 0)
    return found / found.sum()


@pytest.mark.parametrize(("sampler", "expected"), [
    (GreedySampler(), over(1)),
    (RandomSampler(seed=1), P),
    (RandomSampler(seed=2, temperature=0.5), P**2 / (P**2).sum()),
    (RandomSampler(seed=3, temperature=2.0), P**0.5 / (P**0.5).sum()),
    (TopKSampler(k=1, seed=4), over(1)),
    (TopKSampler(k=3, seed=5), over(1, 3, 4)),
    (TopKSampler(k=3, seed=6, temperature=0.5), over(1, 3, 4) ** 2 / (over(1, 3, 4) ** 2).sum()),
    (TopKSampler(k=50, seed=7), P),
    (TopPSampler(p=0.3, seed=8), over(1)),
    (TopPSampler(p=0.5, seed=9), over(1, 3)),
    (TopPSampler(p=0.84, seed=10), over(1, 3, 4)),
    (TopPSampler(p=1.0, seed=11), P),
    (TopPSampler(p=1.0, k=2, seed=12), over(1, 3)),
    (TopPSampler(p=0.5, k=2, seed=13), over(1)),             # 0.4 of 0.7 is more than a half
    (TopPSampler(p=0.6, seed=14, temperature=0.5), over(1, 3) ** 2 / (over(1, 3) ** 2).sum()),
], ids=repr)
def test_distributions(sampler, expected):
    """Counts lie within five standard deviations, and what cannot come never does."""
    found = shares(sampler)
    assert (found[expected == 0] == 0).all()
    assert (np.abs(found - expected) <= 5 * np.sqrt(expected * (1 - expected) / DRAWS) + 1e-12).all()


def test_ties_go_to_the_first():
    assert GreedySampler().pick(np.log([[0.2, 0.4, 0.4]])).tolist() == [1]
    assert shares(TopKSampler(k=1, seed=0), np.full(4, 0.25)).tolist() == [1, 0, 0, 0]
    parents, tokens = BeamSampler(2).choose(np.log(np.full((1, 2, 4), 0.25)), np.zeros((1, 2)))
    assert (parents.tolist(), tokens.tolist()) == ([[0, 0]], [[0, 1]])
    parents, tokens = BeamSampler(3).choose(np.log([[[0.2, 0.4, 0.4], [0.4, 0.3, 0.3]]]), np.zeros((1, 2)))
    assert (parents.tolist(), tokens.tolist()) == ([[0, 0, 1]], [[1, 2, 0]])


class TestSeeds:
    def test_repeat(self):
        rows = np.log(np.tile(np.full(50, 0.02), (20, 1)))
        one, two, other = RandomSampler(seed=1), RandomSampler(seed=1), RandomSampler(seed=2)
        first = one.pick(rows)
        assert (first == two.pick(rows)).all()
        assert (first != other.pick(rows)).any()
        assert (first != one.pick(rows)).any()              # the draws go on

    def test_of_the_library(self):
        rows = np.log(np.tile(np.full(50, 0.02), (20, 1)))
        set_random_seed(3)
        first = RandomSampler().pick(rows)
        set_random_seed(3)
        assert (first == RandomSampler().pick(rows)).all()


class TestBeams:
    def test_keep_the_best_of_all(self):
        rng = np.random.default_rng(0)
        likely, scores = rng.normal(size=(3, 4, 7)), rng.normal(size=(3, 4))
        parents, tokens = BeamSampler(4).choose(likely, scores)
        every = (scores[:, :, None] + likely)
        found = every[np.arange(3)[:, None], parents, tokens]
        assert np.array_equal(found, -np.sort(-every.reshape(3, -1))[:, :4])


class TestNames:
    @pytest.mark.parametrize("name", ["greedy", "random", "top_k", "top_p", "beam"])
    def test_stand_for_samplers(self, name):
        found = generation.get(name)
        assert type(found).__name__.removesuffix("Sampler").lower() == name.replace("_", "")
        again = type(found).from_config(found.get_config())
        assert repr(again) == repr(found)
        assert generation.get(found) is found

    def test_unknown(self):
        with pytest.raises(ValueError, match=r"unknown sampler 'gredy' \(did you mean 'greedy'\?\)"):
            generation.get("gredy")
        with pytest.raises(TypeError, match="sampler: expected a name or a Sampler"):
            generation.get(len)
        with pytest.raises(TypeError, match="sampler: expected a name or a Sampler"):
            generation.get(None)


@pytest.mark.parametrize(("make", "said"), [
    (lambda: TopKSampler(k=0), "TopKSampler k: expected a positive whole number, got 0"),
    (lambda: TopKSampler(k=2.5), "TopKSampler k: expected a positive whole number, got 2.5"),
    (lambda: TopPSampler(p=0), "TopPSampler p: expected a number above 0, got 0"),
    (lambda: TopPSampler(p=1.5), "TopPSampler p: expected a number up to 1, got 1.5"),
    (lambda: TopPSampler(k=-1), "TopPSampler k: expected a positive whole number, got -1"),
    (lambda: RandomSampler(temperature=0), "RandomSampler temperature: expected a number above 0, got 0"),
    (lambda: RandomSampler(temperature=float("nan")), "RandomSampler temperature: expected a number above 0, got nan"),
    (lambda: BeamSampler(0), "BeamSampler num_beams: expected a positive whole number, got 0"),
])
def test_errors(make, said):
    with pytest.raises(ValueError, match=said.replace(".", r"\.")):
        make()
