# SPDX-License-Identifier: Apache-2.0
"""LSTMCell."""

from __future__ import annotations

from typing import Any, Unpack

from fastrnn.layers.arguments import CellArguments
from fastrnn.layers.recurrent.cell import StandardCell
from fastrnn.layers.recurrent.lstm import LSTM


class LSTMCell(StandardCell):
    """The cell of `LSTM`, whose formula and arguments it has, but for those of sequences: one step of it by
    itself, or within `RNN`, which runs it on the kernels as `LSTM` runs.

    Args:
        units: width of both states and of the output.
        activation, recurrent_activation, use_bias, unit_forget_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, kernel_regularizer, recurrent_regularizer, bias_regularizer, kernel_constraint,
            recurrent_constraint, bias_constraint: as in `LSTM`.
        dropout, recurrent_dropout, seed: as in `LSTM`; a step by itself draws masks of its own.
        **kwargs: as every layer's.

    Raises:
        TypeError, ValueError: as `LSTM`.

    Example:

    >>> import numpy as np
    >>> cell = LSTMCell(4)
    >>> y, [h, c] = cell(np.zeros((2, 8)), cell.get_initial_state(2))
    >>> y.shape, c.shape
    ((2, 4), (2, 4))
    """

    layer_class = LSTM

    def __init__(self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
                 use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
                 recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros",
                 unit_forget_bias: bool = True, kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
                 bias_regularizer: Any = None, kernel_constraint: Any = None, recurrent_constraint: Any = None,
                 bias_constraint: Any = None, dropout: float = 0.0, recurrent_dropout: float = 0.0,
                 seed: int | None = None, **kwargs: Unpack[CellArguments]) -> None:
        super().__init__(locals(), **kwargs)
