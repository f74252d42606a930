# SPDX-License-Identifier: Apache-2.0
"""The user's own layers and models, from Keras to fastrnn and back: the same class in both."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.saving import load_model
from tests.saving import own_zoo as zoo

NAMES = ["functional", "sequential", "subclassed"]


def data():
    return np.random.default_rng(0).standard_normal((3, 5, 4)).astype("float32")


def initialized(name):
    theirs, objects = zoo.make(keras, name)
    theirs(data())
    theirs.set_weights([np.random.default_rng(i).uniform(-1, 1, w.shape) for i, w in enumerate(theirs.get_weights())])
    return theirs, objects


@pytest.mark.parametrize("name", NAMES)
def test_whole_models(name, tmp_path):
    theirs, their_classes = initialized(name)
    expected = np.asarray(theirs(data()))
    theirs.save(tmp_path / "a.keras")
    _, our_classes = zoo.make(fastrnn, name)
    ours = load_model(tmp_path / "a.keras", custom_objects=our_classes)
    np.testing.assert_allclose(ours(data()), expected, rtol=1e-4, atol=1e-5)
    ours.save(tmp_path / "b.keras")
    back = keras.saving.load_model(tmp_path / "b.keras", custom_objects=their_classes)
    np.testing.assert_allclose(np.asarray(back(data())), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_weights_alone(name, tmp_path):
    theirs, _ = initialized(name)
    ours, _ = zoo.make(fastrnn, name)
    theirs.save_weights(tmp_path / "a.weights.h5")
    ours.load_weights(tmp_path / "a.weights.h5")
    expected = np.asarray(theirs(data()))
    np.testing.assert_allclose(ours(data()), expected, rtol=1e-4, atol=1e-5)
    ours.save_weights(tmp_path / "b.weights.h5")
    theirs.set_weights([w * 0 for w in theirs.get_weights()])
    theirs.load_weights(tmp_path / "b.weights.h5")
    np.testing.assert_allclose(np.asarray(theirs(data())), expected, rtol=1e-4, atol=1e-5)
