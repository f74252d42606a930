# SPDX-License-Identifier: Apache-2.0
"""Training runs beside installed Keras: the same weights to begin with, the same batches, three epochs."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn

N, T, D, C = 24, 6, 3, 4


def make(library, stack: str, **options):
    """A model of `library`, of which both have the same layers."""
    layers = library.layers
    if stack == "dense":
        return [library.Input((T, D)), layers.LSTM(5), layers.Dense(C, activation="softmax")]
    if stack == "steps":
        return [library.Input((None, D)), layers.GRU(5, return_sequences=True),
                layers.TimeDistributed(layers.Dense(C, activation="softmax"))]
    if stack == "masked":
        return [library.Input((T,)), layers.Embedding(9, D, mask_zero=True),
                layers.SimpleRNN(5, return_sequences=True), layers.Dense(C, activation="softmax")]
    if stack == "binary":
        return [library.Input((T,)), layers.Embedding(9, D, mask_zero=True),
                layers.Bidirectional(layers.LSTM(3)), layers.Dense(1, activation="sigmoid")]
    if stack == "regression":
        return [library.Input((None, D)), layers.SimpleRNN(4, kernel_regularizer=library.regularizers.L2(0.01),
                                                           recurrent_regularizer=library.regularizers.L1(0.01)),
                layers.Dense(2)]
    raise ValueError(stack)


def pair(stack: str, **compiled) -> tuple[fastrnn.Sequential, keras.Sequential]:
    keras.utils.set_random_seed(1)
    theirs = keras.Sequential(make(keras, stack))
    ours = fastrnn.Sequential(make(fastrnn, stack))
    ours.set_weights(theirs.get_weights())
    compiled = {"optimizer": "adam", **compiled}
    theirs.compile(**compiled)
    ours.compile(**compiled)
    return ours, theirs


def same(ours, theirs, rtol: float = 2e-4) -> None:
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for name in theirs:
            np.testing.assert_allclose(ours[name], theirs[name], rtol=rtol, atol=1e-6, err_msg=name)
    else:
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-6)


@pytest.fixture
def data(rng) -> dict[str, np.ndarray]:
    words = rng.integers(1, 9, (N, T))
    for row, length in zip(words, rng.integers(1, T + 1, N), strict=True):
        row[length:] = 0
    classes = rng.integers(0, C, N)
    steps = rng.integers(0, C, (N, T))
    return {"x": rng.standard_normal((N, T, D)).astype("float32"), "words": words,
            "classes": classes, "one_hot": np.eye(C, dtype="float32")[classes],
            "steps": steps, "one_hot_steps": np.eye(C, dtype="float32")[steps],
            "binary": rng.integers(0, 2, (N, 1)), "numbers": rng.standard_normal((N, 2)).astype("float32"),
            "weight": rng.random(N).astype("float32"), "step_weight": rng.random((N, T)).astype("float32")}


CASES = {
    "categorical": ("dense", "x", "one_hot", "categorical_crossentropy"),
    "sparse": ("dense", "x", "classes", "sparse_categorical_crossentropy"),
    "steps": ("steps", "x", "one_hot_steps", "categorical_crossentropy"),
    "sparse steps": ("steps", "x", "steps", "sparse_categorical_crossentropy"),
    "masked steps": ("masked", "words", "one_hot_steps", "categorical_crossentropy"),
    "masked sparse steps": ("masked", "words", "steps", "sparse_categorical_crossentropy"),
    "binary": ("binary", "words", "binary", "binary_crossentropy"),
    "regression": ("regression", "x", "numbers", "mse"),
}


@pytest.mark.parametrize("case", CASES)
def test_three_epochs(case, data):
    stack, x, y, loss = CASES[case]
    weighted = "sparse_categorical_accuracy" if "sparse" in case else "mse"
    ours, theirs = pair(stack, loss=loss, metrics=["mae"] if loss == "mse" else ["accuracy"],
                        weighted_metrics=[weighted])
    # Batches of 8 and none left over, for each size costs a compilation; but once of 7, and what is left of them.
    run = {"batch_size": 7 if case == "binary" else 8, "epochs": 3, "shuffle": False, "verbose": 0,
           "validation_split": 1 / 3}
    histories = [model.fit(data[x], data[y], **run) for model in (ours, theirs)]
    if stack == "masked":  # on JAX the mask does not reach Keras's metrics in training; on TensorFlow it does
        for history in histories:
            del history.history["accuracy"], history.history[weighted]
    same(histories[0].history, histories[1].history)
    assert histories[0].epoch == histories[1].epoch and histories[0].params == histories[1].params
    for got, expected in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=2e-4)
    same(ours.evaluate(data[x], data[y], batch_size=8, verbose=0), theirs.evaluate(data[x], data[y], batch_size=8,
                                                                                   verbose=0))
    same(ours.predict(data[x], verbose=0), theirs.predict(data[x], verbose=0), rtol=1e-3)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("weighted", ["sample_weight", "class_weight", "step_weight"])
def test_weights(case, weighted, data):
    stack, x, y, loss = CASES[case]
    per_step = "steps" in case
    if (weighted == "step_weight" and not per_step) or (weighted == "class_weight" and (per_step or loss == "mse")):
        pytest.skip("not a case")
    if weighted == "sample_weight" and "masked" in case:
        pytest.skip("Keras cannot join weights of samples with a mask of steps")
    ours, theirs = pair(stack, loss=loss, weighted_metrics=[] if "masked" in case else ["accuracy"])
    run: dict = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0}
    if weighted == "class_weight":
        run["class_weight"] = {0: 0.5, 1: 2.0}
    else:
        run["sample_weight"] = data["weight" if weighted == "sample_weight" else "step_weight"]
        if "masked" not in case:
            run["validation_split"] = 1 / 3
    if weighted == "sample_weight" and per_step:
        # Keras wants the weights of sequences with an axis for the steps.
        run["sample_weight"] = np.repeat(run["sample_weight"][:, None], T, axis=1)
    found, expected = (model.fit(data[x], data[y], **run).history for model in (ours, theirs))
    same(found, expected)


def test_results_of_single_batches(data):
    ours, theirs = pair("dense", loss="categorical_crossentropy", metrics=["accuracy", "mse"])
    for _ in range(3):
        for options in ({}, {"return_dict": True}, {"sample_weight": data["weight"]}):
            same(ours.train_on_batch(data["x"], data["one_hot"], **options),
                 theirs.train_on_batch(data["x"], data["one_hot"], **options))
            same(ours.test_on_batch(data["x"], data["one_hot"], **options),
                 theirs.test_on_batch(data["x"], data["one_hot"], **options))
    weights = {0: 0.25, 2: 3.0}
    same(ours.train_on_batch(data["x"], data["one_hot"], class_weight=weights),
         theirs.train_on_batch(data["x"], data["one_hot"], class_weight=weights))
    same(ours.predict_on_batch(data["x"]), theirs.predict_on_batch(data["x"]), rtol=1e-3)


def test_shapes_names_and_counts(data):
    for stack in ("dense", "steps", "masked", "binary", "regression"):
        ours, theirs = pair(stack, loss="mse")
        assert ours.input_shape == theirs.input_shape and ours.output_shape == theirs.output_shape
        assert ours.count_params() == theirs.count_params()
        assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
        assert [type(layer).__name__ for layer in ours.layers] == [type(layer).__name__ for layer in theirs.layers]


def test_configurations_are_read_both_ways(data):
    ours, theirs = pair("dense", loss="mse")
    read = fastrnn.Sequential.from_config(theirs.get_config())
    read.set_weights(theirs.get_weights())
    same(read.predict(data["x"], verbose=0), theirs.predict(data["x"], verbose=0))
    read = keras.Sequential.from_config(ours.get_config())
    read.set_weights(ours.get_weights())
    same(read.predict(data["x"], verbose=0), ours.predict(data["x"], verbose=0))


@pytest.mark.parametrize(("options", "values"), [
    ({"patience": 1}, [3, 2, 2.5, 2.4, 1]), ({"patience": 2, "min_delta": 0.4}, [3, 2, 1.7, 1.5, 1.2, 1, 0.9]),
    ({"patience": 1, "baseline": 2.5}, [3, 2.8, 1, 1]), ({"patience": 0}, [1, 2, 3]),
    ({"patience": 1, "start_from_epoch": 2}, [1, 2, 3, 4, 5]), ({"patience": 1, "mode": "max"}, [1, 2, 1, 3])])
def test_early_stopping(options, values, data):
    epochs = []
    for library, model in zip((fastrnn, keras), pair("dense", loss="mse"), strict=True):
        class Put(library.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                logs["watched"] = values[min(epoch, len(values) - 1)]

        stop = library.callbacks.EarlyStopping("watched", **{"mode": "min", **options})
        history = model.fit(data["x"], data["one_hot"], epochs=10, verbose=0, callbacks=[Put(), stop])
        epochs.append(len(history.epoch))
    assert epochs[0] == epochs[1]


def test_learning_rates(data):
    rates = []
    for library, model in zip((fastrnn, keras), pair("dense", loss="mse"), strict=True):
        class Put(library.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                logs["watched"] = [5, 4, 4, 4, 4, 4, 4, 3, 3, 3][epoch]

        reduce = library.callbacks.ReduceLROnPlateau("watched", factor=0.5, patience=2, cooldown=1, mode="min")
        history = model.fit(data["x"], data["one_hot"], epochs=10, verbose=0, callbacks=[Put(), reduce])
        rates.append(history.history["learning_rate"])
    np.testing.assert_allclose(*rates, rtol=1e-6)
