# SPDX-License-Identifier: Apache-2.0
"""The words of Keras 1 and 2: modules, names, keywords, methods."""

from __future__ import annotations

import importlib
import inspect
import itertools

import numpy as np
import pytest

import fastrnn
from fastrnn import layers, models, regularizers, spellings, utils
from fastrnn.layers import Dense, Embedding, Input

ROOT = "fastrnn."


@pytest.mark.parametrize("path", spellings.MODULES)
def test_modules(path):
    module = importlib.import_module(ROOT + path)
    assert importlib.import_module(ROOT + path) is module
    for home in spellings.MODULES[path]:
        there = importlib.import_module(ROOT + home)
        for name in there.__all__:
            found = getattr(module, name)
            others = (getattr(importlib.import_module(ROOT + one), name, None) for one in spellings.MODULES[path])
            assert found is getattr(there, name) or inspect.ismodule(found) or any(found is other for other in others)
    with pytest.raises(ImportError, match="Nothing"):
        exec(f"from {ROOT}{path} import Nothing")
    reached = fastrnn
    for part in path.split("."):
        reached = getattr(reached, part)
    assert reached is module


def test_ways_to_import():
    space: dict = {}
    exec("import fastrnn as keras\nfrom fastrnn.layers.core import Dense, Dropout, Activation\n"
         "from fastrnn.layers.recurrent import LSTM, SimpleRNN\nfrom fastrnn.layers.embeddings import Embedding\n"
         "from fastrnn.layers.wrappers import TimeDistributed\nfrom fastrnn.utils import np_utils\n"
         "import fastrnn.engine.topology as topology\nfrom fastrnn.layers import merge\n", space)
    assert space["Dense"] is layers.Dense and space["LSTM"] is layers.LSTM and space["Embedding"] is layers.Embedding
    assert space["np_utils"].to_categorical is utils.to_categorical is fastrnn.utils.np_utils.to_categorical
    assert space["topology"].Layer is layers.Layer and space["topology"].Model is models.Model
    everything: dict = {}
    exec("from fastrnn.layers.core import *\nfrom fastrnn.layers.noise import *\n"
         "from fastrnn.engine import *", everything)
    assert everything["Dropout"] is layers.Dropout and everything["Model"] is models.Model


def test_modules_that_are_none():
    with pytest.raises(ModuleNotFoundError, match="fastrnn.layers.nothing"):
        importlib.import_module("fastrnn.layers.nothing")
    with pytest.raises(AttributeError, match=r"'fastrnn.layers.embeddings' has no attribute 'Embeding' .did you mean"):
        _ = fastrnn.layers.embeddings.Embeding


@pytest.mark.parametrize(("module", "name", "now"), [
    (module, name, now) for module, names in spellings.NAMES.items() for name, now in names.items()])
def test_names(module, name, now):
    where, _, what = now.rpartition(":")
    there = getattr(importlib.import_module(ROOT + (where or module)), what, None)
    home = importlib.import_module(ROOT + module)
    if there is None:       # a layer that there is not: the error names the older one
        with pytest.raises(AttributeError, match=name):
            getattr(home, name)
    else:
        assert getattr(home, name) is there


def test_names_stand_for_what_they_stood_for():
    assert regularizers.l2(0.5).l2 == 0.5 and regularizers.l1l2(l1=0.25, l2=0.5).l1 == 0.25
    assert fastrnn.constraints.maxnorm(2).max_value == 2
    assert isinstance(fastrnn.optimizers.rmsprop(0.5), fastrnn.optimizers.RMSprop)
    assert isinstance(fastrnn.optimizers.adam(), fastrnn.optimizers.Adam)


