# SPDX-License-Identifier: Apache-2.0
"""StringLookup: strings to indices in a vocabulary, and back."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn import arrays
from fastrnn.layers.arguments import UnnamedArguments, handed_on
from fastrnn.layers.preprocessing.hashes import bins_of, check_salt
from fastrnn.layers.preprocessing.index_lookup import IndexLookup
from fastrnn.layers.preprocessing.text import as_bytes


class StringLookup(IndexLookup):
    """Strings to their indices in a vocabulary, or, with `invert`, indices to strings.

    Args:
        max_tokens: most entries of the vocabulary, those for masks and unknown strings among them; None for no limit.
        num_oov_indices: number of indices for strings that the vocabulary lacks, among which a hash chooses; 0 refuses
            them.
        mask_token: the string at index 0, in "int" mode, else the one that is not counted; None for none.
        oov_token: stands for unknown strings in the vocabulary.
        vocabulary: the strings in order, or the name of a file with one in a line; None to learn them by `adapt`.
        idf_weights: of the strings, in "tf_idf" mode.
        invert: from indices to strings.
        output_mode: "int": indices. "one_hot": a vector with a 1 at the index for each string. "multi_hot": for each
            row a vector with a 1 for each string in it. "count": how often each is in it. "tf_idf": that times the
            string's weight, log(1 + d / (1 + d_i)) for d rows that `adapt` saw, d_i of them with the string.
        pad_to_max_tokens: vectors have `max_tokens` elements.
        sparse: False.
        encoding: of strings that are bytes.
        salt: a key of the hash: a whole number, or two; None for a hash without.
        oov_method: without effect on strings.

    Raises:
        ValueError: at a call, for what is no string; or unknown strings with `num_oov_indices=0`.

    Example:

    >>> layer = StringLookup(vocabulary=["a", "b"])
    >>> layer([["b", "z"], ["a", "a"]])
    array([[2, 0],
           [1, 1]])
    >>> StringLookup(vocabulary=layer.get_vocabulary(), invert=True)([[2, 0]]).tolist()
    [['b', '[UNK]']]
    """

    def __init__(self, max_tokens: int | None = None, num_oov_indices: int = 1, mask_token: str | None = None,
                 oov_token: str | None = "[UNK]", vocabulary: Any = None, idf_weights: Any = None,
                 invert: bool = False, output_mode: str = "int", pad_to_max_tokens: bool = False,
                 sparse: bool = False, encoding: str = "utf-8", name: str | None = None, salt: Any = None, *,
                 oov_method: str = "floormod", vocabulary_size: int | None = None,
                 has_input_vocabulary: bool | None = None, **kwargs: Unpack[UnnamedArguments]) -> None:
        arguments = handed_on(locals(), "encoding", "salt", "oov_method")
        if oov_method not in ("floormod", "farmhash"):
            raise ValueError(f"StringLookup oov_method: expected 'floormod' or 'farmhash', got {oov_method!r}")
        self.encoding, self.oov_method, self.salt = encoding, oov_method, check_salt(salt, "StringLookup")
        super().__init__(**arguments)

    @property
    def input_kind(self) -> str:
        return "index" if self.invert else "string"

    @property
    def default_input_dtype(self) -> str:
        return "int64" if self.invert else "string"

    @property
    def output_dtype(self) -> str:
        return "string" if self.invert else super().output_dtype

    def check_input(self, x: Any) -> np.ndarray:
        what = f"{self} input"
        return arrays.as_whole(x, what) if self.invert else arrays.as_strings(x, what)

    def prepared(self, x: np.ndarray) -> np.ndarray:
        if self.invert:
            return self.values(x)
        indices = self.indices(as_bytes(x.ravel().tolist())).reshape(x.shape)
        return indices if self.output_mode == "int" else self.encoded(indices)

    # tokens are bytes ----------------------------------------------------------------------------------------------

    def as_tokens(self, values: Any, what: str) -> tuple[list[Any], tuple[int, ...]]:
        x = arrays.as_strings(values, what)
        return as_bytes(x.ravel().tolist()), x.shape

    def shown(self, token: bytes) -> str:
        try:
            return token.decode(self.encoding)
        except UnicodeDecodeError as error:
            raise ValueError(f"{self} encoding: expected the one of the strings, got {self.encoding!r}, in which "
                             f"{token!r} is none: {error.reason}") from None

    def learned(self, tokens: list[bytes]) -> None:
        self._table = {token: place for place, token in enumerate(tokens)}

    def token_indices(self, tokens: Sequence[bytes]) -> np.ndarray:
        return np.fromiter(map(self._table.get, tokens, itertools.repeat(-1)), np.int64, len(tokens))

    def is_mask(self, tokens: Sequence[bytes]) -> np.ndarray:
        mask = str(self.mask_token).encode()
        return np.fromiter((token == mask for token in tokens), bool, len(tokens))

    def out_of_vocabulary(self, tokens: Sequence[bytes], where: np.ndarray) -> np.ndarray:
        return bins_of((tokens[place] for place in where), self.num_oov_indices, self.salt)

    def as_array(self, values: list[Any]) -> np.ndarray:
        return np.array(["" if value is None else value for value in values])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "encoding": self.encoding, "oov_method": self.oov_method, "salt": self.salt}
