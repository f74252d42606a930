# SPDX-License-Identifier: Apache-2.0
"""A cell of whatever kind over a sequence, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.graph.call import Call
from fastrnn.graph.symbol import flatten
from fastrnn.layers.recurrent import calls, steps
from fastrnn.layers.recurrent.states import States


class Loop(States):
    """Runs a cell over a sequence as the recurrent layers run theirs, with a call of the cell for each step.

    A masked step has the output of the step before, zero at the beginning, and hands the states on.

    Args:
        cell: the cell; its weights are not this layer's.
        return_sequences, return_state, go_backwards, stateful, zero_output_for_mask, **kwargs: as of `RNN`.
    """

    supports_masking = True

    def __init__(self, cell: Any, return_sequences: bool, return_state: bool, go_backwards: bool, stateful: bool,
                 zero_output_for_mask: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cell = cell
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful = go_backwards, stateful
        self.zero_output_for_mask = zero_output_for_mask
        self._states = self._batch = None
        self.state_shapes = steps.state_shapes(cell)
        self.state_count = len(self.state_shapes)
        self._output = steps.output_shape(cell)

    def build(self, *input_shapes: Any) -> None:
        self.built = True

    def compute_output_shape(self, *input_shapes: Any) -> Any:
        batch, time = input_shapes[0][:2]
        output = (batch, time, *self._output) if self.return_sequences else (batch, *self._output)
        return [output, *((batch, *shape) for shape in self.state_shapes)] if self.return_state else output

    def _order(self, time: int) -> Sequence[int]:
        return range(time)[::-1] if self.go_backwards else range(time)

    def forward(self, x: np.ndarray, *states: np.ndarray, call: Call) -> Any:
        mask = call.mask
        if mask is not None and mask.shape != x.shape[:2]:      # one that a layer below gives
            raise self.wrong_mask(mask, x.shape)
        batch, time = x.shape[:2]
        initial = self.initial_states(states or None, batch)
        now: list[Any] = steps.first_states(self.cell, batch) if initial[0] is None else list(initial)
        y = np.zeros((batch, *self._output), arrays.DTYPES[self.dtype])
        ys, keeps = [], []
        for number, t in enumerate(self._order(time)):
            own = calls.inside(call, ("step", number), spared=not call.wants())
            out, *new = steps.one_step(self.cell, np.ascontiguousarray(x[:, t]), now, own)
            if out.shape != y.shape:
                raise ValueError(f"{self.cell}: expected a step to give an output of shape {y.shape}, got {out.shape}; "
                                 "give it an output_size, which is that of its first state without one")
            keep = None if mask is None else mask[:, t]
            if keep is not None:
                out = np.where(_like(keep, out), out, 0 if self.zero_output_for_mask else y)
                new = [np.where(_like(keep, one), one, old) for one, old in zip(new, now)]
            y, now = np.asarray(out, y.dtype), new
            ys.append(y)
            keeps.append(keep)
        if call.taped:
            call.kept = (x.shape, keeps, bool(states))
        self.keep_states([np.array(state) for state in now])
        if self.return_sequences:
            out = np.stack(ys, 1) if ys else np.zeros((batch, 0, *self._output), y.dtype)
        else:
            out = np.array(y)
        return [out, *(np.array(state) for state in now)] if self.return_state else out

    def backward(self, dy: Any, *dstates: Any, call: Call | None = None) -> Any:
        call = self.taped(call)
        shape, keeps, given = call.kept
        batch, time = shape[:2]
        if dstates and len(dstates) != self.state_count:
            raise ValueError(f"{self} dstates: expected {self.state_count} arrays, got {len(dstates)}")
        dnow = [np.zeros((batch, *size), self.dtype) if d is None else self.check_gradient(d, (batch, *size), "dstates")
                for d, size in zip(dstates or [None] * self.state_count, self.state_shapes)]
        if dy is not None:
            between = (time,) if self.return_sequences else ()
            dy = self.check_gradient(dy, (batch, *between, *self._output))
        call.kept = None
        pass_ = calls.begun(call)
        dx = np.empty(shape, self.dtype) if call.wants() else None
        dlater = np.zeros((batch, *self._output), arrays.DTYPES[self.dtype])    # of y, from masked steps after it
        for number, t in reversed(list(enumerate(self._order(time)))):
            dout = dlater
            if dy is not None and (self.return_sequences or number == time - 1):
                dout = dlater + (dy[:, number] if self.return_sequences else dy)
            keep, dpast = keeps[number], [np.zeros(1, self.dtype)] * self.state_count
            dlater = np.zeros_like(dout)
            if keep is not None:
                if not self.zero_output_for_mask:
                    dlater = _masked(~keep, dout)
                dpast = [_masked(~keep, d) for d in dnow]
                dout, dnow = _masked(keep, dout), [_masked(keep, d) for d in dnow]
            done, *dold = flatten(self.cell.backward(dout, *dnow, call=calls.again(call, ("step", number), dx is None)))
            pass_.done()
            dnow = [past + (0 if d is None else d) for past, d in zip(dpast, dold, strict=True)]
            if dx is not None:
                dx[:, t] = 0 if done is None else done
        return [dx, *(np.broadcast_to(d, (batch, *size)) for d, size in zip(dnow, self.state_shapes))] if given else dx


def _like(keep: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(batch,) as (batch, 1, ...), of as many axes as `x`."""
    return keep.reshape(-1, *[1] * (x.ndim - 1))


def _masked(keep: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.where(_like(keep, x), x, x.dtype.type(0))
