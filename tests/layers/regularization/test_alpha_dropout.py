# SPDX-License-Identifier: Apache-2.0
"""AlphaDropout and SpatialDropout2D: what they keep, and what they share."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from fastrnn.layers import AlphaDropout, SpatialDropout2D


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_alpha_dropout_keeps_mean_and_variance(rate, rng):
    x = rng.standard_normal((400, 500))
    y = AlphaDropout(rate, seed=1)(x, training=True)
    assert abs(y.mean()) < 0.02 and abs(y.var() - 1) < 0.03
    values, counts = np.unique(y, return_counts=True)
    assert abs(counts.max() / x.size - rate) < 0.01     # what was dropped has one value
    theirs = np.asarray(keras.layers.AlphaDropout(rate, seed=1)(x, training=True))
    kept, dropped = np.unique(theirs, return_counts=True)
    np.testing.assert_allclose(values[counts.argmax()], kept[dropped.argmax()], rtol=1e-5)


def test_alpha_dropout_does_nothing_in_inference_and_at_rate_0(rng):
    x = rng.standard_normal((4, 5)).astype("float32")
    np.testing.assert_array_equal(AlphaDropout(0.5)(x), x)
    np.testing.assert_array_equal(AlphaDropout(0)(x, training=True), x)
    with pytest.raises(ValueError, match="AlphaDropout 'n' rate: expected a fraction below 1"):
        AlphaDropout(1, name="n")


def test_spatial_dropout_2d_drops_channels():
    ones = np.ones((3, 4, 5, 6), "float32")
    y = SpatialDropout2D(0.5, seed=1)(ones, training=True)
    assert (y == y[:, :1, :1]).all() and set(np.unique(y)) == {0, 2}
    y = SpatialDropout2D(0.5, "channels_first", seed=1)(ones, training=True)
    assert (y == y[:, :, :1, :1]).all() and set(np.unique(y)) == {0, 2}
    with pytest.raises(ValueError, match="SpatialDropout2D data_format: expected"):
        SpatialDropout2D(0.5, "rows_first")
    with pytest.raises(ValueError, match=r"'n': expected input \(batch, rows, columns, channels\), got \(2, 3, 4\)"):
        SpatialDropout2D(0.5, name="n")(np.ones((2, 3, 4)))
    theirs = keras.layers.SpatialDropout2D(0.5, name="n").get_config()
    own = SpatialDropout2D(0.5, name="n").get_config()
    assert {key: own[key] for key in own.keys() & theirs.keys() - {"dtype"}} == {
        key: theirs[key] for key in own.keys() & theirs.keys() - {"dtype"}}
    assert SpatialDropout2D.from_config(theirs).data_format == "channels_last"
