"""Text to word indices and back: Keras's `Tokenizer`, with its indices, its matrices and its JSON."""

from __future__ import annotations

import json
import warnings
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrnn.preprocessing.words import PUNCTUATION, hashing_trick, one_hot, shown, text_to_word_sequence
from fastrnn.registry import absent_from

__all__ = ["Tokenizer", "hashing_trick", "one_hot", "text_to_word_sequence", "tokenizer_from_json"]

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    __getattr__ = absent_from(__name__, __all__)

MATRIX_MODES = ("binary", "count", "tfidf", "freq")


class Tokenizer:
    """Numbers the words of a corpus, the most frequent first, and turns texts into lists of those numbers.

    Index 0 stands for no word, so that it can be the padding. Words of the same count are numbered in the order in
    which they first came. A text is a string, or a list of words that is taken as it is.

    Args:
        num_words: keep the `num_words - 1` most frequent words (indices below `num_words`) when texts are turned into
            sequences or matrices; all where None. The counts and indices below always hold every word.
        filters, lower, split: see `text_to_word_sequence`. With `char_level` and for lists of words, `lower` alone
            counts.
        char_level: every character is a word.
        oov_token: the word that stands for those not in the vocabulary; it gets index 1. Where None they are left out.
        analyzer: a function from a text to its words, in place of `text_to_word_sequence`.

    Attributes:
        word_counts: word -> how often it came, in the order of first appearance.
        word_docs: word -> in how many texts it came.
        word_index, index_word: word -> index and back.
        index_docs: index -> in how many texts its word came.
        document_count: how many texts (or sequences) were fitted.

    >>> tokenizer = Tokenizer(num_words=4, oov_token="<unk>")
    >>> tokenizer.fit_on_texts(["The film, the actors.", "The plot"])
    >>> tokenizer.word_index
    {'<unk>': 1, 'the': 2, 'film': 3, 'actors': 4, 'plot': 5}
    >>> tokenizer.texts_to_sequences(["the plot of the film"])
    [[2, 1, 1, 2, 3]]
    >>> tokenizer.sequences_to_texts([[2, 3]])
    ['the film']
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = PUNCTUATION,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Callable[[str], Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        if "nb_words" in kwargs:
            warnings.warn("Tokenizer: nb_words is the old name of num_words", stacklevel=2)
            num_words = kwargs.pop("nb_words")
        document_count = kwargs.pop("document_count", 0)
        if kwargs:
            raise TypeError(f"Tokenizer: unknown arguments {sorted(kwargs)}")
        if num_words is not None and num_words < 0:
            raise ValueError(f"Tokenizer: num_words must be positive or None, got {num_words}")
        self.num_words = num_words
        self.filters = filters
        self.lower = lower
        self.split = split
        self.char_level = char_level
        self.oov_token = oov_token
        self.analyzer = analyzer
        self.document_count: int = document_count
        self.word_counts: dict[str, int] = OrderedDict()
        self.word_docs: dict[str, int] = defaultdict(int)
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}
        self.index_docs: dict[int, int] = defaultdict(int)

    def fit_on_texts(self, texts: Iterable[str | list[str]]) -> None:
        """Count the words of the texts and number them. A further call adds to the counts and numbers anew.

        Raises:
            TypeError: a text that is neither a string nor a list of words; nothing has been counted then.
        """
        counts: Counter[str] = Counter()
        docs: Counter[str] = Counter()
        documents = 0
        for text in texts:
            words = self._words(text, "fit_on_texts", documents)
            counts.update(words)
            docs.update(dict.fromkeys(words, 1))
            documents += 1

        self.document_count += documents
        for word, count in counts.items():
            self.word_counts[word] = self.word_counts.get(word, 0) + count
        for word, count in docs.items():
            self.word_docs[word] = self.word_docs.get(word, 0) + count

        vocabulary = [] if self.oov_token is None else [self.oov_token]
        vocabulary += [word for word, _ in sorted(self.word_counts.items(), key=lambda item: item[1], reverse=True)]
        # A corpus that holds the oov_token itself gives it the index of its count, as in Keras.
        self.word_index = {word: index for index, word in enumerate(vocabulary, start=1)}
        self.index_word = {index: word for word, index in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences: Iterable[Sequence[int]]) -> None:
        """Count in how many sequences each index comes: what `sequences_to_matrix(mode="tfidf")` needs.

        Raises:
            TypeError, ValueError: a sequence that is no list of indices >= 0; nothing has been counted then.
        """
        docs: Counter[int] = Counter()
        documents = 0
        for sequence in sequences:
            docs.update(np.unique(_indices(sequence, "fit_on_sequences", documents)).tolist())
            documents += 1
        self.document_count += documents
        for index, count in docs.items():
            self.index_docs[index] = self.index_docs.get(index, 0) + count

    def texts_to_sequences(self, texts: Iterable[str | list[str]]) -> list[list[int]]:
        """Turn each text into the list of its words' indices.

        Words that were never seen, and those at or over `num_words`, become the oov_token's index or are left out.

        Raises:
            TypeError: a text that is neither a string nor a list of words.
            ValueError: there is an oov_token but `fit_on_texts` has not been called, so that it has no index.
        """
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[str | list[str]]) -> Iterator[list[int]]:
        """`texts_to_sequences`, one text at a time."""
        index_of, limit = self.word_index, self.num_words
        oov = None if self.oov_token is None else index_of.get(self.oov_token)
        if oov is None and self.oov_token is not None:
            raise ValueError(
                f"Tokenizer.texts_to_sequences: oov_token {self.oov_token!r} has no index; call fit_on_texts first"
            )
        for position, text in enumerate(texts):
            indices = map(index_of.get, self._words(text, "texts_to_sequences", position))
            known = (oov if i is None or (limit and i >= limit) else i for i in indices)
            yield [i for i in known if i is not None]

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """Turn each list of indices into its words, joined by blanks.

        Indices without a word (0, the padding, too) and those at or over `num_words` become the oov_token or are left
        out.
        """
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """`sequences_to_texts`, one sequence at a time."""
        word_of, limit, oov = self.index_word, self.num_words, self.oov_token
        for sequence in sequences:
            words = (oov if limit and i >= limit else word_of.get(i, oov) for i in sequence)
            yield " ".join(word for word in words if word is not None)

    def texts_to_matrix(self, texts: Iterable[str | list[str]], mode: str = "binary") -> np.ndarray:
        """`sequences_to_matrix` of the texts' sequences."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Iterable[Sequence[int]], mode: str = "binary") -> np.ndarray:
        """Turn each list of indices into a row with one column an index.

        Args:
            sequences: N lists of indices; those at or over `num_words` are left out.
            mode: with c the count of the index in the sequence of length L, d the number of fitted documents and d_i
                the number of those with the index: "binary" 1, "count" c, "freq" c / L, "tfidf"
                (1 + log c) log(1 + d / (1 + d_i)).

        Returns:
            A float64 array (N, num_words), or (N, len(word_index) + 1) where num_words is None.

        Raises:
            ValueError: an unknown mode; no `num_words` and nothing fitted; "tfidf" without fitted documents; an index
                below 0.
            TypeError: a sequence that is no list of integers.

        >>> tokenizer = Tokenizer(num_words=4)
        >>> tokenizer.sequences_to_matrix([[1, 3, 3], [2]], mode="count")
        array([[0., 1., 0., 2.],
               [0., 0., 1., 0.]])
        """
        if mode not in MATRIX_MODES:
            raise ValueError(f"Tokenizer.sequences_to_matrix: mode must be one of {MATRIX_MODES}, got {mode!r}")
        if not self.num_words and not self.word_index:
            raise ValueError(
                "Tokenizer.sequences_to_matrix: no number of columns; give num_words or fit_on_texts first"
            )
        if mode == "tfidf" and not self.document_count:
            raise ValueError("Tokenizer.sequences_to_matrix: mode='tfidf' needs fit_on_texts or fit_on_sequences first")
        width = self.num_words or len(self.word_index) + 1

        rows = [_indices(sequence, "sequences_to_matrix", position) for position, sequence in enumerate(sequences)]
        matrix = np.zeros((len(rows), width))
        for row, indices in enumerate(rows):
            columns, counts = np.unique(indices[indices < width], return_counts=True)
            if mode == "binary":
                matrix[row, columns] = 1
            elif mode == "count":
                matrix[row, columns] = counts
            elif mode == "freq":
                matrix[row, columns] = counts / max(len(indices), 1)
            else:
                docs = np.array([self.index_docs.get(index, 0) for index in columns.tolist()])
                matrix[row, columns] = (1 + np.log(counts)) * np.log(1 + self.document_count / (1 + docs))
        return matrix

    def get_config(self) -> dict[str, Any]:
        """The arguments and what was fitted, as Keras writes it: the dictionaries as JSON strings, no analyzer."""
        return {
            "num_words": self.num_words,
            "filters": self.filters,
            "lower": self.lower,
            "split": self.split,
            "char_level": self.char_level,
            "oov_token": self.oov_token,
            "document_count": self.document_count,
            "word_counts": json.dumps(self.word_counts),
            "word_docs": json.dumps(self.word_docs),
            "index_docs": json.dumps(self.index_docs),
            "index_word": json.dumps(self.index_word),
            "word_index": json.dumps(self.word_index),
        }

    def to_json(self, **kwargs: Any) -> str:
        """The tokenizer as JSON, which `tokenizer_from_json` and Keras's function of that name read.

        Args:
            kwargs: for `json.dumps`.
        """
        if self.analyzer is not None:
            warnings.warn(
                "Tokenizer.to_json: the analyzer is a function and is not stored; set tokenizer.analyzer after loading",
                stacklevel=2,
            )
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)

    def _words(self, text: Any, caller: str, position: int) -> Sequence[str]:
        """The words of the text, which is the `position`-th one given to `caller`."""
        try:
            if isinstance(text, (list, tuple)):
                return [word.lower() for word in text] if self.lower else text
            if not isinstance(text, str):
                raise TypeError(f"got {shown(text)}")
            if self.char_level:
                return text.lower() if self.lower else text
        except (TypeError, AttributeError) as error:
            raise TypeError(
                f"Tokenizer.{caller}: expected text {position} to be a str or a list of str, {error}"
            ) from error
        if self.analyzer is not None:
            return list(self.analyzer(text))
        return text_to_word_sequence(text, self.filters, self.lower, self.split)


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """Make the Tokenizer that `Tokenizer.to_json`, fastrnn's or Keras's, has written.

    Args:
        json_string: what it gave.

    Raises:
        ValueError: no JSON, or not that of a tokenizer.

    >>> tokenizer = Tokenizer()
    >>> tokenizer.fit_on_texts(["to be or not to be"])
    >>> tokenizer_from_json(tokenizer.to_json()).word_index
    {'to': 1, 'be': 2, 'or': 3, 'not': 4}
    """
    try:
        config = dict(json.loads(json_string)["config"])
        word_counts, word_docs, index_docs, index_word, word_index = (
            dict(json.loads(config.pop(key)))
            for key in ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
        )
        tokenizer = Tokenizer(**config)
        tokenizer.word_counts = OrderedDict(word_counts)
        tokenizer.word_docs = defaultdict(int, word_docs)
        tokenizer.word_index = word_index
        # JSON has strings for keys.
        tokenizer.index_docs = defaultdict(int, {int(index): count for index, count in index_docs.items()})
        tokenizer.index_word = {int(index): word for index, word in index_word.items()}
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"tokenizer_from_json: expected what Tokenizer.to_json writes: {error!r}") from error
    return tokenizer


def _indices(sequence: Any, caller: str, position: int) -> np.ndarray:
    """A sequence of word indices as an integer array."""
    indices = np.asarray(sequence)
    if indices.shape == (0,):
        return indices.astype(np.int64)
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise TypeError(
            f"Tokenizer.{caller}: expected sequence {position} to be a list of word indices, got {shown(sequence)}"
        )
    if indices.min() < 0:
        raise ValueError(f"Tokenizer.{caller}: sequence {position} holds the index {indices.min()}, which is below 0")
    return indices
