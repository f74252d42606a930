# SPDX-License-Identifier: Apache-2.0
"""Graphs that fastrnn saves, fastrnn loads: the same bits, names and calls."""

from __future__ import annotations

import numpy as np
import pytest

import fastrnn
from fastrnn.models import clone_model
from fastrnn.saving import inspect, load_model
from tests.saving import graph_zoo, zoo


@pytest.mark.parametrize("suffix", [".safetensors", ".keras", ".h5"])
@pytest.mark.parametrize("name", graph_zoo.GRAPHS)
def test_whole(name, suffix, tmp_path):
    model = graph_zoo.make(fastrnn, name)
    model.save(tmp_path / f"m{suffix}")
    loaded = load_model(tmp_path / f"m{suffix}")
    assert type(loaded) is type(model) and loaded.name == model.name
    zoo.same_bits(loaded.get_weights(), model.get_weights())
    xs = graph_zoo.inputs(model)
    zoo.same_bits(graph_zoo.outputs(loaded, xs), graph_zoo.outputs(model, xs))
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    assert (loaded.input_names, loaded.output_names) == (model.input_names, model.output_names)
    loaded.save(tmp_path / f"again{suffix}")
    assert load_model(tmp_path / f"again{suffix}").to_json() == loaded.to_json()
    assert all(f"'{layer.name}'" in inspect(tmp_path / f"m{suffix}") for layer in model.walk()
               if layer in model.layers)


@pytest.mark.parametrize("suffix", [".safetensors", ".weights.h5", ".h5"])
@pytest.mark.parametrize("name", graph_zoo.GRAPHS)
def test_weights_alone(name, suffix, tmp_path):
    model = graph_zoo.make(fastrnn, name)
    model.save_weights(tmp_path / f"m{suffix}")
    other = clone_model(model)
    other.load_weights(tmp_path / f"m{suffix}")
    zoo.same_bits(other.get_weights(), model.get_weights())


@pytest.mark.parametrize("suffix", [".safetensors", ".keras", ".h5"])
def test_training_goes_on(suffix, tmp_path, rng):
    model = graph_zoo.make(fastrnn, "words-and-numbers")
    xs, y = graph_zoo.inputs(model, 8), rng.standard_normal((8, 1)).astype("float32")
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(xs, y, epochs=2, shuffle=False, verbose=0)
    model.save(tmp_path / f"m{suffix}")
    loaded = load_model(tmp_path / f"m{suffix}")
    assert loaded.optimizer.iterations == model.optimizer.iterations
    for _ in range(2):
        assert loaded.train_on_batch(xs, y) == model.train_on_batch(xs, y)
    zoo.same_bits(loaded.get_weights(), model.get_weights())


def test_mask_that_is_given(tmp_path):
    """An array as the mask of a layer."""
    x, mask = fastrnn.Input((5, 3), name="x"), fastrnn.Input((5,), name="mask")
    model = fastrnn.Model([x, mask], fastrnn.layers.GRU(3)(x, mask=mask > 0.5))
    model.save(tmp_path / "m.keras")
    xs = [np.ones((2, 5, 3), "float32"), np.array([[1, 1, 0, 0, 0], [1, 0, 1, 0, 1]], "float32")]
    zoo.same_bits(graph_zoo.outputs(load_model(tmp_path / "m.keras"), xs), graph_zoo.outputs(model, xs))
