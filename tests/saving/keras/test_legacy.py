# SPDX-License-Identifier: Apache-2.0
"""Files of Keras 2, made by the installed tf-keras, and of Keras 1, whose layouts are documented: the results of the
Keras that saved them."""

from __future__ import annotations

import json
import sys
import warnings

import h5py
import numpy as np
import pytest

if sys.platform == "darwin" or sys.version_info >= (3, 14):
    pytest.skip("there is no TensorFlow for this system (see pyproject.toml)", allow_module_level=True)

import tensorflow as tf
import tf_keras
from tf_keras.src.layers.rnn.cudnn_gru import CuDNNGRU
from tf_keras.src.layers.rnn.cudnn_lstm import CuDNNLSTM

import fastrnn
from fastrnn.saving import ModelFileError, load_model
from tests.saving import graph_zoo, zoo
from tests.saving.keras.test_keras_3 import close

HARD = [stack for stack in zoo.STACKS if "hard" in stack]
PLAIN = ["SimpleRNN-both-2", "LSTM-both-2", "GRU-both-2", "LSTM-backward-1", "GRU-reset-before", "LSTM-no-bias",
         "words", "two-directions", "regularized", "nested", "nested-words"]


class TestWholeModels:
    @pytest.mark.parametrize("suffix", [".h5", ".keras"])
    @pytest.mark.parametrize("stack", PLAIN)
    def test_the_same(self, stack, suffix, tmp_path):
        theirs, x = zoo.make(tf_keras, stack), zoo.inputs(stack)
        theirs.save(tmp_path / f"m{suffix}", save_format="keras" if suffix == ".keras" else "h5")
        ours = load_model(tmp_path / f"m{suffix}")
        zoo.same_bits(ours.get_weights(), theirs.get_weights())
        close(ours.predict(x, verbose=0), theirs(x).numpy())

    @pytest.mark.parametrize("suffix", [".h5", ".keras"])
    @pytest.mark.parametrize("stack", HARD)
    def test_hard_sigmoid(self, stack, suffix, tmp_path):
        """Keras 2's has the slope 0.2, Keras 3's 1/6: weights of the gates make up for it."""
        theirs, x = zoo.make(tf_keras, stack), 3 * zoo.inputs(stack, 50)
        theirs.save(tmp_path / f"m{suffix}")
        with pytest.warns(UserWarning, match="1.2 times steeper in Keras 2"):
            ours = load_model(tmp_path / f"m{suffix}")
        close(ours.predict(x, verbose=0), theirs(x).numpy())
        ours.save(tmp_path / "again.keras")
        close(load_model(tmp_path / "again.keras").predict(x, verbose=0), theirs(x).numpy())

    @pytest.mark.parametrize("file", ["w.h5", "m.h5", "m.keras"])
    @pytest.mark.parametrize("stack", HARD)
    def test_hard_sigmoid_of_weights_alone(self, stack, file, tmp_path):
        theirs, x = zoo.make(tf_keras, stack), 3 * zoo.inputs(stack, 50)
        (theirs.save_weights if file == "w.h5" else theirs.save)(tmp_path / file)
        ours = zoo.make(fastrnn, stack)
        with pytest.warns(UserWarning, match="1.2 times steeper in Keras 2"):
            ours.load_weights(tmp_path / file)
        close(ours.predict(x, verbose=0), theirs(x).numpy())
        ours.save_weights(tmp_path / "own.h5")      # they are those of Keras 3's hard_sigmoid now
        again = zoo.make(fastrnn, stack)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            again.load_weights(tmp_path / "own.h5")
        zoo.same_bits(again.get_weights(), ours.get_weights())

    def test_an_optimizer_of_default_arguments(self, tmp_path):
        """RMSprop's ema_overwrite_frequency is 100, which nothing reads without use_ema."""
        theirs = zoo.make(tf_keras, "words")
        theirs.compile(tf_keras.optimizers.RMSprop(0.5), "mse")
        theirs.save(tmp_path / "m.h5")
        assert load_model(tmp_path / "m.h5").optimizer.learning_rate == 0.5

    @pytest.mark.parametrize("layer", ["LSTM", "Activation"])
    def test_hard_sigmoid_that_cannot_be_made_up_for(self, layer, tmp_path):
        stack = [tf_keras.Input((6, 3)), tf_keras.layers.LSTM(2, activation="hard_sigmoid")]
        if layer == "Activation":
            stack = [tf_keras.Input((3,)), tf_keras.layers.Dense(2), tf_keras.layers.Activation("hard_sigmoid")]
        tf_keras.Sequential(stack).save(tmp_path / "m.h5")
        with pytest.raises(ModelFileError, match="'hard_sigmoid' of Keras 2 has another slope"):
            load_model(tmp_path / "m.h5")

    def test_input_length(self, tmp_path):
        theirs = tf_keras.Sequential([tf_keras.layers.Embedding(9, 4, input_length=6), tf_keras.layers.LSTM(3)])
        theirs.save(tmp_path / "m.h5")
        ours, x = load_model(tmp_path / "m.h5"), np.arange(6)[None]
        close(ours.predict(x, verbose=0), theirs(x).numpy())
        assert ours.predict(np.arange(8)[None], verbose=0).shape == (1, 3)      # a length, no demand

    @pytest.mark.parametrize("optimizer, suffix", [
        ("adam", ".h5"), ("adam", ".keras"), ("sgd", ".h5"), ("rmsprop", ".keras"), ("momentum", ".h5"),
        ("momentum", ".keras"), ("old adam", ".h5"), ("old rmsprop", ".h5"), ("old sgd", ".h5"),
        ("old adagrad", ".h5"), ("old adadelta", ".h5"), ("old adamax", ".h5"), ("old nadam", ".h5"),
        ("old ftrl", ".h5"), ("adagrad", ".h5"), ("adamax", ".keras"), ("adadelta", ".h5")])
    def test_training_goes_on(self, optimizer, suffix, tmp_path, rng):
        x, y = rng.standard_normal((8, zoo.T, zoo.D)).astype("float32"), rng.integers(0, 2, 8)
        theirs = zoo.make(tf_keras, "LSTM-both-2")
        o = tf_keras.optimizers
        made = {"momentum": lambda: o.SGD(0.05, momentum=0.9), "old adam": lambda: o.legacy.Adam(0.01),
                "old rmsprop": lambda: o.legacy.RMSprop(0.01, momentum=0.3),
                "old sgd": lambda: o.legacy.SGD(0.05, momentum=0.9, decay=0.2),
                "old adagrad": lambda: o.legacy.Adagrad(0.01, decay=0.3),
                "old adadelta": lambda: o.legacy.Adadelta(1.0),
                "old adamax": lambda: o.legacy.Adamax(0.01), "old nadam": lambda: o.legacy.Nadam(0.01),
                "old ftrl": lambda: o.legacy.Ftrl(0.1, l1_regularization_strength=0.01),
                }.get(optimizer, lambda: optimizer)()
        theirs.compile(made, tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        theirs.fit(x, y, epochs=2, shuffle=False, verbose=0)
        theirs.save(tmp_path / f"m{suffix}")
        ours = load_model(tmp_path / f"m{suffix}")
        assert ours.optimizer.iterations == 2
        for _ in range(2):
            expected = theirs.train_on_batch(x, y, return_dict=True, reset_metrics=True)
            got = ours.train_on_batch(x, y, return_dict=True)
            np.testing.assert_allclose([got["loss"], got["accuracy"]], [expected["loss"], expected["accuracy"]],
                                       rtol=1e-5)
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


class TestCuDNN:
    """Layers that only ran on graphics processors, whose weights had cuDNN's layout."""

    @pytest.mark.parametrize("both", [False, True], ids=["forward", "both"])
    @pytest.mark.parametrize("cell", ["LSTM", "GRU"])
    def test_models(self, cell, both, tmp_path, rng):
        def make(layer):
            layer = tf_keras.layers.Bidirectional(layer) if both else layer
            return tf_keras.Sequential([tf_keras.Input((6, 5)), layer, tf_keras.layers.Dense(2)])

        source = make({"LSTM": CuDNNLSTM, "GRU": CuDNNGRU}[cell](3))
        source.set_weights([rng.uniform(-1, 1, w.shape) for w in source.get_weights()])
        source.save(tmp_path / "m.h5")
        source.save_weights(tmp_path / "w.h5")
        # Keras 2 itself turns the weights into those of the layers that run anywhere.
        theirs = make(getattr(tf_keras.layers, cell)(3))
        theirs.load_weights(tmp_path / "w.h5")
        ours = load_model(tmp_path / "m.h5")
        zoo.same_bits(ours.get_weights(), theirs.get_weights())
        x = rng.standard_normal((4, 6, 5)).astype("float32")
        close(ours.predict(x, verbose=0), theirs(x).numpy())
        ours.set_weights([w * 0 for w in ours.get_weights()])
        ours.load_weights(tmp_path / "w.h5")
        zoo.same_bits(ours.get_weights(), theirs.get_weights())


class TestWeights:
    @pytest.mark.parametrize("name", ["m.h5", "m.weights.h5", "older.weights.h5"])
    @pytest.mark.parametrize("stack", PLAIN)
    def test_from_keras_2(self, stack, name, tmp_path):
        theirs, ours = zoo.make(tf_keras, stack), zoo.make(fastrnn, stack)
        if name == "older.weights.h5":      # before 2.12 that name meant the older format
            theirs.save_weights(tmp_path / "m.h5")
            (tmp_path / "m.h5").rename(tmp_path / name)
        else:
            theirs.save_weights(tmp_path / name)
        ours.set_weights([w * 0 for w in ours.get_weights()])
        ours.load_weights(tmp_path / name)
        zoo.same_bits(ours.get_weights(), theirs.get_weights())

    @pytest.mark.parametrize("stack", PLAIN)
    def test_to_keras_2(self, stack, tmp_path):
        theirs, ours = zoo.make(tf_keras, stack), zoo.make(fastrnn, stack)
        ours.save_weights(tmp_path / "m.h5")
        theirs.set_weights([w * 0 for w in theirs.get_weights()])
        theirs.load_weights(tmp_path / "m.h5")
        zoo.same_bits(ours.get_weights(), theirs.get_weights())


#: In Keras 1's order, and in today's.
GATES = {"LSTM": ("i", "c", "f", "o"), "GRU": ("z", "r", "h")}
TODAY = {"LSTM": ("i", "f", "c", "o"), "GRU": ("z", "r", "h")}


class TestKeras1:
    """No Keras 1 runs any more; its files are written here as its documentation has them."""

    @staticmethod
    def write(path, layers: list[tuple[str, dict, dict[str, np.ndarray]]]) -> None:
        with h5py.File(path, "w") as file:
            config = [{"class_name": kind, "config": {"name": f"{kind.lower()}_{i}", "trainable": True, **config}}
                      for i, (kind, config, _) in enumerate(layers)]
            file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config}).encode()
            weights = file.create_group("model_weights")
            weights.attrs["layer_names"] = [entry["config"]["name"].encode() for entry in config]
            for entry, (_, _, arrays) in zip(config, layers, strict=True):
                group = weights.create_group(entry["config"]["name"])
                names = [f"{entry['config']['name']}_{name}" for name in arrays]
                group.attrs["weight_names"] = [name.encode() for name in names]
                for name, array in zip(names, arrays.values(), strict=True):
                    group[name] = array

    @pytest.mark.parametrize("cell", ["LSTM", "GRU"])
    def test_gates_apart(self, cell, tmp_path, rng):
        n, d = 3, 4
        kinds = {"W": (d, n), "U": (n, n), "b": (n,)}
        arrays = {f"{kind}_{gate}": rng.uniform(-0.5, 0.5, shape).astype("float32")
                  for gate in GATES[cell] for kind, shape in kinds.items()}
        dense = {"W": rng.standard_normal((n, 2)).astype("float32"), "b": np.ones(2, "float32")}
        self.write(tmp_path / "m.h5", [
            (cell, {"output_dim": n, "input_dim": d, "input_length": None, "batch_input_shape": [None, None, d],
                    "init": "glorot_uniform", "inner_init": "orthogonal", "activation": "tanh",
                    "inner_activation": "sigmoid", "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.1},
                    "U_regularizer": None, "b_regularizer": None, "dropout_W": 0.0, "dropout_U": 0.1,
                    "return_sequences": False, "go_backwards": False, "stateful": False, "unroll": False,
                    "consume_less": "cpu", **({"forget_bias_init": "one"} if cell == "LSTM" else {})}, arrays),
            ("Dropout", {"p": 0.4}, {}),
            ("Dense", {"output_dim": 2, "input_dim": None, "init": "uniform", "activation": "linear", "bias": True,
                       "W_regularizer": None, "b_regularizer": None, "activity_regularizer": None,
                       "W_constraint": None, "b_constraint": None}, dense),
        ])
        model = load_model(tmp_path / "m.h5")
        layer = model.layers[0]
        for kind, weight in zip("WUb", layer.get_weights(), strict=True):
            parts = [arrays[f"{kind}_{gate}"] for gate in TODAY[cell]]
            zoo.same_bits([weight], [np.concatenate(parts, -1)])
        zoo.same_bits(model.layers[2].get_weights(), list(dense.values()))
        assert (layer.recurrent_dropout, layer.kernel_regularizer.l2, model.layers[1].rate) == (0.1, 0.1, 0.4)
        assert cell == "LSTM" or not layer.reset_after

    def test_one_kernel_for_all(self, tmp_path, rng):
        arrays = {name: rng.standard_normal(shape).astype("float32")
                  for name, shape in {"W": (4, 3), "U": (3, 3), "b": (3,)}.items()}
        table = {"W": rng.standard_normal((9, 4)).astype("float32")}
        self.write(tmp_path / "m.h5", [
            ("Embedding", {"input_dim": 9, "output_dim": 4, "input_length": 6, "batch_input_shape": [None, 6],
                           "init": "uniform", "mask_zero": False, "dropout": 0.0, "W_regularizer": None,
                           "activity_regularizer": None, "W_constraint": None, "input_dtype": "int32"}, table),
            ("SimpleRNN", {"output_dim": 3, "init": "glorot_uniform", "inner_init": "orthogonal", "activation": "tanh",
                           "W_regularizer": None, "U_regularizer": None, "b_regularizer": None, "dropout_W": 0.0,
                           "dropout_U": 0.0, "return_sequences": False, "input_dim": 4}, arrays)])
        model = load_model(tmp_path / "m.h5")
        zoo.same_bits(model.get_weights(), [*table.values(), *arrays.values()])


