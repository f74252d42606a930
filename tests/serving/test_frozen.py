# SPDX-License-Identifier: Apache-2.0
"""Frozen models: what the model predicts; what is folded; copies and files of them."""

from __future__ import annotations

import json
import pickle
import struct
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastrnn
from fastrnn import Input, Model, Sequential
from fastrnn import layers as L
from fastrnn.saving import ModelFileError
from tests.serving.recipes import STREAMS, WIDTH, WORDS, input_of, model_of


def randomized(model: Any) -> Any:
    rng = np.random.default_rng(3)
    for variable in model.weights:
        variable.assign(rng.uniform(0.2, 0.8, variable.shape))
    return model


def pair() -> Any:
    a, b = Input((None, 3), name="a"), Input((4,), name="b")
    text = L.LSTM(4)(L.Dropout(0.3)(a))
    return Model([a, b], {"sum": L.Add()([text, b]), "both": L.Dense(2)(L.Concatenate()([text, b]))})


OTHERS = {
    "Bidirectional": lambda: Sequential([Input((None, WIDTH)), L.Bidirectional(L.LSTM(4)), L.Dense(2)]),
    "Bidirectional words": lambda: Sequential([
        Input((None,), dtype="int32"), L.Embedding(WORDS, 4, mask_zero=True), L.SpatialDropout1D(0.2),
        L.Bidirectional(L.GRU(4, return_sequences=True)), L.GlobalMaxPooling1D()]),
    "images": lambda: Sequential([
        Input((8, 6, 2)), L.Conv2D(3, 3), L.BatchNormalization(), L.MaxPooling2D(), L.Flatten(), L.Dense(2)]),
    "windows": lambda: Sequential([
        Input((9, WIDTH)), L.BatchNormalization(), L.Conv1D(4, 3, padding="same"), L.BatchNormalization(),
        L.AveragePooling1D(2), L.LSTM(3, go_backwards=True)]),
    "attention": lambda: Sequential([Input((None, WIDTH)), L.GRU(4, return_sequences=True), L.GaussianNoise(0.3),
                                     L.GlobalAveragePooling1D()]),
    "nested": lambda: Sequential([Sequential([Input((None, WIDTH)), L.LSTM(4, return_sequences=True), L.Dropout(0.5)]),
                                  L.TimeDistributed(L.Dense(3)), L.BatchNormalization(), L.LSTM(2)]),
    "elu": lambda: Sequential([Input((None, WIDTH)), L.LSTM(4, activation="elu"), L.Dense(1, activation="gelu")]),
}  # fmt: skip


def other_input(name: str) -> np.ndarray:
    rng = np.random.default_rng(1)
    if name == "Bidirectional words":
        return rng.integers(0, WORDS, (4, 7))
    return rng.standard_normal((4, 8, 6, 2) if name == "images" else (4, 9, WIDTH)).astype("float32")


