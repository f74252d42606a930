# SPDX-License-Identifier: Apache-2.0
"""Graphs from Keras to fastrnn and back, in each of Keras's formats: the same weights, bit for bit, and predictions."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.layers.table import is_operation
from fastrnn.saving import load_model
from tests.saving import graph_zoo, zoo


def close(first: list[np.ndarray], second: list[np.ndarray]) -> None:
    for a, b in zip(first, second, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", graph_zoo.GRAPHS)
class TestGraphs:
    def test_there_and_back(self, name, tmp_path):
        theirs = graph_zoo.make(keras, name)
        x = graph_zoo.inputs(theirs)
        expected = graph_zoo.outputs(theirs, x)
        theirs.save(tmp_path / "a.keras")
        ours = load_model(tmp_path / "a.keras")
        zoo.same_bits(ours.get_weights(), theirs.get_weights())
        close(graph_zoo.outputs(ours, x), expected)
        assert [layer.name for layer in ours.layers if not is_operation(layer)] == [
            layer.name for layer in theirs.layers]
        ours.save(tmp_path / "b.keras")
        back = keras.saving.load_model(tmp_path / "b.keras")
        zoo.same_bits(back.get_weights(), theirs.get_weights())
        close(graph_zoo.outputs(back, x), expected)

    def test_legacy_files(self, name, tmp_path):
        """Keras cannot read its own `.h5` files of operators; ours it can, but for an Ellipsis, which it cannot write
        either."""
        theirs = graph_zoo.make(keras, name)
        suffix = ".keras" if name == "slices" else ".h5"
        theirs.save(tmp_path / f"a{suffix}")
        ours = load_model(tmp_path / f"a{suffix}")
        zoo.same_bits(ours.get_weights(), theirs.get_weights())
        ours.save(tmp_path / "b.h5")
        if name == "slices":
            zoo.same_bits(load_model(tmp_path / "b.h5").get_weights(), theirs.get_weights())
            return
        back = keras.saving.load_model(tmp_path / "b.h5")
        zoo.same_bits(back.get_weights(), theirs.get_weights())
        x = graph_zoo.inputs(theirs)
        close(graph_zoo.outputs(ours, x), graph_zoo.outputs(back, x))

    def test_weights_alone(self, name, tmp_path):
        ours, theirs = graph_zoo.make(fastrnn, name), graph_zoo.make(keras, name)
        theirs.set_weights([w * 0 for w in theirs.get_weights()])
        for suffix in (".weights.h5", ".h5"):
            ours.save_weights(tmp_path / f"m{suffix}")
            theirs.load_weights(tmp_path / f"m{suffix}")
            zoo.same_bits(theirs.get_weights(), ours.get_weights())
            theirs.set_weights([w * 0 for w in theirs.get_weights()])
            theirs.save_weights(tmp_path / "z.weights.h5")
            again = fastrnn.models.clone_model(ours)
            again.load_weights(tmp_path / "z.weights.h5")
            zoo.same_bits(again.get_weights(), theirs.get_weights())

    def test_json(self, name, tmp_path):
        """A text without weights says the same graph in both."""
        theirs = graph_zoo.make(keras, name)
        ours = fastrnn.models.model_from_json(theirs.to_json())
        ours.set_weights(theirs.get_weights())
        back = keras.models.model_from_json(ours.to_json())
        back.set_weights(ours.get_weights())
        x = graph_zoo.inputs(theirs)
        close(graph_zoo.outputs(ours, x), graph_zoo.outputs(back, x))
