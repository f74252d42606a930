# SPDX-License-Identifier: Apache-2.0
"""GlobalMaxPooling2D."""

from __future__ import annotations

from fastrnn.layers.pooling.base import GlobalMax


class GlobalMaxPooling2D(GlobalMax):
    """The largest value of each feature over all rows and columns of images (batch, height, width, channels). A
    mask does not go on. Equally large ones share the gradient.

    Args:
        data_format: "channels_last", or "channels_first" for inputs (batch, channels, height, width).
        keepdims: keep the axes that are pooled, with a length of 1.

    Raises:
        ValueError: `data_format` is none of these; at a call, if the input has other axes or nothing to pool.

    Example:

    >>> import numpy as np
    >>> x = np.zeros((2, 5, 6, 8))
    >>> GlobalMaxPooling2D()(x).shape, GlobalMaxPooling2D(keepdims=True)(x).shape
    ((2, 8), (2, 1, 1, 8))
    """

    rank = 2


GlobalMaxPool2D = GlobalMaxPooling2D
