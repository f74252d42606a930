# SPDX-License-Identifier: Apache-2.0
"""Conv2D."""

from __future__ import annotations

from typing import Any, Unpack

from fastrnn.layers.arguments import LayerArguments, handed_on
from fastrnn.layers.convolution.convolution import Convolution


class Conv2D(Convolution):
    """Convolution over the rows and columns of images (batch, height, width, channels): ``y[h, w] = activation(b +
    sum over i, j of x[h s + i d - p, w s + j d - p] W[i, j])``, with the stride s, the dilation d, and p rows and
    columns of padding before the first, all of these one for each axis (Dumoulin and Visin 2016).

    Args:
        filters: channels of the output.
        kernel_size: rows and columns of a window; one number for both, as of the next.
        strides: rows and columns from window to window.
        padding: "valid" for windows inside the image; "same" for as many outputs as inputs, divided by the strides.
        data_format: "channels_last", or "channels_first" for inputs (batch, channels, height, width).
        dilation_rate: rows and columns from one element of a window to the next; 1 where strides are larger.
        groups: of channels; each has its part of the filters, which sees no other.
        activation: a name, an activation, or None for none.
        use_bias: add b.
        kernel_initializer, bias_initializer: first values of W (rows, columns, channels / groups, filters) and b
            (filters,).
        kernel_regularizer, bias_regularizer: penalties on them.
        kernel_constraint, bias_constraint: applied to them after each update.

    Raises:
        ValueError: an argument is none of these; at a call, if the input has other axes or is too small.

    Example:

    >>> import numpy as np
    >>> Conv2D(16, (3, 5), padding="same", activation="relu")(np.zeros((2, 10, 20, 1))).shape
    (2, 10, 20, 16)
    """

    rank = 2

    def __init__(self, filters: int, kernel_size: int | tuple[int, int], strides: int | tuple[int, int] = (1, 1),
                 padding: str = "valid", data_format: str | None = None,
                 dilation_rate: int | tuple[int, int] = (1, 1), groups: int = 1, activation: Any = None,
                 use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
                 kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
                 kernel_constraint: Any = None, bias_constraint: Any = None,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**handed_on(locals()))


Convolution2D = Conv2D
