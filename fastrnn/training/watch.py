# SPDX-License-Identifier: Apache-2.0
"""Warnings of numbers that spoil a training: targets that a loss makes no sense of, and a loss that is no number."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastrnn.graph.graph import Graph
from fastrnn.graph.schedule import Schedule


class Watch:
    """Gives each of its warnings once, so that there is one of them for each `fit` and `evaluate`.

    Args:
        who: what warnings begin with, e.g. "fit".

    Attributes:
        part, batch: where the loop is: "epoch 3", and the index of the batch.
    """

    def __init__(self, who: str) -> None:
        self._who = who
        self._warned_of_targets = self._warned_of_loss = False
        self._arrays: dict[str, int] = {}
        self.part = ""
        self.batch = 0

    def targets(self, y: np.ndarray, loss: Any, what: str) -> None:
        """Warn of targets that are not finite, or outside what the loss is defined for; `what` names them.

        Where targets come batch by batch, looking at the 1st, 2nd, 4th, 8th, ... array costs next to nothing.
        """
        number = self._arrays[what] = self._arrays.get(what, 0) + 1
        if number & (number - 1) or self._warned_of_targets or y.dtype.kind != "f" or not y.size:
            return
        low, high = float(y.min()), float(y.max())      # NaN if there is any
        least, most = getattr(loss, "target_range", (-math.inf, math.inf))
        finite = math.isfinite(low) and math.isfinite(high)
        if finite and least <= low and high <= most:
            return
        self._warned_of_targets = True
        if finite:
            warnings.warn(f"{what}: loss {loss.name!r} is defined for targets from {least:g} to {most:g}, got targets "
                          f"from {low:g} to {high:g}; bring them into that range, or choose another loss", stacklevel=6)
            return
        wrong = ~np.isfinite(y)
        warnings.warn(f"{what}: {np.count_nonzero(wrong)} of {y.size} targets are NaN or infinite, the first in sample "
                      f"{np.argwhere(wrong)[0][0]}; the loss becomes NaN with them, and in training all weights; leave "
                      "these samples out",
                      stacklevel=6)

    def loss(self, value: float, graph: Graph, xs: Sequence[np.ndarray], output: str = "") -> None:
        """Warn of a loss that is not finite, with the first layer where that shows: before the update, which makes all
        weights NaN. `output` is the name of the output whose loss it is, where there are several."""
        if self._warned_of_loss:
            return
        self._warned_of_loss = True
        what = f"the loss of output {output!r}" if output else "the loss"
        warnings.warn(f"{self._who}: {what} is {value} in batch {self.batch} of {self.part} (counted from 0): "
                      f"{_origin(graph, xs)}; in training the callback TerminateOnNaN stops there", stacklevel=6)


def _origin(graph: Graph, xs: Sequence[np.ndarray]) -> str:
    """Where on the way from the inputs to the outputs numbers cease to be finite."""
    if not all(np.isfinite(x).all() for x in xs):
        return "the input has NaN or infinite values"
    found: list[str] = []

    def look(layer: Any, run: Callable[[Any], Any]) -> Any:
        wrong = [v for v in layer.weights if not np.isfinite(v.data).all()]
        if wrong:
            found.append(f"the first layer with weights that are not finite is {layer}, '{wrong[0].path}'")
        # A copy leaves the layer its states; it has the same weights.
        y = run(copy.deepcopy(layer, {id(v): v for v in layer.weights}))
        if not all(np.isfinite(one).all() for one in (y if isinstance(y, list) else [y])):
            found.append(f"the first layer whose output is not finite is {layer}")
        return y

    Schedule(graph).infer_by(look, xs)
    return found[0] if found else "all weights and outputs are finite, so look at the targets and sample weights"