#: What Keras 1 called the arguments, and what is the same today.
SAME = {
    "Dense": ({"output_dim": 3, "init": "uniform", "W_regularizer": "l2", "b_regularizer": "l1", "bias": False},
              {"units": 3, "kernel_initializer": "uniform", "kernel_regularizer": "l2", "bias_regularizer": "l1",
               "use_bias": False}),
    "LSTM": ({"output_dim": 3, "inner_init": "identity", "inner_activation": "hard_sigmoid", "forget_bias_init": "zero",
              "dropout_W": 0.1, "dropout_U": 0.2, "U_regularizer": "l2", "consume_less": "gpu", "input_dim": 4,
              "input_length": 5},
             {"units": 3, "recurrent_initializer": "identity", "recurrent_activation": "hard_sigmoid",
              "unit_forget_bias": False, "dropout": 0.1, "recurrent_dropout": 0.2, "recurrent_regularizer": "l2",
              "input_shape": (5, 4)}),
    "GRU": ({"output_dim": 3, "inner_activation": "tanh"}, {"units": 3, "recurrent_activation": "tanh"}),
    "Embedding": ({"input_dim": 9, "output_dim": 2, "init": "normal", "W_constraint": "non_neg"},
                  {"input_dim": 9, "output_dim": 2, "embeddings_initializer": "normal",
                   "embeddings_constraint": "non_neg"}),
    "Dropout": ({"p": 0.5}, {"rate": 0.5}),
    "GaussianNoise": ({"sigma": 0.5}, {"stddev": 0.5}),
    "LeakyReLU": ({"alpha": 0.5}, {"negative_slope": 0.5}),
}  # fmt: skip


@pytest.mark.parametrize(("name", "older", "now"), [(name, *both) for name, both in SAME.items()], ids=SAME)
def test_keywords_of_layers(name, older, now):
    cls = getattr(layers, name)
    assert cls(**older, name="a").get_config() == cls(**now, name="a").get_config()


@pytest.mark.parametrize("name", [name for name in spellings.KEYWORDS if hasattr(layers, name)])
def test_keywords_of_the_table_are_taken(name):
    parameters = {parameter for base in getattr(layers, name).__mro__
                  for parameter in inspect.signature(base.__init__).parameters}
    for older, now in spellings.KEYWORDS[name].items():
        assert now in parameters, f"{name}: {older}"


def test_keywords_that_do_not_go_together():
    with pytest.raises(TypeError, match="Dense: got 'output_dim', and 'units', which is the same"):
        Dense(output_dim=3, units=3)
    with pytest.raises(ValueError, match="LSTM forget_bias_init: expected one of 'one', 'ones', 'zero', 'zeros', got"):
        layers.LSTM(3, forget_bias_init="normal")
    with pytest.raises(TypeError, match=r"'W_regulariser'"):
        Dense(3, W_regulariser="l2")


def test_a_subclass_takes_them_too():
    class Mine(layers.LSTM):
        def __init__(self, **kwargs):
            super().__init__(output_dim=3, **kwargs)

    assert Mine(inner_activation="tanh").units == 3


def model() -> fastrnn.Sequential:
    made = fastrnn.Sequential([Input((3,)), Dense(2, activation="softmax")])
    made.compile("sgd", "sparse_categorical_crossentropy", sample_weight_mode="temporal")
    return made


x = np.random.default_rng(0).standard_normal((12, 3)).astype("float32")
y = np.arange(12) % 2


def batches():
    for i in itertools.cycle(range(3)):
        yield x[4 * i : 4 * i + 4], y[4 * i : 4 * i + 4]


def test_methods_of_models():
    one, two = model(), model()
    two.set_weights(one.get_weights())
    older = one.fit_generator(batches(), samples_per_epoch=12, nb_epoch=3, verbose=0, nb_worker=2, max_q_size=3,
                              validation_data=batches(), nb_val_samples=3, pickle_safe=True)
    now = two.fit(batches(), steps_per_epoch=3, epochs=3, verbose=0, validation_data=batches(), validation_steps=3)
    assert older.history == now.history and len(older.epoch) == 3
    assert one.evaluate_generator(batches(), 3, workers=4) == one.evaluate(x, y, batch_size=4, verbose=0)
    np.testing.assert_array_equal(one.predict_generator(batches(), steps=3), one.predict(x, verbose=0))
    np.testing.assert_array_equal(one.predict_proba(x), one.predict(x, verbose=0))
    classes = one.predict_classes(x)
    assert classes.shape == (12,) and (classes == one.predict(x, verbose=0).argmax(1)).all()


