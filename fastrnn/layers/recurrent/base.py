# SPDX-License-Identifier: Apache-2.0
"""What the recurrent layers share."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn import activations, arrays
from fastrnn.layers.recurrent.backward import RecurrentBackward


class Recurrent(RecurrentBackward):
    """Base of the recurrent layers; see `SimpleRNN`, `LSTM`, `GRU` and `MinGRU` for the arguments.

    A subclass names its cell as the kernels do, and the gates of its kernel in Keras's order. Arguments and weights
    are in `recurrent_weights`, the passes in `recurrent_forward` and `recurrent_backward`.
    """

    @property
    def states(self) -> list[np.ndarray] | None:
        """Copies of the states that a stateful layer's next call starts from: h, and c of an LSTM, each (batch, units);
        None if the layer is not stateful, or while its batch is not known, before it is built for one or called."""
        if not self.stateful or self._batch is None:
            return None
        if self._states is None:
            return [np.zeros((self._batch, self.units), self.dtype) for _ in range(self.state_count)]
        return [state.copy() for state in self._states]

    def reset_states(self, states: Any = None) -> None:
        """Forget the states that a stateful layer keeps, or set them.

        Args:
            states: (batch, units), for an LSTM a list of two: h and c; None to begin with zeros.

        Raises:
            ValueError: `states` do not fit, or the layer is not stateful.

        Example:

        >>> from fastrnn.layers import GRU
        >>> layer = GRU(2, stateful=True)
        >>> layer.reset_states(states=np.array([[0.5, -0.5]]))
        >>> layer([[[1.0, 2.0]]]).shape
        (1, 2)
        """
        self._states = None if states is None else self.states_of(states)

    def states_of(self, given: Any) -> list[np.ndarray]:
        """Copies of the states that the user gave, checked."""
        if not self.stateful:
            raise ValueError(f"{self}: reset_states can set the states of a stateful layer alone; make it with "
                             "stateful=True, or pass them as initial_state")
        given = given if isinstance(given, (list, tuple)) else [given]
        batch = len(np.atleast_1d(arrays.as_array(given[0], f"{self} states"))) if given else 0
        return [np.array(state) for state in self.initial_states(given, batch, "states")]

    reset_state = reset_states

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "units": self.units, "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "dropout": self.dropout, "recurrent_dropout": self.recurrent_dropout, "seed": self.seed,
            "return_sequences": self.return_sequences, "return_state": self.return_state,
            "go_backwards": self.go_backwards, "stateful": self.stateful,
            "zero_output_for_mask": self.zero_output_for_mask,
        }
