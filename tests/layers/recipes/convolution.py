# SPDX-License-Identifier: Apache-2.0
"""The recipes of convolutions."""

from __future__ import annotations

from fastrnn.layers import Conv1D, Conv2D
from tests.layers.recipes.recipe import D, N, Recipe, wrapped

#: Images, whose masks would be of rows.
_IMAGES = (N, 3, 5, 2)

RECIPES: dict[str, dict[str, Recipe]] = {
    "Conv1D": {
        "": Recipe(wrapped(Conv1D, 3, 2)),
        "same": Recipe(wrapped(Conv1D, 3, 3, padding="same", activation="tanh")),
        "causal": Recipe(wrapped(Conv1D, 3, 2, padding="causal", dilation_rate=2, activation="gelu")),
        "strides": Recipe(wrapped(Conv1D, 4, 2, 2, "same", groups=2, activation="softmax")),
        "first": Recipe(wrapped(Conv1D, 2, 3, data_format="channels_first", use_bias=False), (N, D, 5), masks=False)},
    "Conv2D": {
        "": Recipe(wrapped(Conv2D, 3, 2), _IMAGES, masks=False),
        "same": Recipe(wrapped(Conv2D, 2, (3, 2), (2, 1), "same", activation="sigmoid"), _IMAGES, masks=False),
        "first": Recipe(wrapped(Conv2D, 2, (2, 3), data_format="channels_first", groups=2, padding="same"),
                        (N, 2, 3, 4), masks=False)},
}  # fmt: skip
