# SPDX-License-Identifier: Apache-2.0
"""What is warned of, once, and what it changes: nothing."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import fastrnn
from fastrnn import Input, Sequential, losses
from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Dropout, Embedding, TimeDistributed
from fastrnn.training.watch import Watch
from tests.models.fakes import Scale

N, T, D = 12, 4, 3


@pytest.fixture
def x(rng):
    return rng.standard_normal((N, T, D)).astype("float32")


def compiled(loss="mse", units=1, activation=None, **options):
    model = Sequential([Input((T, D)), LSTM(4, name="low"), Dense(units, activation=activation, name="high")])
    model.compile(fastrnn.optimizers.SGD(0.01), loss, **options)
    return model


def said(call) -> list[str]:
    """The warnings of a call, each time that one is given."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    return [str(one.message) for one in found if issubclass(one.category, UserWarning)]


class Batches:
    """A source of batches that can be iterated over again."""

    def __init__(self, x, y, size=4):
        self.pieces = [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]

    def __iter__(self):
        return iter(self.pieces)


class TestTargets:
    @pytest.mark.parametrize("how", ["arrays", "source", "validation", "evaluate", "train_on_batch", "test_on_batch"])
    @pytest.mark.parametrize(("wrong", "expected"), [
        (2.0, "loss 'binary_crossentropy' is defined for targets from 0 to 1, got targets from 1 to 2"),
        (-1.0, "got targets from -1 to 1"),
        (np.nan, "targets are NaN or infinite, the first in sample 1; the loss becomes NaN with them"),
        (np.inf, "targets are NaN or infinite, the first in sample 1"),
    ])
    def test_one_warning(self, how, wrong, expected, x):
        y = np.ones((N, 1), "float32")
        y[1::4] = wrong
        model = compiled("binary_crossentropy", activation="sigmoid")
        calls = {
            "arrays": lambda: model.fit(x, y, epochs=3, batch_size=4, verbose=0),
            "source": lambda: model.fit(Batches(x, y), epochs=3, validation_data=Batches(x, y), verbose=0),
            "validation": lambda: model.fit(x, y * 0 == 0, validation_data=(x, y), epochs=2, verbose=0),
            "evaluate": lambda: model.evaluate(x, y, batch_size=4, verbose=0),
            "train_on_batch": lambda: [model.train_on_batch(x, y) for _ in range(3)],
            "test_on_batch": lambda: [model.test_on_batch(x, y) for _ in range(3)],
        }
        found = [one for one in said(calls[how]) if "targets" in one and "the loss is" not in one]
        assert len(found) == 1 and expected in found[0]
        who = "fit: validation_data" if how == "validation" else "fit" if how in ("arrays", "source") else how
        assert found[0].startswith(f"{who}: y: ")

    def test_not_all_batches_are_looked_at(self, x):
        """For the sake of speed: those whose number is a power of two."""
        model, good, wrong = compiled("poisson"), np.ones((N, 1)), -np.ones((N, 1))
        for number in range(1, 17):
            y = good if number < 9 else wrong
            assert len(said(lambda y=y: model.train_on_batch(x, y))) == (number == 16)

    @pytest.mark.parametrize("name", ["binary_crossentropy", "categorical_crossentropy", "kl_divergence", "poisson",
                                      "mean_squared_logarithmic_error", "hinge", "squared_hinge", "categorical_hinge"])
    def test_the_range_of_each_loss(self, name, x):
        least, most = losses.get(name).target_range
        good, low = np.full((N, 2), max(least, 0)), np.full((N, 2), least - 0.5)
        good[0] = min(most, 7)
        model = compiled(name, 2, "softmax")
        assert said(lambda: model.evaluate(x, good, verbose=0)) == []
        assert [name in one for one in said(lambda: model.evaluate(x, low, verbose=0))] == [True]

    @pytest.mark.parametrize("name", ["mse", "mae", "mape", "huber", "log_cosh", "cosine_similarity"])
    def test_others_take_any_finite_number(self, name, x):
        model, y = compiled(name), np.linspace(-1e10, 1e10, N)[:, None]
        assert said(lambda: model.evaluate(x, y, verbose=0)) == []
        assert "1 of 12 targets are NaN" in said(lambda: model.evaluate(x, np.where(y == y[3], np.nan, y),
                                                                        verbose=0))[0]

    def test_the_largest_numbers_are_finite(self):
        watch, most = Watch("fit"), np.finfo("float64").max
        assert said(lambda: watch.targets(np.array([-most, most]), losses.get("mse"), "y")) == []

    def test_classes_are_refused(self, x):
        model = compiled("sparse_categorical_crossentropy", 3, "softmax")
        for wrong in -1, 3, 0.5, np.nan:
            with pytest.raises(ValueError, match="class indices in y_true"):
                model.fit(x, np.full(N, wrong), verbose=0)

    def test_the_training_is_the_same(self, x):
        """As Keras, which says nothing, has it."""
        y, weights = np.ones((N, 1)), []
        for level in 1, 2:
            model = compiled("binary_crossentropy", activation="sigmoid")
            model.set_weights([np.full(w.shape, 0.1) for w in model.get_weights()])
            said(lambda model=model, level=level: model.fit(x, y * level, verbose=0))
            weights.append(model.get_weights()[-1])
        assert np.isfinite(weights[1]).all() and weights[1] > weights[0]


