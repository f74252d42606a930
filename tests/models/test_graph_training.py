# SPDX-License-Identifier: Apache-2.0
"""Training of models with several inputs and outputs, beside installed Keras: the same weights, batches and epochs."""

from __future__ import annotations

import copy
import pickle

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn import Input, Model, losses, optimizers
from fastrnn.layers import LSTM, Dense

N, T, D, C = 24, 5, 3, 4


def two_outputs(library) -> tuple:
    """A sequence of numbers and one probability, from one recurrent layer."""
    layers = library.layers
    x = library.Input((T, D), name="x")
    steps, state, _ = layers.LSTM(4, return_sequences=True, return_state=True)(x)
    return x, [layers.Dense(2, name="a")(steps), layers.Dense(1, activation="sigmoid", name="b")(state)]


def by_key(library) -> tuple:
    x, (a, b) = two_outputs(library)
    return x, {"second": b, "first": a}


def nested(library) -> tuple:
    x, pair = two_outputs(library)
    return x, {"pair": pair, "last": library.layers.Dense(1, name="c")(pair[1])}


def shared(library) -> tuple:
    """Two inputs through the same layers, with a penalty; one output each."""
    layers = library.layers
    left, right = library.Input((T, D), name="left"), library.Input((T, D), name="right")
    encoder = layers.GRU(4, kernel_regularizer=library.regularizers.L2(0.05), name="encoder")
    head = layers.Dense(C, activation="softmax", name="head")
    return {"left": left, "right": right}, [head(encoder(left)), layers.Dense(2, name="other")(head(encoder(right)))]


def masked(library) -> tuple:
    """Classes of the steps of words of several lengths, and a number of the whole."""
    layers = library.layers
    words = library.Input((T,), dtype="int32", name="words")
    steps, state = layers.GRU(4, return_sequences=True, return_state=True)(
        layers.Embedding(9, D, mask_zero=True)(words))
    return words, [layers.Dense(C, activation="softmax", name="a")(steps), layers.Dense(1, name="b")(state)]


def pair(make, optimizer="adam", **compiled):
    """A model of ours and Keras's, with the same weights."""
    keras.utils.set_random_seed(1)
    theirs = keras.Model(*make(keras))
    ours = Model(*make(fastrnn))
    ours.set_weights(theirs.get_weights())
    for model in ours, theirs:
        model.compile(optimizer, **compiled)
    return ours, theirs


def flat(x) -> list:
    if isinstance(x, dict):
        return [leaf for key in sorted(x) for leaf in flat(x[key])]
    return [leaf for one in x for leaf in flat(one)] if isinstance(x, (list, tuple)) else [x]


def same(ours, theirs, ordered: bool = True) -> None:
    """Structure, names and values."""
    if isinstance(theirs, dict) and ordered:
        assert list(ours) == list(theirs)
    for got, expected in zip(flat(ours), flat(theirs), strict=True):
        np.testing.assert_allclose(got, expected, rtol=2e-4, atol=2e-5)


def check(models, x, y, without=(), keras_y=None, **options) -> None:
    """Three epochs, then all that can be asked. `without` are metrics that Keras on JAX has wrong in training."""
    run = {"batch_size": 8, "epochs": 3, "shuffle": False, "verbose": 0, **options}
    ours, theirs = models
    keras_y = y if keras_y is None else keras_y
    histories = [model.fit(x, of, **run).history for model, of in ((ours, y), (theirs, keras_y))]
    for name in without:
        for history in histories:
            del history[name]
    same(*histories)
    same(ours.get_weights(), theirs.get_weights())
    for return_dict in False, True:
        same(ours.evaluate(x, y, batch_size=8, verbose=0, return_dict=return_dict),
             theirs.evaluate(x, keras_y, batch_size=8, verbose=0, return_dict=return_dict))
    found, expected = (model.predict(x, batch_size=8, verbose=0) for model in models)
    assert type(found) is type(expected) and (not isinstance(found, dict) or set(found) == set(expected))
    same(found, expected, ordered=False)


