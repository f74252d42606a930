# SPDX-License-Identifier: Apache-2.0
"""MaxPooling1D."""

from __future__ import annotations

from typing import Unpack

from fastrnn.layers.arguments import LayerArguments, handed_on
from fastrnn.layers.pooling.base import Pooling


class MaxPooling1D(Pooling):
    """The largest element of each window over a sequence (batch, time, features), feature by feature. A mask does
    not go on. The gradient of several that are equally large goes to the first.

    Args:
        pool_size: steps of a window.
        strides: steps from window to window; None for `pool_size`.
        padding: "valid" for windows inside the input; "same" for as many outputs as inputs, divided by the strides,
            with padding that is never the largest.
        data_format: "channels_last", or "channels_first" for inputs (batch, features, time).

    Raises:
        ValueError: an argument is none of these; at a call, if the input has other axes or is too small.

    Example:

    >>> import numpy as np
    >>> x = np.array([[[1.0], [3.0], [2.0], [5.0]]])
    >>> MaxPooling1D(2)(x).ravel(), MaxPooling1D(2, 1, "same")(x).ravel()
    (array([3., 5.], dtype=float32), array([3., 3., 5., 5.], dtype=float32))
    """

    def __init__(self, pool_size: int | tuple[int] = 2, strides: int | tuple[int] | None = None, padding: str = "valid",
                 data_format: str | None = None, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**handed_on(locals()))


MaxPool1D = MaxPooling1D
