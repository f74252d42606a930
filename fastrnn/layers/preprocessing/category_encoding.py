# SPDX-License-Identifier: Apache-2.0
"""CategoryEncoding: indices of categories to vectors."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn import arrays
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Shape
from fastrnn.layers.preprocessing.base import Preparing
from fastrnn.layers.preprocessing.encoding import check_mode, encoded, encoded_shape, refuse_sparse


class CategoryEncoding(Preparing):
    """Indices of categories as vectors with an element for each category.

    Args:
        num_tokens: number of categories; indices are from 0 to num_tokens - 1.
        output_mode: "one_hot": a vector with a 1 at the index for each index. "multi_hot": for each row a vector with a
            1 for each category in it. "count": how often each is in it.
        sparse: False.

    Raises:
        ValueError: at a call, for an index that is below 0, at or over num_tokens, or no whole number.

    Example:

    >>> CategoryEncoding(4, "count")([[0, 1], [2, 2]])
    array([[1., 1., 0., 0.],
           [0., 0., 2., 0.]], dtype=float32)
    """

    input_kind = "index"

    def __init__(self, num_tokens: int | None = None, output_mode: str = "multi_hot", sparse: bool = False,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.output_mode = check_mode(output_mode, ("one_hot", "multi_hot", "count"), str(self))
        refuse_sparse(sparse, str(self))
        if num_tokens is None:
            raise ValueError(f"{self} num_tokens: expected the number of categories, got None; IntegerLookup learns "
                             "which there are")
        self.num_tokens, self.sparse = self.count_of("num_tokens", num_tokens), False

    def check_input(self, x: Any) -> np.ndarray:
        x = arrays.as_whole(x, f"{self} input")
        if x.size and not (x.min() >= 0 and x.max() < self.num_tokens):
            wrong = x.min() if x.min() < 0 else x.max()
            raise ValueError(f"{self}: expected indices from 0 to {self.num_tokens - 1}, as num_tokens="
                             f"{self.num_tokens}, got {wrong}")
        return x

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None, count_weights: Any = None) -> Any:
        """The vectors for indices; see `Layer`.

        Args:
            x: indices, a symbol of them, or what tf.data's functions are given.
            training, mask: without effect.
            count_weights: in "count" mode, what each index counts, an array of the shape of `x`; for arrays alone.
        """
        if count_weights is None:
            return super().__call__(x, training, mask)
        if self.output_mode != "count":
            raise ValueError(f"{self} count_weights: need output_mode='count', got {self.output_mode!r}")
        x, weights = self.check_input(x), arrays.as_float(count_weights, self.dtype, f"{self} count_weights")
        if weights.shape != x.shape:
            raise ValueError(f"{self} count_weights: expected the shape of the input, {x.shape}, got {weights.shape}")
        return encoded(x, self.output_mode, self.num_tokens, self.dtype, weights)

    def prepared(self, x: np.ndarray) -> np.ndarray:
        return encoded(x, self.output_mode, self.num_tokens, self.dtype)

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        return encoded_shape(tuple(input_shapes[0]), self.output_mode, self.num_tokens)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_tokens": self.num_tokens, "output_mode": self.output_mode}
