# SPDX-License-Identifier: Apache-2.0
"""The recipes of the layers that have no file of their own here."""

from __future__ import annotations

from typing import Any

import fastrnn
from fastrnn.layers import (
    ELU,
    GRU,
    LSTM,
    Activation,
    Add,
    Average,
    Bidirectional,
    Concatenate,
    Cropping1D,
    Dense,
    Dot,
    Dropout,
    Embedding,
    Flatten,
    GaussianDropout,
    GaussianNoise,
    Input,
    InputLayer,
    LayerNormalization,
    LeakyReLU,
    Masking,
    Maximum,
    MinGRU,
    Minimum,
    Multiply,
    Permute,
    PReLU,
    ReLU,
    RepeatVector,
    Reshape,
    SimpleRNN,
    Softmax,
    SpatialDropout1D,
    Subtract,
    TimeDistributed,
    ZeroPadding1D,
)
from tests.layers.recipes.recipe import D, N, Recipe, T, V, around, wrapped


def sequential(**keywords: Any) -> fastrnn.Sequential:
    return fastrnn.Sequential([
        Bidirectional(GRU(2, return_sequences=True, **keywords), **keywords), Dropout(0, **keywords),
        fastrnn.Sequential([LSTM(3, return_sequences=True, **keywords), Dense(2, "tanh", **keywords)]),
        LayerNormalization(**keywords)])  # fmt: skip


def graph(name: str | None = None, **keywords: Any) -> fastrnn.Model:
    """A shared layer, one over its own output, and states that go from one layer to another."""
    x = Input((T, D), dtype=keywords.get("dtype"))
    shared = LSTM(D, return_sequences=True, return_state=True, **keywords)
    y, h, c = shared(x)
    y, h, c = shared(y, initial_state=[h, c])
    z = LSTM(D, return_sequences=True, **keywords)(Dense(3, "tanh", **keywords)(y), initial_state=[c, h])
    return fastrnn.Model(x, Dense(2, "softmax", **keywords)(z), name=name)


def _named(model: fastrnn.Sequential, name: str | None) -> fastrnn.Sequential:
    model.name = name or model.name
    return model


