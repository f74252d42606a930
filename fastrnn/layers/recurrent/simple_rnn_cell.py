# SPDX-License-Identifier: Apache-2.0
"""SimpleRNNCell."""

from __future__ import annotations

from typing import Any, Unpack

from fastrnn.layers.arguments import CellArguments
from fastrnn.layers.recurrent.cell import StandardCell
from fastrnn.layers.recurrent.simple_rnn import SimpleRNN


class SimpleRNNCell(StandardCell):
    """The cell of `SimpleRNN`, whose formula and arguments it has, but for those of sequences: one step of it by
    itself, or within `RNN`, which runs it on the kernels as `SimpleRNN` runs.

    Args:
        units: width of the state and of the output.
        activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint: as in
            `SimpleRNN`.
        dropout, recurrent_dropout, seed: as in `SimpleRNN`; a step by itself draws masks of its own.
        **kwargs: as every layer's.

    Raises:
        TypeError, ValueError: as `SimpleRNN`.

    Example:

    >>> import numpy as np
    >>> cell = SimpleRNNCell(4)
    >>> y, [h] = cell(np.zeros((2, 8)), cell.get_initial_state(2))
    >>> y.shape, h.shape
    ((2, 4), (2, 4))
    """

    layer_class = SimpleRNN

    def __init__(self, units: int, activation: Any = "tanh", use_bias: bool = True,
                 kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
                 bias_initializer: Any = "zeros", kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
                 bias_regularizer: Any = None, kernel_constraint: Any = None, recurrent_constraint: Any = None,
                 bias_constraint: Any = None, dropout: float = 0.0, recurrent_dropout: float = 0.0,
                 seed: int | None = None, **kwargs: Unpack[CellArguments]) -> None:
        super().__init__(locals(), **kwargs)
