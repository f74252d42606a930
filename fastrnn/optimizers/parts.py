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


#: A variable; its gradient; which rows of that may differ from zero (uint8), None for all of them; and its state. A
#: plain tuple: one of each variable is made in every step.
Pair = tuple[Any, np.ndarray, np.ndarray | None, State]


def accumulate(pairs: list[Pair]) -> None:
    """Add gradients to those of the batches before."""
    for _, gradient, touched, state in pairs:
        total = state.slots[SUM]
        rows = slice(None) if touched is None else np.flatnonzero(touched)
        total[rows] += gradient[rows]


def accumulated(pairs: list[Pair], steps: int) -> list[Pair]:
    """Each variable with the mean of its last gradients, these included."""
    accumulate(pairs)
    for _, _, _, state in pairs:
        state.slots[SUM] /= steps
    return [(variable, state.slots[SUM], None, state) for variable, _, _, state in pairs]
