# SPDX-License-Identifier: Apache-2.0
"""Models to save: each cell, direction and number of layers, and each other layer, in any library with Keras's API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

T, D, WORDS = 6, 3, 11
CELLS = ("SimpleRNN", "LSTM", "GRU")


def recurrent(cell: str, direction: str, depth: int, **options: Any) -> Callable[[Any], list[Any]]:
    """`depth` layers of a cell, and a Dense on top."""

    def layers(library: Any) -> list[Any]:
        stack = [library.Input((None, D))]
        for i in range(depth):
            own = {"return_sequences": i < depth - 1, **options}
            if direction == "backward":
                own["go_backwards"] = True
            layer = getattr(library.layers, cell)(4 + i, **own)
            stack.append(library.layers.Bidirectional(layer) if direction == "both" else layer)
        return [*stack, library.layers.Dense(2)]

    return layers


def _words(library: Any) -> list[Any]:
    layers = library.layers
    return [library.Input((T,)), layers.Embedding(WORDS, 4, mask_zero=True),
            layers.Bidirectional(layers.LSTM(3, return_sequences=True, dropout=0.1), merge_mode="sum"),
            layers.GRU(4, return_sequences=True, recurrent_dropout=0.1, name="middle"), layers.Dropout(0.2),
            layers.TimeDistributed(layers.Dense(3, activation="relu")), layers.SimpleRNN(4),
            layers.Dense(5), layers.Activation("softmax")]


def _two_different_directions(library: Any) -> list[Any]:
    layers = library.layers
    return [library.Input((T, D)),
            layers.Bidirectional(layers.LSTM(3, name="there"),
                                 backward_layer=layers.LSTM(3, go_backwards=True, activation="relu", name="back"),
                                 merge_mode="mul", name="both"),
            layers.Dense(2, use_bias=False, name="out")]


def _regularized(library: Any) -> list[Any]:
    layers = library.layers
    return [library.Input((T, D), name="signal"),
            layers.LSTM(4, kernel_regularizer=library.regularizers.L2(0.01),
                        bias_constraint=library.constraints.MaxNorm(2),
                        recurrent_initializer=library.initializers.GlorotNormal(seed=3), trainable=False),
            layers.Dense(3, activation="softmax", kernel_initializer="he_normal")]


def _normalized(library: Any) -> list[Any]:
    layers = library.layers
    return [library.Input((T, D)), layers.LayerNormalization(epsilon=0.01, axis=[1, 2]),
            layers.GRU(4, return_sequences=True), layers.LayerNormalization(center=False),
            layers.TimeDistributed(layers.LayerNormalization(scale=False)), layers.LSTM(3), layers.Dense(2)]


def _batch_normalized(library: Any) -> list[Any]:
    """Moving averages, which are not trained: Keras's older files keep them behind the other weights of their model."""
    layers, Sequential = library.layers, library.Sequential
    inside = Sequential([library.Input((T, 4)), layers.BatchNormalization(), layers.GRU(4, return_sequences=True),
                         layers.BatchNormalization(scale=False, trainable=False)], name="inside")
    return [library.Input((T, D)), layers.BatchNormalization(momentum=0.5, epsilon=0.01),
            layers.LSTM(4, return_sequences=True), layers.BatchNormalization(axis=1), inside,
            layers.BatchNormalization(center=False), layers.LSTM(3), layers.BatchNormalization(), layers.Dense(2)]


def _acts_in_training(library: Any) -> list[Any]:
    layers = library.layers
    return [library.Input((T, D)), layers.Identity(), layers.GaussianNoise(0.1), layers.SpatialDropout1D(0.1),
            layers.LSTM(4), layers.GaussianDropout(0.1), layers.Dense(4, activation="selu"), layers.AlphaDropout(0.1),
            layers.Dense(2)]


def _nested(library: Any) -> list[Any]:
    """Models in models, two levels deep, one of which says its input's shape, and one in a wrapper; a layer inside is
    frozen, which Keras's older files keep behind the others of the model that it is in."""
    layers, Sequential = library.layers, library.Sequential
    frozen = layers.LSTM(4, return_sequences=True, trainable=False)
    deep = Sequential([layers.Bidirectional(layers.GRU(3, return_sequences=True)), layers.Dense(4)], name="deep")
    return [library.Input((None, D)),
            Sequential([library.Input((None, D)), frozen, deep, layers.LSTM(3, return_sequences=True)], name="encoder"),
            layers.TimeDistributed(Sequential([layers.Dense(4, activation="relu"), layers.Dense(3)])),
            Sequential([layers.Dropout(0.2), Sequential([layers.SimpleRNN(4)]), layers.Dense(3)], name="head"),
            layers.Dense(2)]


