# SPDX-License-Identifier: Apache-2.0
"""What the recurrent layers share."""

from __future__ import annotations

from typing import Any

from fastrnn import activations
from fastrnn.layers.recurrent.backward import RecurrentBackward
from fastrnn.layers.table import registry


class Recurrent(RecurrentBackward):
    """Base of the recurrent layers; see `SimpleRNN`, `LSTM`, `GRU` and `MinGRU` for the arguments.

    A subclass names its cell as the kernels do, and the gates of its kernel in Keras's order. Arguments and weights
    are in `recurrent_weights`, the passes in `recurrent_forward` and `recurrent_backward`.
    """

    def forget(self) -> None:
        super().forget()
        self._cell: Any = None

    @property
    def cell(self) -> Any:
        """The layer's cell, as Keras has it: of its arguments, and with its weights, once it is built."""
        if self._cell is None:
            name = next(name for cls in type(self).__mro__ if (name := f"{cls.__name__}Cell") in registry.objects)
            self._cell = registry.objects[name].of(self)
            self._cell._whole = self
        if self.built and not self._cell.built:
            self._cell.take_weights(self)
        return self._cell

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "units": self.units, "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "dropout": self.dropout, "recurrent_dropout": self.recurrent_dropout, "seed": self.seed,
            "return_sequences": self.return_sequences, "return_state": self.return_state,
            "go_backwards": self.go_backwards, "stateful": self.stateful,
            "zero_output_for_mask": self.zero_output_for_mask,
        }
