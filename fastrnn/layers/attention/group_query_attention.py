# SPDX-License-Identifier: Apache-2.0
"""GroupQueryAttention: attention whose heads share keys and values."""

from __future__ import annotations

from typing import Any, Unpack

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.attention.heads import Heads


class GroupQueryAttention(Heads):
    """As `MultiHeadAttention`, but groups of heads share their keys and values (Ainslie et al. 2023).

    Args:
        head_dim: size of a head's queries, keys and values.
        num_query_heads: number of heads.
        num_key_value_heads: number of groups, which divides that of the heads.
        dropout: fraction of the weights to drop in training.
        use_bias: the projections add a bias.
        sliding_window: a query asks only keys less than so many steps away, None for all.
        flash_attention: has no effect.
        kernel_initializer, bias_initializer: first values of the projections.
        kernel_regularizer, bias_regularizer: penalties on them.
        kernel_constraint, bias_constraint: applied to them after each update.
        use_gate: multiply the heads' results by `sigmoid(query Wg)`.
        seed: of the dropout; None draws from the library's generator.

    Raises:
        ValueError: an argument is not as described.

    Example:

    >>> import numpy as np
    >>> layer = GroupQueryAttention(head_dim=8, num_query_heads=4, num_key_value_heads=2)
    >>> layer(np.zeros((4, 5, 16)), np.zeros((4, 7, 16))).shape
    (4, 5, 16)
    """

    projections = ("_query_dense", "_key_dense", "_gate_dense", "_value_dense", "_output_dense")
    keras_class = "GroupedQueryAttention"       # whose name Keras's files have

    def __init__(self, head_dim: int, num_query_heads: int, num_key_value_heads: int, dropout: float = 0.0,
                 use_bias: bool = True, sliding_window: int | None = None, flash_attention: bool | None = None,
                 kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
                 kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
                 kernel_constraint: Any = None, bias_constraint: Any = None, use_gate: bool = False,
                 seed: int | None = None, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.head_dim = self.count_of("head_dim", head_dim)
        self.num_query_heads = self.count_of("num_query_heads", num_query_heads)
        self.num_key_value_heads = self.count_of("num_key_value_heads", num_key_value_heads)
        if self.num_query_heads % self.num_key_value_heads:
            raise ValueError(f"{self} num_key_value_heads: expected a divisor of num_query_heads="
                             f"{num_query_heads}, got {num_key_value_heads}")
        self.take_arguments(locals())
        self.query_heads, self.key_heads = self.num_query_heads, self.num_key_value_heads
        self.key_size = self.value_size = self.head_dim

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "head_dim": self.head_dim, "num_query_heads": self.num_query_heads,
                "num_key_value_heads": self.num_key_value_heads}
