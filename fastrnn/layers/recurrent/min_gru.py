# SPDX-License-Identifier: Apache-2.0
"""MinGRU."""

from __future__ import annotations

from typing import Any, Unpack

from fastrnn import activations
from fastrnn.layers.arguments import RecurrentArguments, handed_on
from fastrnn.layers.recurrent.base import Recurrent

#: What a base's argument is about, and this layer does not have.
_OF_RECURRENT_KERNEL = ("recurrent_initializer", "recurrent_regularizer", "recurrent_constraint")


class MinGRU(Recurrent):
    """minGRU (Feng et al. 2024, "Were RNNs All We Needed?"), gates in the order z, h::

        z = sigma(x W_z + b_z)    hh = g(x W_h + b_h)    h' = (1 - z) h + z hh

    sigma is the recurrent activation, g the activation. No gate sees the state: there is no recurrent kernel, the gates
    of all steps are one product, and a step costs little beside it. Stack two or more, as the paper does, where a step
    must depend on what came before in more than one way.

    Args:
        units: width of the state and the output.
        activation, recurrent_activation: as in `SimpleRNN`: five on the kernels, the others in NumPy.
        use_bias: add b.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint:
            as in `SimpleRNN`; W is (features, 2 units), b (2 units,).
        recurrent_dropout: 0 alone, as nothing multiplies the state.
        dropout, seed, return_sequences, return_state, go_backwards, stateful, unroll, activity_regularizer, **kwargs:
            as in `SimpleRNN`.

    Keras, ONNX and PyTorch have no such layer: a file of it, `.keras` too, loads in fastrnn alone.

    Raises:
        TypeError, ValueError: as `SimpleRNN`; and ValueError for a recurrent dropout.

    Example:

    >>> import numpy as np
    >>> MinGRU(4, return_sequences=True)(np.zeros((2, 3, 8))).shape
    (2, 3, 4)
    """

    cell_name = "MinGRU"
    keras_module = "fastrnn.layers"

    def __init__(self, units: int, activation: Any = "linear", recurrent_activation: Any = "sigmoid",
                 use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
                 kernel_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None,
                 kernel_constraint: Any = None, bias_constraint: Any = None, dropout: float = 0.0,
                 recurrent_dropout: float = 0.0, seed: int | None = None, return_sequences: bool = False,
                 return_state: bool = False, go_backwards: bool = False, stateful: bool = False, unroll: bool = False,
                 **kwargs: Unpack[RecurrentArguments]) -> None:
        super().__init__(**handed_on(locals()))
        for argument in _OF_RECURRENT_KERNEL:
            if argument in kwargs:
                raise TypeError(f"{self}: unknown keyword {argument!r}, as there is no recurrent kernel")
        if self.recurrent_dropout:
            raise ValueError(f"{self} recurrent_dropout: expected 0, as there is no recurrent kernel whose input it "
                             f"would drop, got {recurrent_dropout!r}; use dropout, which acts on the layer's input")

    def get_config(self) -> dict[str, Any]:
        left_out = (*_OF_RECURRENT_KERNEL, "recurrent_dropout")
        return {**{key: value for key, value in super().get_config().items() if key not in left_out},
                "recurrent_activation": activations.serialize(self.recurrent_activation)}
