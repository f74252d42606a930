# SPDX-License-Identifier: Apache-2.0
"""LSTM."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn import activations
from fastrnn.layers.arguments import RecurrentArguments, handed_on
from fastrnn.layers.recurrent.base import Recurrent


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate of Gers et al. 2000).

    With gates in Keras's order i, f, c, o, sigma the recurrent activation and tanh the activation::

        i, f, o = sigma(x W + h U + b)    g = tanh(x W + h U + b)
        c' = f c + i g                    h' = o tanh(c')

    With peepholes (Gers & Schmidhuber 2000) the gates see the cell, unit by unit, and o the new one::

        i = sigma(x W + h U + b + p_i c)    f = sigma(x W + h U + b + p_f c)    o = sigma(x W + h U + b + p_o c')

    Args:
        units: width of both states and of the output.
        activation, recurrent_activation: as in `SimpleRNN`: five on the kernels, the others in NumPy.
        use_bias: add b.
        unit_forget_bias: the forget gate's bias starts at 1 (Jozefowicz et al. 2015).
        use_peepholes: add p_i, p_f and p_o, one weight more, "peephole_kernel" (3, units), in that order. Each starts
            as the kernel's initializer has it for (units,). Keras 3 has no such layer, and its files no place for it.
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

    def __init__(self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
                 use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
                 recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros",
                 unit_forget_bias: bool = True, kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
                 bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
                 recurrent_constraint: Any = None, bias_constraint: Any = None, dropout: float = 0.0,
                 recurrent_dropout: float = 0.0, seed: int | None = None, return_sequences: bool = False,
                 return_state: bool = False, go_backwards: bool = False, stateful: bool = False, unroll: bool = False,
                 use_cudnn: bool | str = "auto", *, use_peepholes: bool = False,
                 **kwargs: Unpack[RecurrentArguments]) -> None:
        super().__init__(**handed_on(locals(), "unit_forget_bias", "use_peepholes"))
        self.unit_forget_bias = bool(unit_forget_bias)
        self.use_peepholes = bool(use_peepholes)

    def weight_shapes(self, input_shape: Any) -> dict[str, tuple[int, ...]]:
        return {**super().weight_shapes(input_shape),
                **({"peephole_kernel": (3, self.units)} if self.use_peepholes else {})}

    def build(self, *input_shapes: Any) -> None:
        super().build(*input_shapes)
        if self.use_peepholes:
            self.peephole_kernel = self.add_weight("peephole_kernel", (3, self.units), self._peephole_initializer)

    def _peephole_initializer(self, shape: tuple[int, ...], dtype: Any = "float32") -> np.ndarray:
        return np.stack([self.kernel_initializer(shape[1:], dtype) for _ in range(shape[0])])

    def _bias_initializer(self) -> Any:
        if not self.unit_forget_bias:
            return None
        n = self.units

        def initializer(shape: Any, dtype: Any = "float32") -> np.ndarray:
            first, rest = self.bias_initializer((n,), dtype), self.bias_initializer((2 * n,), dtype)
            return np.concatenate([first, np.ones(n, dtype), rest])

        return initializer

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "recurrent_activation": activations.serialize(self.recurrent_activation),
                "unit_forget_bias": self.unit_forget_bias, **({"use_peepholes": True} if self.use_peepholes else {})}
