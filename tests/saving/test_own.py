# SPDX-License-Identifier: Apache-2.0
"""The user's own layers and models in files, and what is said of those that cannot be there."""

from __future__ import annotations

import numpy as np
import pytest

import fastrnn
from fastrnn.saving import load_model
from tests.saving import own_zoo as zoo

NAMES = ["functional", "sequential", "subclassed"]


def data():
    return np.random.default_rng(0).standard_normal((3, 5, 4)).astype("float32")


@pytest.mark.parametrize("suffix", [".safetensors", ".keras", ".h5"])
@pytest.mark.parametrize("name", NAMES)
def test_whole_models(name, suffix, tmp_path):
    model, classes = zoo.make(fastrnn, name)
    model.save(tmp_path / f"m{suffix}")
    loaded = load_model(tmp_path / f"m{suffix}", custom_objects=classes)
    np.testing.assert_array_equal(loaded(data()), model(data()))
    with pytest.raises(fastrnn.saving.ModelFileError, match="custom_objects"):
        load_model(tmp_path / f"m{suffix}")
    with fastrnn.utils.CustomObjectScope(classes):
        np.testing.assert_array_equal(load_model(tmp_path / f"m{suffix}")(data()), model(data()))


@pytest.mark.parametrize("suffix", [".safetensors", ".weights.h5", ".h5"])
@pytest.mark.parametrize("name", NAMES)
def test_weights_alone(name, suffix, tmp_path):
    (model, _), (other, _) = zoo.make(fastrnn, name), zoo.make(fastrnn, name)
    model.save_weights(tmp_path / f"m{suffix}")
    other.load_weights(tmp_path / f"m{suffix}")
    np.testing.assert_array_equal(other(data()), model(data()))


def test_summary_of_a_subclassed_model_lists_its_layers():
    model, _ = zoo.make(fastrnn, "subclassed")
    texts: list[str] = []
    model.summary(print_fn=texts.append)
    for layer in model.layers:
        assert f"{layer.name} ({type(layer).__name__})" in texts[0]
    assert model.get_layer(model.layers[0].name) is model.layers[0]


def test_a_model_whose_arguments_are_not_said_cannot_be_saved_whole(tmp_path):
    class Needs(fastrnn.Model):
        def __init__(self, units):
            super().__init__()
            self.dense = fastrnn.layers.Dense(units)

        def call(self, x):
            return self.dense(x)

    model = Needs(3)
    model.build((None, 2))
    with pytest.raises(ValueError, match="cannot be saved whole"):
        model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    assert not (tmp_path / "m.keras").exists()


def test_losses_metrics_and_activations_of_the_users_own(tmp_path):
    def cubed(y, p):
        return fastrnn.ops.mean(fastrnn.ops.abs(y - p) ** 3, axis=-1)

    def bent(x):
        return fastrnn.ops.tanh(x) * 2

    def make():
        model = fastrnn.Sequential([fastrnn.Input((4,)), fastrnn.layers.Dense(2, activation=bent)])
        model.compile("sgd", cubed, metrics=[cubed])
        return model

    model = make()
    x, y = np.ones((3, 4), "float32"), np.zeros((3, 2), "float32")
    model.save(tmp_path / "m.keras")
    loaded = load_model(tmp_path / "m.keras", custom_objects={"cubed": cubed, "bent": bent})
    assert loaded.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    with pytest.raises(fastrnn.saving.ModelFileError, match="cubed.*compile=False"):
        load_model(tmp_path / "m.keras", custom_objects={"bent": bent})
    assert not load_model(tmp_path / "m.keras", custom_objects={"bent": bent}, compile=False).compiled
    with pytest.raises(fastrnn.saving.ModelFileError, match="bent"):
        load_model(tmp_path / "m.keras")


def test_penalties_on_outputs_are_kept(tmp_path):
    x = fastrnn.Input((4,))
    model = fastrnn.Model(x, fastrnn.layers.Dense(2, activity_regularizer="l2")(x))
    model.compile("sgd", "mse")
    xs, y = np.ones((3, 4), "float32"), np.zeros((3, 2), "float32")
    model.save(tmp_path / "m.keras")
    assert load_model(tmp_path / "m.keras").evaluate(xs, y, verbose=0) == model.evaluate(xs, y, verbose=0)
