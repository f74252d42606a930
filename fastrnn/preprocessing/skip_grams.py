# SPDX-License-Identifier: Apache-2.0
"""Pairs of words that stand near each other, for training word vectors: Keras's `skipgrams`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

#: Euler's constant, as Keras rounds it.
_GAMMA = 0.577


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray:
    """The probability of taking each word, by its rank, so that frequent ones do not prevail.

    It is ``min(1, sqrt(f))`` with ``f = sampling_factor / frequency`` (T. Mikolov et al., arXiv:1310.4546); the
    frequencies are those of Zipf's law: ``1 / (r (log r + 0.577) + 1 / 2 - 1 / (12 r))`` for the rank r.

    Args:
        size: number of words.
        sampling_factor: the larger, the more words are taken.

    Returns:
        A float64 array (size,).

    Raises:
        ValueError: `size` is below 1, or `sampling_factor` below 0.

    Example:

    >>> make_sampling_table(4).round(5)
    array([0.00315, 0.00315, 0.00548, 0.00742])
    """
    if size < 1 or sampling_factor < 0:
        raise ValueError(f"make_sampling_table: expected size of 1 or more and sampling_factor of 0 or more, got "
                         f"{size} and {sampling_factor}")
    rank = np.arange(size)
    rank[0] = 1
    f = sampling_factor * (rank * (np.log(rank) + _GAMMA) + 0.5 - 1.0 / (12.0 * rank))
    return np.minimum(1.0, np.sqrt(f))


def skipgrams(sequence: Sequence[int], vocabulary_size: int, window_size: int = 4, negative_samples: float = 1.0,
              shuffle: bool = True, categorical: bool = False, sampling_table: Any = None,
              seed: int | None = None) -> tuple[list[list[int]], list[Any]]:
    """Pairs of words: those that stand near each other, with label 1, and words with others by chance, with label 0.

    What is drawn comes from Python's `random`, as in Keras: seed it for the same pairs again.

    Args:
        sequence: a text as indices of words; 0 is none, and left out.
        vocabulary_size: the largest index plus 1.
        window_size: how far from each other words may stand.
        negative_samples: pairs by chance, for each pair of neighbours.
        shuffle: mix the pairs.
        categorical: labels are [0, 1] and [1, 0] instead of 1 and 0.
        sampling_table: the probability of taking each word, by its index, as of `make_sampling_table`; None for 1.
        seed: of the order.

    Returns:
        The pairs, and a label for each.

    Raises:
        ValueError: `vocabulary_size` is below 2 where there are pairs by chance, or `negative_samples` below 0; or a
            word is not in `sampling_table`.

    Example:

    >>> skipgrams([1, 2, 3], 4, window_size=1, negative_samples=0, shuffle=False)
    ([[1, 2], [2, 1], [2, 3], [3, 2]], [1, 1, 1, 1])
    """
    if negative_samples < 0:
        raise ValueError(f"skipgrams: expected negative_samples of 0 or more, got {negative_samples}")
    if sampling_table is not None and len(sequence) and not -len(sampling_table) <= max(sequence) < len(sampling_table):
        raise ValueError(f"skipgrams: expected words below {len(sampling_table)}, which sampling_table has, got "
                         f"{max(sequence)}")
    couples: list[list[int]] = []
    for i, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < random.random()):
            continue
        near = range(max(0, i - window_size), min(len(sequence), i + window_size + 1))
        couples += [[word, sequence[j]] for j in near if j != i and sequence[j]]
    positive, negative = ([0, 1], [1, 0]) if categorical else (1, 0)
    labels: list[Any] = [positive] * len(couples)
    count = int(len(couples) * negative_samples)
    if negative_samples > 0:
        if count and vocabulary_size < 2:
            raise ValueError(f"skipgrams: expected vocabulary_size of 2 or more, got {vocabulary_size}")
        words = [couple[0] for couple in couples]
        random.shuffle(words)
        couples += [[words[i % len(words)], random.randint(1, int(vocabulary_size - 1))] for i in range(count)]
        labels += [negative] * count
    if shuffle:
        if seed is None:
            seed = random.randint(0, int(10e6))
        for part in couples, labels:
            random.seed(seed)
            random.shuffle(part)
    return couples, labels
