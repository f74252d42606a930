# SPDX-License-Identifier: Apache-2.0
"""What fastrnn saves, fastrnn loads: the same bits, and training that goes on as if nothing had been."""

from __future__ import annotations

import numpy as np
import pytest

import fastrnn
from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Dropout, Embedding, MinGRU
from fastrnn.layers.variable import Hollow
from fastrnn.saving import ModelFileError, load_model
from tests.saving import zoo

MODELS = (".safetensors", ".keras", ".h5")
WEIGHTS = (".safetensors", ".weights.h5", ".h5", ".hdf5")


class TestModels:
    @pytest.mark.parametrize("suffix", MODELS)
    @pytest.mark.parametrize("stack", zoo.STACKS)
    def test_weights_and_predictions(self, stack, suffix, tmp_path):
        model, x = zoo.make(fastrnn, stack), zoo.inputs(stack)
        model.save(tmp_path / f"m{suffix}")
        loaded = load_model(tmp_path / f"m{suffix}")
        zoo.same_bits(model.get_weights(), loaded.get_weights())
        zoo.same_bits([model.predict(x, verbose=0)], [loaded.predict(x, verbose=0)])
        assert loaded.name == "zoo"
        assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
        assert zoo.without_inputs(loaded.get_config()) == zoo.without_inputs(model.get_config())
        loaded.save(tmp_path / f"again{suffix}")
        assert load_model(tmp_path / f"again{suffix}").get_config() == loaded.get_config()
        assert not loaded.compiled

    @pytest.mark.parametrize("suffix", MODELS)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_dtypes(self, dtype, suffix, tmp_path):
        model = fastrnn.Sequential([fastrnn.Input((None, 3)), LSTM(4, dtype=dtype), Dense(2, dtype=dtype)])
        model.save(tmp_path / f"m{suffix}")
        loaded = load_model(tmp_path / f"m{suffix}")
        zoo.same_bits(model.get_weights(), loaded.get_weights())
        assert loaded.dtype == dtype

    def test_the_default_format(self, tmp_path):
        model = zoo.make(fastrnn, "LSTM-forward-1")
        model.save(tmp_path / "m")
        assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]
        zoo.same_bits(model.get_weights(), load_model(str(tmp_path / "m")).get_weights())

    @pytest.mark.parametrize("wrapped", [False, True], ids=["LSTM", "Bidirectional"])
    def test_peepholes(self, wrapped, tmp_path, rng):
        layer = LSTM(4, use_peepholes=True, name="encoder")
        stack = [Bidirectional(layer) if wrapped else layer, Dense(2)]
        model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.Sequential(stack)])
        x = rng.standard_normal((2, 5, 3))
        model.save(tmp_path / "m.safetensors")
        loaded = load_model(tmp_path / "m.safetensors")
        assert len(loaded.get_weights()) == (10 if wrapped else 6)
        zoo.same_bits(model.get_weights(), loaded.get_weights())
        zoo.same_bits([model.predict(x, verbose=0)], [loaded.predict(x, verbose=0)])
        for save, suffix in ((model.save, ".keras"), *((model.save_weights, suffix) for suffix in WEIGHTS[1:])):
            with pytest.raises(ValueError, match=rf"^LSTM '(forward_)?encoder' use_peepholes: .*{suffix} files no"):
                save(tmp_path / f"m{suffix}")
            assert not (tmp_path / f"m{suffix}").exists()

    @pytest.mark.parametrize("wrapped", [False, True], ids=["MinGRU", "Bidirectional"])
    def test_a_cell_of_our_own(self, wrapped, tmp_path, rng):
        """Keras has no such layer, but its files a place for it."""
        layer = MinGRU(4, "tanh", "hard_sigmoid", return_sequences=True, dropout=0.1, seed=3)
        model = fastrnn.Sequential([fastrnn.Input((None, 3)), Bidirectional(layer) if wrapped else layer, MinGRU(2)])
        model.compile("adam", "mse")
        x = rng.standard_normal((8, 5, 3))
        model.fit(x, np.zeros((8, 2)), verbose=0)
        for suffix in MODELS:
            model.save(tmp_path / f"m{suffix}")
            loaded = load_model(tmp_path / f"m{suffix}")
            zoo.same_bits(model.get_weights(), loaded.get_weights())
            zoo.same_bits([model.predict(x, verbose=0)], [loaded.predict(x, verbose=0)])
            assert [one.get_config() for one in loaded.layers] == [one.get_config() for one in model.layers]
        for suffix in WEIGHTS:
            model.save_weights(tmp_path / f"w{suffix}")
            loaded.set_weights([0 * weight for weight in model.get_weights()])
            loaded.load_weights(tmp_path / f"w{suffix}")
            zoo.same_bits(model.get_weights(), loaded.get_weights())

    @pytest.mark.parametrize("suffix", MODELS)
    def test_other_names(self, suffix, tmp_path):
        model = zoo.make(fastrnn, "LSTM-forward-1")
        fastrnn.saving.save_model(model, tmp_path / f"m{suffix}")
        assert fastrnn.models.load_model(tmp_path / f"m{suffix}").count_params() == model.count_params()

    @pytest.mark.parametrize("suffix", MODELS)
    def test_a_model_that_data_built(self, suffix, tmp_path):
        """The shape that data showed binds the model no more after it was loaded than before."""
        model = fastrnn.Sequential([GRU(3), Dense(1)])
        model.predict(np.zeros((2, 5, 3)), verbose=0)
        model.save(tmp_path / f"m{suffix}")
        loaded = load_model(tmp_path / f"m{suffix}")
        for time in (5, 7):
            x = np.ones((2, time, 3))
            zoo.same_bits([model.predict(x, verbose=0)], [loaded.predict(x, verbose=0)])

    @pytest.mark.parametrize("suffix", MODELS)
    def test_the_shape_in_the_first_layer(self, suffix, tmp_path):
        words = fastrnn.Sequential([Embedding(9, 3, input_length=5), LSTM(2)])
        words.save(tmp_path / f"w{suffix}")
        assert load_model(tmp_path / f"w{suffix}").predict(np.ones((2, 8)), verbose=0).shape == (2, 2)
        strict = fastrnn.Sequential([LSTM(2, input_shape=(5, 3))])
        strict.save(tmp_path / f"s{suffix}")
        with pytest.raises(ValueError, match="expected input of shape"):
            load_model(tmp_path / f"s{suffix}").predict(np.ones((2, 8, 3)), verbose=0)

    def test_a_loaded_model_can_be_changed(self, tmp_path):
        """The map of a native file is this process's own as soon as it is written to."""
        model = zoo.make(fastrnn, "LSTM-forward-1")
        model.save(tmp_path / "m")
        before = (tmp_path / "m.safetensors").read_bytes()
        loaded = load_model(tmp_path / "m")
        loaded.set_weights([w + 1 for w in loaded.get_weights()])
        assert not np.array_equal(loaded.get_weights()[0], model.get_weights()[0])
        assert (tmp_path / "m.safetensors").read_bytes() == before
        loaded.save(tmp_path / "m")     # over the file that it is mapped from
        zoo.same_bits(loaded.get_weights(), load_model(tmp_path / "m").get_weights())

    def test_not_built(self, tmp_path):
        model = fastrnn.Sequential([LSTM(2)])
        for save in (model.save, model.save_weights):
            with pytest.raises(ValueError, match="build the model before it is saved"):
                save(tmp_path / "m")
        with pytest.raises(FileNotFoundError, match="there is no such file"):
            load_model(tmp_path / "m")

    def test_a_function_of_the_users_own(self, tmp_path):
        model = fastrnn.Sequential([fastrnn.Input((3,)), Dense(2, activation=lambda x: x * 2)])
        with pytest.raises(ValueError, match="save its weights by save_weights"):
            model.save(tmp_path / "m.keras")
        model.save_weights(tmp_path / "m")
        assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]

    @pytest.mark.parametrize("name", ["m.weights.h5", "m.pkl"])
    def test_formats_for_whole_models(self, name, tmp_path):
        with pytest.raises(ValueError, match=r"\.keras"):
            zoo.make(fastrnn, "LSTM-forward-1").save(tmp_path / name)
        assert list(tmp_path.iterdir()) == []

    def test_overwrite(self, tmp_path):
        model = zoo.make(fastrnn, "LSTM-forward-1")
        model.save(tmp_path / "m", overwrite=False)
        with pytest.raises(FileExistsError, match="there is a file already"):
            model.save(tmp_path / "m", overwrite=False)
        model.save(tmp_path / "m")


