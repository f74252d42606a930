# SPDX-License-Identifier: Apache-2.0
"""CuDNNLSTM and CuDNNGRU: names of Keras 1 and 2 for LSTM and GRU."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.layers import GRU, LSTM, Bidirectional, CuDNNGRU, CuDNNLSTM, Dense
from fastrnn.saving import load_model


@pytest.mark.parametrize(("make", "cls"), [(CuDNNLSTM, LSTM), (CuDNNGRU, GRU)], ids=["LSTM", "GRU"])
def test_they_are_the_layers(make, cls, rng, tmp_path):
    options = {"return_sequences": True, "go_backwards": True, "kernel_initializer": "ones", "input_shape": (None, 4)}
    layer, expected = make(3, name="x", **options), cls(3, name="x", **options)
    assert type(layer) is cls and layer.get_config() == expected.get_config()
    assert layer.activation.name == "tanh" and layer.recurrent_activation.name == "sigmoid"
    model = fastrnn.Sequential([fastrnn.Input((5, 4)), Bidirectional(make(3)), Dense(1)])
    model.save(tmp_path / "m.keras")
    x = rng.standard_normal((2, 5, 4)).astype("float32")
    expected = model.predict(x, verbose=0)
    np.testing.assert_array_equal(load_model(tmp_path / "m.keras").predict(x, verbose=0), expected)
    theirs = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(theirs.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_arguments():
    assert CuDNNGRU(3).reset_after and not CuDNNLSTM(3, unit_forget_bias=False).unit_forget_bias
    for make in CuDNNLSTM, CuDNNGRU:
        with pytest.raises(ValueError, match="time_major is not supported"):
            make(3, time_major=True)
        with pytest.raises(TypeError, match=r"'retrun_state' \(did you mean 'return_state'"):
            make(3, retrun_state=True)
