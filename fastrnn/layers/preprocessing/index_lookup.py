# SPDX-License-Identifier: Apache-2.0
"""From values to their indices in a vocabulary, and back: what StringLookup and IntegerLookup share."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from fastrnn.layers.base import Shape
from fastrnn.layers.preprocessing.encoding import encoded, encoded_rows, encoded_shape
from fastrnn.layers.preprocessing.text import Rows
from fastrnn.layers.preprocessing.vocabulary import WithVocabulary, refuse_file
from fastrnn.registry import plain_value

#: The index of what no vector counts.
DROPPED = np.iinfo(np.int64).max


class IndexLookup(WithVocabulary):
    """Base of the layers that look values up; the arguments are those of `WithVocabulary`.

    A subclass says by `token_indices` where tokens are in the vocabulary, and by `out_of_vocabulary` which of several
    indices those have that are not.
    """

    def token_indices(self, tokens: Any) -> np.ndarray:
        """The places of tokens among those of the vocabulary, -1 for others."""
        raise NotImplementedError(f"{type(self).__name__} must define token_indices(tokens)")

    def out_of_vocabulary(self, tokens: Any, where: np.ndarray) -> np.ndarray:
        """For the tokens at some places, one of `num_oov_indices` numbers each."""
        raise NotImplementedError(f"{type(self).__name__} must define out_of_vocabulary(tokens, where)")

    def indices(self, tokens: Any) -> np.ndarray:
        """The indices of tokens.

        Raises:
            ValueError: there is no vocabulary; or a token that it lacks, with `num_oov_indices=0`.
        """
        self._check_vocabulary()
        found = self.token_indices(tokens)
        unknown = found < 0
        found += self.token_start
        if self.mask_token is not None:
            mask = self.is_mask(tokens)
            unknown &= ~mask
            found[mask] = 0 if self.output_mode == "int" else DROPPED
        if self.num_oov_indices == 1:
            found[unknown] = self.oov_start
        elif unknown.any():
            where = np.flatnonzero(unknown)
            if self.num_oov_indices == 0:
                some = [self.shown(tokens[place]) for place in where[:5]]
                raise ValueError(f"{self}: expected values of the vocabulary, as num_oov_indices is 0, got {some}")
            found[where] = self.oov_start + self.out_of_vocabulary(tokens, where)
        return found

    def is_mask(self, tokens: Any) -> np.ndarray:
        """Which tokens are the one for masks."""
        raise NotImplementedError(f"{type(self).__name__} must define is_mask(tokens)")

    def values(self, indices: np.ndarray) -> np.ndarray:
        """The values at indices."""
        self._check_vocabulary()
        if self._by_index is None:
            self._by_index = self.as_array([*self.get_vocabulary(), self.oov_token])    # the last for other indices
        known = (indices >= 0) & (indices < self.vocabulary_size())
        found: np.ndarray = self._by_index[np.where(known, indices, -1)]
        return found

    def as_array(self, values: list[Any]) -> np.ndarray:
        """Values as `get_vocabulary` gives them, or None, as an array."""
        raise NotImplementedError(f"{type(self).__name__} must define as_array(values)")

    @property
    def output_dtype(self) -> str:
        return self.dtype if self.output_mode == "tf_idf" else "int64"

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        return encoded_shape(tuple(input_shapes[0]), self.output_mode, self.depth)

    def encoded(self, indices: np.ndarray, rows: Rows | None = None) -> np.ndarray:
        """Indices as vectors; of an array, or of rows of any lengths."""
        depth = self.depth
        assert depth is not None        # there is a vocabulary
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        if rows is None:
            found = encoded(indices, mode, depth, self.output_dtype)
        else:
            found = encoded_rows(indices, rows.numbers, len(rows.lengths), mode, depth, self.output_dtype)
        if self.output_mode == "tf_idf":
            assert self.idf_weights is not None
            known = len(self.idf_weights)       # behind these there are no tokens
            found[..., :known] *= self.idf_weights
        return found

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "invert": self.invert, "max_tokens": self.max_tokens,
                "num_oov_indices": self.num_oov_indices, "oov_token": plain_value(self.oov_token),
                "mask_token": plain_value(self.mask_token), "output_mode": self.output_mode, "sparse": False,
                "pad_to_max_tokens": self.pad_to_max_tokens, **self.vocabulary_config()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Build the layer from what `get_config` gave; a vocabulary is a list there, and no file is read."""
        refuse_file(config, cls.__name__)
        return cls(**config)
