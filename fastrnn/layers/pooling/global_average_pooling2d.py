# SPDX-License-Identifier: Apache-2.0
"""GlobalAveragePooling2D."""

from __future__ import annotations

from fastrnn.layers.pooling.base import GlobalAverage


class GlobalAveragePooling2D(GlobalAverage):
    """The mean of each feature over all rows and columns of images (batch, height, width, channels). A mask does
    not go on.

    Args:
        data_format: "channels_last", or "channels_first" for inputs (batch, channels, height, width).
        keepdims: keep the axes that are pooled, with a length of 1.

    Raises:
        ValueError: `data_format` is none of these; at a call, if the input has other axes or nothing to pool.

    Example:

    >>> import numpy as np
    >>> x = np.zeros((2, 5, 6, 8))
    >>> GlobalAveragePooling2D()(x).shape, GlobalAveragePooling2D(keepdims=True)(x).shape
    ((2, 8), (2, 1, 1, 8))
    """

    rank = 2


GlobalAvgPool2D = GlobalAveragePooling2D
