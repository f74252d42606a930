# SPDX-License-Identifier: Apache-2.0
"""The forward pass of SimpleRNN, LSTM and GRU: one kernel call for all time steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn import _core, arrays, runtime
from fastrnn.graph.call import Call
from fastrnn.graph.symbol import flatten, has_symbols
from fastrnn.layers.base import Layer
from fastrnn.layers.recurrent.weights import RecurrentWeights, rank_hint


class Tape(NamedTuple):
    """What a forward pass leaves for the backward pass."""

    x: np.ndarray                       # (N, T, D), input dropout applied
    mask: np.ndarray | None             # (N, T), in the order of processing
    dropout: np.ndarray | None          # (N, D), what the input was multiplied by
    recurrent_dropout: np.ndarray | None    # (N, H), what the state is multiplied by
    buffer: np.ndarray                  # the kernel's gates and states
    from_zero: bool                     # there were no initial states
    given: bool                         # they were inputs, whose gradients are asked for


class Ready(NamedTuple):
    """A forward pass that is ready to run."""

    arguments: tuple[Any, ...]          # the kernel's
    final: list[np.ndarray]             # the states after it that are asked for
    tape: Tape | None                   # of training
    lent: arrays.Buffers | None         # what an inference gives back


def check_sequences(layer: Layer, x: Any, width: int | None) -> np.ndarray:
    """`x` as float (batch, time, width), or a ValueError that names the layer."""
    if not arrays.is_ready(x, layer.dtype):
        x = arrays.as_float(x, layer.dtype, f"{layer} input")
    if x.ndim != 3 or (width is not None and x.shape[2] != width):
        raise ValueError(f"{layer}: expected input (batch, time, {'features' if width is None else width}), "
                         f"got {x.shape}{rank_hint(x.shape, width)}")
    return x


class RecurrentForward(RecurrentWeights):
    """Runs a recurrent layer; `Recurrent` has the whole."""

    reads_rows = True

    def __init__(self, units: int, **arguments: Any) -> None:
        super().__init__(units, **arguments)
        kernels = _core.kernels(self.dtype)
        self.cell: int = kernels.CELLS[self.cell_name]["number"]
        codes = kernels.ACTIVATIONS
        self._codes = codes[self.activation.name], codes[self.recurrent_activation.name]
        self._rng = None if self.seed is None else np.random.Generator(np.random.SFC64(self.seed))
        self._states: list[np.ndarray] | None = None
        self._batch: int | None = None      # that a stateful layer was built for or called with

    def build(self, *input_shapes: Any) -> None:
        super().build(*input_shapes)
        self._batch = input_shapes[0][0]

    def forget(self) -> None:
        super().forget()
        self._idle = [arrays.Buffers()]     # inference buffers, one for each thread that predicts at the moment
        self._inference: Any = None         # the kernels' short way from an input to an output, once there was one

    def _options(self) -> tuple[Any, ...]:
        """What the kernels must know of the layer."""
        return (self.cell, self.units, *self._codes, self.zero_output_for_mask)

    def check_input(self, x: Any) -> np.ndarray:
        return check_sequences(self, x, self.kernel.data.shape[0] if self.built else None)

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None, initial_state: Any = None) -> Any:
        """The layer's output for `x`; for symbols, the symbols of it.

        Args:
            x: (batch, time, features), any numeric dtype and strides; or a list of it and the initial states.
            training: dropout acts, and `backward` can follow.
            mask: bool (batch, time), False where a step hands output and state on, or None.
            initial_state: (batch, units), for an LSTM a list of two: h and c; None for zeros, or, if stateful, for the
                states of the last call.

        Returns:
            (batch, time, units) with return_sequences, else (batch, units); with return_state a list of it and the
            final states.

        Raises:
            ValueError: an argument does not fit.
            TypeError: symbols among arrays.
        """
        if not training and mask is None and initial_state is None and (y := self._infer(x)) is not None:
            return y
        return self._call_with_states(x, training, mask, initial_state)

    def forward(self, x: np.ndarray | arrays.Rows, *states: np.ndarray, call: Call) -> Any:
        """The output for a checked input, in inference also for rows of a table."""
        mask = call.mask
        if not (call.taped or states) and mask is None and (y := self._infer(x, checked=True)) is not None:
            return y
        if mask is not None and mask.shape != x.shape[:2]:      # one that a layer below gives
            raise self.wrong_mask(mask, x.shape)
        initial = self._initial_states(states or None, len(x))
        out = None
        if self.return_sequences:
            out = np.empty((x.shape[0], x.shape[1], self.units), arrays.DTYPES[self.dtype])
        final = self.run(x, out, initial, call, bool(states))
        self.keep_states(final)
        if out is None:
            out = self._last_output(final[0], mask)
        return [out, *final] if self.return_state else out

    def keep_states(self, final: list[np.ndarray]) -> None:
        """Have a stateful layer's next call start from these."""
        if self.stateful:
            self._states = [state.copy() for state in final] if self.return_state else final
            self._batch = len(final[0])

    def _call_with_states(self, x: Any, training: bool | None, mask: Any, initial_state: Any) -> Any:
        """The call of a layer that takes states: `x` may be a list of the input and them."""
        if isinstance(x, (list, tuple)) and initial_state is None and len(x) > 1 and (
                has_symbols(x) or all(isinstance(part, np.ndarray) for part in x)):
            x, initial_state = x[0], list(x[1:])
        given = [] if initial_state is None else flatten(initial_state)
        if initial_state is not None and len(given) != self.state_count:
            raise ValueError(f"{self} initial_state: expected {self.state_count} arrays, got {len(given)}")
        if has_symbols(x) or has_symbols(given) or has_symbols(mask):
            self.check_state_symbols(given)
            kwargs = {} if initial_state is None else {"initial_state": initial_state}
            return self.connect([*flatten(x), *given], (x,), kwargs, training, mask)
        return self.run_call([x, *given], training, mask)

    def check_inputs(self, inputs: list[Any]) -> list[np.ndarray]:
        x = self.check_input(inputs[0])
        return [x, *self._given_states(inputs[1:], len(x))] if len(inputs) > 1 else [x]

    def check_part(self, index: int, x: Any) -> np.ndarray:
        if index == 0:
            return self.check_input(x)
        state = arrays.as_float(x, self.dtype, f"{self} initial_state")
        if state.ndim != 2 or state.shape[1] != self.units:
            raise ValueError(f"{self} initial_state: expected (batch, units) = (batch, {self.units}), got "
                             f"{state.shape}")
        return state

    def check_state_symbols(self, states: list[Any]) -> None:
        """Raise a ValueError if initial states do not fit."""
        for state in states:
            if len(state.shape) != 2 or state.shape[1] not in (None, self.units):
                raise ValueError(f"{self} initial_state: expected (batch, units) = (None, {self.units}), got "
                                 f"{tuple(state.shape)}")

    def most_inputs(self) -> int:
        return 1 + self.state_count

    def _infer(self, x: Any, checked: bool = False) -> np.ndarray | None:
        """The output where only an input is given and only an output asked for; None where it takes more than that.

        checked: x went through `check_input`, and the layer is built; else None too where x must go there first.
        """
        if self.return_state or self.stateful or self.go_backwards:
            return None
        y = None
        if self._inference is not None:
            y = self._inference.output(x, runtime.get_num_threads(), self.return_sequences)
        if y is None and checked and type(x) is np.ndarray and type(self).forward is RecurrentForward.forward:
            self._inference = self._new_inference()
            y = self._inference.output(x, runtime.get_num_threads(), self.return_sequences)
        return y

    def _new_inference(self) -> Any:
        _, w, u, b, b_recurrent, peepholes = self._pack()
        return _core.kernels(self.dtype).Inference(self.cell, self.units, *self._codes, w, u, b, b_recurrent,
                                                   self.kernel.data, self._variables, peepholes)

    def _last_output(self, h: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        """The last step's output: the final state, but zero where it is masked and zero_output_for_mask."""
        if mask is not None and self.zero_output_for_mask and mask.shape[1]:
            last = mask[:, 0] if self.go_backwards else mask[:, -1]
            return np.where(last[:, None], h, h.dtype.type(0))
        return h.copy() if self.return_state or self.stateful else h

    def _initial_states(self, given: Any, batch: int,
                        argument: str = "initial_state") -> Sequence[np.ndarray | None]:
        if given is None:
            if self.stateful and self._states is not None:
                if len(self._states[0]) != batch:
                    raise ValueError(f"{self}: stateful with states for a batch of {len(self._states[0])}, got a batch "
                                     f"of {batch}; call reset_states() first")
                return self._states
            return (None,) * self.state_count
        return self._given_states(list(given) if isinstance(given, (list, tuple)) else [given], batch, argument)

    def _given_states(self, given: list[Any], batch: int, argument: str = "initial_state") -> list[np.ndarray]:
        """States that the user gave, checked."""
        if len(given) != self.state_count:
            raise ValueError(f"{self} {argument}: expected {self.state_count} arrays, got {len(given)}")
        checked = [arrays.as_float(s, self.dtype, f"{self} {argument}") for s in given]
        for state in checked:
            if state.shape != (batch, self.units):
                raise ValueError(f"{self} {argument}: expected (batch, units) = {(batch, self.units)}, "
                                 f"got {state.shape}")
        return checked

    def run(self, x: np.ndarray | arrays.Rows, out: np.ndarray | None, states: Sequence[np.ndarray | None],
            call: Call, given: bool) -> list[np.ndarray]:
        """All steps: fills `out` (N, T, units) if it is given, returns the final states, as many as are asked for; a
        step is in the order of processing, so with go_backwards out[:, 0] belongs to the last step of x.

        given: the states are inputs, not those that a stateful layer keeps."""
        threads = runtime.get_num_threads()
        if not call.taped and type(x) is np.ndarray:
            return self._run_inference(x, out, call.mask, states, threads)
        ready = self.forward_call(x, out, states, call, threads, given)
        _core.kernels(self.dtype).forward(threads, ready.arguments)
        return self.called(ready, call)

    def _run_inference(self, x: np.ndarray, out: np.ndarray | None, mask: np.ndarray | None,
                       states: Sequence[np.ndarray | None], threads: int) -> list[np.ndarray]:
        """`run` for an array, with nothing kept for a backward pass."""
        if self.go_backwards:
            x = x[:, ::-1]
            mask = None if mask is None else mask[:, ::-1]
        inference = self._inference
        arguments = (x, out, mask, states[0], states[1] if self.state_count == 2 else None, self.zero_output_for_mask,
                     self._final_states(), threads)
        final = None if inference is None else inference.run(*arguments)
        if final is None:
            self._inference = inference = self._new_inference()
            final = inference.run(*arguments)
        return final

    def _final_states(self) -> int:
        """How many of the final states somebody asks for."""
        return self.state_count if self.return_state or self.stateful else 0 if self.return_sequences else 1

    def forward_call(self, x: np.ndarray | arrays.Rows, out: np.ndarray | None, states: Sequence[np.ndarray | None],
                     call: Call, threads: int, given: bool) -> Ready:
        """What `run` has the kernel do."""
        kernels = _core.kernels(self.dtype)
        batch, time, width = x.shape
        mask = call.mask
        if self.go_backwards:
            x = x[:, ::-1]
            mask = None if mask is None else mask[:, ::-1]
        index: np.ndarray | None = None
        drop = recurrent_drop = None
        if call.taped:
            x, drop, recurrent_drop = self._drop(x, call)
        elif isinstance(x, arrays.Rows):
            index, x = x.indices, x.table
        _, w, u, b, b_recurrent, peepholes = self._pack()
        size = kernels.tape_size(self.cell, batch, time, width, self.units, call.taped, recurrent_drop is not None,
                                 threads)
        wanted = self._final_states()
        final = [np.empty((batch, self.units), arrays.DTYPES[self.dtype]) for _ in range(wanted)]
        lent = None
        if not call.taped:
            try:
                lent = self._idle.pop()
            except IndexError:
                lent = arrays.Buffers()
        buffer = (lent or call.buffers).flat("tape", size, self.dtype)
        arguments = (*self._options(), call.taped, x, index, w, u, b, b_recurrent, states[0],
                     states[1] if self.state_count == 2 else None, mask, recurrent_drop, out,
                     final[0] if wanted else None, final[1] if wanted == 2 else None, buffer, self.kernel.data,
                     peepholes)
        tape = Tape(x, mask, drop, recurrent_drop, buffer, states[0] is None, given) if call.taped else None
        return Ready(arguments, final, tape, lent)

    def called(self, ready: Ready, call: Call) -> list[np.ndarray]:
        """The final states of a pass that the kernel has done."""
        if ready.lent is not None:
            self._idle.append(ready.lent)
        else:
            call.kept = ready.tape
        return ready.final

    def _drop(self, x: np.ndarray | arrays.Rows, call: Call) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Draw the batch's dropout masks, shared over time and gates; apply the input's, to rows on their way out of
        their table. The input, and both masks."""
        kernels, threads = _core.kernels(self.dtype), runtime.get_num_threads()
        drop = recurrent_drop = None
        if self.dropout > 0 and call.training:
            drop = self._draw(self.dropout, (x.shape[0], x.shape[2]), "dropout", call)
        if isinstance(x, arrays.Rows):
            taken = call.buffers.array("x", x.shape, self.dtype)
            kernels.gather_rows(x.table, np.ascontiguousarray(x.indices).reshape(-1), taken.reshape(-1, x.shape[2]),
                                threads, drop)
            x = taken
        elif drop is not None:
            dropped = call.buffers.array("x", x.shape, self.dtype)
            kernels.scale_rows(x, drop, dropped, threads)
            x = dropped
        if self.recurrent_dropout > 0 and call.training:
            recurrent_drop = self._draw(self.recurrent_dropout, (x.shape[0], self.units), "recurrent", call)
        return x, drop, recurrent_drop

    def _draw(self, rate: float, shape: tuple[int, int], name: str, call: Call) -> np.ndarray:
        rng = self._rng or runtime.rng()
        mask = call.buffers.array(name, shape, self.dtype)
        if rate >= 1:
            mask[...] = 0
        else:
            rng.random(dtype=mask.dtype, out=mask)
            np.multiply(mask >= rate, 1 / (1 - rate), out=mask, casting="unsafe")
        return mask
