# SPDX-License-Identifier: Apache-2.0
"""From a text to its words, and to numbers that need no vocabulary, as a hash gives them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

PUNCTUATION = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'


def text_to_word_sequence(
    input_text: str, filters: str = PUNCTUATION, lower: bool = True, split: str = " "
) -> list[str]:
    """Split a text into words.

    Args:
        input_text: the text.
        filters: characters that separate words, as `split` does; the apostrophe is not among the default ones.
        lower: whether the words are put in lower case.
        split: the separator.

    Raises:
        TypeError: `input_text` is no string.

    >>> text_to_word_sequence("Don't panic: it's only a film!")
    ["don't", 'panic', "it's", 'only', 'a', 'film']
    """
    if not isinstance(input_text, str):
        raise TypeError(f"text_to_word_sequence: input_text must be a str, got {shown(input_text)}")
    if split == "":
        raise ValueError("text_to_word_sequence: split must not be empty; Tokenizer(char_level=True) takes characters")
    if lower:
        input_text = input_text.lower()
    table: dict[str, str | int | None] = dict.fromkeys(filters, split)
    return [word for word in input_text.translate(str.maketrans(table)).split(split) if word]


def hashing_trick(text: str, n: int, hash_function: str | Callable[[str], int] | None = None,
                  filters: str = PUNCTUATION, lower: bool = True, split: str = " ",
                  analyzer: Callable[[str], Sequence[str]] | None = None) -> list[int]:
    """Turn a text into a number from 1 to n - 1 for each word: its hash. Words may share one; 0 is none's.

    Args:
        text: the text.
        n: the numbers are below it.
        hash_function: "md5", the same in every process; a function from a word to a whole number; or None for Python's
            `hash`, which differs from process to process.
        filters, lower, split: see `text_to_word_sequence`.
        analyzer: a function from a text to its words, in its place.

    Raises:
        ValueError: `n` is below 2, or the hash is not known.
        TypeError: `text` is no string.

    Example:

    >>> hashing_trick("The cat, the mat", 100, "md5")
    [51, 3, 51, 26]
    """
    if n < 2:
        raise ValueError(f"hashing_trick: expected n of 2 or more, got {n}")
    if isinstance(hash_function, str) and hash_function != "md5":
        raise ValueError(f"hashing_trick: expected hash_function 'md5', a function or None, got {hash_function!r}")
    made: Callable[[str], int] = _md5 if isinstance(hash_function, str) else hash_function or hash
    words = text_to_word_sequence(text, filters, lower, split) if analyzer is None else analyzer(text)
    return [made(word) % (n - 1) + 1 for word in words]


def _md5(word: str) -> int:
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


def one_hot(input_text: str, n: int, filters: str = PUNCTUATION, lower: bool = True, split: str = " ",
            analyzer: Callable[[str], Sequence[str]] | None = None) -> list[int]:
    """`hashing_trick` with Python's `hash`, which differs from process to process.

    Args:
        input_text: the text.
        n: the numbers are below it.
        filters, lower, split: see `text_to_word_sequence`.
        analyzer: a function from a text to its words, in its place.

    Raises:
        ValueError, TypeError: as there.

    Example:

    >>> first, second, third = one_hot("to be to", 1000)
    >>> first == third
    True
    """
    return hashing_trick(input_text, n, hash, filters, lower, split, analyzer)


def shown(value: Any) -> str:
    """The value's type and the beginning of what it is, for an error."""
    return f"{type(value).__name__} {value!r:.40}"