class TestNested:
    """Models in models: what is theirs comes back with them."""

    @pytest.mark.parametrize("suffix", MODELS)
    def test_a_model_inside_works_by_itself(self, suffix, tmp_path):
        model, x = zoo.make(fastrnn, "nested"), zoo.inputs("nested")
        model.save(tmp_path / f"m{suffix}")
        encoder, saved = (m.get_layer("encoder") for m in (load_model(tmp_path / f"m{suffix}"), model))
        assert type(encoder) is fastrnn.Sequential
        zoo.same_bits([encoder.predict(x, verbose=0)], [saved.predict(x, verbose=0)])
        encoder.save(tmp_path / f"e{suffix}")
        zoo.same_bits(load_model(tmp_path / f"e{suffix}").get_weights(), saved.get_weights())

    @pytest.mark.parametrize("suffix", MODELS)
    def test_shapes_of_their_own(self, suffix, tmp_path):
        """Whether an inner model demands its input's shape is as before; so is its input_shape in a first layer."""
        inner = fastrnn.Sequential([LSTM(2, input_shape=(5, 3), return_sequences=True)])
        free = fastrnn.Sequential([GRU(2)])
        model = fastrnn.Sequential([fastrnn.Input((None, 3)), Dense(3), inner, free])
        model.save(tmp_path / f"m{suffix}")
        loaded = load_model(tmp_path / f"m{suffix}")
        with pytest.raises(ValueError, match="expected input of shape"):
            loaded.predict(np.zeros((2, 4, 3)), verbose=0)
        assert loaded.predict(np.zeros((2, 5, 3)), verbose=0).shape == (2, 2)
        assert loaded.layers[2].predict(np.zeros((2, 9, 2)), verbose=0).shape == (2, 2)

    def test_nothing_is_made_before_the_file_is_checked(self, tmp_path):
        """The weights have shapes, and wait for the values of the file."""
        model = zoo.make(fastrnn, "nested")
        model.save(tmp_path / "m")
        found = fastrnn.saving.reading.open_model(tmp_path / "m")
        assert found.model.count_params() == model.count_params()
        assert all(isinstance(variable.data, Hollow) for variable in found.model.weights)
        assert not any(isinstance(variable.data, Hollow) for variable in load_model(tmp_path / "m").weights)


