# SPDX-License-Identifier: Apache-2.0
"""LSTM."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn import activations
from fastrnn.layers.arguments import RecurrentArguments, handed_on
from fastrnn.layers.recurrent_base import Recurrent


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate of Gers et al. 2000).

    With gates in Keras's order i, f, c, o, sigma the recurrent activation and tanh the activation::

        i, f, o = sigma(x W + h U + b)    g = tanh(x W + h U + b)
        c' = f c + i g                    h' = o tanh(c')

    Args:
        units: width of both states and of the output.
        activation, recurrent_activation: "tanh", "relu", "sigmoid", "linear" or "hard_sigmoid".
        use_bias: add b.
        unit_forget_bias: the forget gate's bias starts at 1 (Jozefowicz et al. 2015).
        kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint: as in `SimpleRNN`; W is
            (features, 4 units), U (units, 4 units), b (4 units,).
        dropout, recurrent_dropout, seed, return_sequences, return_state, go_backwards, stateful, unroll,
            activity_regularizer, **kwargs: as in `SimpleRNN`.
        use_cudnn: accepted, and without effect.

    With return_state, the output is followed by h and c, each (batch, units).

    Raises:
        TypeError, ValueError: as `SimpleRNN`.

    Example:

    >>> import numpy as np
    >>> y, h, c = LSTM(4, return_state=True)(np.zeros((2, 3, 8)))
    >>> y.shape, c.shape
    ((2, 4), (2, 4))
    """

    cell_name = "LSTM"
    gates = 4
    state_count = 2
    input_blocks = (0, 1, 3, 2)
    state_blocks = ((0, 1, 3, 2),)

    def __init__(self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
                 use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
                 recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros",
                 unit_forget_bias: bool = True, kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
                 bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
                 recurrent_constraint: Any = None, bias_constraint: Any = None, dropout: float = 0.0,
                 recurrent_dropout: float = 0.0, seed: int | None = None, return_sequences: bool = False,
                 return_state: bool = False, go_backwards: bool = False, stateful: bool = False, unroll: bool = False,
                 use_cudnn: bool | str = "auto", **kwargs: Unpack[RecurrentArguments]) -> None:
        super().__init__(**handed_on(locals(), "unit_forget_bias"))
        self.unit_forget_bias = bool(unit_forget_bias)

    def _bias_initializer(self) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer
        n = self.units

        def initializer(shape: Any, dtype: Any = "float32") -> np.ndarray:
            first, rest = self.bias_initializer((n,), dtype), self.bias_initializer((2 * n,), dtype)
            return np.concatenate([first, np.ones(n, dtype), rest])

        return initializer

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "recurrent_activation": activations.serialize(self.recurrent_activation),
                "unit_forget_bias": self.unit_forget_bias}
