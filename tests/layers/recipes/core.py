# SPDX-License-Identifier: Apache-2.0
"""The recipes of layers of the core, and of those that act in training alone."""

from __future__ import annotations

from fastrnn.layers import AlphaDropout, EinsumDense, Identity, SpatialDropout2D
from tests.layers.recipes.recipe import D, N, Recipe, T, wrapped

RECIPES: dict[str, dict[str, Recipe]] = {
    "Identity": {"": Recipe(wrapped(Identity))},
    "EinsumDense": {"": Recipe(wrapped(EinsumDense, "abc,cd->abd", (None, 5), "tanh", "d")),
                    "steps": Recipe(wrapped(EinsumDense, "abc,bd->adc", (3, D), "gelu", "dc")),
                    "each": Recipe(wrapped(EinsumDense, "abc,bcd->abd", (None, 2), bias_axes="b")),
                    "before": Recipe(wrapped(EinsumDense, "...c,cde->...ed", (3, 2), "softmax", "ed")),
                    "behind": Recipe(wrapped(EinsumDense, "ab...,bc->ac...", 5, bias_axes="c")),
                    "sum": Recipe(wrapped(EinsumDense, "abc,cd->ad", 2), masks=False)},
    "AlphaDropout": {"": Recipe(wrapped(AlphaDropout, 0.4, seed=1)),
                     "shared": Recipe(wrapped(AlphaDropout, 0.4, (None, 1, None), seed=1))},
    "SpatialDropout2D": {"": Recipe(wrapped(SpatialDropout2D, 0.4, seed=1), (N, T, 2, D)),
                         "first": Recipe(wrapped(SpatialDropout2D, 0.4, "channels_first", 1), (N, T, 2, D))},
}  # fmt: skip
