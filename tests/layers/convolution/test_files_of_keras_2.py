# SPDX-License-Identifier: Apache-2.0
"""Convolutions and pooling in files of Keras 2, made by the installed tf-keras."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import pytest

if sys.platform == "darwin" or sys.version_info >= (3, 14):
    pytest.skip("there is no TensorFlow for this system (see pyproject.toml)", allow_module_level=True)

import tf_keras

from fastrnn.saving import ModelFileError, load_model


def sequences(library: Any, activation: str) -> Any:
    names = library.layers
    return library.Sequential([
        library.Input((24, 3)), names.Conv1D(6, 3, padding="causal", activation=activation), names.MaxPooling1D(2),
        names.SeparableConv1D(8, 3, activation="relu"), names.DepthwiseConv1D(2, depth_multiplier=2),
        names.ZeroPadding1D(1), names.UpSampling1D(2), names.AveragePooling1D(3, 2, "same"),
        names.Conv1DTranspose(4, 3, 2), names.GRU(4, return_sequences=True), names.GlobalAveragePooling1D(),
        names.Dense(2)])  # fmt: skip


def images(library: Any, activation: str) -> Any:
    names = library.layers
    return library.Sequential([
        library.Input((12, 10, 1)), names.ZeroPadding2D(((1, 0), (2, 1))),
        names.Conv2D(4, (3, 2), (2, 1), activation=activation), names.UpSampling2D((2, 1)),
        names.AveragePooling2D((2, 3)), names.Conv2D(6, 2, padding="same"), names.MaxPooling2D((2, 1)),
        names.GlobalMaxPooling2D(), names.Dense(2)])  # fmt: skip


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("activation", ["relu", "hard_sigmoid"])
@pytest.mark.parametrize("make", [sequences, images])
def test_the_same(make, activation, suffix, tmp_path, rng):
    """With its hard_sigmoid, too, whose slope is another than Keras 3's: the weights make up for it."""
    theirs = make(tf_keras, activation)
    theirs.set_weights([rng.uniform(-0.7, 0.7, w.shape) for w in theirs.get_weights()])
    theirs.save(tmp_path / f"m{suffix}")
    with warnings.catch_warnings(record=True) as shown:
        ours = load_model(tmp_path / f"m{suffix}")
    assert any("1.2 times steeper" in str(one.message) for one in shown) == (activation == "hard_sigmoid")
    x = 2 * rng.standard_normal((3, *theirs.input_shape[1:])).astype("float32")
    np.testing.assert_allclose(ours.predict(x, verbose=0), theirs(x).numpy(), rtol=0, atol=3e-6)


def test_two_kernels_before_a_hard_sigmoid(tmp_path):
    names = tf_keras.layers
    tf_keras.Sequential([tf_keras.Input((9, 2)), names.SeparableConv1D(3, 2, activation="hard_sigmoid"),
                         names.LSTM(2)]).save(tmp_path / "m.h5")  # fmt: skip
    with pytest.raises(ModelFileError, match="SeparableConv1D .*'hard_sigmoid' of Keras 2 .* two kernels"):
        load_model(tmp_path / "m.h5")
