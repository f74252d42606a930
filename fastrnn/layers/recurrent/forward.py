# SPDX-License-Identifier: Apache-2.0
"""The forward pass of SimpleRNN, LSTM and GRU: one kernel call for all time steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn import _core, arrays, runtime
from fastrnn.graph import eager
from fastrnn.graph.call import Call
from fastrnn.layers.base import Layer
from fastrnn.layers.recurrent.states import before_first, mask_of
from fastrnn.layers.recurrent.weights import RecurrentWeights, rank_hint


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
    keeps_output = False

    def __init__(self, units: int, **arguments: Any) -> None:
        super().__init__(units, **arguments)
        self._rng = None if self.seed is None else np.random.Generator(np.random.SFC64(self.seed))
        self._states = None
        self._batch = None

    def build(self, *input_shapes: Any) -> None:
        super().build(*input_shapes)
        self._batch = input_shapes[0][0]

    def check_input(self, x: Any) -> np.ndarray:
        return check_sequences(self, x, self.kernel.data.shape[0] if self.built else None)

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None, initial_state: Any = None) -> Any:
        """The layer's output for `x`; for symbols, the symbols of it.

        Args:
            x: (batch, time, features), any numeric dtype and strides; or a list of it and the initial states.
            training: dropout acts, and `backward` can follow.
            mask: bool (batch, time), False where a step hands output and state on, or None. Before the first step that
                counts the output is zero, whatever the states are.
            initial_state: (batch, units), for an LSTM a list of two: h and c; None for zeros, or, if stateful, for the
                states of the last call.

        Returns:
            (batch, time, units) with return_sequences, else (batch, units); with return_state a list of it and the
            final states.

        Raises:
            ValueError: an argument does not fit.
            TypeError: symbols among arrays.
        """
        if not training and mask is None and initial_state is None and self.built and eager.current() is None:
            runner = self.runner()
            y = None if runner is None else runner.output(x, runtime.get_num_threads())
            if y is not None:
                return y
        return self._call_with_states(x, training, mask, initial_state)

    def forward(self, x: np.ndarray | arrays.Rows, *states: np.ndarray, call: Call) -> Any:
        """The output for a checked input, in inference also for rows of a table."""
        mask = mask_of(call)
        if not (call.taped or states) and mask is None:
            runner = self.runner()
            y = None if runner is None else runner.output(x, runtime.get_num_threads())
            if y is not None:
                return y
        if mask is not None and mask.shape != x.shape[:2]:      # one that a layer below gives
            raise self.wrong_mask(mask, x.shape)
        initial = self.initial_states(states or None, len(x))
        out = None
        if self.return_sequences:
            out = np.empty((x.shape[0], x.shape[1], self.units), arrays.DTYPES[self.dtype])
        final = self.run(x, out, initial, call, bool(states))
        self.keep_states(final)
        begun = initial[0] is not None
        if out is None:
            out = self.last_output(final[0], mask, begun)
        elif mask is not None and begun and not self.zero_output_for_mask:
            out[before_first(mask[:, ::-1] if self.go_backwards else mask)] = 0
        return [out, *final] if self.return_state else out

    def runner(self) -> Any:
        return None if self.return_state or self.stateful or self.go_backwards else self.kernel_runner()

    def last_output(self, h: np.ndarray, mask: np.ndarray | None, begun: bool) -> np.ndarray:
        """The last step's output: the final state, but zero where it is masked and zero_output_for_mask, or no step
        counts; `begun`: with a state."""
        if mask is not None and (self.zero_output_for_mask or begun) and mask.shape[1]:
            last = slice(None, 1) if self.go_backwards else slice(-1, None)
            shown = mask[:, last] if self.zero_output_for_mask else mask.any(1, keepdims=True)
            return np.where(shown, h, h.dtype.type(0))
        return h.copy() if self.return_state or self.stateful else h

    def run(self, x: np.ndarray | arrays.Rows, out: np.ndarray | None, states: Sequence[np.ndarray | None],
            call: Call, given: bool) -> list[np.ndarray]:
        """All steps: fills `out` (N, T, units) if it is given, returns the final states, as many as are asked for; a
        step is in the order of processing, so with go_backwards out[:, 0] belongs to the last step of x.

        given: the states are inputs, not those that a stateful layer keeps."""
        ready = self.forward_call(x, out, states, call, runtime.get_num_threads(), given)
        ready.run()
        return ready.final

    def forward_call(self, x: np.ndarray | arrays.Rows, out: np.ndarray | None, states: Sequence[np.ndarray | None],
                     call: Call, threads: int, given: bool) -> Any:
        """What `run` has the kernels do, ready to run alone or beside another layer's."""
        mask = mask_of(call)
        if self.go_backwards:
            x = x[:, ::-1]
            mask = None if mask is None else mask[:, ::-1]
        index = tape = drop = recurrent_drop = None
        if call.taped:
            tape = call.of("tape", self.new_tape)
            tape.given = given
            x, drop, recurrent_drop = self._drop(x, call)
        elif isinstance(x, arrays.Rows):
            index, x = x.indices, x.table
        final = self.state_count if self.return_state or self.stateful else 0 if self.return_sequences else 1
        h0, c0 = states if self.state_count == 2 else (states[0], None)
        ready = self.kernel_runner().forward_call(
            threads, x, index, mask, h0, c0, out, final, self.zero_output_for_mask, tape, drop, recurrent_drop)
        if tape is not None:
            call.kept = tape
        return ready

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