@pytest.fixture
def data(rng) -> dict:
    words = rng.integers(1, 9, (N, T))
    for row, length in zip(words, rng.integers(1, T + 1, N), strict=True):
        row[length:] = 0
    return {"x": rng.standard_normal((N, T, D)).astype("float32"), "z": rng.standard_normal((N, T, D)),
            "words": words, "a": rng.standard_normal((N, T, 2)), "b": rng.integers(0, 2, (N, 1)),
            "classes": rng.integers(0, C, N), "steps": rng.integers(0, C, (N, T)),
            "pairs": rng.standard_normal((N, 2)), "number": rng.standard_normal((N, 1)),
            "weight": rng.random(N).astype("float32"), "other": rng.random(N).astype("float32")}


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_dictionaries_of_losses_weights_and_metrics(optimizer, data):
    models = pair(two_outputs, optimizer, loss={"b": "binary_crossentropy", "a": "mse"},
                  loss_weights={"a": 0.5, "b": 2.0}, metrics={"b": ["accuracy", "mae"]},
                  weighted_metrics={"a": ["mae"], "b": ["mae"]})
    check(models, data["x"], {"a": data["a"], "b": data["b"]}, validation_split=1 / 3)


@pytest.mark.parametrize("compiled", [
    {"loss": "mse"}, {"loss": "mse", "loss_weights": 0.5}, {"loss": ["mse", "mae"], "loss_weights": [0.5, 2.0]},
    {"loss": ["mse", "mae"], "metrics": ["mae", ["mae", "mse"]], "weighted_metrics": [["mae", "mae"], None]},
    {"loss": ("mse", "mae"), "metrics": [None, ["mae", "mae"]]}, {"loss": [None, "mae"], "metrics": ["mae", "mse"]},
    {"loss": {"a": "mse", "b": None}, "metrics": {"a": "mae"}},
], ids=str)
def test_lists(compiled, data):
    check(pair(two_outputs, **compiled), data["x"], [data["a"], data["b"]])


def test_targets_of_outputs_without_a_loss_can_be_left_out(data):
    for y in ([data["b"]], data["b"], [None, data["b"]]):
        check(pair(two_outputs, loss=[None, "mae"]), data["x"], y)
    ours, _ = pair(two_outputs, loss=[None, "mae"])
    assert list(ours.fit(data["x"], {"b": data["b"]}, verbose=0).history) == ["loss"]


def test_outputs_by_key(data):
    y = {"first": data["a"], "second": data["b"]}
    check(pair(by_key, loss={"first": "mse", "second": "mae"}, metrics={"second": ["mse"]},
               loss_weights={"second": 3.0, "first": 1.0}), data["x"], y, validation_data=(data["z"], y))
    weights = {"first": np.repeat(data["weight"][:, None], T, axis=1), "second": data["other"]}
    check(pair(by_key, loss={"first": "mse", "second": "mae"}), data["x"], y, sample_weight=weights)
    check(pair(by_key, loss={"second": "mse"}), data["x"], y)


def test_outputs_in_a_nested_structure(data):
    y = {"pair": [data["a"], data["b"]], "last": data["number"]}
    check(pair(nested, loss={"pair": ["mse", "mae"], "last": "mse"}, metrics={"pair": ["mae", ["mse"]], "last": "mae"}),
          data["x"], y)


@pytest.mark.parametrize("optimizer", [
    pytest.param(lambda library: library.optimizers.SGD(0.1, momentum=0.9), id="SGD"),
    pytest.param(lambda library: library.optimizers.Adam(0.01), id="Adam")])
def test_shared_layers_and_inputs_by_name(optimizer, data):
    models = pair(shared)
    for model, library in zip(models, (fastrnn, keras)):
        model.compile(optimizer(library), ["sparse_categorical_crossentropy", "mse"], metrics=[["accuracy"], None])
    x = {"left": data["x"], "right": data["z"]}
    y = [data["classes"], data["pairs"]]
    check(models, x, y, validation_data=({"left": data["z"], "right": data["x"]}, y))


