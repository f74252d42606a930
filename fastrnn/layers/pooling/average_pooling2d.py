# SPDX-License-Identifier: Apache-2.0
"""AveragePooling2D."""

from __future__ import annotations

from typing import Unpack

from fastrnn.layers.arguments import LayerArguments, handed_on
from fastrnn.layers.pooling.base import Pooling


class AveragePooling2D(Pooling):
    """The mean of each window over images (batch, height, width, channels), feature by feature. A mask does not go
    on.

    Args:
        pool_size: rows and columns of a window; one number for both, as of the next.
        strides: rows and columns from window to window; None for `pool_size`.
        padding: "valid" for windows inside the input; "same" for as many outputs as inputs, divided by the strides,
            with padding, none of which counts.
        data_format: "channels_last", or "channels_first" for inputs (batch, channels, height, width).

    Raises:
        ValueError: an argument is none of these; at a call, if the input has other axes or is too small.

    Example:

    >>> import numpy as np
    >>> AveragePooling2D((2, 3))(np.zeros((2, 8, 9, 4))).shape
    (2, 4, 3, 4)
    """

    rank = 2
    largest = False

    def __init__(self, pool_size: int | tuple[int, int], strides: int | tuple[int, int] | None = None,
                 padding: str = "valid", data_format: str | None = None, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**handed_on(locals()))


AvgPool2D = AveragePooling2D
