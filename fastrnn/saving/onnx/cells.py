# SPDX-License-Identifier: Apache-2.0
"""ONNX's cells in plain NumPy, for what the kernels do not have: clipping, coupled gates, and the rest of its
activations. https://onnx.ai/onnx/operators, RNN, LSTM and GRU: the letters are those of the formulas there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from fastrnn import activations as act


class Activation(NamedTuple):
    """An activation as a node names it, with its parameters."""

    name: str
    alpha: float
    beta: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return ACTIVATIONS[self.name][2](x, self.alpha, self.beta).astype(x.dtype, copy=False)


#: By name in small letters: the defaults of alpha and beta, None if it has none, and the function.
ACTIVATIONS: dict[str, tuple[float | None, float | None, Callable[[np.ndarray, float, float], np.ndarray]]] = {
    "relu": (None, None, lambda x, a, b: np.maximum(x, 0)),
    "tanh": (None, None, lambda x, a, b: np.tanh(x)),
    "sigmoid": (None, None, lambda x, a, b: act.sigmoid(x)),
    "affine": (1.0, 0.0, lambda x, a, b: a * x + b),
    "leakyrelu": (0.01, None, lambda x, a, b: np.where(x >= 0, x, a * x)),
    "thresholdedrelu": (1.0, None, lambda x, a, b: np.where(x >= a, x, 0)),
    "scaledtanh": (1.0, 1.0, lambda x, a, b: a * np.tanh(b * x)),
    "hardsigmoid": (0.2, 0.5, lambda x, a, b: np.clip(a * x + b, 0, 1)),
    "elu": (1.0, None, lambda x, a, b: np.where(x >= 0, x, a * np.expm1(np.minimum(x, 0)))),
    "softsign": (None, None, lambda x, a, b: act.softsign(x)),
    "softplus": (None, None, lambda x, a, b: act.softplus(x)),
}


class Cell(NamedTuple):
    """One direction of a node.

    Attributes:
        node: "RNN", "LSTM" or "GRU".
        w, r, b, p: its weights as ONNX has them: (gates * units, inputs), (gates * units, units), (2 * gates * units)
            and, of an LSTM's peepholes, (3 * units); b and p may be None.
        activations: f, of an LSTM and a GRU g, of an LSTM h.
        clip: bound of what enters an activation, or None.
        coupled: an LSTM's forget gate is one minus its input gate.
        reset_after: a GRU's linear_before_reset.
    """

    node: str
    w: np.ndarray
    r: np.ndarray
    b: np.ndarray | None
    p: np.ndarray | None
    activations: Sequence[Activation]
    clip: float | None
    coupled: bool
    reset_after: bool

    def run(self, x: np.ndarray, out: np.ndarray, mask: np.ndarray | None, states: Sequence[np.ndarray],
            backwards: bool) -> list[np.ndarray]:
        """All steps.

        Args:
            x: (batch, time, inputs).
            out: (batch, time, units), filled in the order of time, with zeros where the mask is False.
            mask: bool (batch, time), or None.
            states: the first ones, (batch, units) each.
            backwards: from the last step to the first.

        Returns:
            The last states.
        """
        step = self._step()
        time, now = x.shape[1], list(states)
        for t in reversed(range(time)) if backwards else range(time):
            new = step(x[:, t] @ self.w.T, *now)
            if mask is None:
                out[:, t], now = new[0], new
            else:
                here = mask[:, t, None]
                out[:, t] = np.where(here, new[0], 0)
                now = [np.where(here, after, before) for after, before in zip(new, now)]
        return now

    def _step(self) -> Callable[..., list[np.ndarray]]:
        """From x W and the states to the new states."""
        return self._rnn if self.node == "RNN" else self._lstm if self.node == "LSTM" else self._gru

    def _bias(self) -> tuple[np.ndarray, np.ndarray]:
        both = np.zeros(2 * len(self.w), self.w.dtype) if self.b is None else self.b
        return both[:len(self.w)], both[len(self.w):]

    def _enter(self, number: int, x: np.ndarray) -> np.ndarray:
        clipped = x if self.clip is None else np.clip(x, -self.clip, self.clip)
        return self.activations[number](clipped)

    def _rnn(self, xw: np.ndarray, h: np.ndarray) -> list[np.ndarray]:
        return [self._enter(0, xw + h @ self.r.T + np.add(*self._bias()))]

    def _lstm(self, xw: np.ndarray, h: np.ndarray, c: np.ndarray) -> list[np.ndarray]:
        i, o, f, g = np.split(xw + h @ self.r.T + np.add(*self._bias()), 4, -1)
        pi, po, pf = (0, 0, 0) if self.p is None else np.split(self.p, 3)
        i = self._enter(0, i + pi * c)
        f = 1 - i if self.coupled else self._enter(0, f + pf * c)
        c = f * c + i * self._enter(1, g)
        # As ONNX Runtime has it, the bound is not on the state.
        return [self._enter(0, o + po * c) * self.activations[2](c), c]

    def _gru(self, xw: np.ndarray, h: np.ndarray) -> list[np.ndarray]:
        wb, rb = self._bias()
        n = h.shape[1]
        zr = xw[:, :2 * n] + h @ self.r[:2 * n].T + wb[:2 * n] + rb[:2 * n]
        z, r = self._enter(0, zr[:, :n]), self._enter(0, zr[:, n:])
        if self.reset_after:
            state = r * (h @ self.r[2 * n:].T + rb[2 * n:])
        else:
            state = (r * h) @ self.r[2 * n:].T + rb[2 * n:]
        hh = self._enter(1, xw[:, 2 * n:] + wb[2 * n:] + state)
        return [(1 - z) * hh + z * h]
