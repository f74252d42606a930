# SPDX-License-Identifier: Apache-2.0
"""The backward pass of SimpleRNN, LSTM and GRU: one kernel call for all time steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn import runtime
from fastrnn.graph.call import Call
from fastrnn.layers.recurrent.forward import RecurrentForward
from fastrnn.layers.recurrent.states import before_first


class RecurrentBackward(RecurrentForward):
    """Differentiates a recurrent layer; `Recurrent` has the whole."""

    def backward(self, dy: Any, *dstates: Any, call: Call | None = None) -> Any:
        """Gradients after a call with training=True.

        Args:
            dy: gradient of the output, of its shape, or None for zero.
            dstates: gradients of the final states, in their order, or None for zero; nothing for zeros.
            call: that of `forward`.

        Returns:
            The gradient of the input or None; where initial states were given, a list of it and theirs. The weights'
            gradients are in `kernel.grad`, `recurrent_kernel.grad`, `bias.grad` and an LSTM's `peephole_kernel.grad`.
        """
        call = self.taped(call)
        tape = call.kept
        batch, time, _ = tape.x.shape
        if dstates and len(dstates) != self.state_count:
            raise ValueError(f"{self} dstates: expected {self.state_count} arrays, got {len(dstates)}")
        final: list[Any] = [None if d is None else np.ascontiguousarray(
            self.check_gradient(d, (batch, self.units), "dstates")) for d in dstates] or [None] * self.state_count
        if dy is not None:
            shape = (batch, time, self.units) if self.return_sequences else (batch, self.units)
            dy = self.check_gradient(dy, shape)
            if not self.return_sequences:
                final[0] = self.last_gradient(dy, final[0], tape)
                dy = None
            elif tape.given and tape.mask is not None and not self.zero_output_for_mask:
                dy = np.where(before_first(tape.mask)[:, :, None], dy.dtype.type(0), dy)
        dx = np.empty(tape.x.shape, self.dtype) if call.wants() else None
        dinitial = self.new_dinitial(tape)
        self.backward_call(dy, dx, final, dinitial, call, runtime.get_num_threads()).run()
        return [dx, *dinitial] if tape.given else dx

    def new_dinitial(self, tape: Any) -> list[Any]:
        """Arrays for the gradients of the initial states, or None for each where nobody asks for them."""
        if not tape.given:
            return [None] * self.state_count
        return [np.empty((len(tape.x), self.units), self.dtype) for _ in range(self.state_count)]

    def last_gradient(self, dy: np.ndarray, dh: np.ndarray | None, tape: Any) -> np.ndarray:
        """The gradient of the last state, where that is the output: of the output, `dy`, and of the state itself."""
        mask = tape.mask
        if mask is not None and (self.zero_output_for_mask or tape.given) and mask.shape[1]:
            last = mask[:, -1:] if self.zero_output_for_mask else mask.any(1, keepdims=True)
            dy = np.where(last, dy, dy.dtype.type(0))   # the tape's mask is in the order of processing
        return np.ascontiguousarray(dy) if dh is None else dy + dh

    def backward_call(self, dy: np.ndarray | None, dx: np.ndarray | None, dstates: Sequence[np.ndarray | None],
                      dinitial: Sequence[np.ndarray | None], call: Call, threads: int) -> Any:
        """The gradients of all steps, ready to be computed alone or beside another layer's; `dy` (N, T, units) in the
        order of processing, `dx` (N, T, D) and `dinitial` are filled."""
        tape, call.kept = call.kept, None       # which is used up
        dw = du = db = dpeepholes = None
        if self.trainable:
            dw = call.gradient(self.kernel)
            du = call.gradient(self.recurrent_kernel) if self.has_recurrent_kernel else None
            db = None if self.bias is None else call.gradient(self.bias)
            dpeepholes = None if self.peephole_kernel is None else call.gradient(self.peephole_kernel)
        if dx is not None and self.go_backwards:
            dx = dx[:, ::-1]
        (dh, dc), (dh0, dc0) = ((*one, None)[:2] for one in (dstates, dinitial))
        return self.kernel_runner().backward_call(threads, tape, dy, dh, dc, dx, dw, du, db, dpeepholes, dh0, dc0)
