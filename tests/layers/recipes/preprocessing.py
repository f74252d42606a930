# SPDX-License-Identifier: Apache-2.0
"""The recipes of the layers that prepare data."""

from __future__ import annotations

import numpy as np

from fastrnn.layers import (
    CategoryEncoding,
    Discretization,
    Hashing,
    IntegerLookup,
    Normalization,
    Rescaling,
    StringLookup,
    TextVectorization,
)
from tests.layers.recipes.recipe import D, N, Recipe, T, V, wrapped

WORDS = ["a", "b", "c", "d"]


def words(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.choice([*WORDS, "q", "z"], shape)


def texts(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.array([" ".join(words(rng, (5,))) for _ in range(int(np.prod(shape)))]).reshape(shape)


#: By class, the forms of the layer that go different ways.
RECIPES: dict[str, dict[str, Recipe]] = {
    "TextVectorization": {
        "": Recipe(wrapped(TextVectorization, vocabulary=WORDS, output_sequence_length=5), (N,), False, texts),
        "count": Recipe(wrapped(TextVectorization, vocabulary=WORDS, output_mode="count", ngrams=2), (N, 1), False,
                        texts),
        "tf_idf": Recipe(wrapped(TextVectorization, vocabulary=WORDS, output_mode="tf_idf", idf_weights=[1, 2, 3, 4],
                                 max_tokens=9, pad_to_max_tokens=True), (N,), False, texts)},
    "StringLookup": {
        **{mode: Recipe(wrapped(StringLookup, vocabulary=WORDS, output_mode=mode, mask_token="q"), (N, T), False,
                        words) for mode in ("int", "one_hot", "multi_hot", "count")},
        "tf_idf": Recipe(wrapped(StringLookup, vocabulary=WORDS, output_mode="tf_idf", idf_weights=[1, 2, 3, 4]),
                         (N, T), False, words),
        "hashed": Recipe(wrapped(StringLookup, vocabulary=WORDS[:1], num_oov_indices=3), (N, T), False, words)},
    "IntegerLookup": {
        **{mode: Recipe(wrapped(IntegerLookup, vocabulary=[5, 3, 1], output_mode=mode), (N, T), False)
           for mode in ("int", "one_hot", "count")},
        "inverted": Recipe(wrapped(IntegerLookup, vocabulary=[5, 3, 1], invert=True, mask_token=0), (N, T), False)},
    "CategoryEncoding": {mode: Recipe(wrapped(CategoryEncoding, V, mode), (N, T), False)
                         for mode in ("one_hot", "multi_hot", "count")},
    "Discretization": {mode: Recipe(wrapped(Discretization, [-0.5, 0.0, 1.0], output_mode=mode), (N, T), False)
                       for mode in ("int", "one_hot", "multi_hot", "count")},
    "Hashing": {
        "int": Recipe(lambda dtype=None, **keywords: Hashing(5, **keywords), (N, T), False, words),
        **{mode: Recipe(wrapped(Hashing, 5, output_mode=mode), (N, T), False) for mode in ("one_hot", "count")}},
    "Rescaling": {"": Recipe(wrapped(Rescaling, 0.3, -0.7)),
                  "arrays": Recipe(wrapped(Rescaling, np.arange(1.0, D + 1), np.ones((T, 1))))},
    "Normalization": {
        "": Recipe(wrapped(Normalization, mean=[0.1, -0.2, 0.3, 0.4], variance=[1.0, 4.0, 0.3, 0.1])),
        "steps": Recipe(wrapped(Normalization, (1, 2), mean=np.full((T, D), 0.3), variance=np.full((T, D), 2.0))),
        "all": Recipe(wrapped(Normalization, None, mean=0.5, variance=2.0)),
        "inverted": Recipe(wrapped(Normalization, mean=0.5, variance=2.0, invert=True))},
}
