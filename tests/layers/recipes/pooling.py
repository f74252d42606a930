# SPDX-License-Identifier: Apache-2.0
"""The recipes of pooling layers."""

from __future__ import annotations

from fastrnn.layers import (
    AveragePooling1D,
    AveragePooling2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
)
from tests.layers.recipes.recipe import D, N, Recipe, T, wrapped

_IMAGES = (N, 3, 5, 2)

RECIPES: dict[str, dict[str, Recipe]] = {
    **{layer.__name__: {"": Recipe(wrapped(layer, 2)), "same": Recipe(wrapped(layer, 3, 1, "same")),
                        "first": Recipe(wrapped(layer, 2, 1, data_format="channels_first"), (N, D, T), masks=False)}
       for layer in (MaxPooling1D, AveragePooling1D)},
    **{layer.__name__: {"": Recipe(wrapped(layer, 2), _IMAGES, masks=False),
                        "same": Recipe(wrapped(layer, (2, 3), 2, "same"), _IMAGES, masks=False),
                        "first": Recipe(wrapped(layer, (1, 2), data_format="channels_first"), (N, 2, 3, 4),
                                        masks=False)}
       for layer in (MaxPooling2D, AveragePooling2D)},
    **{layer.__name__: {"": Recipe(wrapped(layer)), "kept": Recipe(wrapped(layer, keepdims=True)),
                        "first": Recipe(wrapped(layer, "channels_first"), (N, D, T), masks=False)}
       for layer in (GlobalMaxPooling1D, GlobalAveragePooling1D)},
    **{layer.__name__: {"": Recipe(wrapped(layer), _IMAGES, masks=False),
                        "first": Recipe(wrapped(layer, "channels_first", True), _IMAGES, masks=False)}
       for layer in (GlobalMaxPooling2D, GlobalAveragePooling2D)},
}  # fmt: skip
