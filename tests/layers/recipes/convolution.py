# SPDX-License-Identifier: Apache-2.0
"""The recipes of convolutions, and of what makes images larger."""

from __future__ import annotations

from fastrnn.layers import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    DepthwiseConv1D,
    SeparableConv1D,
    UpSampling1D,
    UpSampling2D,
    ZeroPadding2D,
)
from tests.layers.recipes.recipe import D, N, Recipe, T, wrapped

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
    "Conv1DTranspose": {
        "": Recipe(wrapped(Conv1DTranspose, 3, 2)),
        "strides": Recipe(wrapped(Conv1DTranspose, 2, 3, 2, "same", output_padding=1, activation="gelu")),
        "first": Recipe(wrapped(Conv1DTranspose, 2, 2, 3, data_format="channels_first"), (N, D, T), masks=False)},
    "DepthwiseConv1D": {
        "": Recipe(wrapped(DepthwiseConv1D, 2, activation="tanh")),
        "several": Recipe(wrapped(DepthwiseConv1D, 3, 2, "same", 2, activation="softmax")),
        "first": Recipe(wrapped(DepthwiseConv1D, 2, dilation_rate=2, data_format="channels_first", use_bias=False),
                        (N, D, 4), masks=False)},
    "SeparableConv1D": {
        "": Recipe(wrapped(SeparableConv1D, 3, 2)),
        "several": Recipe(wrapped(SeparableConv1D, 3, 3, 2, "same", depth_multiplier=2, activation="gelu")),
        "first": Recipe(wrapped(SeparableConv1D, 3, 2, data_format="channels_first", use_bias=False),
                        (N, D, 4), masks=False)},
    "UpSampling1D": {"": Recipe(wrapped(UpSampling1D, 3))},
    "UpSampling2D": {"": Recipe(wrapped(UpSampling2D, (2, 1)), _IMAGES, masks=False),
                     "bilinear": Recipe(wrapped(UpSampling2D, (2, 3), None, "bilinear"), _IMAGES, masks=False),
                     "first": Recipe(wrapped(UpSampling2D, 3, "channels_first"), _IMAGES, masks=False)},
    "ZeroPadding2D": {"": Recipe(wrapped(ZeroPadding2D, ((1, 0), (0, 2))), _IMAGES, masks=False),
                      "first": Recipe(wrapped(ZeroPadding2D, 1, "channels_first"), _IMAGES, masks=False)},
}  # fmt: skip
