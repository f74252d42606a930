# SPDX-License-Identifier: Apache-2.0
"""Conv1D."""

from __future__ import annotations

from typing import Any, Unpack

from fastrnn.layers.arguments import LayerArguments, handed_on
from fastrnn.layers.convolution.convolution import Convolution


class Conv1D(Convolution):
    """Convolution over the steps of a sequence: ``y[t] = activation(b + sum over k of x[t s + k d - p] W[k])``, with
    the stride s, the dilation d, and p steps of padding before the first (Dumoulin and Visin 2016). A mask does not go
    on.

    Args:
        filters: width of the output.
        kernel_size: steps of a window.
        strides: steps from window to window.
        padding: "valid" for windows inside the sequence; "same" for as many outputs as steps, divided by the stride;
            "causal" for the same, where no output sees a later step.
        data_format: "channels_last", or "channels_first" for inputs (batch, features, time).
        dilation_rate: steps from one element of a window to the next; 1 where strides are larger.
        groups: of features; each has its part of the filters, which sees no other.
        activation: a name, an activation, or None for none.
        use_bias: add b.
        kernel_initializer, bias_initializer: first values of W (kernel_size, features / groups, filters) and b
            (filters,).
        kernel_regularizer, bias_regularizer: penalties on them.
        kernel_constraint, bias_constraint: applied to them after each update.

    Raises:
        ValueError: an argument is none of these; at a call, if the input has other axes or too few steps.

    Example:

    >>> import numpy as np
    >>> x = np.zeros((2, 10, 8))
    >>> Conv1D(16, 3, activation="relu")(x).shape, Conv1D(16, 3, padding="causal", dilation_rate=4)(x).shape
    ((2, 8, 16), (2, 10, 16))
    """

    paddings = ("valid", "same", "causal")

    def __init__(self, filters: int, kernel_size: int | tuple[int], strides: int | tuple[int] = 1,
                 padding: str = "valid", data_format: str | None = None, dilation_rate: int | tuple[int] = 1,
                 groups: int = 1, activation: Any = None, use_bias: bool = True,
                 kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
                 kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
                 kernel_constraint: Any = None, bias_constraint: Any = None,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**handed_on(locals()))


Convolution1D = Conv1D
