# SPDX-License-Identifier: Apache-2.0
"""The recipes of the layers in which steps of one sequence ask those of another."""

from __future__ import annotations

from fastrnn.layers import AdditiveAttention, Attention
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
}  # fmt: skip
