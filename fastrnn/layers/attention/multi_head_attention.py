# SPDX-License-Identifier: Apache-2.0
"""MultiHeadAttention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.attention.heads import Heads
from fastrnn.layers.base import Shape


class MultiHeadAttention(Heads):
    """Several heads each ask the keys with queries of their own, and their results are put together (Vaswani et al.
    2017)::

        head_i = softmax((query Wq_i) (key Wk_i)^T / sqrt(key_dim)) (value Wv_i)
        y = sum of head_i Wo_i

    It is called as `layer(query, value, key)`; without a key the value is the key. Masks of value and key leave steps
    out, that of the query goes on.

    Args:
        num_heads: number of heads.
        key_dim: size of a head's queries and keys.
        value_dim: size of a head's values; `key_dim` if None.
        dropout: fraction of the weights to drop in training.
        use_bias: the projections add a bias.
        output_shape: of the output behind its steps, a size or several; the query's features if None.
        attention_axes: 1, the axis of the steps, or None for it.
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

    >>> layer = MultiHeadAttention(num_heads=2, key_dim=8)
    >>> layer(np.zeros((4, 5, 16)), np.zeros((4, 7, 3))).shape
    (4, 5, 16)
    """

    def __init__(self, num_heads: int, key_dim: int, value_dim: int | None = None, dropout: float = 0.0,
                 use_bias: bool = True, output_shape: int | Sequence[int] | None = None,
                 attention_axes: int | Sequence[int] | None = None, sliding_window: int | None = None,
                 flash_attention: bool | None = None, kernel_initializer: Any = "glorot_uniform",
                 bias_initializer: Any = "zeros", kernel_regularizer: Any = None, bias_regularizer: Any = None,
                 activity_regularizer: Any = None, kernel_constraint: Any = None, bias_constraint: Any = None,
                 use_gate: bool = False, seed: int | None = None, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.num_heads, self.key_dim = self.count_of("num_heads", num_heads), self.count_of("key_dim", key_dim)
        self.value_dim = self.key_dim if value_dim is None else self.count_of("value_dim", value_dim)
        self.take_arguments(locals())
        self.query_heads = self.key_heads = self.num_heads
        self.key_size, self.value_size = self.key_dim, self.value_dim
        shape = [output_shape] if isinstance(output_shape, (int, np.integer)) else output_shape
        self._output_shape = tuple(self.count_of("output_shape", size) for size in shape) if shape else None
        axes = attention_axes if isinstance(attention_axes, (list, tuple)) else [attention_axes]
        if list(axes) not in ([None], [1], [-2]):
            raise ValueError(f"{self} attention_axes: expected 1, the axis of the steps, or None, got "
                             f"{attention_axes!r}; other axes are not supported")
        self.attention_axes = None if attention_axes is None else (1,)

    def width(self, query_shape: Shape) -> tuple[Any, ...]:
        return self._output_shape or super().width(query_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_heads": self.num_heads, "key_dim": self.key_dim,
                "value_dim": self.value_dim, "output_shape": self._output_shape, "attention_axes": self.attention_axes}
