# SPDX-License-Identifier: Apache-2.0
"""Texts as lists of word indices: which words are kept, and what marks the rest."""

from __future__ import annotations

from typing import Any

import numpy as np


def marked(texts: Any, start_char: int | None, index_from: int) -> list[list[int]]:
    """Texts whose words begin after `index_from`, with a mark at the start if there is one."""
    start = [] if start_char is None else [start_char]
    return [start + [word + (index_from or 0) for word in text] for text in texts]


def short(texts: list[list[int]], labels: Any, maxlen: int | None) -> tuple[list[list[int]], np.ndarray]:
    """The texts with fewer words than `maxlen`, and their labels.

    Raises:
        ValueError: there is none.
    """
    labels = np.asarray(labels)
    if not maxlen:
        return texts, labels
    kept = [index for index, text in enumerate(texts) if len(text) < maxlen]
    if not kept:
        raise ValueError(f"load_data: no text is shorter than maxlen={maxlen}; pass a larger one")
    return [texts[index] for index in kept], labels[kept]


def known(texts: list[list[int]], num_words: int | None, skip_top: int, oov_char: int | None) -> list[list[int]]:
    """Texts with the words from `skip_top` to below `num_words`; the others are marked, or left out where there is no
    `oov_char`."""
    limit = num_words or max(map(max, texts))
    if oov_char is None:
        return [[word for word in text if skip_top <= word < limit] for text in texts]
    return [[word if skip_top <= word < limit else oov_char for word in text] for text in texts]


def ragged(texts: list[list[int]]) -> np.ndarray:
    """An array of lists."""
    return np.array(texts, dtype="object")
