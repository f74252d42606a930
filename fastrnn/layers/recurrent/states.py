# SPDX-License-Identifier: Apache-2.0
"""Initial states, and those that a stateful layer keeps from call to call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.graph.call import Call
from fastrnn.graph.symbol import flatten, has_symbols
from fastrnn.graph.tape import is_box
from fastrnn.layers.base import Layer

#: What a call says that is given states as an argument of their own, and no mask: the mask that comes with its input
#: goes on to the layers above, and counts for nothing in this one, as in Keras 3.
MASK_PASSES_BY = {"mask_passes_by": True}


def mask_of(call: Call) -> np.ndarray | None:
    """The mask that counts in a call of a recurrent layer."""
    mask: np.ndarray | None = call.mask
    return None if "mask_passes_by" in call.options else mask


def before_first(mask: np.ndarray) -> np.ndarray:
    """Which steps of a mask (batch, time) come before the first one that counts; there is no output yet to repeat."""
    return ~np.logical_or.accumulate(mask, axis=1)


def parted(x: Any, initial_state: Any, mask: Any) -> tuple[Any, Any, Any]:
    """The input and the initial states of a call, where the input may be a list of both; and the call's options."""
    options = None if initial_state is None or mask is not None else MASK_PASSES_BY
    if isinstance(x, (list, tuple)) and initial_state is None and len(x) > 1 and (
            has_symbols(x) or all(isinstance(part, np.ndarray) or is_box(part) for part in x)):
        x, initial_state = x[0], list(x[1:])
    return x, initial_state, options


class States(Layer):
    """A layer over sequences, whose call takes states beside the input."""

    reads_mask = True

    state_count: Any
    state_shapes: Sequence[tuple[int, ...]]     # of each state, without the batch
    stateful: bool
    return_state: bool
    _states: Any
    _batch: int | None                      # that a stateful layer was built for or called with

    def shapes_of_outputs(self, shapes: list[Any], options: Mapping[str, Any]) -> Any:
        return self.compute_output_shape(*shapes)

    def most_inputs(self) -> int:
        return 1 + int(self.state_count)

    @property
    def state_size(self) -> list[Any]:
        """The width of each state."""
        return [shape[0] for shape in self.state_shapes]

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """The states that a sequence begins with.

        Args:
            batch_size: number of samples.
        """
        return [np.zeros((batch_size, *shape), self.dtype) for shape in self.state_shapes]

    # calls ---------------------------------------------------------------------------------------------------------

    def _call_with_states(self, x: Any, training: bool | None, mask: Any, initial_state: Any) -> Any:
        """The call of a layer that takes states: `x` may be a list of the input and them."""
        x, initial_state, options = parted(x, initial_state, mask)
        given = [] if initial_state is None else flatten(initial_state)
        if initial_state is not None and len(given) != self.state_count:
            raise ValueError(f"{self} initial_state: expected {self.state_count} arrays, got {len(given)}")
        if has_symbols(x) or has_symbols(given) or has_symbols(mask):
            self.check_state_symbols(given)
            kwargs = {} if initial_state is None else {"initial_state": initial_state}
            return self.connect([*flatten(x), *given], (x,), kwargs, training, mask, options)
        return self.run_call([x, *given], training, mask, options)

    def check_inputs(self, inputs: list[Any]) -> list[np.ndarray]:
        x = self.check_input(inputs[0])
        return [x, *self.given_states(inputs[1:], len(x))] if len(inputs) > 1 else [x]

    def check_part(self, index: int, x: Any) -> np.ndarray:
        if index == 0:
            return self.check_input(x)
        state = arrays.as_float(x, self.dtype, f"{self} initial_state")
        shape = self.state_shapes[index - 1]
        if state.shape[1:] != shape or state.ndim == 0:
            raise ValueError(f"{self} initial_state: expected {_known(shape)} = {_shown(('batch', *shape))}, got "
                             f"{state.shape}")
        return state

    def check_state_symbols(self, states: list[Any]) -> None:
        """Raise a ValueError if initial states do not fit."""
        for state, shape in zip(states, self.state_shapes):
            if len(state.shape) != 1 + len(shape) or any(
                    size not in (None, known) for size, known in zip(state.shape[1:], shape)):
                raise ValueError(f"{self} initial_state: expected {_known(shape)} = {(None, *shape)}, got "
                                 f"{tuple(state.shape)}")

    # states --------------------------------------------------------------------------------------------------------

    def initial_states(self, given: Any, batch: int,
                       argument: str = "initial_state") -> Sequence[np.ndarray | None]:
        """The states that a call begins with: those given, checked, or those kept, or None for zeros."""
        if given is None:
            if self.stateful and self._states is not None:
                if len(self._states[0]) != batch:
                    raise ValueError(f"{self}: stateful with states for a batch of {len(self._states[0])}, got a batch "
                                     f"of {batch}; call reset_states() first")
                states: Sequence[np.ndarray] = self._states
                return states
            return (None,) * self.state_count
        return self.given_states(list(given) if isinstance(given, (list, tuple)) else [given], batch, argument)

    def given_states(self, given: list[Any], batch: int, argument: str = "initial_state") -> list[np.ndarray]:
        """States that the user gave, checked."""
        if len(given) != self.state_count:
            raise ValueError(f"{self} {argument}: expected {self.state_count} arrays, got {len(given)}")
        checked = [arrays.as_float(s, self.dtype, f"{self} {argument}") for s in given]
        for state, shape in zip(checked, self.state_shapes):
            if state.shape != (batch, *shape):
                raise ValueError(f"{self} {argument}: expected {_known(shape)} = {(batch, *shape)}, got {state.shape}")
        return checked

    def keep_states(self, final: list[np.ndarray]) -> None:
        """Have a stateful layer's next call start from these."""
        if self.stateful:
            self._states = [state.copy() for state in final] if self.return_state else final
            self._batch = len(final[0])

    @property
    def changed_by_calls(self) -> bool:
        return self.stateful

    def snapshot(self) -> Any:
        return self._states

    def restore(self, snapshot: Any) -> None:
        self._states = snapshot

    @property
    def states(self) -> list[np.ndarray] | None:
        """Copies of the states that a stateful layer's next call starts from: h, and c of an LSTM, each (batch, units);
        None if the layer is not stateful, or while its batch is not known, before it is built for one or called."""
        if not self.stateful or self._batch is None:
            return None
        if self._states is None:
            return [np.zeros((self._batch, *shape), self.dtype) for shape in self.state_shapes]
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
        given = list(given) if isinstance(given, (list, tuple)) else [given]
        leaves = flatten(given)
        if all(isinstance(leaf, np.ndarray) for leaf in leaves):    # those of several cells are a list of each one's
            given = leaves
        batch = len(np.atleast_1d(arrays.as_array(given[0], f"{self} states"))) if given else 0
        return [np.array(state) for state in self.given_states(given, batch, "states")]

    reset_state = reset_states


def _known(shape: tuple[int, ...]) -> str:
    return "(batch, units)" if len(shape) == 1 else "(batch, ...)"


def _shown(shape: tuple[Any, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