#: By class, the forms of the layer that go different ways.
RECIPES: dict[str, dict[str, Recipe]] = {
    "Activation": {name: Recipe(wrapped(Activation, name)) for name in ("linear", "tanh", "softmax", "gelu")},
    "Bidirectional": {
        **{f"{mode}": Recipe(around(Bidirectional, wrapped(LSTM, 3), merge_mode=mode))
           for mode in ("concat", "sum", "mul", "ave")},
        "sequences": Recipe(around(Bidirectional, wrapped(GRU, 3, return_sequences=True), merge_mode="mul")),
        "reversed": Recipe(around(Bidirectional, wrapped(SimpleRNN, 3, go_backwards=True, return_sequences=True)))},
    "Dense": {**{str(name): Recipe(wrapped(Dense, 5, name)) for name in (None, "relu", "sigmoid", "softmax", "gelu")},
              "rows": Recipe(wrapped(Dense, 5, "tanh", use_bias=False), (N, D), masks=False)},
    "Dropout": {"": Recipe(wrapped(Dropout, 0.4, seed=1)), "none": Recipe(wrapped(Dropout, 0)),
                "shared": Recipe(wrapped(Dropout, 0.4, noise_shape=(None, 1, None), seed=1))},
    "Embedding": {"": Recipe(wrapped(Embedding, V, 3), (N, T)),
                  "masks": Recipe(wrapped(Embedding, V, 3, mask_zero=True), (N, T))},
    # Whose dtype is that of its configuration alone; it hands float32 on.
    "InputLayer": {"": Recipe(lambda **keywords: InputLayer((T, D), name=keywords.get("name")))},
    "LayerNormalization": {"": Recipe(wrapped(LayerNormalization)),
                           "axes": Recipe(wrapped(LayerNormalization, axis=[1, 2])),
                           "plain": Recipe(wrapped(LayerNormalization, center=False, scale=False))},
    "Model": {"": Recipe(graph)},
    "Sequential": {"": Recipe(lambda name=None, **keywords: _named(sequential(**keywords), name)),
                   "words": Recipe(lambda name=None, **keywords: _named(fastrnn.Sequential([
                       Embedding(V, 3, mask_zero=True, **keywords), LSTM(3, **keywords),
                       Dense(2, "softmax", **keywords)]), name), (N, T), masks=False)},
    "TimeDistributed": {
        "dense": Recipe(around(TimeDistributed, wrapped(Dense, 3, "softmax"))),
        "dropout": Recipe(around(TimeDistributed, wrapped(Dropout, 0.4, seed=1))),
        "recurrent": Recipe(around(TimeDistributed, wrapped(GRU, 3)), (N, T, 2, D)),
        "model": Recipe(lambda name=None, **keywords: TimeDistributed(sequential(**keywords), name=name, **keywords),
                        (N, T, 2, D)),
        "words": Recipe(around(TimeDistributed, wrapped(Embedding, V, 3)), (N, T, 2))},
    **{layer.__name__: {"": Recipe(wrapped(layer), [(N, T, D)] * 2)} for layer in (Add, Subtract, Multiply, Average)},
    **{layer.__name__: {"": Recipe(wrapped(layer), [(N, T, D), (N, T, 1), (N, T, D)]),
                        "ranks": Recipe(wrapped(layer), [(N, D), (N, T, D)], masks=False)}
       for layer in (Maximum, Minimum)},
    "Concatenate": {"": Recipe(wrapped(Concatenate), [(N, T, D), (N, T, 1), (N, T, 2)]),
                    "steps": Recipe(wrapped(Concatenate, 1), [(N, T, D)] * 2)},
    "Dot": {"": Recipe(wrapped(Dot, (2, 1)), [(N, T, D), (N, D, 2)], masks=False),
            "cosine": Recipe(wrapped(Dot, 1, normalize=True), [(N, D)] * 2, masks=False)},
    "ReLU": {"": Recipe(wrapped(ReLU)), "all": Recipe(wrapped(ReLU, 0.8, 0.2, 0.3))},
    **{layer.__name__: {"": Recipe(wrapped(layer))} for layer in (LeakyReLU, ELU)},
    "PReLU": {"": Recipe(wrapped(PReLU)), "shared": Recipe(wrapped(PReLU, shared_axes=[1]))},
    "Softmax": {"": Recipe(wrapped(Softmax)), "steps": Recipe(wrapped(Softmax, 1)),
                "scores": Recipe(wrapped(Softmax), (N, T)), "both": Recipe(wrapped(Softmax, (1, 2)))},
    "SpatialDropout1D": {"": Recipe(wrapped(SpatialDropout1D, 0.4, seed=1))},
    "GaussianNoise": {"": Recipe(wrapped(GaussianNoise, 0.5, seed=1))},
    "GaussianDropout": {"": Recipe(wrapped(GaussianDropout, 0.4, seed=1))},
    "Flatten": {"": Recipe(wrapped(Flatten)),
                "channels": Recipe(wrapped(Flatten, "channels_first"), (N, T, 2, D))},
    "Masking": {"": Recipe(wrapped(Masking, 0.25))},
    "Reshape": {"": Recipe(wrapped(Reshape, (D, -1)))},
    "Permute": {"": Recipe(wrapped(Permute, (2, 1))), "three": Recipe(wrapped(Permute, (3, 1, 2)), (N, T, 2, D))},
    "RepeatVector": {"": Recipe(wrapped(RepeatVector, 3), (N, D), masks=False)},
    "Cropping1D": {"": Recipe(wrapped(Cropping1D)), "start": Recipe(wrapped(Cropping1D, (2, 0)))},
    "ZeroPadding1D": {"": Recipe(wrapped(ZeroPadding1D, (1, 2))),
                      "channels": Recipe(wrapped(ZeroPadding1D, 1, "channels_first"))},
    **{cell.__name__: {
        "": Recipe(wrapped(cell, 3)),
        "sequences": Recipe(wrapped(cell, 3, return_sequences=True)),
        "reversed": Recipe(wrapped(cell, 3, go_backwards=True, return_sequences=True, zero_output_for_mask=True)),
        "dropout": Recipe(wrapped(cell, 3, dropout=0.3, seed=1,
                                  **({"recurrent_dropout": 0.3} if cell.has_recurrent_kernel else {}))),
    } for cell in (SimpleRNN, LSTM, GRU, MinGRU)},
}  # fmt: skip
