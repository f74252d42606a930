# SPDX-License-Identifier: Apache-2.0
"""The stack of layers, its shapes and weights, and how it is compiled, trained and used."""

from __future__ import annotations

import inspect
import threading

import numpy as np
import pytest

import fastrnn
from fastrnn import Input, Sequential, optimizers
from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Dropout, Embedding, SimpleRNN
from tests.models.fakes import Scale


@pytest.fixture
def x(rng) -> np.ndarray:
    return rng.standard_normal((20, 5, 3)).astype("float32")


@pytest.fixture
def y(rng) -> np.ndarray:
    return rng.integers(0, 2, (20, 1)).astype("float32")


def small(**options) -> Sequential:
    model = Sequential([Input((None, 3)), LSTM(4, name="encoder", **options), Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


# -- the stack -----------------------------------------------------------------------------------------------------


def test_built_as_layers_are_added():
    model = Sequential(name="mine")
    assert (model.name, model.built, model.layers, model.weights) == ("mine", False, [], [])
    model.add(Input((None, 3)))
    assert not model.built and model.input_shape == (None, None, 3)
    model.add(LSTM(4, return_sequences=True))
    assert model.built and model.output_shape == (None, None, 4) and len(model.weights) == 3
    model.add(Dense(2))
    assert model.output_shape == (None, None, 2) and model.count_params() == 128 + 10
    assert [type(layer) for layer in model.layers] == [LSTM, Dense]


@pytest.mark.parametrize("options", [{"input_shape": (None, 3)}, {"batch_input_shape": (None, None, 3)},
                                     {"input_dim": 3}, {"input_dim": 3, "input_length": 5}])
def test_built_by_the_older_keywords(options, x):
    model = Sequential([LSTM(4, **options), Dense(2)])
    assert model.built and model.output_shape == (None, 2) and len(model.layers) == 2
    assert model.predict(x, verbose=0).shape == (20, 2)


def test_built_by_build_or_by_the_first_data(x, y):
    model = Sequential([LSTM(4), Dense(1)])
    assert not model.built and model.weights == []
    for name in ("input_shape", "output_shape"):
        with pytest.raises(AttributeError, match="not known before it is built"):
            getattr(model, name)
    model.build((None, None, 3))
    assert model.built and len(model.weights) == 5
    model.build([None, None, 3])
    with pytest.raises(ValueError, match=r"built for input of shape \(None, None, 3\), got \(None, 4\)"):
        model.build((None, 4))
    for use in (lambda m: m(x), lambda m: m.predict(x, verbose=0), lambda m: m.train_on_batch(x, y),
                lambda m: m.fit(x, y, verbose=0), lambda m: m.evaluate(x, y, verbose=0)):
        model = Sequential([LSTM(4), Dense(1)])
        model.compile("sgd", "mse")
        use(model)
        assert model.built and model.count_params() == 128 + 5
        assert model.predict(x[:, :2], verbose=0).shape == (20, 1)  # any number of steps


def test_embedding_with_input_length():
    model = Sequential([Embedding(50, 4, input_length=7), LSTM(3), Dense(1)])
    assert model.built and model.output_shape == (None, 1)
    assert model.predict(np.zeros((2, 9), int), verbose=0).shape == (2, 1)


def test_pop():
    model = Sequential([Input((None, 3)), LSTM(4, return_sequences=True), LSTM(5), Dense(2)])
    popped = model.pop()
    assert isinstance(popped, Dense) and model.output_shape == (None, 5) and len(model.weights) == 6
    model.pop()
    model.add(Dense(7))
    assert model.output_shape == (None, None, 7)
    model.pop(), model.pop()
    assert model.layers == [] and not model.built
    with pytest.raises(ValueError, match="no layer to take off"):
        model.pop()
    model.add(GRU(2))
    assert model.output_shape == (None, 2)


@pytest.mark.parametrize("bad", [LSTM, "lstm", None, 3, lambda x: x])
def test_add_refuses_what_is_no_layer(bad):
    with pytest.raises(TypeError, match="'mine'.*expected a layer, got"):
        Sequential(name="mine").add(bad)


def test_names_must_differ():
    model = Sequential([Input((3,)), Dense(2, name="a")])
    for again in (Dense(2, name="a"), model.layers[0]):
        with pytest.raises(ValueError, match="named 'a' already"):
            model.add(again)


def test_dtypes_must_agree():
    model = Sequential([Input((None, 3)), LSTM(4, dtype="float64")])
    with pytest.raises(ValueError, match=r"below are of dtype float64, Dense 'head' is float32"):
        model.add(Dense(2, name="head"))
    assert len(model.layers) == 1


def test_only_one_input_and_that_first():
    with pytest.raises(ValueError, match="Input must come first"):
        Sequential([Input((3,)), Input((4,))])
    with pytest.raises(ValueError, match="Input must come first"):
        Sequential([Dense(2), Input((4,))])


def test_a_layer_that_does_not_fit_leaves_the_model_as_it_was(x):
    model = Sequential([Input((None, 3)), LSTM(4)])
    before = model.predict(x, verbose=0)
    with pytest.raises(ValueError, match=r"LSTM 'second' cannot take input of shape \(None, 4\).*return_sequences"):
        model.add(LSTM(2, name="second"))
    with pytest.raises(ValueError, match="several outputs.*return_state=False"):
        Sequential([Input((None, 3)), LSTM(4, return_state=True)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)
    model.add(Dense(2))
    assert model.output_shape == (None, 2)


def test_a_first_input_that_does_not_fit_builds_nothing(x):
    model = Sequential([Dense(4), LSTM(2)])
    with pytest.raises(ValueError, match="LSTM"):
        model.predict(np.zeros((20, 7)), verbose=0)
    assert not model.built and not any(layer.built for layer in model.layers)
    assert model.predict(x, verbose=0).shape == (20, 2)


def test_a_layer_built_elsewhere_must_fit(x):
    dense = Dense(2)
    Sequential([Input((8,)), dense])
    with pytest.raises(ValueError, match=r"Dense .* cannot take input of shape \(None, 4\)"):
        Sequential([Input((None, 3)), LSTM(4), dense])
    shared = Sequential([Input((None, 3)), LSTM(8), dense])
    assert shared.predict(x, verbose=0).shape == (20, 2)


def test_get_layer():
    model = small()
    assert model.get_layer("encoder") is model.get_layer(index=0) is model.layers[0]
    assert model.get_layer(index=-1) is model.layers[1]
    for bad in ({}, {"name": "encoder", "index": 0}, {"name": "decoder"}, {"index": 2}):
        with pytest.raises(ValueError, match="get_layer expected|no layer 'decoder'; there are: encoder"):
            model.get_layer(**bad)


def test_without_layers(x):
    for use in (lambda m: m.build((None, 3)), lambda m: m(x), lambda m: m.predict(x)):
        with pytest.raises(ValueError, match="there are no layers"):
            use(Sequential())


def test_weights():
    model = small()
    weights = model.get_weights()
    assert [w.shape for w in weights] == [(3, 16), (4, 16), (16,), (4, 1), (1,)]
    assert model.weights[0].path == "encoder/kernel"
    model.set_weights([w + 1 for w in weights])
    np.testing.assert_array_equal(model.get_weights()[1], weights[1] + 1)
    for bad in (weights[:-1], [*weights[:-1], np.zeros(2)]):
        with pytest.raises(ValueError, match="expected"):
            model.set_weights(bad)
    np.testing.assert_array_equal(model.get_weights()[1], weights[1] + 1)
    model.layers[0].trainable = False
    assert len(model.trainable_weights) == 2 and len(model.non_trainable_weights) == 3


def test_config(x):
    for model in (small(), Sequential([LSTM(4, input_shape=(None, 3)), Dense(1)]),
                  Sequential([Embedding(9, 4, mask_zero=True), Bidirectional(GRU(3, return_sequences=True)),
                              Dropout(0.5), SimpleRNN(2)])):
        if not model.built:
            model.build((None, None))
        again = Sequential.from_config(model.get_config())
        assert again.get_config() == model.get_config()
        assert [w.shape for w in again.get_weights()] == [w.shape for w in model.get_weights()]
        again.set_weights(model.get_weights())
        data = x if model.input_shape[-1] == 3 else np.arange(18).reshape(2, 9) % 9
        np.testing.assert_array_equal(again.predict(data, verbose=0), model.predict(data, verbose=0))
    assert not Sequential.from_config(Sequential([LSTM(2)]).get_config()).built
    with pytest.raises(ValueError, match="expected a dictionary with 'name' and 'layers'"):
        Sequential.from_config({"name": "x"})


# -- compile ---------------------------------------------------------------------------------------------------------


def test_not_compiled(x, y):
    model = Sequential([Input((None, 3)), LSTM(4)])
    for use in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        with pytest.raises(ValueError, match=f"call compile.* before {use}"):
            getattr(model, use)(x, y)
    model.compile("sgd")
    with pytest.raises(ValueError, match="fit needs a loss"):
        model.fit(x, y)
    assert model.predict(x, verbose=0).shape == (20, 4)


def test_compile_refuses_an_unknown_metric(x, y):
    model = small()
    with pytest.raises(ValueError, match="unknown metric 'f1'"):
        model.compile("sgd", "mse", metrics=["f1"])
    assert list(model.fit(x, y, verbose=0).history) == ["accuracy", "loss"]


def test_compile_refuses_and_keeps_what_was(x, y):
    model = small()
    for bad, word in (({"optimizer": "no such"}, "no such"), ({"loss": "no such"}, "no such"),
                      ({"metrics": "accuracy"}, "metrics="), ({"optimizer": None}, "optimizer"),
                      ({"loss": "mse", "loss_weights": [1.0, 2.0]}, "loss_weights")):
        with pytest.raises((TypeError, ValueError), match=word):
            model.compile(**bad)
    with pytest.raises(TypeError, match="unknown"):
        model.compile("sgd", "mse", unknown=1)
    assert len(model.evaluate(x, y, verbose=0)) == 2


def test_the_optimizer_is_kept_as_given():
    model = Sequential([Input((3,)), Dense(1)])
    optimizer = optimizers.SGD(0.1)
    model.compile(optimizer, "mse", jit_compile=True, run_eagerly=True, steps_per_execution=4)
    assert model.optimizer is optimizer and model.loss == "mse"


def test_compiling_again_begins_with_other_metrics(x, y):
    model = small()
    model.evaluate(x, y, verbose=0)
    assert [m.name for m in model.metrics] == ["accuracy"] and model.metrics_names == ["loss", "accuracy"]
    model.compile("sgd", "mse")
    assert isinstance(model.evaluate(x, y, verbose=0), float)


# -- fit, evaluate, predict ------------------------------------------------------------------------------------------


def test_fit_learns(x):
    fastrnn.utils.set_random_seed(1)
    x = np.tile(x, (10, 1, 1))
    y = (x[:, -1, :1] > 0).astype("float32")
    model = Sequential([Input((None, 3)), LSTM(8), Dense(1, activation="sigmoid")])
    model.compile(optimizers.Adam(0.03), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=30, verbose=0, validation_split=0.2)
    assert list(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert history.history["accuracy"][-1] > 0.95 > 0.8 > history.history["accuracy"][0]
    assert history.epoch == list(range(30)) and history.params == {"verbose": 0, "epochs": 30, "steps": 5}
    assert all(isinstance(value, float) for values in history.history.values() for value in values)


def test_the_seed_repeats_a_run(x, y):
    found = []
    for _ in range(2):
        fastrnn.utils.set_random_seed(3)
        model = small(dropout=0.3, recurrent_dropout=0.2)
        found.append((model.fit(x, y, epochs=3, batch_size=7, verbose=0).history, model.get_weights()))
    assert found[0][0] == found[1][0]
    for first, second in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_array_equal(first, second)


def test_what_evaluate_and_the_batch_methods_return(x, y):
    model = small()
    for use in (lambda **k: model.evaluate(x, y, verbose=0, **k), lambda **k: model.test_on_batch(x, y, **k),
                lambda **k: model.train_on_batch(x, y, **k)):
        values = use()
        assert isinstance(values, list) and len(values) == 2 and all(type(value) is float for value in values)
        assert list(use(return_dict=True)) == ["accuracy", "loss"]
    assert model.evaluate(x, y, batch_size=7, verbose=0) == pytest.approx(model.test_on_batch(x, y), rel=1e-5)
    before = model.test_on_batch(x, y)
    assert model.train_on_batch(x, y) == pytest.approx(before, rel=1e-6)  # before the update
    assert model.test_on_batch(x, y) != before
    model.compile("sgd", "mse")
    assert type(model.evaluate(x, y, verbose=0)) is type(model.train_on_batch(x, y)) is float


def test_predict_does_not_depend_on_the_batches(x):
    model = small()
    whole = model.predict(x, verbose=0)
    for size in (1, 7, 20, 100):
        np.testing.assert_allclose(model.predict(x, batch_size=size, verbose=0), whole, rtol=1e-6)
    np.testing.assert_array_equal(model.predict_on_batch(x), model(x))
    assert len(model.predict(x, batch_size=4, steps=2, verbose=0)) == 8
    with pytest.raises(ValueError, match="read-only"):
        model.weights[0].value[...] = 0


def test_predict_nothing():
    assert small().predict(np.zeros((0, 5, 3)), verbose=0).shape == (0, 1)
    assert small().predict_on_batch(np.zeros((0, 5, 3))).shape == (0, 1)


def test_predict_from_many_threads(x):
    model = small()
    expected = model.predict(x, verbose=0)
    found: list = [None] * 8

    def work(i: int) -> None:
        found[i] = [model.predict(x, verbose=0, batch_size=6) for _ in range(20)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    for results in found:
        for result in results:
            np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_validation_data_split_and_frequency(x, y):
    model = small()
    split = model.fit(x, y, verbose=0, validation_split=0.25, shuffle=False, epochs=2).history
    for data in ((x, y), [x, y], (x, y, np.ones(20)), iter([(x, y)])):
        assert "val_loss" in model.fit(x, y, verbose=0, validation_data=data).history
    assert len(split["val_loss"]) == 2
    assert len(model.fit(x, y, epochs=4, verbose=0, validation_data=(x, y), validation_freq=2).history["val_loss"]) == 2
    picked = model.fit(x, y, epochs=4, verbose=0, validation_data=(x, y), validation_freq=[1, 4]).history
    assert len(picked["val_loss"]) == 2
    # validation_data wins over validation_split, and nothing is split off then
    both = model.fit(x, y, verbose=0, batch_size=1, validation_split=0.5, validation_data=(x[:3], y[:3]))
    assert both.params["steps"] == 20


def test_validation_does_not_train(x, y):
    model = small()
    model.compile(optimizers.SGD(0.0), "mse", metrics=["accuracy"])
    found = model.fit(x, y, verbose=0, validation_data=(x, y)).history
    assert found["val_loss"] == pytest.approx(found["loss"], rel=1e-5)
    assert found["val_accuracy"] == found["accuracy"]
    assert found["val_loss"][0] == pytest.approx(model.evaluate(x, y, verbose=0)[0])


def test_initial_epoch_and_none_at_all(x, y):
    model = small()
    assert model.fit(x, y, epochs=5, initial_epoch=3, verbose=0).epoch == [3, 4]
    for epochs, first in ((0, 0), (3, 3), (2, 5)):
        history = model.fit(x, y, epochs=epochs, initial_epoch=first, verbose=0)
        assert history.history == {} and history.epoch == []


def test_steps_per_epoch(x, y):
    model = small()
    seen = []
    count = fastrnn.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    with pytest.warns(UserWarning, match="ran out of data after 1 of 2 batches") as said:   # of 3, the rest of the pass
        history = model.fit(x, y, batch_size=8, steps_per_epoch=2, epochs=3, verbose=0, callbacks=[count])
    assert seen == [0, 1, 0, 0, 1] and history.params["steps"] == 2
    assert said[0].filename == __file__
    seen.clear()
    model.fit(x, y, steps_per_epoch=4, verbose=0, callbacks=[count])  # 20 samples in 4 steps
    assert seen == [0, 1, 2, 3]
    assert isinstance(model.evaluate(x, y, batch_size=4, steps=2, verbose=0), list)


class Batches:
    """Batches by index."""

    def __init__(self, *arrays):
        self.arrays = arrays

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return tuple(array[5 * i : 5 * i + 5] for array in self.arrays)


def test_sources_of_batches(x, y):
    def generate(*arrays):
        while True:
            yield from (Batches(*arrays)[i] for i in range(4))

    found = []
    for source, options in ((Batches(x, y), {}), (generate(x, y), {"steps_per_epoch": 4}),
                            (x, {"y": y, "batch_size": 5}), (generate(x, y, np.ones(20)), {"steps_per_epoch": 4})):
        fastrnn.utils.set_random_seed(0)
        found.append(small().fit(source, epochs=2, verbose=0, shuffle=False, **options).history["loss"])
    assert found[0] == found[1] == found[2] == found[3]
    model = small()
    assert model.evaluate(Batches(x, y), verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)
    np.testing.assert_allclose(model.predict(Batches(x), verbose=0), model.predict(x, verbose=0), rtol=1e-6)
    np.testing.assert_allclose(model.predict((b for b in [x[:8], x[8:]]), verbose=0), model.predict(x, verbose=0),
                               rtol=1e-6)
    with pytest.raises(ValueError, match="y must be None"):
        model.fit(Batches(x, y), y)
    with pytest.raises(ValueError, match="validation_split"):
        model.fit(Batches(x, y), validation_split=0.5)
    with pytest.raises(ValueError, match=r"expected \(x, y\)"):
        model.fit(iter([(1, 2, 3, 4)]), verbose=0)
    with pytest.warns(UserWarning, match="ran out of data"):
        assert model.fit(iter([(x, y)]), epochs=3, verbose=0).epoch == [0]


def test_any_layout_of_the_data(x, y):
    base = np.round(x * 4)
    expected = None
    readonly = base.copy()
    readonly.flags.writeable = False
    buffer = np.empty(base.nbytes + 1, np.uint8)
    misaligned = buffer[1:].view("float32").reshape(base.shape)
    misaligned[...] = base
    others = [base, base.astype("float64"), base.astype("float16"), base.astype("int8"), base.astype(">f4"), readonly,
              misaligned, np.asfortranarray(base), base[::-1].copy()[::-1], base.tolist(), [base]]
    for other in others:
        for targets in (y, y[:, 0], y.astype("int64"), y.astype(bool), y.astype(">f8"), y.tolist()):
            fastrnn.utils.set_random_seed(0)
            model = small()
            found = model.fit(other, targets, batch_size=6, verbose=0).history, model.predict(other, verbose=0).tolist()
            expected = expected or found
            assert found == expected


def test_float64(x, y):
    model = Sequential([Input((None, 3)), LSTM(4, dtype="float64"), Dense(1, dtype="float64")])
    model.compile("adam", "mse")
    model.fit(x, y, verbose=0)
    assert model.predict(x, verbose=0).dtype == model.dtype == "float64"


def test_an_axis_of_one_is_added_or_dropped():
    model = Sequential([Input((1,)), Dense(2)])
    np.testing.assert_array_equal(model.predict(np.arange(3), verbose=0), model.predict([[0], [1], [2]], verbose=0))
    model = Sequential([Input((None, 1)), SimpleRNN(2)])
    assert model.predict(np.ones((4, 3)), verbose=0).shape == (4, 2)
    model = Sequential([Input((3,)), Dense(2)])
    assert model.predict(np.ones((4, 3, 1)), verbose=0).shape == (4, 2)


# -- bad input -------------------------------------------------------------------------------------------------------


BAD = {
    "rank": (np.zeros((20, 3)), None, r"LSTM 'encoder'.*\(20, 3\)"),
    "width": (np.zeros((20, 5, 4)), None, r"LSTM 'encoder'.*3.*\(20, 5, 4\)"),
    "strings": (np.full((20, 5, 3), "a"), None, "LSTM 'encoder'.*strings"),
    "objects": (np.zeros((20, 5, 3), object), None, "LSTM 'encoder'.*objects"),
    "no samples": (np.zeros((0, 5, 3)), np.zeros((0, 1)), "no samples"),
    "nothing": (None, None, "LSTM 'encoder'"),
    "fewer targets": (None, np.zeros((19, 1)), "y: expected as many samples as x has, 20, got 19"),
    "a number as target": (None, 3.0, "y: expected as many samples as x has, 20, got a single number"),
    "no targets": (None, None, "y is missing"),
    "text as targets": (None, np.full((20, 1), "a"), "y: expected numbers.*strings"),
    "wide targets": (None, np.zeros((20, 4)), r"\(20, 1\).*\(20, 4\)"),
    "targets for every step": (None, np.zeros((20, 5, 1)), "return_sequences=True"),
}


@pytest.mark.parametrize("use", ["fit", "evaluate", "train_on_batch", "test_on_batch", "validation"])
@pytest.mark.parametrize("bad", BAD)
def test_bad_data_leaves_the_model_usable(bad, use, x, y):
    bad_x, bad_y, message = BAD[bad]
    model = small()
    before = model.get_weights()
    if bad != "nothing":
        bad_x = x if bad_x is None else bad_x
    if bad_y is None and bad != "no targets":
        bad_y = y
    with pytest.raises((TypeError, ValueError), match=f"(?s){message}"):
        if use == "validation":
            model.fit(x, y, validation_data=(bad_x, bad_y), verbose=0)
        else:
            getattr(model, use)(bad_x, bad_y, **({"verbose": 0} if use in ("fit", "evaluate") else {}))
    if use != "validation":
        for got, expected in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(got, expected)
    assert len(model.fit(x, y, verbose=0).epoch) == 1
    assert model.predict(x, verbose=0).shape == (20, 1)


BAD_ARGUMENTS = [
    ({"batch_size": 0}, "batch_size: expected 1 or more, got 0"),
    ({"batch_size": 2.5}, "batch_size: expected an integer"), ({"batch_size": -1}, "batch_size"),
    ({"epochs": -1}, "epochs"), ({"epochs": 1.5}, "epochs"),
    ({"steps_per_epoch": 0}, "steps"), ({"validation_split": 1.0}, "validation_split"),
    ({"validation_split": -0.1}, "validation_split"), ({"validation_split": 0.99}, "leaves none for training"),
    ({"validation_freq": 0}, "validation_freq"), ({"validation_freq": 0.5}, "validation_freq"),
    ({"sample_weight": np.ones(19)}, "sample_weight: expected as many samples as x has, 20, got 19"),
    ({"sample_weight": np.ones((20, 2, 2))}, "sample_weight"), ({"sample_weight": np.full(20, "a")}, "sample_weight"),
    ({"sample_weight": np.ones((20, 5))}, "sample_weight"),
    ({"class_weight": [1, 2]}, "class_weight: expected a dictionary"),
    ({"class_weight": {0: 1}, "sample_weight": np.ones(20)}, "class_weight or sample_weight, not both"),
    ({"validation_data": (1, 2, 3, 4)}, "validation_data: expected"), ({"validation_data": 3}, "LSTM"),
    ({"shuffle": "always"}, "shuffle"), ({"initial_epoch": -1}, "initial_epoch"), ({"callbacks": 3}, "callbacks"),
    ({"no_such": 1}, "no_such"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_ARGUMENTS)
def test_bad_arguments(arguments, message, x, y):
    model = small()
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(x, y, **{"verbose": 0, **arguments})
    assert len(model.fit(x, y, verbose=0).epoch) == 1


def test_bad_predict(x):
    model = small()
    for bad in (np.zeros((20, 3)), np.zeros((20, 5, 4)), None, "text", np.zeros((20, 5, 3), object)):
        for use in (model.predict, model.predict_on_batch, model):
            with pytest.raises((TypeError, ValueError), match="encoder"):
                use(bad)
    with pytest.raises(ValueError, match=r"expected input of shape \(None, 5, 3\), got \(20, 4, 3\)"):
        Sequential([Input((5, 3)), LSTM(2)]).predict(x[:, :4])


def test_bad_indices_are_refused_before_they_are_read(y):
    model = Sequential([Embedding(10, 4, name="words"), LSTM(3), Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    good = np.arange(100).reshape(20, 5) % 10
    for bad in (-1, 10, np.nan):
        words = good.astype("float64")
        words[19, 4] = bad
        for use in (lambda w: model.fit(w, y, verbose=0), lambda w: model.predict(w, verbose=0)):
            with pytest.raises(ValueError, match=r"(?s)Embedding 'words'.*from 0 to 9"):
                use(words)
    assert len(model.fit(good, y, verbose=0).epoch) == 1


def test_class_indices_out_of_range(x):
    model = Sequential([Input((None, 3)), LSTM(4), Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    for bad in (3, -1, 0.5):
        classes = np.zeros(20)
        classes[-1] = bad
        with pytest.raises(ValueError, match="class indices"):
            model.fit(x, classes, verbose=0)
    model.fit(x, np.arange(20) % 3, verbose=0)


def test_a_failing_layer_leaves_the_model_usable(x, y):
    model = Sequential([Input((None, 3)), Scale(name="fragile"), LSTM(4), Dense(1)])
    model.compile("sgd", "mse")
    model.layers[0].fails = RuntimeError("out of order")
    with pytest.raises(RuntimeError, match="out of order"):
        model.fit(x, y, verbose=0)
    model.layers[0].fails = None
    assert len(model.fit(x, y, verbose=0).epoch) == 1


def test_nan_is_carried_through_not_hidden(x, y):
    model = small()
    x[3, 2, 1] = np.nan
    predicted = model.predict(x, verbose=0)
    assert np.isnan(predicted[3]).all() and np.isfinite(np.delete(predicted, 3, axis=0)).all()
    with pytest.warns(UserWarning, match="the loss is nan in batch 0 of epoch 0.*the input has NaN") as found:
        assert np.isnan(model.fit(x, y, verbose=0).history["loss"][0])
    assert len(found) == 1


def test_the_names_and_order_of_arguments():
    """As Keras 3 has them, so that programs may pass them by position."""
    expected = {
        "__init__": "layers trainable name",
        "compile": "optimizer loss loss_weights metrics weighted_metrics run_eagerly steps_per_execution jit_compile "
                   "auto_scale_loss",
        "fit": "x y batch_size epochs verbose callbacks validation_split validation_data shuffle class_weight "
               "sample_weight initial_epoch steps_per_epoch validation_steps validation_batch_size validation_freq",
        "evaluate": "x y batch_size verbose sample_weight steps callbacks return_dict",
        "predict": "x batch_size verbose steps callbacks",
        "train_on_batch": "x y sample_weight class_weight return_dict",
        "test_on_batch": "x y sample_weight return_dict",
        "predict_on_batch": "x", "get_layer": "name index", "build": "input_shape",
    }
    for name, arguments in expected.items():
        assert list(inspect.signature(getattr(Sequential, name)).parameters)[1:] == arguments.split()


def test_unknown_keywords_of_single_batches_name_the_nearest():
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((3, 2)), np.ones((3, 1))
    with pytest.raises(TypeError, match=r"train_on_batch: unknown keyword 'sample_weights' .*mean 'sample_weight'"):
        model.train_on_batch(x, y, sample_weights=np.ones(3))
    with pytest.raises(TypeError, match=r"test_on_batch: unknown keyword 'return_dicts' .*mean 'return_dict"):
        model.test_on_batch(x, y, return_dicts=True)


def test_export_writes_onnx_and_says_how_to_come_to_other_formats(tmp_path):
    onnx = pytest.importorskip("onnx")
    model = Sequential([Input((None, 2)), LSTM(3)])
    model.export(tmp_path / "model.onnx", format="onnx")
    assert [one.name for one in onnx.load(tmp_path / "model.onnx").graph.input] == ["input"]
    with pytest.raises(ValueError, match=r"export expected format='onnx', got 'tf_saved_model'.*as a \.keras"):
        model.export(tmp_path / "model")