class TestWeights:
    @pytest.mark.parametrize("suffix", WEIGHTS)
    @pytest.mark.parametrize("stack", zoo.STACKS)
    def test_round_trip(self, stack, suffix, tmp_path):
        model = zoo.make(fastrnn, stack)
        model.save_weights(tmp_path / f"m{suffix}")
        other = fastrnn.Sequential(zoo.STACKS[stack](fastrnn))
        other.load_weights(tmp_path / f"m{suffix}")
        zoo.same_bits(model.get_weights(), other.get_weights())

    @pytest.mark.parametrize("suffix", MODELS)
    def test_of_a_whole_model(self, suffix, tmp_path):
        model = zoo.make(fastrnn, "words")
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(zoo.inputs("words"), np.zeros(5), verbose=0)
        model.save(tmp_path / f"m{suffix}")
        other = fastrnn.Sequential(zoo.STACKS["words"](fastrnn))
        other.load_weights(tmp_path / f"m{suffix}")
        zoo.same_bits(model.get_weights(), other.get_weights())

    @pytest.mark.parametrize("suffix", WEIGHTS)
    def test_of_another_model(self, suffix, tmp_path):
        """An error, and the weights stay."""
        zoo.make(fastrnn, "LSTM-forward-1").save_weights(tmp_path / f"m{suffix}")
        for stack in ("LSTM-forward-2", "GRU-forward-1", "LSTM-no-bias", "words", "LSTM-both-1"):
            other = zoo.make(fastrnn, stack)
            before = other.get_weights()
            with pytest.raises(ModelFileError, match=rf"m{suffix}: .*another model|m{suffix}: .*(expected|nothing)"):
                other.load_weights(tmp_path / f"m{suffix}")
            zoo.same_bits(before, other.get_weights())

    def test_a_file_of_weights_alone_is_no_model(self, tmp_path):
        model = zoo.make(fastrnn, "LSTM-forward-1")
        for name in ("m.safetensors", "m.h5", "m.weights.h5"):
            model.save_weights(tmp_path / name)
            with pytest.raises(ModelFileError, match="load_weights"):
                load_model(tmp_path / name)

    def test_not_built(self, tmp_path):
        model = zoo.make(fastrnn, "LSTM-forward-1")
        model.save_weights(tmp_path / "m")
        with pytest.raises(ValueError, match="build the model before load_weights"):
            fastrnn.Sequential([LSTM(4)]).load_weights(tmp_path / "m")


