# SPDX-License-Identifier: Apache-2.0
"""What an update takes of each variable, and the gradients of several batches as one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

#: Slots that any optimizer may have, beside those of its class.
AVERAGE, SUM = "average", "gradient_accumulator"

#: What an update takes of one variable: its values; its gradient, of the same shape; uint8, 0 for each row where the
#: gradient is zero and is not to be read, or None; the factor of the gradient; the share of the values that weight
#: decay takes off; and its slots by name.
Part = tuple[np.ndarray, np.ndarray, np.ndarray | None, float, float, dict[str, np.ndarray]]


class State(NamedTuple):
    """What an optimizer keeps for one variable."""

    slots: dict[str, np.ndarray]
    dtype: str
    decays: bool


class Pair(NamedTuple):
    """A variable with its gradient, see `gradient_of`, and its state."""

    variable: Any
    gradient: np.ndarray
    touched: np.ndarray | None
    state: State


def accumulate(pairs: list[Pair]) -> None:
    """Add gradients to those of the batches before."""
    for _, gradient, touched, state in pairs:
        total = state.slots[SUM]
        rows = slice(None) if touched is None else np.flatnonzero(touched)
        total[rows] += gradient[rows]


def accumulated(pairs: list[Pair], steps: int) -> list[Pair]:
    """Each variable with the mean of its last gradients, these included."""
    accumulate(pairs)
    for pair in pairs:
        pair.state.slots[SUM] /= steps
    return [pair._replace(gradient=pair.state.slots[SUM], touched=None) for pair in pairs]


def gradient_of(variable: Any) -> tuple[np.ndarray | None, np.ndarray | None]:
    """A variable's gradient, and which of its rows may differ from zero (uint8), None for all of them."""
    touched = getattr(variable, "touched_rows", None)
    return (variable.grad, None) if touched is None else (variable.row_gradient, touched)
