# SPDX-License-Identifier: Apache-2.0
"""The recipes of the layers in which steps of one sequence ask those of another."""

from __future__ import annotations

from fastrnn.layers import AdditiveAttention, Attention, GroupQueryAttention, MultiHeadAttention
from tests.layers.recipes.recipe import D, N, Recipe, T, wrapped

RECIPES: dict[str, dict[str, Recipe]] = {
    "Attention": {"": Recipe(wrapped(Attention), [(N, T, D)] * 2),
                  "key": Recipe(wrapped(Attention, use_scale=True, dropout=0.4, seed=1),
                                [(N, T, D), (N, T, 2), (N, T, D)]),
                  "concat": Recipe(wrapped(Attention, score_mode="concat"), [(N, T, D)] * 2),
                  "scaled concat": Recipe(wrapped(Attention, True, "concat"), [(N, T, D), (N, 2, 3), (N, 2, D)],
                                          masks=False)},
    "AdditiveAttention": {"": Recipe(wrapped(AdditiveAttention), [(N, T, D)] * 2),
                          "key": Recipe(wrapped(AdditiveAttention, False, 0.4, seed=1),
                                        [(N, T, D), (N, T, 2), (N, T, D)])},
    "MultiHeadAttention": {"": Recipe(wrapped(MultiHeadAttention, 2, 3), [(N, T, D)] * 2),
                           "key": Recipe(wrapped(MultiHeadAttention, 2, 3, 2, use_bias=False, output_shape=5),
                                         [(N, T, D), (N, T, 2), (N, T, 3)]),
                           "gate": Recipe(wrapped(MultiHeadAttention, 2, 2, dropout=0.4, sliding_window=2,
                                                  use_gate=True, output_shape=(2, 3), seed=1), [(N, T, D)] * 2)},
    "GroupQueryAttention": {"": Recipe(wrapped(GroupQueryAttention, 2, 4, 2), [(N, T, D)] * 2),
                            "key": Recipe(wrapped(GroupQueryAttention, 2, 2, 1, use_gate=True), [(N, T, D)] * 3)},
}  # fmt: skip