OPTIMIZERS = {
    "sgd": lambda o: o.SGD(0.05),
    "momentum": lambda o: o.SGD(0.05, momentum=0.9, nesterov=True),
    "rmsprop": lambda o: o.RMSprop(0.01, momentum=0.5, centered=True),
    "adam": lambda o: o.Adam(0.01, amsgrad=True, clipnorm=1.0),
    "adamw": lambda o: o.AdamW(0.003, weight_decay=0.01),
    "schedule": lambda o: o.Adam(o.schedules.ExponentialDecay(0.01, 3, 0.9)),
}


class TestTraining:
    """Trained, saved, loaded, trained on: what training in a row gives, bit for bit."""

    @pytest.mark.parametrize("suffix", MODELS)
    @pytest.mark.parametrize("nested", [False, True])
    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    def test_goes_on(self, optimizer, nested, suffix, tmp_path, rng):
        x, y = rng.standard_normal((16, 5, 3)), rng.integers(0, 4, 16)

        def fit(model, epochs):
            fastrnn.utils.set_random_seed(epochs)
            model.fit(x, y, batch_size=4, epochs=epochs, verbose=0)
            return model.fit(x, y, batch_size=4, epochs=1, verbose=0).history

        fastrnn.utils.set_random_seed(7)
        layers = [LSTM(4, dropout=0.2, seed=3, return_sequences=True), Dropout(0.3, seed=4),
                  GRU(3, recurrent_dropout=0.2), Dense(4, activation="softmax")]
        if nested:
            layers = [fastrnn.Sequential([fastrnn.Sequential(layers[:2]), layers[2]]), layers[3]]
        model = fastrnn.Sequential([fastrnn.Input((5, 3)), *layers])
        model.compile(OPTIMIZERS[optimizer](fastrnn.optimizers), "sparse_categorical_crossentropy",
                      metrics=["accuracy"])
        fit(model, 1)
        model.save(tmp_path / f"m{suffix}")
        expected = fit(model, 2)
        loaded = load_model(tmp_path / f"m{suffix}")
        assert fit(loaded, 2) == expected
        assert set(expected) == {"accuracy", "loss"}
        zoo.same_bits(model.get_weights(), loaded.get_weights())
        zoo.same_bits(model.optimizer.get_slots(), loaded.optimizer.get_slots())
        assert loaded.optimizer.get_config() == model.optimizer.get_config()
        assert loaded.optimizer.iterations == model.optimizer.iterations

    @pytest.mark.parametrize("suffix", MODELS)
    def test_a_learning_rate_set_since(self, suffix, tmp_path):
        model = zoo.make(fastrnn, "LSTM-forward-1")
        model.compile("adam", fastrnn.losses.Huber(0.5), metrics=["mae", fastrnn.metrics.RootMeanSquaredError()])
        model.optimizer.learning_rate = 0.0123
        model.save(tmp_path / f"m{suffix}")
        loaded = load_model(tmp_path / f"m{suffix}")
        assert loaded.optimizer.learning_rate == 0.0123
        assert loaded.objective.heads[0].loss.get_config() == model.objective.heads[0].loss.get_config()
        x = zoo.inputs("LSTM-forward-1")
        assert model.evaluate(x, np.ones((5, 2)), verbose=0) == loaded.evaluate(x, np.ones((5, 2)), verbose=0)

    @pytest.mark.parametrize("suffix", MODELS)
    def test_left_out(self, suffix, tmp_path):
        model = zoo.make(fastrnn, "LSTM-forward-1")
        model.compile("adam", "mse")
        model.save(tmp_path / f"m{suffix}")
        assert not load_model(tmp_path / f"m{suffix}", compile=False).compiled
        model.save(tmp_path / f"m{suffix}", include_optimizer=False)
        assert not load_model(tmp_path / f"m{suffix}").compiled

    def test_a_loss_of_the_users_own(self, tmp_path):
        class Loss(fastrnn.losses.MeanSquaredError):
            pass

        model = zoo.make(fastrnn, "LSTM-forward-1")
        model.compile("adam", Loss())
        model.save(tmp_path / "m")
        loaded = load_model(tmp_path / "m", custom_objects={"Loss": Loss})
        assert type(loaded.objective.heads[0].loss) is Loss
        with pytest.raises(fastrnn.saving.ModelFileError, match="'Loss'.*custom_objects"):
            load_model(tmp_path / "m")
        assert not load_model(tmp_path / "m", compile=False).compiled

    def test_a_function_without_a_name(self, tmp_path):
        model = zoo.make(fastrnn, "LSTM-forward-1")
        model.compile("adam", lambda y, p: (y - p) ** 2)
        with pytest.warns(UserWarning, match="<lambda> is no name"):
            model.save(tmp_path / "m")
        assert not load_model(tmp_path / "m").compiled