def test_a_masked_sequence_has_a_loss(data):
    models = pair(masked, loss=["sparse_categorical_crossentropy", "mse"], metrics=[["accuracy"], ["mae"]])
    check(models, data["words"], [data["steps"], data["number"]], without=["a_accuracy"])


def test_branches_that_join_and_part(data):
    def make(library):
        layers = library.layers
        left, right = library.Input((T, D), name="left"), library.Input((T, D), name="right")
        both = layers.concatenate([layers.LSTM(3, name="l")(left), layers.GRU(3, name="r")(right)])
        hidden = layers.add([layers.Dense(4, activation="tanh", name="h")(both), layers.Dense(4, name="k")(both)])
        return [left, right], [layers.Dense(C, activation="softmax", name="a")(hidden),
                               layers.Dense(2, name="b")(hidden)]

    models = pair(make, loss={"a": "sparse_categorical_crossentropy", "b": "mse"}, metrics={"a": "accuracy"})
    check(models, [data["x"], data["z"]], {"a": data["classes"], "b": data["pairs"]}, validation_split=1 / 3)


@pytest.mark.parametrize("suffix", [".keras", ".safetensors"])
@pytest.mark.parametrize("make", [two_outputs, by_key])
def test_a_file_has_the_losses_and_metrics_of_each_output(make, suffix, data, tmp_path):
    model = Model(*make(fastrnn))
    one, two = model.output_names
    y = {name: data["a" if name in ("a", "first") else "b"] for name in (one, two)}
    model.compile("adam", {one: "mse", two: losses.MeanAbsoluteError()}, {two: 0.5}, {two: ["mae", "mse"]},
                  weighted_metrics={one: ["mae"]})
    model.fit(data["x"], y, verbose=0)
    model.save(tmp_path / f"model{suffix}")
    loaded = fastrnn.saving.load_model(tmp_path / f"model{suffix}")
    for part in model, loaded:
        part.fit(data["x"], y, shuffle=False, verbose=0)
    assert loaded.history.history == model.history.history and len(model.history.history) == 6


@pytest.mark.parametrize("weight", [
    lambda data: data["weight"], lambda data: [data["weight"], data["other"]], lambda data: [None, data["other"]]])
def test_sample_weights(weight, data):
    ours, theirs = pair(two_outputs, loss=["mse", "binary_crossentropy"], weighted_metrics=[["mae"], None])
    given = weight(data)
    steps = np.repeat(data["weight"][:, None], T, axis=1)      # Keras wants an axis for the steps
    keras_given = [steps, given] if not isinstance(given, list) else [None if given[0] is None else steps, given[1]]
    y, run = [data["a"], data["b"]], {"batch_size": 8, "epochs": 3, "shuffle": False, "verbose": 0}
    same(ours.fit(data["x"], y, sample_weight=given, **run).history,
         theirs.fit(data["x"], y, sample_weight=keras_given, **run).history)
    same(ours.get_weights(), theirs.get_weights())


def test_single_batches(data):
    ours, theirs = pair(two_outputs, loss=["mse", "mae"], metrics=[None, "mse"])
    y = [data["a"], data["b"]]
    for _ in range(2):
        for options in ({}, {"return_dict": True}):
            same(ours.train_on_batch(data["x"], y, **options), theirs.train_on_batch(data["x"], y, **options))
            same(ours.test_on_batch(data["x"], y, **options), theirs.test_on_batch(data["x"], y, **options))
    found = ours.predict_on_batch(data["x"])
    assert isinstance(found, list)
    same(found, theirs.predict_on_batch(data["x"]))


class Batches(keras.utils.PyDataset):
    """Batches by index, in dictionaries."""

    def __init__(self, data):
        super().__init__()
        self.data = data

    def __len__(self):
        return 3

    def __getitem__(self, index):
        rows = slice(8 * index, 8 * index + 8)
        return ({"left": self.data["x"][rows], "right": self.data["z"][rows]},
                [self.data["classes"][rows], self.data["pairs"][rows]], [self.data["weight"][rows], None])


