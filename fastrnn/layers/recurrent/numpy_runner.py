# SPDX-License-Identifier: Apache-2.0
"""What runs a recurrent layer whose activations the kernels do not have: the same calls, step by step in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.layers.recurrent.numpy_cells import STEPS, Backward, Weights


class Tape:
    """What a forward pass in training leaves for the backward pass, as the kernels' RecurrentTape."""

    def __init__(self) -> None:
        self.given = False                  # the first states were inputs, whose gradients are wanted
        self.x: Any = None                  # (N, T, D), dropout applied
        self.mask: Any = None
        self.x_drop: Any = None
        self.h_drop: Any = None
        self.zero_output = False
        self.backs: list[Backward] = []


class Done:
    """A call that has been run by the time it is given, where the kernels give one that is ready."""

    def __init__(self, final: list[np.ndarray]) -> None:
        self.final = final

    def run(self, other: Any = None, threads: int = 0) -> None:
        """Nothing is left to do."""


class NumpyRunner:
    """Runs a recurrent layer with its weights as they are at each call; see the kernels' RecurrentRunner.

    Args:
        layer: the layer, built.
    """

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._step = STEPS[layer.cell_name]

    def output(self, x: Any, threads: int) -> None:
        """None: there is no shorter way than `forward_call`."""

    def _weights(self) -> tuple[np.ndarray, Any, Weights]:
        """W, its bias, and what the steps take."""
        layer = self._layer
        U = layer.recurrent_kernel.data if layer.has_recurrent_kernel else np.zeros((layer.units, 0), layer.dtype)
        b, own = None if layer.bias is None else layer.bias.data, None
        if b is not None and b.ndim == 2:
            b, own = b
        peepholes = None if layer.peephole_kernel is None else layer.peephole_kernel.data
        return layer.kernel.data, b, Weights(U, own, peepholes, layer.activation, layer.recurrent_activation)

    def forward_call(self, threads: int, x: np.ndarray, index: Any, mask: Any, h0: Any, c0: Any, y: Any, final: int,
                     zero_output: bool, tape: Tape | None, x_drop: Any, h_drop: Any) -> Done:
        """A pass over all steps; the arguments are those of the kernels."""
        x = x if index is None else x[index]
        if mask is not None:        # what is masked may be anything, and must reach no gradient
            x = np.where(mask[..., None], x, x.dtype.type(0))
        W, b, weights = self._weights()
        a = x @ W if b is None else x @ W + b
        zeros = np.zeros((len(x), self._layer.units), x.dtype)
        h, c = zeros if h0 is None else h0, zeros if c0 is None else c0
        backs = []
        for t in range(x.shape[1]):
            new, back = self._step(weights, a[:, t], h, c, h if h_drop is None else h * h_drop)
            if mask is not None:
                keep = mask[:, t, None]
                new = [np.where(keep, one, old) for one, old in zip(new, (h, c))]
            h, c = (*new, c)[:2]
            if y is not None:
                y[:, t] = np.where(keep, h, h.dtype.type(0)) if mask is not None and zero_output else h
            if tape is not None:
                backs.append(back)
        if tape is not None:
            tape.x, tape.mask, tape.x_drop, tape.h_drop = x, mask, x_drop, h_drop
            tape.zero_output, tape.backs = zero_output, backs
        return Done([np.array(state) for state in (h, c)[:final]])

    def backward_call(self, threads: int, tape: Tape, dy: Any, dhT: Any, dcT: Any, dx: Any, dW: Any, dU: Any, db: Any,
                      dpeephole: Any, dh0: Any, dc0: Any) -> Done:
        """The gradients of what a pass left on the tape, which they use up; the arguments are those of the kernels."""
        x, mask, backs = tape.x, tape.mask, tape.backs
        W = self._layer.kernel.data
        N, T, D = x.shape
        zeros = np.zeros((N, self._layer.units), x.dtype)
        dh, dc = zeros if dhT is None else dhT, zeros if dcT is None else dcT
        da = np.empty((N, T, W.shape[1]), x.dtype)
        ones, zero = np.ones((N, 1), bool), x.dtype.type(0)
        dU_sum = du_sum = dp_sum = zero
        for t in reversed(range(T)):
            keep = ones if mask is None else mask[:, t, None]
            if dy is not None:
                dh = dh + (np.where(keep, dy[:, t], zero) if tape.zero_output else dy[:, t])
            past_h, past_c = np.where(keep, zero, dh), np.where(keep, zero, dc)     # past a masked step
            back = backs[t](np.where(keep, dh, zero), np.where(keep, dc, zero))
            da[:, t] = back.da
            dh = past_h + back.dh
            if back.dhd is not None:
                dh = dh + (back.dhd if tape.h_drop is None else back.dhd * tape.h_drop)
            dc = past_c if back.dc is None else past_c + back.dc
            dU_sum = dU_sum + (zero if back.dU is None else back.dU)
            du_sum = du_sum + (zero if back.du is None else back.du.sum(0))
            dp_sum = dp_sum + (zero if back.dpeepholes is None else back.dpeepholes)
        rows = da.reshape(N * T, -1)
        if dW is not None:
            np.matmul(x.reshape(N * T, D).T, rows, out=dW)
        if db is not None:
            both = db if db.ndim == 2 else db[None]
            both[0] = rows.sum(0)
            both[1:] = du_sum
        for array, total in ((dU, dU_sum), (dpeephole, dp_sum), (dh0, dh), (dc0, dc)):
            if array is not None:
                array[...] = total
        if dx is not None:
            dx[...] = (rows @ W.T).reshape(x.shape)
            if tape.x_drop is not None:
                dx *= tape.x_drop[:, None]
        tape.x, tape.backs = None, []
        return Done([])