def _nested_words(library: Any) -> list[Any]:
    """A model that comes first, and alone says the shape of the input."""
    layers = library.layers
    words = library.Sequential([library.Input((T,)), layers.Embedding(WORDS, 4, mask_zero=True), layers.Dense(4)])
    return [words, layers.GRU(4), layers.Dense(2)]


def sentences(library: Any) -> list[Any]:
    """Sentences (T, 4) of words, whose masks reach layers in a wrapper. Keras predicts with it, but its loss takes no
    such mask, so that it is not among the others."""
    layers, Sequential = library.layers, library.Sequential
    return [library.Input((T, 4)), layers.Embedding(WORDS, 3, mask_zero=True),
            layers.TimeDistributed(layers.Bidirectional(layers.LSTM(3, return_sequences=True))), layers.Dropout(0.2),
            layers.TimeDistributed(Sequential([layers.Dense(4), layers.LayerNormalization(),
                                               layers.GRU(3, go_backwards=True)])),
            layers.TimeDistributed(layers.Dense(2))]


def padded_sentences(samples: int = 5) -> np.ndarray:
    """Inputs of `sentences`, with holes, and some that are all padding."""
    rng = np.random.default_rng(0)
    words = rng.integers(1, WORDS, (samples, T, 4)) * rng.integers(0, 2, (samples, T, 4))
    words[::2, -2:] = 0
    return words


#: By name, all of which can be trained on `data`.
STACKS: dict[str, Callable[[Any], list[Any]]] = {
    **{f"{cell}-{direction}-{depth}": recurrent(cell, direction, depth)
       for cell in CELLS for direction in ("forward", "backward", "both") for depth in (1, 2)},
    **{f"{cell}-no-bias": recurrent(cell, "forward", 1, use_bias=False) for cell in CELLS},
    **{f"{cell}-relu": recurrent(cell, "both", 1, activation="relu") for cell in CELLS},
    "GRU-reset-before": recurrent("GRU", "both", 2, reset_after=False),
    "LSTM-hard-sigmoid": recurrent("LSTM", "both", 1, recurrent_activation="hard_sigmoid"),
    "GRU-hard-sigmoid": recurrent("GRU", "forward", 1, recurrent_activation="hard_sigmoid"),
    "GRU-hard-sigmoid-reset-before": recurrent("GRU", "forward", 1, recurrent_activation="hard_sigmoid",
                                               activation="hard_sigmoid", reset_after=False),
    "SimpleRNN-hard-sigmoid": recurrent("SimpleRNN", "forward", 1, activation="hard_sigmoid"),
    "words": _words,
    "two-directions": _two_different_directions,
    "regularized": _regularized,
    "normalized": _normalized,
    "batch-normalized": _batch_normalized,
    "acts-in-training": _acts_in_training,
    "nested": _nested,
    "nested-words": _nested_words,
}


def inputs(stack: str, samples: int = 5, seed: int = 0) -> np.ndarray:
    """Inputs that the stack takes."""
    rng = np.random.default_rng(seed)
    if stack.endswith("words"):
        return rng.integers(0, WORDS, (samples, T))
    return rng.standard_normal((samples, T, D)).astype("float32")


def make(library: Any, stack: str) -> Any:
    """The model, with random weights wherever layers would start from zeros."""
    layers = sentences if stack == "sentences" else STACKS[stack]
    model = library.Sequential(layers(library), name="zoo")
    rng = np.random.default_rng(len(stack))
    values = [rng.uniform(-0.6, 0.6, w.shape).astype(w.dtype) for w in model.get_weights()]
    model.set_weights([np.abs(w) if "variance" in v.name else w for v, w in zip(model.weights, values, strict=True)])
    return model


def without_inputs(config: dict[str, Any]) -> list[Any]:
    """The layers of a model's configuration; an Input, whose dtype files say and programs leave open, is not one."""
    return [{**entry, "config": {**entry["config"], "layers": without_inputs(entry["config"])}}
            if entry["class_name"] == "Sequential" else entry
            for entry in config["layers"] if entry["class_name"] != "InputLayer"]


def same_bits(first: list[np.ndarray], second: list[np.ndarray]) -> None:
    """Two lists of arrays are equal in every bit."""
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert a.tobytes() == b.tobytes()