def test_sources_of_structures(data):
    ours, theirs = pair(shared, loss=["sparse_categorical_crossentropy", "mse"])
    run = {"epochs": 3, "shuffle": False, "verbose": 0}
    same(ours.fit(Batches(data), validation_data=Batches(data), **run).history,
         theirs.fit(Batches(data), validation_data=Batches(data), **run).history)
    same(ours.get_weights(), theirs.get_weights())

    def endless():
        while True:
            yield from map(Batches(data).__getitem__, range(3))

    same(ours.fit(endless(), steps_per_epoch=3, **run).history, theirs.fit(endless(), steps_per_epoch=3, **run).history)
    same(ours.evaluate(Batches(data), verbose=0), theirs.evaluate(Batches(data), verbose=0))
    inputs = [batch[0] for batch in map(Batches(data).__getitem__, range(3))]
    same(ours.predict((one for one in inputs), verbose=0),
         ours.predict({"left": data["x"], "right": data["z"]}, verbose=0))


def test_shuffled_arrays_stay_together(data):
    """The loss of a model whose targets are its outputs is zero, in whatever order its samples come."""
    model = Model(*shared(fastrnn))
    model.compile(optimizers.SGD(0.0), "mse")
    x = [data["x"], data["z"]]
    for layer in model.layers:
        for variable in layer.weights:
            variable.regularizer = None
    history = model.fit(x, model.predict(x, verbose=0), batch_size=5, epochs=2, validation_split=0.25, verbose=0)
    for name, values in history.history.items():
        np.testing.assert_allclose(values, 0, atol=1e-10, err_msg=name)


def test_weights_that_no_loss_reaches(data):
    """They stay, but for what their own penalty does to them; the optimizer keeps something for them, as Keras's."""
    def make(library):
        x, (a, b) = two_outputs(library)
        penalty = library.regularizers.L2(0.1)
        return x, [a, b, library.layers.Dense(2, kernel_regularizer=penalty, name="c")(b)]

    models = pair(make, loss=["mse", None, None])
    ours = models[0]
    before = {name: ours.get_layer(name).get_weights() for name in "abc"}
    check(models, data["x"], [data["a"], data["b"], data["pairs"]])
    moved = {name: [not np.array_equal(one, two) for one, two in zip(before[name], ours.get_layer(name).get_weights())]
             for name in "abc"}
    assert moved == {"a": [True, True], "b": [False, False], "c": [True, False]}
    assert len(ours.optimizer.get_slots()) == 2 * len(ours.weights)


def test_each_variable_is_updated_once(data):
    model = Model(*shared(fastrnn))
    model.compile(optimizers.SGD(0.1), "mse")
    seen = []

    class Watched(optimizers.SGD):
        def update(self, kernels, parts, *rest):
            seen.append(len(parts))
            super().update(kernels, parts, *rest)

    model.compile(Watched(0.1), "mse")
    model.train_on_batch([data["x"], data["z"]], [np.ones((N, C)), data["pairs"]])
    assert seen == [len(model.trainable_weights)] == [7]


