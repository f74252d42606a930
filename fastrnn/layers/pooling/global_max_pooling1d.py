# SPDX-License-Identifier: Apache-2.0
"""GlobalMaxPooling1D."""

from __future__ import annotations

from fastrnn.layers.pooling.base import GlobalMax


class GlobalMaxPooling1D(GlobalMax):
    """The largest value of each feature over all steps of a sequence (batch, time, features). A mask does not go
    on. Equally large ones share the gradient.

    Args:
        data_format: "channels_last", or "channels_first" for inputs (batch, features, time).
        keepdims: keep the axes that are pooled, with a length of 1.

    Raises:
        ValueError: `data_format` is none of these; at a call, if the input has other axes or nothing to pool.

    Example:

    >>> import numpy as np
    >>> x = np.zeros((2, 5, 8))
    >>> GlobalMaxPooling1D()(x).shape, GlobalMaxPooling1D(keepdims=True)(x).shape
    ((2, 8), (2, 1, 8))
    """


GlobalMaxPool1D = GlobalMaxPooling1D
