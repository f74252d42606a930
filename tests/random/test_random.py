# SPDX-License-Identifier: Apache-2.0
"""Random numbers: their distributions, where they come from, traces through them, symbols."""

from __future__ import annotations

import copy
import inspect
import pickle

import keras
import numpy as np
import pytest
from scipy import stats

import fastrnn
from fastrnn import ops, random
from fastrnn.graph.eager import differentiated

N = 4000
#: By name: arguments without the seed, and the distribution where it is one of one number.
DRAWN = {
    "normal": [((N,), 1.0, 2.0), stats.norm(1, 2)],
    "truncated_normal": [((N,), 1.0, 2.0), stats.truncnorm(-2, 2, 1, 2)],
    "uniform": [((N,), 1.0, 3.0), stats.uniform(1, 2)],
    "gamma": [((N,), 2.5), stats.gamma(2.5)],
    "beta": [((N,), 2.0, 3.0), stats.beta(2, 3)],
}
WHOLE = {"randint": [((N,), 2, 5), {2: 1 / 3, 3: 1 / 3, 4: 1 / 3}],
         "binomial": [((N,), 2, 0.25), {0: 0.5625, 1: 0.375, 2: 0.0625}]}
ARGUMENTS = {**{name: args for name, (args, _) in {**DRAWN, **WHOLE}.items()},
             "categorical": (np.zeros((2, 3), "float32"), 50), "dropout": (np.ones((40, 3), "float32"), 0.5),
             "shuffle": (np.arange(60.0, dtype="float32").reshape(20, 3),)}


def test_names_and_arguments_are_those_of_keras():
    for name in random.__all__:
        own, theirs = (inspect.signature(getattr(module, name)).parameters for module in (random, keras.random))
        assert [one for one in own if one != "self"] == [one for one in theirs if one not in ("self", "kwargs")]
    assert set(random.__all__) == {name for name in dir(keras.random) if not name.startswith("_")}


@pytest.mark.parametrize("name", DRAWN)
def test_distributions(name):
    args, distribution = DRAWN[name]
    x = getattr(random, name)(*args, seed=1)
    assert x.shape == (N,) and x.dtype == np.float32
    assert stats.kstest(x, distribution.cdf).pvalue > 1e-3
    assert getattr(random, name)(*args, dtype="float64", seed=1).dtype == np.float64


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers(name):
    args, shares = WHOLE[name]
    found = getattr(random, name)(*args, seed=1)
    assert found.dtype == ("int32" if name == "randint" else "float32")
    values, counts = np.unique(found, return_counts=True)
    assert values.tolist() == list(shares)
    assert stats.chisquare(counts, np.array(list(shares.values())) * N).pvalue > 1e-3
    assert random.uniform((5,), 0, 3, dtype="int32").dtype == np.int32


def test_categorical():
    found = random.categorical(np.log([[0.1, 0.9], [1.0, 1e-30]]), N, seed=1)
    assert found.shape == (2, N) and found.dtype == np.int32
    assert abs(found[0].mean() - 0.9) < 0.02 and not found[1].any()
    with pytest.raises(ValueError, match=r"expected \(batch, classes\), got \(2,\)"):
        random.categorical([0.0, 1.0], 1)


def test_shuffle():
    x = np.arange(60).reshape(20, 3)
    shuffled = random.shuffle(x, seed=1)
    assert (shuffled != x).any() and sorted(shuffled.tolist()) == x.tolist()
    assert sorted(random.shuffle(x, axis=1, seed=1).T.tolist()) == x.T.tolist()


def test_dropout():
    x = np.ones((N, 2), "float32")
    dropped = random.dropout(x, 0.25, seed=1)
    assert set(np.unique(dropped)) == {0, np.float32(1 / 0.75)} and abs((dropped == 0).mean() - 0.25) < 0.02
    np.testing.assert_array_equal(random.dropout(x, 0.0), x)
    rows = random.dropout(x, 0.5, noise_shape=(N, 1), seed=1)
    np.testing.assert_array_equal(rows[:, 0], rows[:, 1])
    with pytest.raises(ValueError, match="from 0 to below 1, got 1"):
        random.dropout(x, 1)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_seeds(name):
    def draw(seed=None):
        return getattr(random, name)(*ARGUMENTS[name], seed=seed)

    np.testing.assert_array_equal(draw(7), draw(7))
    assert (draw(7) != draw(8)).any()
    generator = random.SeedGenerator(7)
    first = draw(generator)
    assert (first != draw(generator)).any()
    np.testing.assert_array_equal(first, draw(random.SeedGenerator(7)))
    fastrnn.utils.set_random_seed(3)
    first = draw()
    assert (first != draw()).any()
    fastrnn.utils.set_random_seed(3)
    np.testing.assert_array_equal(first, draw())