class TestAdded:
    """What `add_loss` and `add_metric` add."""

    class MeanOutput(losses.Loss):
        def call(self, y_true, y_pred):
            return y_pred.mean(axis=-1)

        def gradient(self, y_true, y_pred):
            return np.full(y_pred.shape, 1 / y_pred.shape[-1])

    @staticmethod
    def parts():
        """Input, output, and a state of its layer."""
        fastrnn.utils.set_random_seed(3)
        x = Input((T, D))
        steps, state, _ = LSTM(4, return_sequences=True, return_state=True)(x)
        return x, Dense(2)(steps), state

    @pytest.mark.parametrize("optimizer", ["sgd", "adam"])
    def test_a_loss_is_as_one_of_an_output(self, optimizer, data):
        x, a, b = self.parts()
        added = Model(x, a)
        added.add_loss(b)
        added.compile(optimizer, "mse")
        x, a, b = self.parts()
        written = Model(x, [a, b])
        written.compile(optimizer, ["mse", self.MeanOutput()])
        run = {"batch_size": 8, "epochs": 3, "shuffle": False, "verbose": 0, "validation_split": 1 / 3}
        found = added.fit(data["x"], data["a"], **run).history
        expected = written.fit(data["x"], [data["a"], np.zeros((N, 4))], **run).history
        assert list(found) == ["loss", "val_loss"]
        same(found, {name: expected[name] for name in found})
        same(added.get_weights(), written.get_weights())
        assert added.predict(data["x"], verbose=0).shape == (N, T, 2)

    def test_alone_it_needs_no_targets(self, data):
        x, a, b = self.parts()
        model = Model(x, [a, b])
        with pytest.raises(ValueError, match="needs a loss"):
            model.compile("sgd")
            model.fit(data["x"], verbose=0)
        model.add_loss(b)
        before = model.evaluate(data["x"], verbose=0)
        assert before == pytest.approx(float(model.predict(data["x"], verbose=0)[1].mean()), rel=1e-6)
        history = model.fit(data["x"], epochs=3, verbose=0, validation_data=(data["z"],)).history
        assert list(history) == ["loss", "val_loss"] and history["loss"][2] < history["loss"][0]
        assert model.train_on_batch(data["x"]) < before

    def test_metrics(self, data):
        x, a, b = self.parts()
        model = Model(x, a)
        model.compile(optimizers.SGD(0.0), "mse", metrics=["mae"])
        model.add_metric(b, "mean_b")
        model.add_metric(b, "sum_b", aggregation="sum")
        b_values = Model(x, b).predict(data["x"], verbose=0)
        for _ in range(2):
            results = model.evaluate(data["x"], data["a"], batch_size=7, verbose=0, return_dict=True)
            assert list(results) == ["loss", "mae", "mean_b", "sum_b"] == model.metrics_names
            assert results["mean_b"] == pytest.approx(b_values.mean(), rel=1e-6)
            assert results["sum_b"] == pytest.approx(b_values.sum(), rel=1e-6)
            model.compile(optimizers.SGD(0.0), "mse", metrics=["mae"])
        assert "val_mean_b" in model.fit(data["x"], data["a"], validation_split=0.5, verbose=0).history

    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
    def test_a_copy_has_them(self, copied, data):
        x, a, b = self.parts()
        model = Model(x, a)
        model.add_loss(b)
        model.add_metric(b, "mean_b")
        model.compile("sgd", "mse")
        expected = model.evaluate(data["x"], data["a"], verbose=0)
        other = copied(model)
        model.fit(data["x"], data["a"], verbose=0)
        same(other.evaluate(data["x"], data["a"], verbose=0), expected)
        other.fit(data["x"], data["a"], shuffle=False, verbose=0)
        assert other.predict(data["x"], verbose=0).shape == (N, T, 2) and len(other.history.history) == 2

    def test_what_cannot_be_added(self):
        x, a, _ = self.parts()
        model = Model(x, a)
        for bad, message in [(lambda: 1.0, "got a function; a penalty on weights is a regularizer"),
                             (1.0, "expected a symbol of the model's graph, got float")]:
            with pytest.raises(TypeError, match=message):
                model.add_loss(bad)
        with pytest.raises(ValueError, match="needs LSTM 'other', which has weights and is not a layer of the model"):
            model.add_loss(LSTM(2, name="other")(x))
        with pytest.raises(ValueError, match="which is not among the model's inputs"):
            model.add_loss(Dense(1)(Input((3,))))
        with pytest.raises(ValueError, match="aggregation 'mean' or 'sum', got 'max'"):
            model.add_metric(a, "m", aggregation="max")
        model.add_metric(a, "m")
        with pytest.raises(ValueError, match="a metric named 'm' already"):
            model.add_metric(a, "m")
        assert model.added.losses == ()


