# SPDX-License-Identifier: Apache-2.0
"""Wrapper as a base class, Identity, and InputSpec against Keras's."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from fastrnn.layers import LSTM, BatchNormalization, Bidirectional, Dense, Identity, InputSpec, TimeDistributed, Wrapper


class Twice(Wrapper):
    """Two times what the layer inside gives."""

    def forward(self, x, *, call):
        call.kept = x.shape
        return 2 * self.layer.forward(x, call=call.inner("layer"))

    def backward(self, dy, *, call=None):
        return self.layer.backward(2 * dy, call=self.taped(call).of("layer"))


def test_a_wrapper_of_ones_own():
    layer = Twice(Dense(2, kernel_initializer="ones"))
    np.testing.assert_array_equal(layer([[1.0, 2.0]], training=True), [[6, 6]])
    np.testing.assert_array_equal(layer.backward(np.ones((1, 2), "float32")), [[4, 4]])
    np.testing.assert_array_equal(layer.layer.kernel.grad, [[2, 2], [4, 4]])
    again = Twice.from_config(layer.get_config())
    assert again.layer.units == 2 and again.name == layer.name
    with pytest.raises(ValueError, match="Twice layer: expected a layer, got 3"):
        Twice(3)


def test_wrappers_are_wrappers():
    assert isinstance(TimeDistributed(Dense(2)), Wrapper) and isinstance(Bidirectional(LSTM(2)), Wrapper)


def test_setting_trainable_reaches_the_layer_inside(rng):
    layer = TimeDistributed(BatchNormalization())
    x = rng.standard_normal((2, 3, 4)) + 5
    layer(x)
    layer.trainable = False
    before = layer.get_weights()
    layer(x, training=True)
    for one, two in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, two)


def test_identity_gives_whole_numbers_as_they_are():
    assert Identity()(np.arange(3)).dtype.kind == "i"


SPECS = [{"ndim": 3}, {"min_ndim": 2, "max_ndim": 3}, {"shape": (None, 4)}, {"axes": {-1: 4}, "min_ndim": 2},
         {"shape": (None, 4, 1), "allow_last_axis_squeeze": True},
         {"shape": (None, 4), "allow_last_axis_squeeze": True}]
SHAPES = [(None, 4), (2, 4), (None, 3), (None, 5, 4), (None, 4, 1), (None, None), (2,), (1, 2, 3, 4)]


@pytest.mark.parametrize("options", SPECS, ids=str)
def test_input_specs_are_keras(options):
    ours, theirs = InputSpec(**options), keras.layers.InputSpec(**options)
    layer = keras.layers.Layer()
    layer.input_spec = theirs
    for shape in SHAPES:
        try:
            keras.src.layers.input_spec.assert_input_compatibility(theirs, keras.KerasTensor(shape), layer.name)
            fits = True
        except ValueError:
            fits = False
        assert (ours.problem(shape) is None) == fits, shape
    assert InputSpec.from_config(ours.get_config()).get_config() == ours.get_config()


def test_input_specs_that_are_none():
    with pytest.raises(TypeError, match="InputSpec axes: expected a dictionary"):
        InputSpec(axes=3)
    with pytest.raises(TypeError, match="InputSpec shape: expected sizes"):
        InputSpec(shape=3)
    with pytest.raises(ValueError, match="InputSpec axes: expected axes of 2"):
        InputSpec(ndim=2, axes={2: 4})
