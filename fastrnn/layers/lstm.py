# SPDX-License-Identifier: Apache-2.0
"""LSTM."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn import activations
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
        **kwargs: see `SimpleRNN`. W is (features, 4 units), U (units, 4 units), b (4 units,).

    With return_state, the output is followed by h and c, each (batch, units).

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
                 use_bias: bool = True, unit_forget_bias: bool = True, **kwargs: Any) -> None:
        super().__init__(units, activation=activation, recurrent_activation=recurrent_activation, use_bias=use_bias,
                         **kwargs)
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