class TestErrors:
    """They name the outputs, what was expected, what came, and the way out."""

    names = "expected 2, one for each output, in a list or in a dictionary with 'a', 'b', got "

    @pytest.mark.parametrize(("compiled", "message"), [
        ({"loss": ["mse"]}, f"loss: {names}a list of 1"),
        ({"loss": {"a": "mse", "c": "mse"}}, f"loss: {names}a dictionary with 'a', 'c'"),
        ({"loss": {"a": "mse"}}, f"loss: {names}a dictionary without 'b'; give None to an output without a loss"),
        ({"loss": ["mse", ["mse"]]}, "loss of output 'b': expected one loss, got"),
        ({"loss": "mse", "metrics": ["mae"]}, f"metrics: {names}a list of 1"),
        ({"loss": "mse", "weighted_metrics": {"c": "mae"}}, f"weighted_metrics: {names}a dictionary with 'c'"),
        ({"loss": "mse", "loss_weights": [1, 2, 3]}, f"loss_weights: {names}a list of 3"),
    ])
    def test_of_compile(self, compiled, message):
        model = Model(*two_outputs(fastrnn))
        with pytest.raises(ValueError, match=message):
            model.compile("sgd", **compiled)
        assert not model.compiled

    def test_of_loss_weights(self):
        with pytest.raises(TypeError, match="loss_weights of output 'b': expected a number, got 'x'"):
            Model(*two_outputs(fastrnn)).compile("sgd", "mse", loss_weights=[1, "x"])

    def test_of_data(self, data):
        model = Model(*two_outputs(fastrnn))
        model.compile("sgd", "mse")
        x, a, b = data["x"], data["a"], data["b"]
        for y, weight, message in [
            ([a], None, f"y: {self.names}a list of 1"), (a, None, f"y: {self.names}one ndarray"),
            ({"a": a, "c": b}, None, f"y: {self.names}a dictionary with 'a', 'c'"),
            ({"a": a}, None, "y: expected targets of 'a', 'b', got none of 'b'; pass them, or compile with None"),
            ([a, b[:3]], None, "y of output 'b': expected as many samples as x has, 24, got 3"),
            ([b, a], None, r"y of output 'a': mean_squared_error: expected y_true of shape \(24, 5, 2\), got"),
            ([a, b], [np.ones(N)] * 3, f"sample_weight: {self.names}a list of 3"),
            ([a, b], {"c": np.ones(N)}, f"sample_weight: {self.names}a dictionary with 'c'"),
            ([a, b], {"b": np.ones(3)}, "sample_weight of output 'b': expected as many samples"),
            (None, None, "y is missing"),
        ]:
            for call in (model.fit, model.train_on_batch):
                with pytest.raises(ValueError, match=message):
                    call(x, y, sample_weight=weight)
        with pytest.raises(ValueError, match="class_weight is for models with one output, Model '.*' has 2: a, b; pass "
                                             "sample_weight"):
            model.fit(x, [a, b], class_weight={0: 1.0})

    def test_a_warning_says_which_output(self, data):
        model = Model(*two_outputs(fastrnn))
        model.compile("sgd", ["mse", "binary_crossentropy"])
        with pytest.warns(UserWarning, match="fit: y of output 'b': loss 'binary_crossentropy' is defined for targets"):
            model.fit(data["x"], [data["a"], data["b"] + 2], verbose=0)
        bad = data["b"].astype(float)
        bad[3] = np.nan
        with pytest.warns(UserWarning) as found:
            model.evaluate(data["x"], [data["a"], bad], verbose=0)
        said = [str(one.message) for one in found]
        assert any(one.startswith("evaluate: y of output 'b': 1 of 24 targets are NaN") for one in said)
        assert any(one.startswith("evaluate: the loss of output 'b' is nan in batch 0") for one in said)

    def test_a_loss_that_wants_probabilities_names_its_layer(self, data):
        model = Model(*two_outputs(fastrnn))
        model.compile("sgd", ["categorical_crossentropy", "binary_crossentropy"])
        with pytest.warns(UserWarning, match="'categorical_crossentropy' expects probabilities.* the last layer 'a'"):
            model.fit(data["x"], [np.ones((N, T, 2)), data["b"]], verbose=0)
