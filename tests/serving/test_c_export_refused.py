# SPDX-License-Identifier: Apache-2.0
"""Models that cannot be C: the error names the layer and the reason, and nothing is written."""

from __future__ import annotations

import os

import numpy as np
import pytest

from fastrnn import Input, Model, Sequential
from fastrnn.layers import (
    LSTM,
    Activation,
    Add,
    AveragePooling1D,
    Bidirectional,
    Concatenate,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Lambda,
    LayerNormalization,
    Masking,
    MultiHeadAttention,
    PReLU,
    RepeatVector,
    Softmax,
    TimeDistributed,
)
from fastrnn.serving import export_c
from tests.serving.c_models import line


def _model(make, *shape, dtype="float32"):
    x = Input(shape or (None, 5), dtype=dtype)
    return lambda: Model(x, make(x))


class OwnModel(Model):
    def __init__(self):
        super().__init__()
        self.inner = LSTM(4)

    def call(self, x):
        return self.inner(x)


def _own():
    model = OwnModel()
    model.build((None, 3, 5))
    return model


def _with_weight(value):
    model = line(Dense(2, name="out"))
    model.layers[-1].bias.assign([0, value])
    return model


def _seq2seq(x):
    _, h, c = LSTM(4, return_state=True)(x)
    return LSTM(4, name="decoder")(x, initial_state=[h, c])


REFUSED = {
    "both ways": (_model(Bidirectional(LSTM(4), name="two")), "'two': has a direction that begins with the last"),
    "backwards": (_model(LSTM(4, go_backwards=True, name="l")), "LSTM 'l' go_backwards: .* begins with the last one"),
    "mask_zero": (_model(lambda x: LSTM(4)(Embedding(9, 4, mask_zero=True, name="e")(x)), None),
                  "Embedding 'e': masks cannot be exported"),
    "masking": (_model(lambda x: LSTM(4)(Masking(name="m")(x))), "Masking 'm': masks cannot be exported"),
    "mean": (_model(GlobalAveragePooling1D(name="p")), "'p': pools over time"),
    "largest": (_model(GlobalMaxPooling1D(name="p")), "'p': pools over time"),
    "windows": (_model(AveragePooling1D(2, name="p")), "'p': pools over time"),
    "valid": (_model(Conv1D(4, 3, name="c")), "Conv1D 'c' padding: expected 'causal'.*got 'valid'"),
    "strides": (_model(Conv1D(4, 3, strides=2, padding="causal", name="c")), "Conv1D 'c' strides: expected 1"),
    "channels first": (_model(Conv1D(4, 2, padding="causal", data_format="channels_first", name="c"), 5, 6),
                       "Conv1D 'c' data_format"),
    "states given": (_model(_seq2seq), "LSTM 'decoder': begins with states that another layer gives"),
    "repeated": (_model(lambda x: RepeatVector(3, name="r")(LSTM(4)(x))), "'r': RepeatVector has no form in C"),
    "axis of time": (_model(LayerNormalization(axis=1, name="n"), 6, 5), "LayerNormalization 'n' axis: .*the last"),
    "softmax over time": (_model(Softmax(axis=1, name="s")), "Softmax 's' axis: expected that of the features"),
    "glu": (_model(Activation("glu", name="a"), None, 4), "Activation 'a' activation: 'glu' has no form in C; .*tanh"),
    "own activation": (_model(Dense(3, activation=lambda x: x * x, name="d")), "Dense 'd' activation: .*no form in C"),
    "lambda": (_model(Lambda(lambda x: x * 2, name="l")), "Lambda 'l': has a call of its own"),
    "attention": (_model(lambda x: MultiHeadAttention(2, 3, name="a")(x, x)), "'a': .*no form in C"),
    "own call": (_own, "has a call of its own"),
    "no time": (_model(Dense(3), 5), "expected an input with a time axis"),
    "many axes": (_model(TimeDistributed(TimeDistributed(Dense(3))), None, 2, 5), r"expected sequences \(batch, time"),
    "two of time": (_model(lambda x: Add(name="a")([Dense(4)(x), LSTM(4)(x)])),
                    "Add 'a': merges what there is of each"),
    "steps side by side": (_model(lambda x: Concatenate(1, name="c")([x, x])), "Concatenate 'c' axis"),
    "slopes of steps": (_model(PReLU(name="p"), 6, 5), r"PReLU 'p' shared_axes: .*shared_axes=\[1\]"),
    "a step": (_model(lambda x: x[:, 2]), "key: expected all samples, all time steps or the last"),
    "every other": (_model(lambda x: x[..., ::2]), "key: expected all samples"),
    "operands over time": (_model(lambda x: x + np.ones((6, 5), "float32"), 6, 5), "operand: expected one number, or "),
    "comparison": (_model(lambda x: x < 1), "Less has no form in C"),
    "training": (_model(lambda x: Dropout(0.5, name="d")(x, training=True)), "Dropout 'd': was called with training"),
    "float64": (_model(LSTM(4, dtype="float64", name="l"), None, 5, dtype="float64"),
                "LSTM 'l' dtype: expected float32"),
    "computed indices": (_model(lambda x: Embedding(4, 3, name="e")(Dense(1)(x))),
                         "'e': expected indices from an input"),
    "indices twice": (_model(lambda x: [Embedding(4, 3)(x), x + 1], None), "expected indices .* Embeddings alone read"),
    "nan": (lambda: _with_weight(np.nan), "Dense 'out' bias: expected finite numbers"),
    "infinity": (lambda: _with_weight(-np.inf), "Dense 'out' bias: expected finite numbers"),
    "not built": (lambda: Sequential([LSTM(4)]), "build the model before it is exported"),
}


class TestRefused:
    @pytest.mark.parametrize("name", REFUSED)
    def test_names_the_layer_and_why(self, name, tmp_path):
        make, message = REFUSED[name]
        model = make()
        with pytest.raises(ValueError, match=message):
            export_c(model, tmp_path / "m")
        assert os.listdir(tmp_path) == []

    def test_no_model(self, tmp_path):
        with pytest.raises(TypeError, match="export_c model: expected a Sequential or a Model, got LSTM"):
            export_c(LSTM(4), tmp_path / "m")