class TestLoss:
    def loss_warnings(self, call):
        return [one for one in said(call) if "the loss is" in one]

    def test_targets_spoil_it(self, x):
        y = np.ones((N, 1))
        y[9] = np.nan
        model = compiled()
        found = self.loss_warnings(lambda: model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0))
        assert found == ["fit: the loss is nan in batch 2 of epoch 0 (counted from 0): all weights and outputs are "
                         "finite, so look at the targets and sample weights; in training the callback "
                         "TerminateOnNaN stops there"]

    def test_the_input_spoils_it(self, x):
        x[5, 1, 2] = np.nan
        found = self.loss_warnings(lambda: compiled().evaluate(x, np.ones(N), batch_size=4, verbose=0))
        assert len(found) == 1
        assert found[0].startswith("evaluate: the loss is nan in batch 1 of the evaluation (counted from 0): "
                                   "the input has NaN or infinite values")

    @pytest.mark.parametrize("where", ["low", "high"])
    def test_weights_spoil_it(self, where, x):
        model = compiled()
        kernel = model.get_layer(where).weights[0]
        kernel.assign(np.full(kernel.shape, np.nan))
        y = np.ones(N)
        found = self.loss_warnings(lambda: model.fit(x, y, epochs=3, validation_data=(x, y), verbose=0))
        assert len(found) == 1 and "the first layer with weights that are not finite is" in found[0]
        assert f"'{where}', '{where}/kernel';" in found[0]

    def test_only_the_validation(self, x):
        bad = x.copy()
        bad[0] = np.nan
        found = self.loss_warnings(lambda: compiled().fit(x, np.ones(N), epochs=3, validation_data=(bad, np.ones(N)),
                                                          verbose=0))
        assert len(found) == 1 and "in batch 0 of the validation of epoch 0 (counted from 0): the input has" in found[0]

    def test_an_output_spoils_it(self, x):
        """Weights that grow too large; the layer is in a model in the model."""
        inner = Sequential([Scale(name="fine"), Scale(start=1e38, name="large")])
        model = Sequential([Input((T, D)), inner, Scale(name="last")])
        model.compile(fastrnn.optimizers.SGD(0.0), "mse")
        found = self.loss_warnings(lambda: model.fit(x * 1e3, x, verbose=0))
        assert len(found) == 1 and "the first layer whose output is not finite is Scale 'large'" in found[0]

    def test_a_penalty_counts(self, x):
        model = Sequential([Input((T, D)), Dense(3, kernel_regularizer=fastrnn.regularizers.L2(1e38))])
        model.compile(fastrnn.optimizers.SGD(0.0), "mse")
        model.layers[0].kernel.assign(np.full((D, D), 1e30))
        assert self.loss_warnings(lambda: model.fit(x * 0, x, verbose=0))

    def test_single_batches_return_it(self, x):
        y = np.full((N, 1), 1e30)
        model = compiled()
        assert said(lambda: model.train_on_batch(x, y)) == []

    @pytest.mark.parametrize("training", [False, True])
    def test_looking_for_the_layer_changes_nothing(self, training, rng):
        """States, random numbers and what the backward pass needs are as they would be without the warning."""
        words = rng.integers(1, 9, (N, T, 2)) * rng.integers(0, 2, (N, T, 2))
        y = np.ones((N, 1))
        results = []
        for watched in False, True:
            fastrnn.utils.set_random_seed(1)
            model = Sequential([Input(batch_shape=(4, T, 2)), Embedding(9, 3, mask_zero=True), TimeDistributed(GRU(3)),
                                Dropout(0.3), Bidirectional(LSTM(2, return_sequences=True, stateful=True)),
                                LSTM(3, stateful=True, dropout=0.2), Dense(1)])
            model.compile("adam", "mse")
            if watched:         # a loss that is said to be infinite, though weights go on as before
                real = model.objective.heads[0].loss

                class Endless(type(real)):
                    def value_and_gradient(self, *arguments):
                        return np.inf, super().value_and_gradient(*arguments)[1]

                    def __call__(self, *arguments):
                        super().__call__(*arguments)
                        return np.inf

                model.objective.heads[0].loss = Endless()

            def run(model=model):
                if training:
                    model.fit(words, y, batch_size=4, epochs=2, verbose=0)
                else:
                    model.evaluate(words, y, batch_size=4, verbose=0)

            assert len(self.loss_warnings(run)) == watched
            states = [state.copy() for state in model.layers[-2]._states]
            results.append([*model.get_weights(), *states, model.predict(words, batch_size=4, verbose=0)])
        for one, two in zip(*results, strict=True):
            np.testing.assert_array_equal(one, two)
