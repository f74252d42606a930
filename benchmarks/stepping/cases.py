# SPDX-License-Identifier: Apache-2.0
"""What is stepped: the cases, their weights, and what is to come out, by the formula in NumPy.

Letters: N sessions, D input width, H units, O width of the Dense layer; D = H in all cases. Weights lie as in Keras:
kernel (D, G H), recurrent kernel (H, G H); the gates of an LSTM are i, f, c, o, those of a GRU z, r, h.
"""

from __future__ import annotations

import fnmatch
from typing import NamedTuple

import numpy as np
from limit import Limit

GATES = {"lstm": 4, "gru": 3}
STEPS = 20          # that are compared with the formula before anything is timed
NEAR = 5e-5         # of the formula, so that any two engines are within 1e-4 of each other


class Weights(NamedTuple):
    """Of one recurrent layer."""

    kernel: np.ndarray              # (D, G H)
    recurrent_kernel: np.ndarray    # (H, G H)
    bias: np.ndarray                # (G H,), of a GRU (2, G H): the second row is under the reset gate


class Case(NamedTuple):
    """Some recurrent layers, and a Dense layer if O is not 0, that are stepped with their states."""

    cell: str
    H: int
    layers: int = 1
    O: int = 0  # noqa: E741
    N: int = 1

    @property
    def name(self) -> str:
        kind = f"{self.cell}x{self.layers}+dense" if self.O else self.cell
        return f"{'step' if self.N == 1 else 'sessions'}/{kind}/" + (f"N{self.N}" if self.N > 1 else "") + f"H{self.H}"

    @property
    def states(self) -> list[str]:
        """Names of all states, those of a layer side by side."""
        return [f"{state}{layer}" for layer in range(self.layers) for state in ("hc" if self.cell == "lstm" else "h")]

    @property
    def products(self) -> list[tuple[int, int]]:
        """Rows and columns of all matrices."""
        return [(self.H, GATES[self.cell] * self.H)] * 2 * self.layers + ([(self.H, self.O)] if self.O else [])

    @property
    def flops(self) -> float:
        return sum(2.0 * self.N * rows * columns for rows, columns in self.products)

    def seconds(self, limit: Limit) -> float:
        """The least time: FLOPs at the peak, and no less than reading the matrices takes from the cache that holds
        them."""
        read = 4.0 * sum(rows * columns for rows, columns in self.products)
        return max(self.flops / limit.peak, read / limit.bandwidth(read))

    def weights(self) -> tuple[list[Weights], tuple[np.ndarray, np.ndarray] | None]:
        """Of the recurrent layers, and kernel (H, O) and bias (O,) of the Dense layer."""
        random, columns = np.random.default_rng(self.H), GATES[self.cell] * self.H

        def draw(*shape: int) -> np.ndarray:
            return random.uniform(-1, 1, shape).astype("float32") / np.float32(np.sqrt(self.H))

        bias = (columns,) if self.cell == "lstm" else (2, columns)
        recurrent = [Weights(draw(self.H, columns), draw(self.H, columns), draw(*bias)) for _ in range(self.layers)]
        return recurrent, (draw(self.H, self.O), draw(self.O)) if self.O else None

    def inputs(self) -> np.ndarray:
        """(STEPS, N, D)."""
        return np.random.default_rng(0).standard_normal((STEPS, self.N, self.H), dtype="float32")

    def outputs(self) -> np.ndarray:
        """(STEPS, N, H or O) by the formula in float64."""
        recurrent, dense = self.weights()
        y = self.inputs().astype("float64")
        for weights in recurrent:
            y = FORMULAS[self.cell](y, *weights)
        return y @ dense[0] + dense[1] if dense else y


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm(x: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> np.ndarray:
    """c' = f c + i tanh(g), h' = o tanh(c'); x: (T, N, D)."""
    h = c = np.zeros((x.shape[1], len(U)))
    outputs = []
    for step in x:
        i, f, g, o = np.split(step @ W + h @ U + b, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs)


def gru(x: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> np.ndarray:
    """h' = z h + (1 - z) tanh(x W_h + r (h U_h + b_h)), Keras's reset_after; x: (T, N, D)."""
    h = np.zeros((x.shape[1], len(U)))
    outputs = []
    for step in x:
        (xz, xr, xh), (hz, hr, hh) = np.split(step @ W + b[0], 3, axis=1), np.split(h @ U + b[1], 3, axis=1)
        z = sigmoid(xz + hz)
        h = z * h + (1 - z) * np.tanh(xh + sigmoid(xr + hr) * hh)
        outputs.append(h)
    return np.stack(outputs)


FORMULAS = {"lstm": lstm, "gru": gru}


def blocks(array: np.ndarray, cell: str, order: str) -> np.ndarray:
    """Keras's blocks of columns in another order, by their letters: `iofc`."""
    letters = {"lstm": "ifco", "gru": "zrh"}[cell]
    parts = dict(zip(letters, np.split(array, len(letters), axis=-1)))
    return np.concatenate([parts[letter] for letter in order], axis=-1)


CASES = [
    *(Case(cell, H) for cell in GATES for H in (32, 64, 128)),
    Case("lstm", 64, layers=2, O=10),
    Case("lstm", 128, N=1000),
]


def select(globs: str) -> list[Case]:
    """The cases whose names match one of the comma-separated patterns."""
    patterns = [glob.strip() for glob in globs.split(",")]
    return [case for case in CASES if any(fnmatch.fnmatchcase(case.name, glob) for glob in patterns)]
