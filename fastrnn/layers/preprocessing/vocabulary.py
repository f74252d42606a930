# SPDX-License-Identifier: Apache-2.0
"""A layer's vocabulary: its values by index, given or learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.layers.preprocessing.base import Preparing
from fastrnn.layers.preprocessing.batches import batches, is_one_array
from fastrnn.layers.preprocessing.counts import TokenCounts
from fastrnn.layers.preprocessing.encoding import check_mode, refuse_sparse
from fastrnn.layers.preprocessing.text import Rows, rows_of

MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")


class WithVocabulary(Preparing):
    """Base of the layers with a vocabulary.

    A subclass says what tokens are: by `as_tokens` as the vocabulary has them, by `shown` as a user has them. It is
    told by `learned` when there are others.

    Args:
        max_tokens: most entries of the vocabulary, those of masks and of unknown values among them.
        num_oov_indices: number of indices for values that the vocabulary lacks; 0 refuses them.
        mask_token: the value at index 0, in "int" mode, else the value that is not counted; None for none.
        oov_token: stands for unknown values in the vocabulary.
        vocabulary: the values in order, or the name of a file with one in a line.
        idf_weights: of the values, in "tf_idf" mode.
        invert: from indices to values.
        output_mode: "int", "one_hot", "multi_hot", "count" or "tf_idf".
        pad_to_max_tokens: vectors have `max_tokens` elements.
        sparse: False.
        vocabulary_size: how many entries there are going to be.
        has_input_vocabulary: whether the vocabulary is the user's, so that `adapt` is refused.
    """

    masks = "drop"

    def __init__(self, max_tokens: int | None, num_oov_indices: int, mask_token: Any, oov_token: Any, vocabulary: Any,
                 idf_weights: Any, invert: bool, output_mode: str, pad_to_max_tokens: bool, sparse: bool,
                 vocabulary_size: int | None = None, has_input_vocabulary: bool | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if max_tokens is not None and self.count_of("max_tokens", max_tokens) < 2:
            raise ValueError(f"{self} max_tokens: expected more than 1, got {max_tokens}")
        if pad_to_max_tokens and max_tokens is None:
            raise ValueError(f"{self} pad_to_max_tokens: needs max_tokens, got None")
        if not isinstance(num_oov_indices, (int, np.integer)) or num_oov_indices < 0:
            raise ValueError(f"{self} num_oov_indices: expected a whole number, 0 or more, got {num_oov_indices!r}")
        self.output_mode = check_mode(output_mode, MODES, str(self))
        refuse_sparse(sparse, str(self))
        if invert and self.output_mode != "int":
            raise ValueError(f"{self} output_mode: expected 'int', as invert is True, got {output_mode!r}")
        if idf_weights is not None and self.output_mode != "tf_idf":
            raise ValueError(f"{self} idf_weights: need output_mode='tf_idf', got {output_mode!r}")
        self.max_tokens, self.num_oov_indices = max_tokens, int(num_oov_indices)
        self.mask_token, self.oov_token = mask_token, oov_token
        self.invert, self.pad_to_max_tokens, self.sparse = bool(invert), bool(pad_to_max_tokens), False
        self._static = vocabulary is not None if has_input_vocabulary is None else bool(has_input_vocabulary)
        self._size: int | None = None if vocabulary_size is None else int(vocabulary_size)
        #: The weight of each index of the vocabulary, in "tf_idf" mode.
        self.idf_weights: np.ndarray | None = None
        #: Whether one was given, or learned.
        self.has_vocabulary = False
        self._take([])
        self.reset_state()
        if vocabulary is not None:
            if self.output_mode == "tf_idf" and idf_weights is None:
                raise ValueError(f"{self} idf_weights: expected those of the vocabulary, got None")
            self.set_vocabulary(vocabulary, idf_weights)

    # what subclasses say -------------------------------------------------------------------------------------------

    def as_tokens(self, values: Any, what: str) -> tuple[list[Any], tuple[int, ...]]:
        """Values as tokens, flat, and the shape that they had."""
        raise NotImplementedError(f"{type(self).__name__} must define as_tokens(values, what)")

    def of_lines(self, lines: list[str]) -> list[Any]:
        """The lines of a file as values."""
        return list(lines)

    def shown(self, token: Any) -> Any:
        """A token as `get_vocabulary` gives it."""
        return token

    def learned(self, tokens: list[Any]) -> None:
        """The vocabulary has these tokens from now on."""
        raise NotImplementedError(f"{type(self).__name__} must define learned(tokens)")

    # the vocabulary ------------------------------------------------------------------------------------------------

    @property
    def oov_start(self) -> int:
        """The first index of unknown values."""
        return int(self.mask_token is not None and self.output_mode == "int")

    @property
    def token_start(self) -> int:
        """The first index of known values."""
        return self.oov_start + self.num_oov_indices

    @property
    def special_tokens(self) -> list[Any]:
        """What the vocabulary begins with: the token for masks and those for unknown values."""
        return [self.mask_token] * self.oov_start + [self.oov_token] * self.num_oov_indices

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The values by their indices.

        Args:
            include_special_tokens: begin with those for masks and unknown values, so that places are indices.
        """
        tokens = [self.shown(token) for token in self._tokens]
        return [*self.special_tokens, *tokens] if include_special_tokens else tokens

    def vocabulary_size(self) -> int:
        """The number of values, those for masks and unknown values among them."""
        return self.token_start + len(self._tokens)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Set the values in place of those there are.

        Args:
            vocabulary: a list or an array of them in order, with or without the special ones; or the name of a file
                with one in a line, without those.
            idf_weights: of each of them, in "tf_idf" mode.

        Raises:
            ValueError: a value is there twice, or a special one elsewhere than at the beginning; there are none, or
                more than `max_tokens`; or the weights do not fit.
            FileNotFoundError: there is no such file.
        """
        if (idf_weights is None) == (self.output_mode == "tf_idf"):
            raise ValueError(f"{self} idf_weights: expected {'the weights of' if idf_weights is None else 'None for'} "
                             f"the vocabulary, as output_mode is {self.output_mode!r}, got "
                             f"{'None' if idf_weights is None else 'some'}")
        special = [] if isinstance(vocabulary, str) else self.special_tokens
        if isinstance(vocabulary, str):
            listed = self.of_lines(self._lines(vocabulary))
        else:
            listed = _listed(vocabulary, f"{self} vocabulary")
        begin = [one.decode() if isinstance(one, bytes) and isinstance(token, str) else one
                 for one, token in zip(listed, special)]
        has_special = begin == special
        tokens, _ = self.as_tokens(listed[len(special):] if has_special else listed, f"{self} vocabulary")
        if not listed:
            raise ValueError(f"{self} vocabulary: expected at least one value, got none")
        self._check_tokens(tokens, special)
        weights = None if idf_weights is None else self._weights(idf_weights, len(listed), has_special)
        self._record(tokens)
        self.idf_weights = weights

    def _lines(self, name: str) -> list[str]:
        if self.output_mode == "tf_idf":
            raise ValueError(f"{self} vocabulary: expected a list, as output_mode is 'tf_idf', got the name of a file")
        with open(name, encoding="utf-8", newline="\n") as file:
            return file.read().removesuffix("\n").split("\n")

    def _check_tokens(self, tokens: list[Any], special: list[Any]) -> None:
        if len(set(tokens)) != len(tokens):
            twice = [self.shown(token) for token, count in Counter(tokens).items() if count > 1]
            raise ValueError(f"{self} vocabulary: expected each value once, got {twice[:5]} more often")
        reserved = [("mask_token", self.mask_token), *([("oov_token", self.oov_token)] if self.invert else [])]
        for name, token in reserved:
            if token is not None and self.as_tokens([token], name)[0][0] in tokens:
                raise ValueError(f"{self} vocabulary: expected the {name} {token!r} at the beginning alone, as in "
                                 f"{special}, or not at all")
        if self.max_tokens is not None and self.token_start + len(tokens) > self.max_tokens:
            raise ValueError(f"{self} vocabulary: expected at most max_tokens={self.max_tokens} values, with "
                             f"{self.token_start} for masks and unknown ones, got {self.token_start + len(tokens)}")

    def _weights(self, given: Any, count: int, has_special: bool) -> np.ndarray:
        """The weight of each index; of special ones that have none, the mean."""
        weights = arrays.as_float(given, self.dtype, f"{self} idf_weights")
        if weights.shape != (count,):
            raise ValueError(f"{self} idf_weights: expected as many as the vocabulary has, {count}, got shape "
                             f"{weights.shape}")
        if not has_special:
            weights = np.concatenate([np.full(self.token_start, weights.mean(), self.dtype), weights])
        return weights

    def _record(self, tokens: list[Any]) -> None:
        """Take a vocabulary, whose size other layers may count on."""
        size = self.token_start + len(tokens)
        fixed = self.output_mode != "int" and not self.pad_to_max_tokens
        if fixed and self._size not in (None, size):
            raise RuntimeError(f"{self}: the vocabulary has {self._size} values, which the width of the output is, and "
                               f"cannot get {size}; make a new layer, or one with pad_to_max_tokens=True")
        self._size = size
        self.has_vocabulary = True
        self._take(tokens)

    def _take(self, tokens: list[Any]) -> None:
        self._tokens = tokens
        self._by_index: np.ndarray | None = None
        self.learned(tokens)

    # learning it ---------------------------------------------------------------------------------------------------

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the vocabulary: the values that the data have, the most frequent first; of those that are equally
        frequent the last in order first.

        Args:
            data: an array, a list, or batches of them.
            steps: how many batches to take, all by default.

        Raises:
            ValueError: the vocabulary was given.
        """
        self.reset_state()
        if is_one_array(data):
            self.count(self.documents(data, 1))
        else:
            for batch in batches(data, steps, f"{self} adapt"):
                self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the values of a batch; a row is a document, and so are values without rows.

        Args:
            data: an array.
        """
        self.count(self.documents(data, 0))

    def documents(self, data: Any, axis: int) -> Rows:
        """The tokens of each row; where there is one axis alone, of each value (1), or of all (0)."""
        if hasattr(data, "row_splits"):         # a ragged tensor
            data = data.to_list()
            return rows_of(self.as_tokens(row, f"{self} data")[0] for row in data)
        tokens, shape = self.as_tokens(data, f"{self} data")
        if len(shape) < 2:
            shape = (1, len(tokens)) if axis == 0 else (len(tokens), 1)
        return Rows(tokens, np.full(shape[0], len(tokens) // shape[0] if shape[0] else 0))

    def count(self, rows: Rows) -> None:
        """Count tokens."""
        if self._static:
            raise ValueError(f"{self}: cannot learn a vocabulary, as it was given one; make a layer without")
        self._counts.add(rows)

    def finalize_state(self) -> None:
        """Make the vocabulary of what was counted."""
        if self._static or not self._counts:
            return
        special = [token for token in (self.mask_token, self.oov_token) if token is not None]
        limit = None if self.max_tokens is None else max(0, self.max_tokens - self.token_start)
        tokens = self._counts.most_frequent(limit, self.as_tokens(special, "special tokens")[0] if special else ())
        weights = None
        if self.output_mode == "tf_idf":
            idf = self._counts.inverse_frequencies(tokens, self.dtype)
            mean = idf.mean() if len(idf) else 0
            weights = np.concatenate([np.full(self.token_start, mean, self.dtype), idf])
        self._record(tokens)
        self.idf_weights = weights
        self.reset_state()

    def reset_state(self) -> None:
        """Forget what was counted; the vocabulary stays."""
        self._counts = TokenCounts(self.output_mode == "tf_idf")

    def _check_vocabulary(self) -> None:
        if not self.has_vocabulary:
            raise ValueError(f"{self}: has no vocabulary; call adapt, or give one as vocabulary")

    @property
    def depth(self) -> int | None:
        """Length of the vectors; None if it is not known yet."""
        return self.max_tokens if self.pad_to_max_tokens else self._size

    def vocabulary_config(self) -> dict[str, Any]:
        """The part of the configuration that is the vocabulary."""
        return {"vocabulary": self.get_vocabulary() if self.has_vocabulary else None,
                "idf_weights": None if self.idf_weights is None else self.idf_weights.tolist(),
                "vocabulary_size": self._size, "has_input_vocabulary": self._static}


def refuse_file(config: dict[str, Any], what: str) -> None:
    """Raise a ValueError if a configuration's vocabulary is the name of a file."""
    if isinstance(config.get("vocabulary"), str):
        raise ValueError(f"{what} vocabulary: expected a list in a configuration, got the name of a file, which is not "
                         "read")


def _listed(values: Iterable[Any], what: str) -> list[Any]:
    """A list or an array of one axis as a list."""
    if isinstance(values, (list, tuple)):
        return list(values)
    array = arrays.as_array(values, what)
    if array.ndim != 1:
        raise ValueError(f"{what}: expected a list, or an array of one axis, got shape {array.shape}")
    found: list[Any] = array.tolist()
    return found
