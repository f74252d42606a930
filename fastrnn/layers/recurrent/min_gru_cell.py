# SPDX-License-Identifier: Apache-2.0
"""MinGRUCell."""

from __future__ import annotations

from typing import Any, Unpack

from fastrnn.layers.arguments import CellArguments
from fastrnn.layers.recurrent.cell import StandardCell
from fastrnn.layers.recurrent.min_gru import MinGRU


class MinGRUCell(StandardCell):
    """The cell of `MinGRU`, whose formula and arguments it has, but for those of sequences: one step of it by itself,
    or within `RNN`, which runs it on the kernels as `MinGRU` runs. Keras has no such cell.

    Args:
        units: width of the state and of the output.
        activation, recurrent_activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer,
            bias_regularizer, kernel_constraint, bias_constraint: as in `MinGRU`.
        dropout, seed: as in `MinGRU`; a step by itself draws a mask of its own.
        **kwargs: as every layer's.

    Raises:
        TypeError, ValueError: as `MinGRU`.

    Example:

    >>> import numpy as np
    >>> cell = MinGRUCell(4)
    >>> y, [h] = cell(np.zeros((2, 8)), cell.get_initial_state(2))
    >>> y.shape, h.shape
    ((2, 4), (2, 4))
    """

    layer_class = MinGRU

    def __init__(self, units: int, activation: Any = "linear", recurrent_activation: Any = "sigmoid",
                 use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
                 kernel_regularizer: Any = None, bias_regularizer: Any = None, kernel_constraint: Any = None,
                 bias_constraint: Any = None, dropout: float = 0.0, seed: int | None = None,
                 **kwargs: Unpack[CellArguments]) -> None:
        super().__init__(locals(), **kwargs)
