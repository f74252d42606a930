# SPDX-License-Identifier: Apache-2.0
"""AdditiveAttention: sums of queries and keys weigh values."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.attention.attention import Attention
from fastrnn.layers.base import Shape
from fastrnn.layers.merge.base import listed_shapes
from fastrnn.layers.variable import Variable


class AdditiveAttention(Attention):
    """Each query asks all keys, and gets the mean of their values by how well they fit it (Bahdanau et al. 2015)::

        weights = softmax(sum(scale * tanh(query + key)))
        y = weights value

    It is called as `Attention` is, and has its masks.

    Args:
        use_scale: learn the scale (features,); else it is 1.
        dropout: fraction of the weights to drop in training.
        seed: of the dropout; None draws from the library's generator.

    Raises:
        ValueError: `dropout` is no fraction; at a call, if the inputs do not fit each other.

    Example:

    >>> query, value = np.array([[[0.0]]]), np.array([[[1.0], [1.0]]])
    >>> AdditiveAttention()([query, value])
    array([[[1.]]], dtype=float32)
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, seed: int | None = None,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(use_scale, "dot", dropout, seed, **kwargs)

    def check_shapes(self, *shapes: Shape) -> None:
        super().check_shapes(*shapes)
        if self.built and self.scale is not None and shapes[0][2] not in (None, *self.scale.shape):
            raise ValueError(f"{self}: expected a query with {self.scale.shape[0]} features, got {shapes[0]}")

    def weight_shapes(self, input_shape: Any) -> dict[str, tuple[int, ...]]:
        return {"scale": (int(input_shape[2]),)} if self.use_scale else {}

    def build(self, *input_shapes: Any) -> None:
        shapes = listed_shapes(input_shapes)
        self.check_shapes(*shapes)
        if self.use_scale and not shapes[0][2]:
            raise ValueError(f"{self}: expected a query with a known number of features, got {shapes[0]}")
        self.scale: Variable | None = None
        if self.use_scale:
            self.scale = self.add_weight("scale", self.weight_shapes(shapes[0])["scale"], "glorot_uniform")
        self.built = True

    def scores(self, query: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, Any]:
        bent = np.tanh(query[:, :, None] + key[:, None])
        return bent.sum(-1) if self.scale is None else bent @ self.scale.data, bent

    def score_gradients(self, d: np.ndarray, query: np.ndarray, key: np.ndarray, scored: Any,
                        wanted: tuple[bool, bool], call: Call) -> tuple[np.ndarray | None, np.ndarray | None]:
        if self.scale is not None:
            self._learn(self.scale, d.reshape(-1) @ scored.reshape(-1, scored.shape[-1]), call)
        together = d[..., None] * (1 - scored * scored)
        if self.scale is not None:
            together *= self.scale.data
        return together.sum(2) if wanted[0] else None, together.sum(1) if wanted[1] else None

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["score_mode"]
        return config
