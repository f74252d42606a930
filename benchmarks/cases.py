# SPDX-License-Identifier: Apache-2.0
"""What is measured: the cases, the work in each, and the least time that a machine's limits leave for it.

Letters: N batch, T time, D input width, H units; in all layer cases of the list D = H.
"""

from __future__ import annotations

import fnmatch
import re
from typing import NamedTuple

from limit import Limit

CELLS = {"lstm": 4, "gru": 3, "rnn": 1}     # gates, as blocks of H columns
REVIEWS = 8034                              # what validation_split=0.2 leaves of 10,043
STRINGS = 1000


class Case(NamedTuple):
    """One row of the table."""

    name: str
    kind: str               # forward, train: one layer; fit, predict: one batch of a model; program: epochs of fit
    cell: str
    model: str              # "", "charcopy" or "sentiment"
    N: int
    T: int
    D: int
    H: int
    O: int = 0              # width of the model's Dense layer  # noqa: E741
    goal: float | None = None       # time of the best peer / time of fastrnn to reach
    keras_goal: float | None = None     # the same, of Keras alone
    epochs: int = 1         # of which a program's time is told

    @property
    def columns(self) -> int:
        """Columns of the cell's weights."""
        return CELLS[self.cell] * self.H

    def _passes(self, rows: int, forward: bool, backward: bool) -> float:
        """FLOPs for `rows` samples: a product forward, and one each for the inputs' and the weights' gradients; none
        with the state before the first step, which is zeros."""
        project, recur, dense = (2.0 * rows * steps * k * j for steps, k, j in (
            (self.T, self.D, self.columns), (self.T - 1, self.H, self.columns), (self.T, self.H, self.O)))
        if self.model == "sentiment":
            dense /= self.T                     # after the last step only
        first = self.model == "charcopy"        # its first layer needs no gradient of its input
        return (project + recur + dense) * forward + (project * (1 if first else 2) + 2 * recur + 2 * dense) * backward

    @property
    def flops(self) -> float:
        """Multiplications and additions of all matrix products; gate math and updates are not counted."""
        if self.kind != "program":
            return self._passes(self.N, True, self.kind in ("train", "fit"))
        if self.model == "sentiment":
            return self._passes(REVIEWS, True, True) * self.epochs
        return (self._passes(STRINGS, True, True) + self._passes(STRINGS, True, False)) * self.epochs

    def seconds(self, limit: Limit) -> float:
        """The least time: FLOPs at the peak; in a forward pass no less than it takes to read the weights from the
        cache, those of the input once and those of the state at every step, which is what rules batch 1."""
        if self.kind not in ("forward", "predict"):
            return self.flops / limit.peak
        total = 0.0
        dense_rows = self.N * (1 if self.model == "sentiment" else self.T)
        for rows, reads, k, j in ((self.N * self.T, 1, self.D, self.columns),
                                  (self.N * (self.T - 1), self.T - 1, self.H, self.columns),
                                  (dense_rows, 1, self.H, self.O)):
            total += max(2.0 * rows * k * j / limit.peak, 4.0 * reads * k * j / limit.bandwidth(4.0 * k * j))
        return total


LAYER = re.compile(r"(fwd|train)/(lstm|gru|rnn)/N(\d+)T(\d+)(?:D(\d+))?H(\d+)")


def layer(kind: str, cell: str, N: int, T: int, H: int, D: int | None = None, goal: float | None = None) -> Case:
    """One layer's case, whose name says all of it; without D the input is as wide as the layer."""
    short, width = "fwd" if kind == "forward" else kind, "" if D in (None, H) else f"D{D}"
    return Case(f"{short}/{cell}/N{N}T{T}{width}H{H}", kind, cell, "", N, T, D or H, H, goal=goal)


def _named(name: str) -> Case:
    short, cell, *numbers = LAYER.fullmatch(name).groups()  # type: ignore[union-attr]
    N, T, D, H = (int(number or 0) for number in numbers)
    return layer("forward" if short == "fwd" else short, cell, N, T, H, D or None)


# (N, T, H) -> the goals for LSTM, GRU and SimpleRNN
FORWARD = {
    (1, 1, 128): (3, None, None), (1, 100, 128): (2.5, 1.7, 2), (1, 100, 512): (1.1, None, None),
    (8, 100, 128): (1.3, None, None), (32, 100, 128): (1.2, 1.6, 1.5), (128, 100, 128): (1.28, 1.6, 1.5),
    (64, 50, 512): (1.07, 1.1, None),
}
TRAIN = {(32, 50, 64): (1.5, 2, 2), (128, 100, 128): (1.6, 1.8, 2), (64, 50, 512): (1.15, 1.35, 1.2)}


def _layers() -> list[Case]:
    return [layer(kind, cell, n, t, h, goal=goals[i])
            for i, cell in enumerate(CELLS)
            for kind, table in (("forward", FORWARD), ("train", TRAIN))
            for (n, t, h), goals in table.items()]


CASES = [
    *_layers(),
    Case("charcopy/fit", "fit", "rnn", "charcopy", 128, 5, 52, 128, 52, goal=3),
    Case("charcopy/predict1", "predict", "rnn", "charcopy", 1, 5, 52, 128, 52, goal=4),
    Case("charcopy/program", "program", "rnn", "charcopy", 128, 5, 52, 128, 52, keras_goal=4, epochs=50),
    Case("sentiment/fit", "fit", "lstm", "sentiment", 128, 100, 128, 128, 1, goal=1.6),
    Case("sentiment/predict1", "predict", "lstm", "sentiment", 1, 100, 128, 128, 1, goal=2),
    Case("sentiment/predict128", "predict", "lstm", "sentiment", 128, 100, 128, 128, 1, goal=1.2),
    Case("sentiment/program", "program", "lstm", "sentiment", 128, 100, 128, 128, 1, keras_goal=3),
]


def select(globs: str) -> list[Case]:
    """The cases whose names match one of the comma-separated patterns, and any layer that is named in full, as
    fwd/gru/N3T50D8H100."""
    patterns = [glob.strip() for glob in globs.split(",")]
    known = {case.name for case in CASES}
    return [
        *(case for case in CASES if any(fnmatch.fnmatchcase(case.name, pattern) for pattern in patterns)),
        *(_named(name) for name in dict.fromkeys(patterns) if LAYER.fullmatch(name) and name not in known),
    ]