@pytest.mark.parametrize("seed", [-1, 1.5, "7", True])
def test_bad_seeds(seed):
    with pytest.raises(ValueError, match="seed: expected a whole number of 0 or more"):
        random.normal((2,), seed=seed)
    with pytest.raises(ValueError, match="seed"):
        random.SeedGenerator(seed)


def test_seed_generators():
    generator = random.SeedGenerator(5)
    generator.next()
    copies = [copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))]
    expected = random.normal((3,), seed=generator)
    for one in copies:
        np.testing.assert_array_equal(random.normal((3,), seed=one), expected)
    again = random.SeedGenerator.from_config(generator.get_config())
    assert again.seed == 5
    fastrnn.utils.set_random_seed(1)
    first = random.SeedGenerator().seed
    fastrnn.utils.set_random_seed(1)
    assert random.SeedGenerator().seed == first


def test_shapes_of_symbols():
    x = fastrnn.Input((3,))
    with pytest.raises(ValueError, match=r"normal shape: expected whole numbers, got \(None, 3\).*Lambda"):
        random.normal(ops.shape(x))


@pytest.mark.parametrize("name", ["categorical", "dropout", "shuffle"])
def test_on_symbols_each_call_draws(name):
    x, more = ARGUMENTS[name][0], ARGUMENTS[name][1:]
    symbol = fastrnn.Input(batch_shape=x.shape)
    made = getattr(random, name)(symbol, *more)
    model = fastrnn.Model(symbol, made)
    fastrnn.utils.set_random_seed(1)
    first = model(x)
    assert first.shape == made.shape and first.dtype == made.dtype
    assert (first != model(x)).any()
    fastrnn.utils.set_random_seed(1)
    np.testing.assert_array_equal(model(x), first)


def test_gradients_through_the_other_inputs():
    mean, spread, x = (np.random.default_rng(0).uniform(0.5, 2, (4, 3)) for _ in range(3))

    def total(mean, spread, x):
        drawn = random.normal((4, 3), mean, spread, dtype="float64", seed=1)
        even = random.uniform((4, 3), mean, mean + spread, dtype="float64", seed=2)
        kept = random.dropout(x, 0.5, seed=3)
        return ops.sum(ops.square(drawn) * kept + even * random.shuffle(x, seed=4))

    given = [mean, spread, x]
    gradients = differentiated(total, *given)[1](np.ones(()))
    for index, gradient in enumerate(gradients):
        expected = np.zeros((4, 3))
        for place in np.ndindex(4, 3):
            moved = [one.copy() for one in given]
            moved[index][place] += 1e-6
            above = total(*moved)
            moved[index][place] -= 2e-6
            expected[place] = (above - total(*moved)) / 2e-6
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-6)


def test_a_variational_autoencoder_learns():
    """A sampling layer of the user's own, through which its encoder is trained."""
    class Sampling(fastrnn.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.seed_generator = random.SeedGenerator(1337)

        def call(self, inputs):
            mean, log_var = inputs
            batch, width = ops.shape(mean)
            self.add_loss(-0.005 * ops.mean(1 + log_var - ops.square(mean) - ops.exp(log_var)))
            return mean + ops.exp(0.5 * log_var) * random.normal((batch, width), seed=self.seed_generator)

    fastrnn.utils.set_random_seed(1)
    x = fastrnn.Input((6, 2))
    encoded = fastrnn.layers.LSTM(8)(x)
    z = Sampling()([fastrnn.layers.Dense(3, name="mean")(encoded), fastrnn.layers.Dense(3, name="var")(encoded)])
    y = fastrnn.layers.Dense(12)(fastrnn.layers.Dense(16, activation="relu")(z))
    model = fastrnn.Model(x, fastrnn.layers.Reshape((6, 2))(y))
    model.compile(fastrnn.optimizers.Adam(0.02), "mse")
    data = np.sin(np.random.default_rng(0).uniform(0, 3, (64, 1, 2)) + np.arange(6)[:, None]).astype("float32")
    before = model.get_layer("var").get_weights()[0]
    losses = model.fit(data, data, epochs=25, verbose=0).history["loss"]
    assert losses[-1] < 0.6 * losses[0]
    assert (model.get_layer("var").get_weights()[0] != before).all()
