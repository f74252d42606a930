# SPDX-License-Identifier: Apache-2.0
"""IntegerLookup: whole numbers to indices in a vocabulary, and back."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn import arrays
from fastrnn.layers.arguments import UnnamedArguments, handed_on
from fastrnn.layers.preprocessing.hashes import bins_of, check_salt
from fastrnn.layers.preprocessing.index_lookup import IndexLookup


class IntegerLookup(IndexLookup):
    """Whole numbers to their indices in a vocabulary, or, with `invert`, indices to those numbers.

    Args:
        max_tokens: most entries of the vocabulary, those for masks and unknown numbers among them; None for no limit.
        num_oov_indices: number of indices for numbers that the vocabulary lacks; 0 refuses them.
        mask_token: the number at index 0, in "int" mode, else the one that is not counted; None for none.
        oov_token: stands for unknown numbers in the vocabulary.
        vocabulary: the numbers in order, or the name of a file with one in a line; None to learn them by `adapt`.
        vocabulary_dtype: "int64".
        idf_weights: of the numbers, in "tf_idf" mode.
        invert: from indices to numbers.
        output_mode, pad_to_max_tokens, sparse: as of `StringLookup`.
        oov_method: which of several indices an unknown number has: "floormod": its remainder; "farmhash": that of its
            hash.
        salt: a key of the hash: a whole number, or two; None for a hash without.

    Raises:
        ValueError: at a call, for what is no whole number; or unknown numbers with `num_oov_indices=0`.

    Example:

    >>> layer = IntegerLookup(vocabulary=[12, 36, 1138])
    >>> layer([[12, 1138], [7, 36]])
    array([[1, 3],
           [0, 2]])
    """

    input_kind = "index"
    default_input_dtype = "int64"

    def __init__(self, max_tokens: int | None = None, num_oov_indices: int = 1, mask_token: int | None = None,
                 oov_token: int | None = -1, vocabulary: Any = None, vocabulary_dtype: str = "int64",
                 idf_weights: Any = None, invert: bool = False, output_mode: str = "int", sparse: bool = False,
                 pad_to_max_tokens: bool = False, oov_method: str = "floormod", salt: Any = None,
                 name: str | None = None, *, vocabulary_size: int | None = None,
                 has_input_vocabulary: bool | None = None, **kwargs: Unpack[UnnamedArguments]) -> None:
        arguments = handed_on(locals(), "vocabulary_dtype", "oov_method", "salt")
        if vocabulary_dtype != "int64":
            raise ValueError(f"IntegerLookup vocabulary_dtype: expected 'int64', got {vocabulary_dtype!r}")
        if oov_method not in ("floormod", "farmhash"):
            raise ValueError(f"IntegerLookup oov_method: expected 'floormod' or 'farmhash', got {oov_method!r}")
        if salt is not None and oov_method != "farmhash":
            raise ValueError(f"IntegerLookup salt: expected None, as oov_method is {oov_method!r}, got {salt!r}")
        self.vocabulary_dtype, self.oov_method = vocabulary_dtype, oov_method
        self.salt = check_salt(salt, "IntegerLookup")
        super().__init__(**arguments)

    def check_input(self, x: Any) -> np.ndarray:
        return arrays.as_whole(x, f"{self} input")

    def prepared(self, x: np.ndarray) -> np.ndarray:
        if self.invert:
            return self.values(x)
        indices = self.indices(x.ravel()).reshape(x.shape)
        return indices if self.output_mode == "int" else self.encoded(indices)

    # tokens are numbers --------------------------------------------------------------------------------------------

    def as_tokens(self, values: Any, what: str) -> tuple[list[Any], tuple[int, ...]]:
        x = arrays.as_whole(values, what)
        return x.ravel().tolist(), x.shape

    def of_lines(self, lines: list[str]) -> list[Any]:
        try:
            return list(map(int, lines))
        except ValueError as error:
            raise ValueError(f"{self} vocabulary: expected a whole number in each line, got {error}") from None

    def learned(self, tokens: list[int]) -> None:
        self._sorted = np.sort(np.array(tokens, np.int64))
        self._order = np.argsort(np.array(tokens, np.int64))

    def token_indices(self, tokens: np.ndarray) -> np.ndarray:
        if not len(self._sorted):
            return np.full(len(tokens), -1, np.int64)
        near = np.searchsorted(self._sorted, tokens).clip(max=len(self._sorted) - 1)
        return np.where(self._sorted[near] == tokens, self._order[near], -1)

    def is_mask(self, tokens: np.ndarray) -> np.ndarray:
        found: np.ndarray = tokens == self.mask_token
        return found

    def out_of_vocabulary(self, tokens: np.ndarray, where: np.ndarray) -> np.ndarray:
        if self.oov_method == "floormod":
            remainders: np.ndarray = tokens[where] % self.num_oov_indices
            return remainders
        return bins_of((str(token).encode() for token in tokens[where].tolist()), self.num_oov_indices, self.salt)

    def as_array(self, values: list[Any]) -> np.ndarray:
        return np.array([0 if value is None else value for value in values], np.int64)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "vocabulary_dtype": self.vocabulary_dtype, "oov_method": self.oov_method,
                "salt": self.salt}
