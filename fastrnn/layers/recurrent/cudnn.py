# SPDX-License-Identifier: Apache-2.0
"""Names of Keras 1 and 2 for the layers that cuDNN computes, whose formulas `LSTM` and `GRU` have."""

from __future__ import annotations

from typing import Any, Unpack

from fastrnn.layers.arguments import LayerArguments, handed_on
from fastrnn.layers.recurrent.gru import GRU
from fastrnn.layers.recurrent.lstm import LSTM


def CuDNNLSTM(units: int, kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
              bias_initializer: Any = "zeros", unit_forget_bias: bool = True, kernel_regularizer: Any = None,
              recurrent_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
              kernel_constraint: Any = None, recurrent_constraint: Any = None, bias_constraint: Any = None,
              return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False,
              stateful: bool = False, time_major: bool = False, **kwargs: Unpack[LayerArguments]) -> LSTM:
    """An `LSTM` with the activations that are its defaults, and no dropout: what Keras 2 has under this name. Its files
    load as they are.

    Args:
        units, unit_forget_bias: as in `LSTM`.
        kernel_initializer, recurrent_initializer, bias_initializer: as in `LSTM`.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: as in `LSTM`.
        kernel_constraint, recurrent_constraint, bias_constraint: as in `LSTM`.
        return_sequences, return_state, go_backwards, stateful: as in `LSTM`.
        time_major: False alone.
        **kwargs: as in `LSTM`.

    Example:

    >>> import numpy as np
    >>> CuDNNLSTM(4)(np.zeros((2, 3, 8))).shape
    (2, 4)
    """
    return LSTM(**handed_on(locals()))


def CuDNNGRU(units: int, kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
             bias_initializer: Any = "zeros", kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
             bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
             recurrent_constraint: Any = None, bias_constraint: Any = None, return_sequences: bool = False,
             return_state: bool = False, go_backwards: bool = False, stateful: bool = False, time_major: bool = False,
             **kwargs: Unpack[LayerArguments]) -> GRU:
    """A `GRU` with reset_after, the activations that are its defaults, and no dropout: what Keras 2 has under this
    name. Its files load as they are.

    Args:
        units: as in `GRU`.
        kernel_initializer, recurrent_initializer, bias_initializer: as in `GRU`.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer: as in `GRU`.
        kernel_constraint, recurrent_constraint, bias_constraint: as in `GRU`.
        return_sequences, return_state, go_backwards, stateful: as in `GRU`.
        time_major: False alone.
        **kwargs: as in `GRU`.

    Example:

    >>> import numpy as np
    >>> CuDNNGRU(4).reset_after
    True
    """
    return GRU(**handed_on(locals()), reset_after=True)
