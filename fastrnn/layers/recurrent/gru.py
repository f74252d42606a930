# SPDX-License-Identifier: Apache-2.0
"""GRU."""

from __future__ import annotations

from typing import Any, Unpack

from fastrnn import activations
from fastrnn.layers.arguments import RecurrentArguments, handed_on
from fastrnn.layers.recurrent.base import Recurrent


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al. 2014), gates in Keras's order z, r, h::

        z, r = sigma(x W + h U + b)
        hh = tanh(x W_h + b_h + r (h U_h + b_rh))    with reset_after, as cuDNN and PyTorch have it
        hh = tanh(x W_h + (r h) U_h + b_h)           without, as in the paper
        h' = z h + (1 - z) hh

    Args:
        units: width of the state and the output.
        activation, recurrent_activation: as in `SimpleRNN`: five on the kernels, the others in NumPy.
        use_bias: add b.
        reset_after: apply the reset gate after the product with U, else before.
        kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint: as in `SimpleRNN`; W is
            (features, 3 units), U (units, 3 units), b (2, 3 units) with reset_after (the input's, then the state's),
            else (3 units,).
        dropout, recurrent_dropout, seed, return_sequences, return_state, go_backwards, stateful, unroll,
            activity_regularizer, **kwargs: as in `SimpleRNN`. Recurrent dropout acts on what U multiplies, not on z h.
        use_cudnn: accepted, and without effect.

    Raises:
        TypeError, ValueError: as `SimpleRNN`.

    Example:

    >>> import numpy as np
    >>> GRU(4)(np.zeros((2, 3, 8))).shape
    (2, 4)
    """

    cell_name = "GRU"

    def __init__(self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
                 use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
                 recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros",
                 kernel_regularizer: Any = None, recurrent_regularizer: Any = None, bias_regularizer: Any = None,
                 activity_regularizer: Any = None, kernel_constraint: Any = None, recurrent_constraint: Any = None,
                 bias_constraint: Any = None, dropout: float = 0.0, recurrent_dropout: float = 0.0,
                 seed: int | None = None, return_sequences: bool = False, return_state: bool = False,
                 go_backwards: bool = False, stateful: bool = False, unroll: bool = False, reset_after: bool = True,
                 use_cudnn: bool | str = "auto", **kwargs: Unpack[RecurrentArguments]) -> None:
        self.reset_after = bool(reset_after)
        if not self.reset_after:
            self.cell_name = "GRU reset before"
        super().__init__(**handed_on(locals(), "reset_after"))

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, *super()._bias_shape()) if self.reset_after else super()._bias_shape()

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "recurrent_activation": activations.serialize(self.recurrent_activation),
                "reset_after": self.reset_after}
