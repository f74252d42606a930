# SPDX-License-Identifier: Apache-2.0
"""The backward pass of SimpleRNN, LSTM and GRU: one kernel call for all time steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn import _core, runtime
from fastrnn.layers.recurrent_forward import RecurrentForward


class RecurrentBackward(RecurrentForward):
    """Differentiates a recurrent layer; `Recurrent` has the whole."""

    def backward(self, dy: Any, input_gradient: bool = True, dstates: Any = None) -> np.ndarray | None:
        """Gradients after a call with training=True.

        Args:
            dy: gradient of the output, of its shape, or None for zero.
            input_gradient: False spares the input's gradient.
            dstates: gradients of the final states, a list like that of the states, or None for zeros.

        Returns:
            The gradient of the input or None. The weights' gradients are in `kernel.grad`, `recurrent_kernel.grad`,
            `bias.grad` and an LSTM's `peephole_kernel.grad`, those of the initial states, if there were any, in
            `initial_state_grads`.
        """
        if self._tape is None:
            raise self.not_called()
        batch, time, _ = self._tape.x.shape
        final: list[Any] = [None] * self.state_count if dstates is None else [
            None if d is None else np.ascontiguousarray(self.check_gradient(d, (batch, self.units), "dstates"))
            for d in dstates]
        if len(final) != self.state_count:
            raise ValueError(f"{self} dstates: expected {self.state_count} arrays, got {len(final)}")
        if dy is not None:
            shape = (batch, time, self.units) if self.return_sequences else (batch, self.units)
            dy = self.check_gradient(dy, shape)
            if not self.return_sequences:
                final[0] = self._last_gradient(dy, final[0])
                dy = None
        dx = np.empty(self._tape.x.shape, self.dtype) if input_gradient else None
        self.run_back(dy, dx, final)
        return dx

    def _last_gradient(self, dy: np.ndarray, dh: np.ndarray | None) -> np.ndarray:
        mask = self._tape.mask if self._tape is not None else None
        if mask is not None and self.zero_output_for_mask and mask.shape[1]:
            dy = np.where(mask[:, -1:], dy, dy.dtype.type(0))   # the tape's mask is in the order of processing
        return np.ascontiguousarray(dy) if dh is None else dy + dh

    def run_back(self, dy: np.ndarray | None, dx: np.ndarray | None, dstates: Sequence[np.ndarray | None]) -> None:
        """Gradients of all steps; `dy` (N, T, units) in the order of processing, `dx` (N, T, D) is filled."""
        threads = runtime.get_num_threads()
        arguments = self.backward_call(dy, dx, dstates, threads)
        _core.kernels(self.dtype).backward(threads, arguments)

    def backward_call(self, dy: np.ndarray | None, dx: np.ndarray | None, dstates: Sequence[np.ndarray | None],
                      threads: int) -> tuple[Any, ...]:
        """The kernel's arguments for `run_back`."""
        tape = self._tape
        if tape is None:
            raise self.not_called()
        self._tape = None               # its gates may be overwritten
        kernels = _core.kernels(self.dtype)
        batch, time, width = tape.x.shape
        w, u = self._pack_transposed(dx is not None)
        size = kernels.backward_scratch(self.cell, batch, time, width, self.units, threads, self.use_peepholes)
        scratch = self._training.flat("scratch", size, self.dtype)
        dw = du = db = dpeepholes = None
        if self.trainable:
            dw = self.kernel.gradient()
            du = self.recurrent_kernel.gradient() if self.has_recurrent_kernel else None
            if self.bias is not None:
                db = self.bias.gradient().reshape(-1)
            if self.peephole_kernel is not None:
                dpeepholes = self.peephole_kernel.gradient()
        self.initial_state_grads = None
        if tape.initial:
            self.initial_state_grads = [np.empty((batch, self.units), self.dtype) for _ in range(self.state_count)]
        dinitial: Sequence[np.ndarray | None] = self.initial_state_grads or (None,) * self.state_count
        return (*self._options(), tape.x, w, u, tape.mask, self.dropout_mask, self.recurrent_dropout_mask, dy,
                dstates[0], dstates[1] if self.state_count == 2 else None, tape.buffer, not tape.initial, scratch,
                dx[:, ::-1] if dx is not None and self.go_backwards else dx, dw, du, db, dinitial[0],
                dinitial[1] if self.state_count == 2 else None, self._pack()[-1] if self.use_peepholes else None,
                dpeepholes)
