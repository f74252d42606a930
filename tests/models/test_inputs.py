# SPDX-License-Identifier: Apache-2.0
"""What a model takes as its input and its targets, by every method alike, and what it says of the rest."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
import torch

import fastrnn
from fastrnn import Input, Sequential
from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Dropout, Embedding, SimpleRNN, TimeDistributed
from tests.test_arrays import DLPackAlone


@pytest.fixture
def x(rng) -> np.ndarray:
    return rng.integers(-2, 3, (20, 5, 3)).astype("float32")


@pytest.fixture
def y(rng) -> np.ndarray:
    return rng.integers(0, 2, (20, 1)).astype("float32")


def named(**options) -> Sequential:
    fastrnn.utils.set_random_seed(0)
    model = Sequential([Input((None, 3), name="inp"), LSTM(4, name="encoder"), Dense(1, **options)])
    model.compile("adam", "mse")
    return model


#: Each way to give a model arrays, whose results are numbers; with `wrap` around every x, `also` around y.
USES = {
    "predict": lambda model, x, y: model.predict(x, verbose=0),
    "predict_on_batch": lambda model, x, y: model.predict_on_batch(x),
    "call": lambda model, x, y: model(x),
    "fit": lambda model, x, y: model.fit(x, y, verbose=0, epochs=2, validation_split=0.25).history["val_loss"],
    "fit with validation": lambda model, x, y: model.fit(x, y, verbose=0, validation_data=(x, y)).history["val_loss"],
    "evaluate": lambda model, x, y: model.evaluate(x, y, verbose=0),
    "train_on_batch": lambda model, x, y: [model.train_on_batch(x, y), *model.get_weights()][1],
    "test_on_batch": lambda model, x, y: model.test_on_batch(x, y),
    "fit from a generator": lambda model, x, y: model.fit(iter([(x, y)] * 2), verbose=0).history["loss"],
    "evaluate from a generator": lambda model, x, y: model.evaluate(iter([(x, y)]), verbose=0),
    "predict from a generator": lambda model, x, y: model.predict(iter([(x,), (x,)]), verbose=0),
}

#: Each way to say the same numbers, for x and for y.
KINDS = {
    "dictionary": (lambda x: {"inp": x}, lambda y: y),
    "dictionary of more": (lambda x: {"other": None, "inp": x.tolist()}, lambda y: y),
    "list of one": (lambda x: [x], lambda y: [y]),
    "memoryview": (memoryview, memoryview),
    "DLPack alone": (DLPackAlone, DLPackAlone),
    "tensor": (torch.from_numpy, torch.from_numpy),
    "list of one tensor": (lambda x: [torch.from_numpy(x)], lambda y: [torch.from_numpy(y)]),
    "dictionary of tensors": (lambda x: {"inp": torch.from_numpy(x.copy()).requires_grad_()}, torch.from_numpy),
    "tensor that requires a gradient": (lambda x: torch.from_numpy(x.copy()).requires_grad_(),
                                        lambda y: torch.from_numpy(y.copy()).requires_grad_()),
    "bfloat16 tensor": (lambda x: torch.from_numpy(x).bfloat16(), lambda y: torch.from_numpy(y).bfloat16()),
    "list of tensors": (lambda x: list(torch.from_numpy(x)), lambda y: list(torch.from_numpy(y))),
    "columns of pandas": (lambda x: x, lambda y: pd.DataFrame(y).astype("Int64")),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_method_takes_every_kind(kind, use, x, y):
    wrap, also = KINDS[kind]
    np.testing.assert_array_equal(USES[use](named(), wrap(x), also(y)), USES[use](named(), x, y))


#: Inputs that are refused, and what is said of them.
BAD = {
    "ragged": ([[[1, 2, 3]] * 5, [[1, 2, 3]] * 2],
               r"LSTM 'encoder' input: .*ragged .*\(5, 3\).*\(2, 3\).*pad_sequences"),
    "ragged arrays": ([np.ones((5, 3)), np.ones((2, 3))], "LSTM 'encoder' input: .*ragged .*pad_sequences"),
    "another name": ({"other": 1, "third": 2},
                     "Sequential .*: expected input 'inp', got a dictionary with 'other', 'third'"),
    "no name": ({}, "Sequential .*: expected input 'inp', got a dictionary with nothing"),
    "categories": (pd.Series(["a", "b"], dtype="category"), r"LSTM 'encoder' input: .*categories.*x\.cat\.codes"),
    "mixed table": (pd.DataFrame({"a": [1.0], "b": ["u"]}), "LSTM 'encoder' input: .*column.*'b'"),
    "one sequence": (np.zeros((5, 3)), r"LSTM 'encoder': expected .*\(batch, time, 3\), got \(5, 3\); pass x\[None\]"),
    "one sequence by name": ({"inp": np.zeros((5, 3))}, r"LSTM 'encoder'.*got \(5, 3\); pass x\[None\]"),
    "object": (object(), "LSTM 'encoder' input: .*got object"),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", BAD)
def test_every_method_says_what_is_wrong(kind, use, x, y):
    bad, message = BAD[kind]
    model = named()
    with pytest.raises(ValueError, match=f"(?s)^{message}"):
        USES[use](model, bad, y)
    assert model.predict(x, verbose=0).shape == (20, 1)


def test_a_generator_of_bare_inputs(x):
    model = named()
    expected = model.predict(x, verbose=0)
    for bare in ({"inp": x}, x, torch.from_numpy(x), DLPackAlone(x), memoryview(x)):
        np.testing.assert_array_equal(model.predict(iter([bare]), verbose=0), expected)


def test_a_dictionary_for_a_model_without_a_name(x):
    with pytest.raises(ValueError, match="expected an array, got a dictionary with 'inp'; its input has no name.*"):
        Sequential([LSTM(4)]).predict({"inp": x}, verbose=0)
    model = Sequential([LSTM(4, input_shape=(None, 3), name="encoder")])
    assert model.input_name == "encoder_input"
    assert model.predict({"encoder_input": x}, verbose=0).shape == (20, 4)


def test_a_dictionary_as_targets(x, y):
    with pytest.raises(ValueError, match="fit: y: .*a dictionary with 'out'; pass the array itself"):
        named().fit(x, {"out": y}, verbose=0)


@pytest.mark.filterwarnings("ignore:The structure of `inputs`")
def test_dictionaries_as_keras_takes_them(x, y):
    """The same program runs in both, and one that names the input otherwise in neither."""
    ours = named()
    theirs = keras.Sequential([keras.Input((None, 3), name="inp"), keras.layers.LSTM(4), keras.layers.Dense(1)])
    theirs.set_weights(ours.get_weights())
    for data in ({"inp": x}, {"inp": x, "other": x}):
        np.testing.assert_allclose(ours.predict(data, verbose=0), theirs.predict(data, verbose=0), atol=1e-5)
    theirs.compile("adam", "mse")
    assert ours.evaluate({"inp": x}, y, verbose=0) == pytest.approx(theirs.evaluate({"inp": x}, y, verbose=0), rel=1e-4)
    for model in (ours, theirs):
        with pytest.raises(ValueError, match="inp"):
            model.predict({"other": x}, verbose=0)


# -- one axis too few ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("layers", "sample"), [
    ([Input((5, 3)), LSTM(2)], np.zeros((5, 3))), ([Input((None, 3)), Bidirectional(GRU(2))], np.zeros((5, 3))),
    ([Input((3,)), Dense(2)], np.zeros(3)), ([Input((None, 3)), TimeDistributed(Dense(2))], np.zeros((5, 3))),
    ([Input((5,)), Embedding(9, 2), LSTM(2)], np.zeros(5, int)),
    ([Input((None,)), Embedding(9, 2), LSTM(2)], np.zeros(5, int)),
    ([Input((5, 3)), Dropout(0.5), LSTM(2)], np.zeros((5, 3))),
])  # fmt: skip
def test_a_sample_that_is_no_batch(layers, sample):
    model = Sequential(layers)
    for use in (lambda x: model.predict(x, verbose=0), model.predict_on_batch, model):
        with pytest.raises(ValueError, match=r"x\[None\]"):
            use(sample)
    assert len(model.predict(sample[None], verbose=0)) == 1


def test_a_sample_for_a_model_that_data_built():
    model = Sequential([Embedding(9, 2), LSTM(2)])
    model.predict(np.zeros((4, 5), int), verbose=0)
    with pytest.raises(ValueError, match=r"Sequential .*: expected input of shape \(None, 5\), got \(5,\);.*x\[None"):
        model.predict(np.zeros(5, int), verbose=0)
    with pytest.raises(ValueError, match=r"expected input of shape \(None, 5\), got \(2, 4, 5\)$"):
        model.predict(np.zeros((2, 4, 5), int), verbose=0)


def test_which_axis_is_missing():
    model = Sequential([Input((None, 3)), LSTM(2)])
    with pytest.raises(ValueError, match=r"got \(7, 3\); pass x\[None\] for one sequence, x\[:, None\] for 7 of one"):
        model.predict(np.zeros((7, 3)), verbose=0)
    with pytest.raises(ValueError, match=r"got \(7, 5\); add a batch or time axis"):
        model.predict(np.zeros((7, 5)), verbose=0)
    with pytest.raises(ValueError, match=r"x\[None\] for one sequence, x\[:, :, None\] for sequences of one feature"):
        Sequential([LSTM(2)]).predict(np.zeros((7, 5)), verbose=0)
    layer = LSTM(2)
    layer.build((None, None, 1))
    with pytest.raises(ValueError, match=r"got \(7, 5\); pass x\[:, :, None\] for sequences of one feature"):
        layer(np.zeros((7, 5)))


# -- return_sequences ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("upper", [
    lambda: GRU(4), lambda: Bidirectional(SimpleRNN(4)), lambda: TimeDistributed(Dense(2)),
    lambda: Sequential([LSTM(4), Dense(1)]),
])
@pytest.mark.parametrize(("lower", "culprit"), [
    (lambda: [LSTM(4, name="lower")], "LSTM 'lower'"),
    (lambda: [LSTM(4, return_sequences=True), GRU(4, name="lower"), Dropout(0.5)], "GRU 'lower'"),
    (lambda: [Bidirectional(LSTM(4), name="lower")], "Bidirectional 'lower'"),
    (lambda: [Sequential([SimpleRNN(4, name="lower"), Dense(2)])], "SimpleRNN 'lower'"),
])  # fmt: skip
@pytest.mark.parametrize("first", [[Input((None, 3))], []], ids=["built", "not built"])
def test_a_layer_of_sequences_over_a_last_output(first, lower, culprit, upper, x):
    with pytest.raises(ValueError, match=rf"cannot take input of shape \(None, \d\): {culprit} below it gives the "
                                         "output of the last step alone; set its return_sequences=True$"):
        Sequential([*first, *lower(), upper()]).predict(x, verbose=0)


def test_return_sequences_is_not_blamed_for_another_fault():
    dense = Dense(2)
    dense.build((None, 5))
    with pytest.raises(ValueError, match=r"cannot take input of shape \(None, 4\): Dense .*\(batch, ..., 5\)"):
        Sequential([Input((None, 3)), LSTM(4), dense])


# -- targets and weights ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("use", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
@pytest.mark.parametrize(("loss", "units", "y", "message"), [
    ("mse", 1, np.zeros((20, 4)), r"expected y_true of shape \(20, 1\), got \(20, 4\); give the last layer 4 units"),
    ("mae", 3, np.zeros((20, 4)), r"expected y_true of shape \(20, 3\), got \(20, 4\); give the last layer 4 units"),
    ("binary_crossentropy", 1, np.zeros((20, 2)), r"expected y_true of shape \(20, 1\), got \(20, 2\)"),
    ("categorical_crossentropy", 3, np.zeros((20, 4)), r"expected y_true of shape \(20, 3\), got \(20, 4\)"),
    ("categorical_crossentropy", 3, np.zeros(20), r"\(20, 3\), got \(20,\).*sparse_categorical_crossentropy"),
    ("sparse_categorical_crossentropy", 3, np.zeros((20, 3)), r"\(20,\), got \(20, 3\).*use categorical_crossentropy"),
    ("crossentropy", 3, np.zeros((20, 4)), r"expected y_true of shape \(20, 3\), got \(20, 4\)"),
    ("mse", 1, np.zeros((20, 5, 1)), r"\(20, 1\), got \(20, 5, 1\).*return_sequences=True"),
])  # fmt: skip
def test_targets_of_another_width_are_named_as_they_are(loss, units, y, message, use, x):
    """By the number of the samples, not of a batch, and before the first batch."""
    model = Sequential([Input((None, 3)), LSTM(4), Dense(units, activation="sigmoid")])
    model.compile("adam", loss)
    options = {"batch_size": 6, "verbose": 0} if use in ("fit", "evaluate") else {}
    forward = model.layers[0].forward
    model.layers[0].forward = None
    with pytest.raises(ValueError, match=message):
        getattr(model, use)(x, y, **options)
    model.layers[0].forward = forward
    good = np.zeros((20, units)) if "sparse" not in loss else np.zeros(20)
    assert len(model.fit(x, good, verbose=0).epoch) == 1


@pytest.mark.parametrize("targets", [(20, 5, 1), (20, 5)])
def test_weights_with_the_axes_of_the_targets(targets, x, rng):
    """As in Keras: (samples, time, 1) is (samples, time)."""
    weight = rng.random((20, 5)).astype("float32")
    losses = []
    for w in (weight, weight[..., None]):
        fastrnn.utils.set_random_seed(0)
        model = Sequential([Input((None, 3)), LSTM(4, return_sequences=True), Dense(1)])
        model.compile("sgd", "mse")
        first = model.get_weights()
        fitted = model.fit(x, np.ones(targets), sample_weight=w, shuffle=False, verbose=0).history
        losses.append([fitted["loss"], model.evaluate(x, np.ones(targets), sample_weight=w, verbose=0)])
    assert losses[0] == losses[1]
    theirs = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(4, return_sequences=True),
                               keras.layers.Dense(1)])
    theirs.set_weights(first)
    theirs.compile("sgd", "mse")
    found = theirs.fit(x, np.ones((20, 5, 1)), sample_weight=weight[..., None], shuffle=False, verbose=0).history
    assert fitted["loss"] == pytest.approx(found["loss"], rel=1e-4)


def test_weights_that_fit_no_step(x):
    model = named()
    with pytest.raises(ValueError, match=r"sample_weight: expected shape \(samples,\) or .*, got \(20, 5, 2\)"):
        model.fit(x, np.ones((20, 1)), sample_weight=np.ones((20, 5, 2)), verbose=0)