class TestWhatTheModelPredicts:
    @pytest.mark.parametrize("name", STREAMS)
    def test_a_stream(self, name):
        model, x = model_of(name), input_of(name, 4, 9)
        assert np.allclose(model.freeze()(x), model.predict_on_batch(x), atol=1e-6)

    @pytest.mark.parametrize("name", OTHERS)
    def test_any_other(self, name):
        model, x = randomized(OTHERS[name]()), other_input(name)
        frozen, expected = model.freeze(), model.predict_on_batch(x)
        assert np.allclose(frozen(x), expected, rtol=1e-5, atol=1e-5)
        assert np.allclose(frozen.predict(x, batch_size=3), expected, rtol=1e-5, atol=1e-5)

    def test_several_inputs_and_outputs(self):
        model = randomized(pair())
        x = {"a": np.ones((5, 6, 3)), "b": np.ones((5, 4))}
        frozen, expected = model.freeze(), model.predict_on_batch(x)
        for found in frozen(x), frozen.predict(x, 2):
            assert set(found) == {"sum", "both"}
            assert all(np.allclose(found[key], expected[key], atol=1e-6) for key in found)

    def test_it_stays_while_the_model_trains_on(self):
        model, x = model_of("stack"), input_of("stack", 8, 9)
        model.compile("adam", "mse")
        frozen = model.freeze()
        before = frozen(x)
        model.fit(x, np.zeros((8, 2)), verbose=0)
        assert np.array_equal(frozen(x), before)
        assert not np.allclose(model.predict_on_batch(x), before)

    def test_nothing_stays_from_call_to_call_where_a_layer_was_stateful(self):
        model = Sequential([Input((None, WIDTH), batch_size=2), L.LSTM(3, stateful=True)])
        frozen, x = model.freeze(), input_of("LSTM", 2, 4)
        assert np.array_equal(frozen(x), frozen(x))
        assert not np.array_equal(model.predict_on_batch(x), model.predict_on_batch(x))
        assert np.array_equal(frozen(x[:1]), frozen(x)[:1])

    def test_lengths_are_a_mask(self):
        model = Sequential([Input((None, WIDTH)), L.Bidirectional(L.LSTM(3, return_sequences=True)),
                            L.GlobalAveragePooling1D()])
        x, lengths = input_of("LSTM", 3, 6), [2, 6, 4]
        y = model.freeze()(x, lengths=lengths)
        for sample, length in enumerate(lengths):
            assert np.allclose(y[sample], model.predict_on_batch(x[sample:sample + 1, :length])[0], atol=1e-6)

    def test_out(self):
        model, x = model_of("LSTM"), input_of("LSTM", 2, 3)
        out = np.empty((2, 3, 3), "float32")
        frozen = model.freeze()
        assert frozen(x, out=out) is out
        assert np.array_equal(out, frozen(x))

    def test_from_many_threads(self):
        frozen, x = model_of("words").freeze(), input_of("words", 4, 9)
        expected, found = frozen(x), []

        def predict() -> None:
            stream = frozen.stream(4)
            for _ in range(50):
                stream.reset()
                found.append(np.array_equal(frozen(x), expected) and np.array_equal(stream.feed(x)[:, -1], expected))

        threads = [threading.Thread(target=predict) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 400 and all(found)


class TestFolding:
    def test_normalization_into_what_is_below_or_above(self):
        model = Sequential([Input((9, WIDTH)), L.BatchNormalization(name="first"),
                            L.GRU(4, return_sequences=True, name="gru"),
                            L.Dense(3, use_bias=False, name="dense"), L.BatchNormalization(name="second"),
                            L.Conv1D(3, 2, activation="relu"), L.BatchNormalization(name="third"),
                            L.Conv1D(3, 2, name="last", padding="same")])  # fmt: skip
        frozen = randomized(model).freeze()
        assert [(fold.layer, fold.into) for fold in frozen.report()] == [("first", "gru"), ("second", "dense")]
        x = input_of("LSTM", 2, 9)
        assert np.allclose(frozen(x), model.predict_on_batch(x), rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("layer", [
        lambda: L.GRU(4, use_bias=False), lambda: L.GRU(4, reset_after=False), lambda: L.LSTM(4, use_bias=False),
        lambda: L.SimpleRNN(4), lambda: L.MinGRU(4), lambda: L.Dense(4, use_bias=False)])
    def test_into_each_layer(self, layer):
        model = randomized(Sequential([Input((None, WIDTH)), L.BatchNormalization(), layer()]))
        x = input_of("LSTM", 2, 5)
        frozen = model.freeze()
        assert len(frozen.report()) == 1
        assert np.allclose(frozen(x), model.predict_on_batch(x), rtol=1e-5, atol=1e-5)

    def test_not_where_the_value_is_read_elsewhere(self):
        x = Input((None, WIDTH))
        dense = L.Dense(4)
        h = dense(x)
        shared = Model(x, [L.BatchNormalization()(h), h])
        twice = Model(x, L.Add()([L.BatchNormalization()(dense(x)), L.LSTM(4, return_sequences=True)(dense(x))]))
        for model in shared, twice:
            frozen = randomized(model).freeze()
            assert not frozen.report()
            a = input_of("LSTM", 2, 5)
            for one, other in zip(np.atleast_1d(frozen(a)), np.atleast_1d(model.predict_on_batch(a))):
                assert np.allclose(one, other, atol=1e-5)

    def test_not_where_sums_would_lose_digits(self):
        """Pressure in pascals: large means of small deviations."""
        model = Sequential([Input((None, 3)), L.BatchNormalization(), L.LSTM(4)])
        gamma, beta, *_ = model.layers[0].get_weights()
        model.layers[0].set_weights([gamma, beta, np.full(3, 101325.0), np.full(3, 500.0**2)])
        assert not model.freeze().report()
        model.layers[0].set_weights([gamma, beta, np.full(3, 20.0), np.full(3, 25.0)])
        assert len(model.freeze().report()) == 1

    def test_a_table_within_the_bound_on_memory(self):
        model = model_of("words")
        [fold] = model.freeze().report()
        assert fold.size >= WORDS * 4 * 7 * 4
        assert model.freeze(fold_bytes=fold.size).report() == [fold]
        assert model.freeze(fold_bytes=fold.size - 1).report() == []

    def test_both_directions(self):
        model = randomized(Sequential([
            Input((None,), dtype="int32"), L.Embedding(WORDS, 6), L.Bidirectional(L.LSTM(3))]))
        x = input_of("words", 3, 9)
        folded, plain = model.freeze(), model.freeze(fold_bytes=0)
        assert len(folded.report()) == 1
        assert np.array_equal(folded(x), plain(x))


class TestCopies:
    @pytest.mark.parametrize("name", [*STREAMS, *OTHERS])
    def test_pickles_and_files_give_the_same_bits(self, name, tmp_path):
        model = model_of(name) if name in STREAMS else randomized(OTHERS[name]())
        x = input_of(name, 3, 9) if name in STREAMS else other_input(name)
        frozen = model.freeze()
        frozen.save(tmp_path / "model")
        for other in pickle.loads(pickle.dumps(frozen)), fastrnn.serving.load(tmp_path / "model"):
            assert np.array_equal(other(x), frozen(x))
            assert other.report() == frozen.report()
            assert other.identity() == frozen.identity()
            if name in STREAMS:
                assert np.array_equal(other.stream(3).feed(x), frozen.stream(3).feed(x))

    def test_nothing_is_packed_when_a_file_is_loaded(self, tmp_path):
        frozen = model_of("words").freeze()
        frozen.save(tmp_path / "model")
        loaded = fastrnn.serving.load(tmp_path / "model")
        runner = loaded.network.layers[-2].kernel_runner()
        for array in (*runner.packed(), runner.folded_table()):
            base = array
            while isinstance(base.base, np.ndarray):
                base = base.base
            assert not base.flags.owndata and not array.flags.writeable     # the file's pages

    def test_kernels_of_another_layout_pack_anew(self, tmp_path):
        frozen, x = model_of("words").freeze(), input_of("words", 3, 9)
        path = tmp_path / "model.safetensors"
        frozen.save(path)
        change(path, layout=json.dumps([3, "float32"]))
        assert np.array_equal(fastrnn.serving.load(path)(x), frozen(x))

    def test_overwrite(self, tmp_path):
        frozen = model_of("LSTM").freeze()
        frozen.save(tmp_path / "model")
        with pytest.raises(FileExistsError):
            frozen.save(tmp_path / "model", overwrite=False)
        with pytest.raises(ValueError, match="no other format"):
            frozen.save(tmp_path / "model.keras")

    def test_a_frozen_file_is_not_a_model_and_the_other_way_round(self, tmp_path):
        model = model_of("LSTM")
        model.freeze().save(tmp_path / "frozen")
        model.save(tmp_path / "model")
        with pytest.raises(ModelFileError, match="frozen model, which cannot be trained"):
            fastrnn.models.load_model(tmp_path / "frozen")
        with pytest.raises(ModelFileError, match="no frozen model; load it by load_model"):
            fastrnn.serving.load(tmp_path / "model")

    @pytest.mark.parametrize(("key", "value"), [
        ("sizes", "[]"), ("sizes", "[[1]]"), ("sizes", "[[9999999999, 1, 1, 1], [1, 1]]"), ("sizes", "null"),
        ("sizes", "[[64, -1, 2, 3], [1, 1]]"), ("sizes", '[["a"], [1, 1]]'), ("gone", "[99]"), ("gone", '"a"'),
        ("gone", "[true]"), ("folds", "[[1, 2, 3]]"), ("folds", "{}"), ("fold_bytes", '"a"'), ("identity", "00"),
        ("identity", "xy"), ("config", "null"), ("config", "{"), ("format", "else"),
    ])  # fmt: skip
    def test_a_changed_header_is_refused(self, key, value, tmp_path):
        path = tmp_path / "model.safetensors"
        model_of("words").freeze().save(path)
        change(path, **{key: value})
        with pytest.raises(ModelFileError, match=r"model\.safetensors"):
            fastrnn.serving.load(path)

    def test_a_file_that_is_cut_off_is_refused(self, tmp_path):
        path = tmp_path / "model.safetensors"
        model_of("words").freeze().save(path)
        data = path.read_bytes()
        for length in 0, 7, 100, len(data) // 2, len(data) - 1:
            path.write_bytes(data[:length])
            with pytest.raises(ModelFileError):
                fastrnn.serving.load(path)


def change(path: Path, **metadata: str) -> None:
    """Give a safetensors file other texts."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    header["__metadata__"] |= metadata
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length:])


class TestRefused:
    @pytest.mark.parametrize(("arguments", "message"), [
        ({"precision": "float16"}, "precision: expected 'float32', got 'float16'"),
        ({"fold_bytes": -1}, "fold_bytes"), ({"fold_bytes": 1.5}, "fold_bytes")])
    def test_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            model_of("LSTM").freeze(**arguments)

    def test_a_model_that_is_not_built(self):
        with pytest.raises(ValueError, match="not built"):
            Sequential([L.LSTM(3)]).freeze()

    def test_a_model_of_the_users_own_code(self):
        class Own(Model):
            def __init__(self) -> None:
                super().__init__()
                self.lstm = L.LSTM(3)

            def call(self, x: Any) -> Any:
                return self.lstm(x)

        model = Own()
        model(np.zeros((1, 2, WIDTH), "float32"))
        with pytest.raises(ValueError, match="code of its own"):
            model.freeze()

    @pytest.mark.parametrize("x", [np.zeros((2, 3, WIDTH + 1)), np.zeros((2, 3)), "abc"])
    def test_inputs(self, x):
        with pytest.raises(ValueError, match="LSTM|input"):
            model_of("LSTM").freeze()(x)

    @pytest.mark.parametrize("lengths", [[1], [1, 9], [-1, 1], [[1, 1]]])
    def test_lengths(self, lengths):
        with pytest.raises(ValueError, match=r"lengths: expected \(2,\) of 0 to 4 time steps"):
            model_of("LSTM").freeze()(input_of("LSTM", 2, 4), lengths=lengths)

    @pytest.mark.parametrize("out", [np.zeros((2, 3)), np.zeros((2, 4, 3)), [1]])
    def test_out(self, out):
        with pytest.raises(ValueError, match="out: expected a writable array of float32"):
            model_of("LSTM").freeze()(input_of("LSTM", 2, 4), out=out)

    def test_weights_are_read_only(self):
        frozen = model_of("LSTM").freeze()
        for variable in frozen.network.variables:
            with pytest.raises(ValueError, match="read-only"):
                variable.data[...] = 0
