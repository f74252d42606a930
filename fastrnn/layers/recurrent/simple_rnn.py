# SPDX-License-Identifier: Apache-2.0
"""SimpleRNN."""

from __future__ import annotations

from typing import Any, Unpack

from fastrnn.layers.arguments import RecurrentArguments, handed_on
from fastrnn.layers.recurrent.base import Recurrent

#: What the base takes for the layers with gates.
_OF_GATES = ("recurrent_activation", "use_cudnn")


class SimpleRNN(Recurrent):
    """Fully connected recurrent layer (Elman 1990): ``h' = activation(x W + h U + b)``.

    Args:
        units: width of the state and the output.
        activation: "tanh", "relu", "sigmoid", "linear" or "hard_sigmoid", which the kernels have. Another name of
            `fastrnn.activations`, or an `Activation` of your own, gives a layer that runs step by step in NumPy: as
            exact, and several times slower.
        use_bias: add b.
        kernel_initializer, recurrent_initializer, bias_initializer: first values of W (features, units), U (units,
            units) and b (units,).
        kernel_regularizer, recurrent_regularizer, bias_regularizer: penalties on them.
        kernel_constraint, recurrent_constraint, bias_constraint: applied to them after each update.
        dropout: fraction of the input features dropped in training, the same for all steps of a sequence.
        recurrent_dropout: the same for the units of the state on their way into the next step.
        seed: of these masks; None draws from the library's generator (`fastrnn.utils.set_random_seed`).
        return_sequences: give the output of every step, else of the last.
        return_state: also give the final state.
        go_backwards: process the steps from last to first, and give the outputs in that order.
        stateful: a call starts from the final states of the call before.
        unroll: accepted, and without effect.
        activity_regularizer: penalty on the output.
        **kwargs: `name`, `trainable`, `dtype` ("float32" or "float64"), Keras's `input_shape`, `batch_input_shape`,
            `input_dim`, `input_length`; and `zero_output_for_mask`: a masked step's output is zero, else the output
            before is repeated.

    Raises:
        TypeError: a keyword that the layer does not have; suggests the nearest.
        ValueError: a value that does not fit its argument.

    Example:

    >>> import numpy as np
    >>> layer = SimpleRNN(4, return_sequences=True)
    >>> layer(np.zeros((2, 3, 8))).shape
    (2, 3, 4)
    """

    cell_name = "SimpleRNN"

    def __init__(self, units: int, activation: Any = "tanh", use_bias: bool = True,
                 kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
                 bias_initializer: Any = "zeros", kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
                 bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None,
                 recurrent_constraint: Any = None, bias_constraint: Any = None, dropout: float = 0.0,
                 recurrent_dropout: float = 0.0, return_sequences: bool = False, return_state: bool = False,
                 go_backwards: bool = False, stateful: bool = False, unroll: bool = False, seed: int | None = None,
                 **kwargs: Unpack[RecurrentArguments]) -> None:
        given = handed_on(locals())
        foreign = [argument for argument in _OF_GATES if argument in given]
        super().__init__(**{argument: value for argument, value in given.items() if argument not in foreign})
        if foreign:
            raise TypeError(f"{self}: unknown keyword {foreign[0]!r}, as there are no gates")
