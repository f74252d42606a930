# SPDX-License-Identifier: Apache-2.0
"""How often tokens come: what a vocabulary is learned from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastrnn.layers.preprocessing.text import Rows


class TokenCounts:
    """How often each token came, and in how many rows, which are documents.

    Args:
        documents: count those too.

    Example:

    >>> from fastrnn.layers.preprocessing.text import rows_of
    >>> counts = TokenCounts(documents=True)
    >>> counts.add(rows_of([["a", "b", "b"], ["a", "c"]]))
    >>> counts.most_frequent(), counts.inverse_frequencies(["a"], "float32")
    (['b', 'a', 'c'], array([0.51082563], dtype=float32))
    """

    def __init__(self, documents: bool) -> None:
        self._counts: Counter[Any] = Counter()
        self._documents: Counter[Any] | None = Counter() if documents else None
        self._number = 0

    def __bool__(self) -> bool:
        """Whether there was any token."""
        return bool(self._counts)

    def add(self, rows: Rows) -> None:
        """Count the tokens of some rows."""
        self._counts.update(rows.tokens)
        if self._documents is not None:
            for row in rows.lists():
                self._documents.update(set(row))
            self._number += len(rows.lengths)

    def most_frequent(self, limit: int | None = None, without: Iterable[Any] = ()) -> list[Any]:
        """The tokens, the most frequent first; of those that are equally frequent the last in order first.

        Args:
            limit: how many at most.
            without: tokens to leave out.
        """
        left_out = set(without)
        order = sorted(((count, token) for token, count in self._counts.items() if token not in left_out), reverse=True)
        return [token for _, token in order[:limit]]

    def inverse_frequencies(self, tokens: list[Any], dtype: str) -> np.ndarray:
        """``log(1 + d / (1 + d_i))`` for d documents, d_i of them with the token."""
        assert self._documents is not None
        documents = np.array([self._documents[token] for token in tokens], np.int64)
        found: np.ndarray = np.log(1 + self._number / (1 + documents)).astype(dtype)
        return found
