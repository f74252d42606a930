# SPDX-License-Identifier: Apache-2.0
"""Film reviews of IMDB, for or against: 25,000 for training and as many for the test (Maas et al. 2011)."""

from __future__ import annotations

import json

import numpy as np

from fastrnn import spellings
from fastrnn.datasets.files import Pair, fetch, read_npz, shuffled
from fastrnn.datasets.words import known, marked, ragged, short

__all__ = ["get_word_index", "load_data"]


@spellings.accepts({"nb_words": "num_words"})
def load_data(path: str = "imdb.npz", num_words: int | None = None, skip_top: int = 0, maxlen: int | None = None,
              seed: int = 113, start_char: int | None = 1, oov_char: int | None = 2, index_from: int = 3
              ) -> tuple[Pair, Pair]:
    """The reviews as lists of word indices, and 1 for the good ones.

    A word's index is its rank by frequency, plus `index_from`; 0 is for padding.

    Args:
        path: what to call the file in the cache.
        num_words: words kept: those with an index below it.
        skip_top: so many of the most frequent are left out.
        maxlen: reviews of as many words or more are left out.
        seed: of the order of the reviews.
        start_char: begins each review; None for nothing.
        oov_char: stands for a word that is left out; None for nothing.
        index_from: added to the ranks of words.

    Returns:
        `(x_train, y_train), (x_test, y_test)`; x arrays of lists, y int64 `(reviews,)`.

    Raises:
        ValueError: the file has another hash, or no review is shorter than `maxlen`.
        OSError: the file cannot be had.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = load_data(num_words=10000)  # doctest: +SKIP
    """
    file = read_npz(fetch("imdb.npz", path))
    random = np.random.RandomState(seed)
    train, train_labels = shuffled(random, file["x_train"], file["y_train"])
    test, test_labels = shuffled(random, file["x_test"], file["y_test"])
    x_train, y_train = short(marked(train, start_char, index_from), train_labels, maxlen)
    x_test, y_test = short(marked(test, start_char, index_from), test_labels, maxlen)
    texts = known(x_train + x_test, num_words, skip_top, oov_char)
    return (ragged(texts[: len(x_train)]), y_train), (ragged(texts[len(x_train) :]), y_test)


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """The ranks of the words by frequency, from 1; `load_data` adds its `index_from` to them.

    Args:
        path: what to call the file in the cache.

    Example:

    >>> words = {rank + 3: word for word, rank in get_word_index().items()}  # doctest: +SKIP
    """
    with open(fetch("imdb_word_index.json", path), encoding="utf-8") as file:
        return dict(json.load(file))
