# SPDX-License-Identifier: Apache-2.0
"""Models of RNN and cells from Keras 2's files, and in them."""

from __future__ import annotations

import numpy as np
import pytest
import tf_keras

import fastrnn
from fastrnn.saving import load_model
from tests.saving import zoo

T, D = 6, 3


def stack(library, gate: str = "sigmoid"):
    layers = library.layers
    cells = [layers.LSTMCell(4, recurrent_activation=gate), layers.GRUCell(3, recurrent_activation=gate)]
    model = library.Sequential([
        library.Input((T, D)), layers.RNN(layers.SimpleRNNCell(4), return_sequences=True),
        layers.Bidirectional(layers.RNN(layers.GRUCell(3, reset_after=True), return_sequences=True)),
        layers.RNN(cells, return_sequences=True), layers.RNN(layers.StackedRNNCells([layers.LSTMCell(2)])),
        layers.Dense(2)])
    rng = np.random.default_rng(3)
    model.set_weights([rng.uniform(-0.9, 0.9, w.shape).astype(w.dtype) for w in model.get_weights()])
    return model


def inputs() -> np.ndarray:
    return 2 * np.random.default_rng(1).standard_normal((5, T, D)).astype("float32")


def close(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_whole_models(suffix, tmp_path):
    theirs = stack(tf_keras)
    theirs.save(tmp_path / f"m{suffix}")
    ours = load_model(tmp_path / f"m{suffix}")
    zoo.same_bits(ours.get_weights(), theirs.get_weights())
    close(ours.predict(inputs(), verbose=0), theirs(inputs()).numpy())


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_hard_sigmoid(suffix, tmp_path):
    """Keras 2's is steeper, in cells too."""
    theirs = stack(tf_keras, "hard_sigmoid")
    theirs.save(tmp_path / f"m{suffix}")
    with pytest.warns(UserWarning, match="1.2 times steeper in Keras 2"):
        ours = load_model(tmp_path / f"m{suffix}")
    close(ours.predict(inputs(), verbose=0), theirs(inputs()).numpy())


def test_weights_alone(tmp_path):
    theirs, ours = stack(tf_keras), stack(fastrnn)
    expected = ours.get_weights()
    ours.save_weights(tmp_path / "own.h5")
    ours.set_weights([w * 0 for w in expected])
    theirs.save_weights(tmp_path / "m.h5")
    ours.load_weights(tmp_path / "m.h5")
    zoo.same_bits(ours.get_weights(), expected)
    theirs.set_weights([w * 0 for w in expected])
    theirs.load_weights(tmp_path / "own.h5")
    zoo.same_bits(theirs.get_weights(), expected)


def test_our_files_in_keras_2(tmp_path):
    ours = stack(fastrnn)
    ours.save(tmp_path / "m.h5")
    theirs = tf_keras.models.load_model(tmp_path / "m.h5")
    zoo.same_bits(theirs.get_weights(), ours.get_weights())
    close(ours.predict(inputs(), verbose=0), theirs(inputs()).numpy())
