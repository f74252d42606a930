# SPDX-License-Identifier: Apache-2.0
"""Files of the installed Keras 3 open in fastrnn, and fastrnn's in Keras: the same weights, the same predictions."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.saving import ModelFileError, load_model
from tests.saving import zoo


def close(ours: np.ndarray, theirs: np.ndarray) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


class TestFromKeras:
    @pytest.mark.parametrize("stack, suffix", [
        *((stack, ".keras") for stack in zoo.STACKS),
        *((stack, ".h5") for stack in ("words", "two-directions", "GRU-both-2", "LSTM-hard-sigmoid", "nested",
                                       "nested-words"))])
    def test_models(self, stack, suffix, tmp_path):
        theirs, x = zoo.make(keras, stack), zoo.inputs(stack)
        theirs.save(tmp_path / f"m{suffix}")
        ours = load_model(tmp_path / f"m{suffix}")
        zoo.same_bits(ours.get_weights(), theirs.get_weights())
        close(ours.predict(x, verbose=0), theirs.predict(x, verbose=0))
        assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
        assert [layer.trainable for layer in ours.layers] == [layer.trainable for layer in theirs.layers]

    @pytest.mark.parametrize("suffix", [".keras", ".h5"])
    def test_masks_inside_time_distributed(self, suffix, tmp_path):
        """Both ways, and never what comes out without the masks."""
        theirs, x = zoo.make(keras, "sentences"), zoo.padded_sentences()
        theirs.save(tmp_path / f"theirs{suffix}")
        ours = load_model(tmp_path / f"theirs{suffix}")
        expected = theirs.predict(x, verbose=0)
        close(ours.predict(x, verbose=0), expected)
        ours.save(tmp_path / "ours.keras")
        close(keras.saving.load_model(tmp_path / "ours.keras").predict(x, verbose=0), expected)
        ours.layers[0].mask_zero = False
        assert np.abs(ours.predict(x, verbose=0) - expected).max() > 0.01

    @pytest.mark.parametrize("stack", zoo.STACKS)
    def test_weights(self, stack, tmp_path):
        theirs, ours = zoo.make(keras, stack), zoo.make(fastrnn, stack)
        theirs.save_weights(tmp_path / "m.weights.h5")
        ours.set_weights([w * 0 for w in ours.get_weights()])
        ours.load_weights(tmp_path / "m.weights.h5")
        zoo.same_bits(ours.get_weights(), theirs.get_weights())

    @pytest.mark.parametrize("suffix", [".keras", ".h5"])
    @pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd", "momentum", "schedule"])
    def test_training_goes_on(self, optimizer, suffix, tmp_path, rng):
        x, y = rng.standard_normal((8, zoo.T, zoo.D)).astype("float32"), rng.integers(0, 2, 8)
        theirs = zoo.make(keras, "LSTM-both-2")
        made = {"momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
                "schedule": lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 9)),
                }.get(optimizer, lambda: optimizer)()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        theirs.compile(made, loss, metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(1, name="top")])
        theirs.fit(x, y, epochs=2, shuffle=False, verbose=0)
        theirs.save(tmp_path / f"m{suffix}")
        ours = load_model(tmp_path / f"m{suffix}")
        assert ours.optimizer.iterations == 2
        for _ in range(2):
            expected = theirs.train_on_batch(x, y, return_dict=True)
            theirs.reset_metrics()
            got = ours.train_on_batch(x, y, return_dict=True)
            assert got.keys() == expected.keys()
            for name in got:
                np.testing.assert_allclose(got[name], expected[name], rtol=1e-5, err_msg=name)
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)

    def test_compiled_and_never_trained(self, tmp_path):
        theirs = zoo.make(keras, "GRU-forward-1")
        theirs.compile(keras.optimizers.Adam(0.02), "mse")
        theirs.save(tmp_path / "m.keras")
        ours = load_model(tmp_path / "m.keras")
        assert (ours.optimizer.iterations, ours.loss) == (0, "mse")
        assert ours.optimizer.learning_rate == pytest.approx(0.02)

    def test_a_layer_that_fastrnn_has_not(self, tmp_path):
        theirs = keras.Sequential([keras.Input((6, 3)), keras.layers.GroupNormalization(1), keras.layers.LSTM(2)])
        theirs.save(tmp_path / "m.keras")
        theirs.save(tmp_path / "m.h5")
        for name in ("m.keras", "m.h5"):
            with pytest.raises(ModelFileError, match=r"layers\[1\] 'GroupNormalization': fastrnn has no layer of"):
                load_model(tmp_path / name)

    def test_a_nested_model(self, tmp_path):
        """Its layers are refused by name too, before anything is made, and so are those of a functional one."""
        x = keras.Input((None, 3))
        functional = keras.Model(x, keras.layers.GroupNormalization(1)(x))
        for layer, place in ((keras.layers.GroupNormalization(1), ""), (functional, r"\.layers\[1\]")):
            inner = keras.Sequential([keras.layers.LSTM(3, return_sequences=True), layer])
            theirs = keras.Sequential([keras.Input((6, 3)), keras.layers.Dense(3), keras.Sequential([inner])])
            for name in ("m.keras", "m.h5"):
                theirs.save(tmp_path / name)
                with pytest.raises(ModelFileError, match=rf"config\.layers\[2\]\.layers\[1\]\.layers\[2\]{place} "
                                                         "'GroupNormalization': fastrnn has no layer of this name"):
                    load_model(tmp_path / name)

    @pytest.mark.parametrize("suffix", [".keras", ".h5"])
    def test_training_of_a_nested_model_goes_on(self, suffix, tmp_path, rng):
        x, y = rng.standard_normal((8, zoo.T, zoo.D)).astype("float32"), rng.standard_normal((8, zoo.T, 3))
        theirs = zoo.make(keras, "nested")
        theirs = keras.Sequential([keras.Input((None, zoo.D)), theirs.layers[0], theirs.layers[1]])
        theirs.compile("adam", "mse")
        theirs.fit(x, y, epochs=2, shuffle=False, verbose=0)
        theirs.save(tmp_path / f"m{suffix}")
        ours = load_model(tmp_path / f"m{suffix}")
        for _ in range(3):
            expected = theirs.train_on_batch(x, y, return_dict=True)
            theirs.reset_metrics()
            np.testing.assert_allclose(ours.train_on_batch(x, y), expected["loss"], rtol=1e-5)
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
        ours.save(tmp_path / "back.keras")
        again = keras.saving.load_model(tmp_path / "back.keras")
        assert int(again.optimizer.iterations) == 5
        np.testing.assert_allclose(again.train_on_batch(x, y), ours.train_on_batch(x, y), rtol=1e-5)
        for a, b in zip(ours.get_weights(), again.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)

    def test_a_lambda(self, tmp_path):
        theirs = keras.Sequential([keras.Input((6, 3)), keras.layers.Lambda(lambda x: x * 2), keras.layers.LSTM(2)])
        theirs.save(tmp_path / "m.keras")
        with pytest.raises(ModelFileError, match="Lambda .* holds a program, which is never run"):
            load_model(tmp_path / "m.keras")

    def test_numbers_that_fastrnn_has_not(self, tmp_path):
        theirs = keras.Sequential([keras.Input((6, 3)), keras.layers.LSTM(2, dtype="bfloat16")])
        theirs.save(tmp_path / "m.keras")
        with pytest.raises(ModelFileError, match="expected dtype 'float32' or 'float64'"):
            load_model(tmp_path / "m.keras")

    def test_a_loss_that_fastrnn_has_not(self, tmp_path):
        theirs = zoo.make(keras, "GRU-forward-1")
        class Difference(keras.losses.Loss):
            def call(self, y_true, y_pred):
                return y_true - y_pred

        Difference.__module__ = "keras.losses"      # as one of a later Keras
        theirs.compile("adam", Difference())
        theirs.save(tmp_path / "m.keras")
        with pytest.raises(ModelFileError, match=r"Difference.*compile=False"):
            load_model(tmp_path / "m.keras")
        zoo.same_bits(load_model(tmp_path / "m.keras", compile=False).get_weights(), theirs.get_weights())


class TestToKeras:
    @pytest.mark.parametrize("stack", zoo.STACKS)
    def test_models(self, stack, tmp_path):
        ours, x = zoo.make(fastrnn, stack), zoo.inputs(stack)
        ours.save(tmp_path / "m.keras")
        theirs = keras.saving.load_model(tmp_path / "m.keras")
        zoo.same_bits(ours.get_weights(), theirs.get_weights())
        close(ours.predict(x, verbose=0), theirs.predict(x, verbose=0))
        assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
        assert theirs.name == "zoo"

    @pytest.mark.parametrize("suffix", [".weights.h5", ".h5"])
    @pytest.mark.parametrize("stack", zoo.STACKS)
    def test_weights(self, stack, suffix, tmp_path):
        ours, theirs = zoo.make(fastrnn, stack), zoo.make(keras, stack)
        ours.save_weights(tmp_path / f"m{suffix}")
        theirs.set_weights([w * 0 for w in theirs.get_weights()])
        theirs.load_weights(tmp_path / f"m{suffix}")
        zoo.same_bits(ours.get_weights(), theirs.get_weights())

    @pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd", "momentum", "schedule"])
    def test_training_goes_on(self, optimizer, tmp_path, rng):
        x, y = rng.standard_normal((8, zoo.T, zoo.D)).astype("float32"), rng.integers(0, 2, 8)
        ours = zoo.make(fastrnn, "LSTM-both-2")
        o = fastrnn.optimizers
        made = {"momentum": lambda: o.SGD(0.05, momentum=0.9),
                "schedule": lambda: o.Adam(o.schedules.CosineDecay(0.01, 9))}.get(optimizer, lambda: optimizer)()
        ours.compile(made, fastrnn.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        ours.fit(x, y, epochs=2, shuffle=False, verbose=0)
        ours.save(tmp_path / "m.keras")
        theirs = keras.saving.load_model(tmp_path / "m.keras")
        for _ in range(2):
            expected = theirs.train_on_batch(x, y, return_dict=True)
            theirs.reset_metrics()
            got = ours.train_on_batch(x, y, return_dict=True)
            np.testing.assert_allclose([got["loss"], got["accuracy"]], [expected["loss"], expected["accuracy"]],
                                       rtol=1e-5)
        assert int(theirs.optimizer.iterations) == ours.optimizer.iterations == 4
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)

    def test_there_and_back(self, tmp_path):
        """Keras to fastrnn to Keras to fastrnn: no bit is lost."""
        theirs = zoo.make(keras, "words")
        theirs.save(tmp_path / "a.keras")
        load_model(tmp_path / "a.keras").save(tmp_path / "b.keras")
        keras.saving.load_model(tmp_path / "b.keras").save(tmp_path / "c.keras")
        ours = load_model(tmp_path / "c.keras")
        zoo.same_bits(ours.get_weights(), theirs.get_weights())
        assert [layer.name for layer in ours.layers[1].sublayers()] == [
            theirs.layers[1].forward_layer.name, theirs.layers[1].backward_layer.name]
