# SPDX-License-Identifier: Apache-2.0
"""What is asked of a cell, be it one of the library, or of a user's own, with `forward` and `backward` or a `call`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.graph.call import Call
from fastrnn.graph.symbol import flatten, rebuild
from fastrnn.layers.base import Layer
from fastrnn.layers.recurrent.states import States


def as_cell(cell: Any, argument: str) -> Any:
    """A cell, or a ValueError that says what it lacks."""
    if not isinstance(cell, Layer):
        raise ValueError(f"{argument}: expected a cell, which is a layer with a state_size, got {cell!r}")
    if isinstance(cell, States):
        raise ValueError(f"{argument}: {cell} runs over sequences by itself; pass its cell, {type(cell).__name__}Cell")
    size = getattr(cell, "state_size", None)
    if size is None or not all(isinstance(one, (int, np.integer)) and one > 0 for one in flatten(size)):
        raise ValueError(f"{argument}: {cell} needs a state_size, the width of its state, or a list of those of its "
                         f"states, got {size!r}")
    return cell


def state_shapes(cell: Any) -> list[tuple[int, ...]]:
    """Of each state, without the batch."""
    return [(int(size),) for size in flatten(cell.state_size)]


def first_states(cell: Any, batch: int, nested: bool = False) -> list[Any]:
    """The states that a sequence begins with, in one list, or as the cell nests them."""
    if hasattr(cell, "get_initial_state"):
        states = cell.get_initial_state(batch_size=batch)
    else:
        states = [np.zeros((batch, *shape), cell.dtype) for shape in state_shapes(cell)]
        if isinstance(cell.state_size, int):
            states = states[0]
    return states if nested else [arrays.as_float(state, cell.dtype, f"{cell} get_initial_state")
                                  for state in flatten(states)]


def one_step(cell: Any, x: np.ndarray, states: Sequence[Any], call: Call) -> list[np.ndarray]:
    """The output and the new states of a step."""
    if cell.takes_arguments:        # it has a `call`, which takes the states in a list, as Keras gives them
        call.arguments = (x, rebuild(_listed(cell.state_size), states)), {}
    found = flatten(cell.forward(x, *states, call=call))
    if len(found) != 1 + len(states):
        raise ValueError(f"{cell}: expected a step to give an output and {len(states)} states, got {len(found)} arrays")
    for state, new in zip(states, found[1:]):
        if np.shape(new) != state.shape:
            raise ValueError(f"{cell}: expected a step to give a new state of shape {state.shape}, got "
                             f"{np.shape(new)}")
    return found


def _listed(size: Any) -> Any:
    return list(size) if isinstance(size, (list, tuple)) else [size]


def build_cell(cell: Any, shape: tuple[int | None, ...]) -> None:
    """Build a cell for inputs of a shape, and the layers that its code calls, by a step on zeros."""
    if not cell.built:
        cell.build(shape)
        cell.built = True
    if not all(layer.built for layer in cell.walk()):
        one_step(cell, np.zeros((1, *(size or 1 for size in shape[1:])), cell.dtype), first_states(cell, 1), Call())


def output_shape(cell: Any) -> tuple[int, ...]:
    """Of the output, without the batch: as the cell says, or else, as in Keras, that of the first state."""
    size = getattr(cell, "output_size", None)
    return state_shapes(cell)[0] if size is None else tuple(map(int, flatten(size)))