def test_classes_of_one_unit():
    made = fastrnn.Sequential([Input((3,)), Dense(1, activation="sigmoid")])
    classes = made.predict_classes(x)
    assert classes.dtype == np.int32 and classes.shape == (12, 1)
    np.testing.assert_array_equal(classes, made.predict(x, verbose=0) > 0.5)


@pytest.mark.parametrize("source", [lambda: batches(), lambda: utils.Dataset(lambda: batches()), lambda: Indexed()])
def test_samples_per_epoch_counts_samples(source):
    made, seen = model(), []
    made.fit_generator(source(), samples_per_epoch=10, verbose=0, shuffle=False, callbacks=[
        fastrnn.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))])
    assert seen == [0, 1, 2]


class Indexed(utils.Sequence):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return [x[4 * index : 4 * index + 4]], y[4 * index : 4 * index + 4]


def test_keywords_of_methods():
    made = model()
    assert len(made.fit(x, y, nb_epoch=2, verbose=0, workers=4, use_multiprocessing=True, max_queue_size=2).epoch) == 2
    assert made.predict(x, verbose=0, workers=1).shape == (12, 2)
    for call, message in ((lambda: made.fit(x, y, epoch=2), r"fit: unknown keyword 'epoch' .did you mean 'epochs'"),
                          (lambda: made.evaluate(x, y, sample_weights=y), "did you mean 'sample_weight'"),
                          (lambda: made.predict(x, batchsize=2), "did you mean 'batch_size'"),
                          (lambda: made.compile(optimiser="sgd"), "did you mean 'optimizer'"),
                          (lambda: made.fit(x, y, nb_epoch=2, epochs=2), "got 'nb_epoch', and 'epochs'"),
                          (lambda: made.fit_generator(batches(), step_per_epoch=2), "did you mean 'steps_per_epoch'")):
        with pytest.raises(TypeError, match=message):
            call()


@pytest.mark.parametrize(("mode", "layer"), [("sum", layers.Add), ("mul", layers.Multiply), ("ave", layers.Average),
                                             ("max", layers.Maximum), ("concat", layers.Concatenate),
                                             ("dot", layers.Dot)])
def test_merge_has_a_mode(mode, layer):
    a, b = Input((3,)), Input((3,))
    for merged in layers.merge([a, b], mode=mode), layers.Merge(mode=mode)([a, b]):
        assert isinstance(merged.node.layer, layer)
    made = fastrnn.Model(input=[a, b], output=layers.merge([a, b], mode=mode, name="both"))
    found = made.predict([x, 2 * x], verbose=0)
    expected = {"sum": 3 * x, "mul": 2 * x * x, "ave": 1.5 * x, "max": np.maximum(x, 2 * x),
                "concat": np.concatenate([x, 2 * x], 1), "dot": 2 * (x * x).sum(1, keepdims=True)}[mode]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_merge_refuses():
    a, b = Input((3,)), Input((3,))
    with pytest.raises(ValueError, match="expected mode to be one of 'ave'.*got 'cos'; use dot.normalize=True"):
        layers.merge([a, b], mode="cos")
    with pytest.raises(ValueError, match="a Sequential of several inputs is not supported; call Concatenate"):
        layers.Merge([model(), model()], mode="concat")


def test_signatures_stay_as_they_are():
    """An editor, and `did_you_mean`, see the arguments of today."""
    assert list(inspect.signature(Dense).parameters)[:3] == ["units", "activation", "use_bias"]
    assert "nb_epoch" not in inspect.signature(fastrnn.Model.fit).parameters
    assert list(inspect.signature(fastrnn.Model.fit).parameters)[:3] == ["self", "x", "y"]
    assert Embedding(4, output_dim=2).output_dim == 2
