# SPDX-License-Identifier: Apache-2.0
"""From texts to tokens: what `TextVectorization` does before it looks them up. Texts are bytes in UTF-8.

Letters are put in lower case, and blanks separate words, where they are ASCII's, as in TensorFlow; others stay.
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

_PUNCTUATION = string.punctuation.encode()
_LOWER = bytes.maketrans(string.ascii_uppercase.encode(), string.ascii_lowercase.encode())

#: By name: what to put in place of each byte, and which bytes to leave out.
STANDARDS: dict[str, tuple[bytes | None, bytes]] = {
    "lower_and_strip_punctuation": (_LOWER, _PUNCTUATION),
    "lower": (_LOWER, b""),
    "strip_punctuation": (None, _PUNCTUATION),
}
#: By name: from a text to its tokens.
SPLITS: dict[str, Callable[[bytes], list[bytes]]] = {
    "whitespace": bytes.split,
    "character": lambda text: [sign.encode() for sign in text.decode("utf-8", "replace")],
}


class Rows(NamedTuple):
    """Rows of tokens, of any lengths.

    Attributes:
        tokens: of all rows, one after the other.
        lengths: how many of them each row has.
    """

    tokens: list[Any]
    lengths: np.ndarray

    @property
    def numbers(self) -> np.ndarray:
        """Of each token, the number of its row."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def lists(self) -> list[list[Any]]:
        """The tokens of each row."""
        tokens = iter(self.tokens)
        return [list(itertools.islice(tokens, length)) for length in self.lengths.tolist()]


def as_bytes(texts: Iterable[str | bytes]) -> list[bytes]:
    """Texts in UTF-8.

    >>> as_bytes(["a", b"b"])
    [b'a', b'b']
    """
    return [text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text) for text in texts]


def standardized(texts: list[bytes], standard: str) -> list[bytes]:
    """The texts with other letters, and without some signs; see `STANDARDS`.

    >>> standardized([b"It's ON!"], "lower_and_strip_punctuation")
    [b'its on']
    """
    table, left_out = STANDARDS[standard]
    return [text.translate(table, left_out) for text in texts]


def rows_of(parts: Iterable[Sequence[Any]]) -> Rows:
    """Rows of these parts.

    >>> rows_of([["a", "b"], []])
    Rows(tokens=['a', 'b'], lengths=array([2, 0]))
    """
    parts = list(parts)
    lengths = np.fromiter(map(len, parts), np.int64, len(parts))
    return Rows(list(itertools.chain.from_iterable(parts)), lengths)


def ngrams(rows: Rows, widths: Sequence[int]) -> Rows:
    """The runs of tokens of each width, joined by blanks; of each row those of the first width come first.

    >>> ngrams(rows_of([[b"a", b"b", b"c"]]), (1, 2)).tokens
    [b'a', b'b', b'c', b'a b', b'b c']
    """
    return rows_of([b" ".join(row[start:start + width]) for width in widths for start in range(len(row) - width + 1)]
                   for row in rows.lists())


def padded(values: np.ndarray, lengths: np.ndarray, length: int | None) -> np.ndarray:
    """Rows of values as one array (rows, length), with zeros at the ends of short rows, and without those of long ones.

    Args:
        values: of all rows, one after the other.
        lengths: of the rows.
        length: of the result's rows; None for the longest.

    >>> padded(np.array([1, 2, 3]), np.array([2, 1]), None)
    array([[1, 2],
           [3, 0]])
    """
    longest = int(lengths.max(initial=0))
    there = np.arange(longest) < lengths[:, None]
    found = np.zeros((len(lengths), longest), values.dtype)
    found[there] = values
    return fit_length(found, longest if length is None else length)


def fit_length(values: np.ndarray, length: int) -> np.ndarray:
    """The array with its last axis cut, or filled up with zeros, to a length.

    >>> fit_length(np.array([1, 2]), 3)
    array([1, 2, 0])
    """
    kept = values[..., :length]
    if kept.shape[-1] == length:
        return np.ascontiguousarray(kept)
    return np.concatenate([kept, np.zeros((*kept.shape[:-1], length - kept.shape[-1]), values.dtype)], axis=-1)
