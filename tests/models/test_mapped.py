# SPDX-License-Identifier: Apache-2.0
"""Models whose arrays lie in memory that cannot be written to: prediction reads them there, a change makes a copy."""

from __future__ import annotations

import copy

import joblib
import numpy as np
import pytest

import fastrnn
from fastrnn import layers, optimizers

V, T, N = 50, 6, 40


def make_model(optimizer: str = "adam", **recurrent) -> fastrnn.Sequential:
    """A model that is trained a little, with every kind of array that training keeps."""
    fastrnn.utils.set_random_seed(0)
    model = fastrnn.Sequential([
        layers.Embedding(V, 8, mask_zero=True),
        layers.Bidirectional(layers.LSTM(6, return_sequences=True, dropout=0.2, seed=1, kernel_constraint="max_norm")),
        layers.GRU(5, kernel_regularizer="l2", **recurrent), layers.LayerNormalization(), layers.Dropout(0.1, seed=2),
        layers.Dense(2, activation="softmax")])  # fmt: skip
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(*data(), epochs=1, batch_size=N, verbose=0)
    return model


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.integers(1, V, (N, T))
    return x, (x[:, 0] > V // 2).astype("int32")


def mapped(model: fastrnn.Sequential, folder, mode: str = "r") -> fastrnn.Sequential:
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib", mmap_mode=mode)


def fit_and_predict(model: fastrnn.Sequential) -> np.ndarray:
    fastrnn.utils.set_random_seed(3)
    model.fit(*data(), epochs=2, verbose=0)
    return model.predict(data()[0], verbose=0)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
def test_training_goes_on(optimizer, tmp_path):
    """To the same bits as in a model that was never stored."""
    model = make_model(optimizer)
    loaded = mapped(model, tmp_path)
    assert not any(v.data.flags.writeable for v in loaded.weights)
    stored = loaded.get_weights()
    np.testing.assert_array_equal(fit_and_predict(loaded), fit_and_predict(model))
    for before, after in zip(stored, loaded.get_weights(), strict=True):
        assert not np.array_equal(before, after)
    for again, before in zip(joblib.load(tmp_path / "model.joblib").get_weights(), stored, strict=True):
        np.testing.assert_array_equal(again, before)        # the file is as it was


def test_prediction_copies_nothing(tmp_path):
    model = make_model()
    loaded = mapped(model, tmp_path)
    held = [v.data for v in loaded.weights]
    np.testing.assert_array_equal(loaded.predict(data()[0], verbose=0), model.predict(data()[0], verbose=0))
    assert loaded.evaluate(*data(), verbose=0) == model.evaluate(*data(), verbose=0)
    for variable, before in zip(loaded.weights, held, strict=True):
        assert np.shares_memory(variable.data, before) and not variable.data.flags.writeable
        assert type(variable.data) is np.ndarray
    slots = loaded.optimizer._ordered_slots()
    assert slots and not any(slot.flags.writeable for slot in slots)


def test_a_stateful_model(tmp_path):
    """Its states lie there too."""
    model = make_model(stateful=True)
    model.reset_states()
    x, y = data()
    model.train_on_batch(x, y)
    loaded = mapped(model, tmp_path)
    assert loaded.train_on_batch(x, y) == model.train_on_batch(x, y)
    np.testing.assert_array_equal(loaded.predict_on_batch(x), model.predict_on_batch(x))


def _fit(model: fastrnn.Sequential) -> np.ndarray:
    assert not model.layers[0].embeddings.data.flags.writeable
    return fit_and_predict(model)


def test_workers_of_joblib(tmp_path):
    """Which are given arrays above a size, here any, as a map that is read only."""
    model = make_model()
    expected = fit_and_predict(copy.deepcopy(model))
    for found in joblib.Parallel(2, max_nbytes=1, temp_folder=str(tmp_path))(joblib.delayed(_fit)(model)
                                                                             for _ in range(2)):  # fmt: skip
        np.testing.assert_array_equal(found, expected)


def test_a_copy_on_write_map_is_written_to(tmp_path):
    loaded = mapped(make_model(), tmp_path, "c")
    table = loaded.weights[0].data
    fit_and_predict(loaded)
    assert np.shares_memory(loaded.weights[0].data, table)


CHANGES = {
    "fit": lambda model: model.fit(*data(), epochs=1, verbose=0),
    "assign": lambda model: [v.assign(v.data + 1) for v in model.weights],
    "set_weights": lambda model: model.set_weights([w + 1 for w in model.get_weights()]),
    "apply": lambda model: [model(data()[0], training=True), model.backward(np.eye(2)[data()[1]]),
                            optimizers.SGD(0.1).apply(model.weights)],
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_weights_that_were_made_read_only_are_never_written_to(change):
    model = make_model()
    held = [v.data for v in model.weights]
    before = model.get_weights()
    for array in held:
        array.flags.writeable = False
    change(model)
    for variable, array, value in zip(model.weights, held, before, strict=True):
        np.testing.assert_array_equal(array, value)
        assert not np.array_equal(variable.data, value) and variable.data.flags.writeable


@pytest.mark.parametrize("format", ["safetensors", "keras", "weights.h5"])
def test_weights_of_a_file(format, tmp_path):
    model = make_model()
    other = make_model()
    fit_and_predict(other)
    other.save_weights(tmp_path / "m.weights.h5") if format == "weights.h5" else other.save(tmp_path / f"m.{format}")
    held = [v.data for v in model.weights]
    before = model.get_weights()
    for array in held:
        array.flags.writeable = False
    model.load_weights(tmp_path / f"m.{format}")
    for variable, array, value, loaded in zip(model.weights, held, before, other.weights, strict=True):
        np.testing.assert_array_equal(array, value)
        np.testing.assert_array_equal(variable.data, loaded.data)


def test_writable():
    values = np.zeros((2, 2), "float32")
    values.flags.writeable = False
    variable = layers.Variable(values, "kernel")
    assert variable.data is values
    variable.writable()[0] = 1
    variable.touch()
    assert variable.data.tolist() == [[1, 1], [0, 0]] and not values.any()
    assert variable.writable() is variable.data
