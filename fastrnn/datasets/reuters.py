# SPDX-License-Identifier: Apache-2.0
"""Newswires of Reuters in 46 topics: 11,228 of the collection Reuters-21578."""

from __future__ import annotations

import json

from fastrnn import spellings
from fastrnn.datasets.files import Pair, fetch, read_npz, shuffled, split
from fastrnn.datasets.words import known, marked, ragged, short

__all__ = ["get_label_names", "get_word_index", "load_data"]

_TOPICS = (
    "cocoa", "grain", "veg-oil", "earn", "acq", "wheat", "copper", "housing", "money-supply", "coffee", "sugar",
    "trade", "reserves", "ship", "cotton", "carcass", "crude", "nat-gas", "cpi", "money-fx", "interest", "gnp",
    "meal-feed", "alum", "oilseed", "gold", "tin", "strategic-metal", "livestock", "retail", "ipi", "iron-steel",
    "rubber", "heat", "jobs", "lei", "bop", "zinc", "orange", "pet-chem", "dlr", "gas", "silver", "wpi", "hog",
    "lead",
)  # fmt: skip


@spellings.accepts({"nb_words": "num_words"})
def load_data(path: str = "reuters.npz", num_words: int | None = None, skip_top: int = 0, maxlen: int | None = None,
              test_split: float = 0.2, seed: int = 113, start_char: int | None = 1, oov_char: int | None = 2,
              index_from: int = 3) -> tuple[Pair, Pair]:
    """The newswires as lists of word indices, and the numbers of their topics.

    Args:
        path, num_words, skip_top, maxlen, seed, start_char, oov_char, index_from: as in `imdb.load_data`.
        test_split: fraction of the newswires for the test.

    Returns:
        `(x_train, y_train), (x_test, y_test)`; x arrays of lists, y int64 `(newswires,)`.

    Raises:
        ValueError: the file has another hash, no text is shorter than `maxlen`, or `test_split` is no fraction.
        OSError: the file cannot be had.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = load_data(num_words=10000, test_split=0.2)  # doctest: +SKIP
    """
    file = read_npz(fetch("reuters.npz", path))
    texts, labels = shuffled(seed, file["x"], file["y"])
    x, y = short(marked(texts, start_char, index_from), labels, maxlen)
    return split(ragged(known(x, num_words, skip_top, oov_char)), y, test_split)


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """The ranks of the words by frequency, from 1; `load_data` adds its `index_from` to them.

    Args:
        path: what to call the file in the cache.

    Example:

    >>> words = {rank + 3: word for word, rank in get_word_index().items()}  # doctest: +SKIP
    """
    with open(fetch("reuters_word_index.json", path), encoding="utf-8") as file:
        return dict(json.load(file))


def get_label_names() -> tuple[str, ...]:
    """The names of the topics, in the order of their numbers."""
    return _TOPICS
