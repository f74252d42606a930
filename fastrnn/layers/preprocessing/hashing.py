# SPDX-License-Identifier: Apache-2.0
"""Hashing: strings and whole numbers to bins."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn import arrays
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Shape
from fastrnn.layers.preprocessing.base import Preparing
from fastrnn.layers.preprocessing.encoding import check_mode, encoded, encoded_shape, refuse_sparse
from fastrnn.layers.preprocessing.hashes import bins_of, check_salt
from fastrnn.layers.preprocessing.text import as_bytes


class Hashing(Preparing):
    """Strings or whole numbers to the numbers of bins, which a hash chooses: no vocabulary is needed. Fractions are cut
    off, as Keras does.

    Args:
        num_bins: how many bins there are.
        mask_value: the value that has bin 0 for itself; None for none.
        salt: a key of the hash: a whole number, or two; None for a hash without.
        output_mode: "int": the bins' numbers. "one_hot", "multi_hot", "count": vectors, as of `CategoryEncoding`.
        sparse: False.

    Example:

    >>> Hashing(num_bins=3)([["A"], ["B"], ["C"], ["D"], ["E"]]).ravel()
    array([1, 0, 1, 1, 2])
    """

    input_kind = "any"

    def __init__(self, num_bins: int, mask_value: Any = None, salt: Any = None, output_mode: str = "int",
                 sparse: bool = False, **kwargs: Unpack[LayerArguments]) -> None:
        mode = check_mode(output_mode, ("int", "one_hot", "multi_hot", "count"), "Hashing")
        self._whole = "int64"
        if mode == "int":
            self._whole = _whole_dtype(kwargs.pop("dtype", None))
        super().__init__(**kwargs)
        self.output_mode, self.num_bins = mode, self.count_of("num_bins", num_bins)
        refuse_sparse(sparse, str(self))
        self.mask_value, self.salt, self.sparse = mask_value, check_salt(salt, str(self)), False

    def wants_strings(self, index: int) -> None:
        return None

    def check_input(self, x: Any) -> np.ndarray:
        what = f"{self} input"
        if isinstance(x, (str, bytes)) or _has_strings(x):
            return arrays.as_strings(x, what)
        return arrays.as_numbers(x, what)

    def prepared(self, x: np.ndarray) -> np.ndarray:
        values: list[Any]
        if x.dtype == object:
            texts = values = as_bytes(x.ravel().tolist())
        else:
            whole = arrays.as_whole(np.trunc(x) if x.dtype.kind == "f" else x, f"{self} input")
            values, texts = x.ravel().tolist(), [str(one).encode() for one in whole.ravel().tolist()]
        masked = self.mask_value is not None and self.num_bins > 1
        found = bins_of(texts, self.num_bins - masked, self.salt)
        if masked:
            mask = as_bytes([self.mask_value])[0] if isinstance(self.mask_value, str) else self.mask_value
            found = np.where(np.fromiter((one == mask for one in values), bool, len(values)), 0, found + 1)
        found = found.reshape(x.shape)
        if self.output_mode == "int":
            return found.astype(self._whole, copy=False)
        return encoded(found, self.output_mode, self.num_bins, self.dtype)

    @property
    def output_dtype(self) -> str:
        return self._whole if self.output_mode == "int" else self.dtype

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        return encoded_shape(tuple(input_shapes[0]), self.output_mode, self.num_bins)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dtype": self.output_dtype, "num_bins": self.num_bins, "salt": self.salt,
                "mask_value": self.mask_value, "output_mode": self.output_mode, "sparse": False}


def _has_strings(x: Any) -> bool:
    """Whether the first value of an array or of lists is a string."""
    while isinstance(x, (list, tuple)) and x:
        x = x[0]
    if isinstance(x, (str, bytes)):
        return True
    kind = getattr(getattr(x, "dtype", None), "kind", "O")
    if kind == "O" and hasattr(x, "__array__"):
        return arrays.as_array(x).dtype.kind in "OUST"
    return kind in "UST"


def _whole_dtype(dtype: Any) -> str:
    """The dtype of bins' numbers, which Keras takes for the layer's."""
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    if dtype not in (None, "int32", "int64"):
        raise ValueError(f"Hashing dtype: expected 'int32' or 'int64', as output_mode is 'int', got {dtype!r}")
    return dtype or "int64"
