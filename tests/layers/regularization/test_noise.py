# SPDX-License-Identifier: Apache-2.0
"""Layers that make noise in training: how much, where, and from which numbers."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn import layers

MAKE = {"GaussianNoise": lambda **options: layers.GaussianNoise(0.3, **options),
        "GaussianDropout": lambda **options: layers.GaussianDropout(0.2, **options),
        "SpatialDropout1D": lambda **options: layers.SpatialDropout1D(0.4, **options)}  # fmt: skip


@pytest.mark.parametrize("name", MAKE)
def test_noise_is_of_training_alone_and_repeats_with_a_seed(name):
    x = np.ones((2, 5, 3), "float32")
    one, two, other = MAKE[name](seed=1), MAKE[name](seed=1), MAKE[name](seed=2)
    np.testing.assert_array_equal(one(x), x)
    first, second = one(x, training=True), one(x, training=True)
    assert (first != second).any() and (first != other(x, training=True)).any()
    np.testing.assert_array_equal(two(x, training=True), first)
    drawn = []
    for _ in range(2):
        fastrnn.runtime.set_seed(3)
        drawn.append(MAKE[name]()(x, training=True))
    np.testing.assert_array_equal(*drawn)


@pytest.mark.parametrize(("name", "mean", "deviation"), [
    ("GaussianNoise", 2, 0.3), ("GaussianDropout", 2, 2 * np.sqrt(0.2 / 0.8)),
    ("SpatialDropout1D", 2, 2 * np.sqrt(0.4 / 0.6))])
def test_how_much(name, mean, deviation):
    """Within five standard errors, of features that are apart."""
    y = MAKE[name](seed=1)(np.full((400, 2, 50), 2.0), training=True)[:, 0].astype("float64")
    assert abs(y.mean() - mean) < 5 * deviation / np.sqrt(y.size)
    assert abs(y.std() - deviation) < 5 * deviation / np.sqrt(y.size)


def test_features_are_dropped_in_all_steps():
    layer, x = layers.SpatialDropout1D(0.5, seed=1), np.random.default_rng(0).standard_normal((8, 6, 10))
    y = layer(x, training=True)
    dropped = y == 0
    assert 0 < dropped[:, 0].sum() < 80
    np.testing.assert_array_equal(dropped, np.broadcast_to(dropped[:, :1], dropped.shape))
    np.testing.assert_array_equal(layer.backward(np.ones(x.shape)), np.where(dropped, 0, 2))
    with pytest.raises(ValueError, match=r"SpatialDropout1D '.*': expected input \(batch, time, features\), got"):
        layer(np.ones((2, 3)))


@pytest.mark.parametrize(("make", "argument"), [
    (lambda: layers.GaussianNoise(1.5), "stddev"), (lambda: layers.GaussianNoise(-0.1), "stddev"),
    (lambda: layers.GaussianDropout(1.0), "rate"), (lambda: layers.GaussianDropout(-1), "rate"),
    (lambda: layers.SpatialDropout1D(2), "rate")])
def test_arguments_that_are_none_are_refused(make, argument):
    with pytest.raises(ValueError, match=rf"{argument}: expected a (number|fraction)"):
        make()


@pytest.mark.parametrize("name", MAKE)
def test_configurations_are_keras(name):
    ours = MAKE[name](name="here", seed=4).get_config()
    theirs = type(getattr(keras.layers, name)(0.1)).from_config(ours).get_config()
    assert {key: theirs[key] for key in theirs if key != "dtype"} == {
        key: ours[key] for key in theirs if key != "dtype"}