#: Graphs that tf-keras makes, too, in files that both versions read.
GRAPHS = ["shared-layer", "siamese", "one-layer-over-its-own-output", "shared-model", "masked-shared-embedding",
          "shared-bidirectional", "encoder-decoder", "states-as-outputs", "states-as-inputs", "two-outputs",
          "dictionaries", "words-and-numbers", "read-by-two-depths", "time-distributed-model", "deep-models",
          "model-of-two-inputs-inside", "residual", "slices", "gate", "arithmetic", "concatenated-twice"]


def eager(model, xs: list[np.ndarray]) -> list[np.ndarray]:
    """A model's outputs, without its being compiled."""
    return [np.asarray(y) for y in graph_zoo.flat(model(graph_zoo.given(model, xs)))]


class TestGraphs:
    @pytest.mark.parametrize("name", GRAPHS)
    def test_the_same(self, name, tmp_path):
        theirs = graph_zoo.make(tf_keras, name)
        xs = graph_zoo.inputs(theirs)
        theirs.save(tmp_path / "m.h5")
        ours = load_model(tmp_path / "m.h5")
        zoo.same_bits(ours.get_weights(), theirs.get_weights())
        for got, expected in zip(graph_zoo.outputs(ours, xs), eager(theirs, xs), strict=True):
            close(got, expected)
        again = fastrnn.models.model_from_json(theirs.to_json())
        assert [layer.name for layer in again.layers] == [layer.name for layer in ours.layers]

    @pytest.mark.parametrize("name", ["shared-layer", "one-layer-over-its-own-output", "two-outputs", "dictionaries",
                                      "words-and-numbers", "read-by-two-depths", "concatenated-twice"])
    def test_files_for_keras_2(self, name, tmp_path):
        """It reads ours where no operator, and no state or output of a model, is what a layer is called on."""
        ours = graph_zoo.make(fastrnn, name)
        ours.save(tmp_path / "m.h5")
        theirs = tf_keras.models.load_model(tmp_path / "m.h5")
        zoo.same_bits(theirs.get_weights(), ours.get_weights())
        xs = graph_zoo.inputs(ours)
        for got, expected in zip(eager(theirs, xs), graph_zoo.outputs(ours, xs), strict=True):
            close(got, expected)

    def test_a_function_that_fastrnn_has_not(self, tmp_path):
        x = tf_keras.Input((4, 3))
        tf_keras.Model(x, tf_keras.layers.Dense(2)(tf.math.cumsum(x))).save(tmp_path / "m.h5")
        with pytest.raises(ModelFileError, match="'TFOpLambda': fastrnn has no layer of this name"):
            load_model(tmp_path / "m.h5")
