# SPDX-License-Identifier: Apache-2.0
"""Models that stream, one for each kind of layer and option, with random weights and an input of theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastrnn import Input, Model, Sequential
from fastrnn import layers as L

WIDTH, WORDS = 5, 30


def _sequence(*layers: Any) -> Callable[[], Any]:
    return lambda: Sequential([Input((None, WIDTH)), *(layer() for layer in layers)])


def _text(*layers: Any) -> Callable[[], Any]:
    return lambda: Sequential([Input((None,), dtype="int32"), *(layer() for layer in layers)])


def _residual() -> Any:
    x = Input((None, WIDTH))
    h = L.LSTM(WIDTH, return_sequences=True)(x)
    h = L.Add()([x, h])
    h = L.Concatenate()([L.LayerNormalization()(h), L.Activation("tanh")(x)])
    h = L.Multiply()([h, L.Dense(2 * WIDTH, activation="sigmoid")(h)])
    h = L.Maximum()([h, L.Subtract()([h, L.Dropout(0.5)(h)]), L.Average()([h, h]), L.Minimum()([h, h])])
    return Model(x, L.Dense(3)(L.GRU(4, return_sequences=True)(h)))


#: By name; a sequence of WIDTH numbers a step, or of WORDS words if the name begins with "words".
STREAMS: dict[str, Callable[[], Any]] = {
    "SimpleRNN": _sequence(lambda: L.SimpleRNN(7), lambda: L.Dense(2)),
    "LSTM": _sequence(lambda: L.LSTM(20, return_sequences=True), lambda: L.Dense(3, activation="softmax")),
    "LSTM peepholes": _sequence(lambda: L.LSTM(7, use_peepholes=True, use_bias=False)),
    "GRU": _sequence(lambda: L.GRU(17, activation="relu", recurrent_activation="hard_sigmoid")),
    "GRU before": _sequence(lambda: L.GRU(7, reset_after=False, return_sequences=True)),
    "MinGRU": _sequence(lambda: L.MinGRU(33, return_sequences=True), lambda: L.Dense(2, activation="gelu")),
    "stack": _sequence(lambda: L.LSTM(6, return_sequences=True), lambda: L.Dropout(0.5),
                       lambda: L.GRU(9, return_sequences=True), lambda: L.SimpleRNN(4), lambda: L.Dense(2)),
    "convolution": _sequence(lambda: L.Conv1D(8, 3, padding="causal", dilation_rate=2, activation="relu"),
                             lambda: L.BatchNormalization(), lambda: L.LSTM(6, return_sequences=True),
                             lambda: L.Conv1D(4, 2, padding="causal", activation="elu"), lambda: L.Conv1D(3, 1)),
    "normalization": _sequence(lambda: L.BatchNormalization(), lambda: L.GRU(6, return_sequences=True),
                               lambda: L.RMSNormalization(), lambda: L.TimeDistributed(L.Dense(5)),
                               lambda: L.BatchNormalization(), lambda: L.UnitNormalization(),
                               lambda: L.LayerNormalization(center=False), lambda: L.PReLU(shared_axes=[1])),
    "residual": _residual,
    "words": _text(lambda: L.Embedding(WORDS, 6), lambda: L.LSTM(7), lambda: L.Dense(2)),
    "words MinGRU": _text(lambda: L.Embedding(WORDS, 6), lambda: L.MinGRU(7, return_sequences=True)),
    "words GRU before": _text(lambda: L.Embedding(WORDS, 6), lambda: L.GRU(7, reset_after=False)),
    "words masked": _text(lambda: L.Embedding(WORDS, 6, mask_zero=True), lambda: L.GRU(7, return_sequences=True),
                          lambda: L.LSTM(5), lambda: L.Dense(2)),
    "words normalized": _text(lambda: L.Embedding(WORDS, 6), lambda: L.LayerNormalization(), lambda: L.LSTM(5)),
    "words convolution": _text(lambda: L.Embedding(WORDS, 6, mask_zero=True), lambda: L.Conv1D(4, 3, padding="causal"),
                               lambda: L.LSTM(5, return_sequences=True)),
}  # fmt: skip


def model_of(name: str, dtype: str = "float32") -> Any:
    """The model, each weight a random one."""
    model = STREAMS[name]()
    rng = np.random.default_rng(0)
    for variable in model.weights:
        noise = rng.uniform(0.5, 1.5, variable.shape) if variable.name == "moving_variance" else (
            variable.data + 0.1 * rng.standard_normal(variable.shape))
        variable.assign(noise.astype(variable.dtype))
    return model


def input_of(name: str, batch: int, steps: int) -> np.ndarray:
    """An input for the model of that name; of words, some are 0."""
    rng = np.random.default_rng(1)
    if name.startswith("words"):
        words = rng.integers(1, WORDS, (batch, steps)).astype("int32")
        return words * (rng.random((batch, steps)) < 0.8).astype("int32") if "masked" in name else words
    return rng.standard_normal((batch, steps, WIDTH)).astype("float32")
