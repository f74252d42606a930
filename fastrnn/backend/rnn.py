# SPDX-License-Identifier: Apache-2.0
"""K.rnn: a step function of the user's own, over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastrnn.graph.symbol import flatten, rebuild
from fastrnn.ops.dispatch import namespace, op, tensor, values


@op
def rnn(step_function: Callable[..., Any], inputs: Any, initial_states: Sequence[Any], go_backwards: bool = False,
        mask: Any = None, constants: Sequence[Any] | None = None, unroll: bool = False, input_length: Any = None,
        time_major: bool = False, zero_output_for_mask: bool = False, return_all_outputs: bool = True) -> Any:
    """Call `step_function(x of a step, states + constants)`, which gives an output and the next states, for each step.

    Where the mask is False a sample keeps its states, and its output is that of the step before, or zeros. The steps
    run one by one in Python: `layers.LSTM`, `GRU` and `SimpleRNN` are far faster.

    Args:
        step_function: as above.
        inputs: (batch, time, ...), or a structure of such arrays.
        initial_states: a list of arrays.
        go_backwards: from the last step to the first.
        mask: (batch, time) or (batch, time, 1), of booleans.
        constants: further arrays for each step.
        unroll, input_length: without effect.
        time_major: inputs, mask and outputs are (time, batch, ...).
        zero_output_for_mask: zeros in the place of masked outputs.
        return_all_outputs: False for the last output alone, with a time axis of length 1.

    Returns:
        The last output, all outputs, and the list of the last states.

    >>> add = lambda x, states: (states[0] + x, [states[0] + x])
    >>> last, outputs, states = rnn(add, np.ones((1, 3, 1), "float32"), [np.zeros((1, 1), "float32")])
    >>> last.tolist(), outputs.shape, len(states)
    ([[3.0]], (1, 3, 1), 1)
    """
    xp = namespace()
    given = [_time_first(tensor(leaf), time_major) for leaf in flatten(inputs)]
    steps = len(given[0])
    if not steps:
        raise ValueError("backend.rnn inputs: expected one step or more, got none")
    masks = None if mask is None else _mask(mask, time_major, given[0].shape[:2])
    states = [tensor(state) for state in initial_states]
    order = range(steps - 1, -1, -1) if go_backwards else range(steps)
    before: list[Any] | None = None
    outputs: list[list[Any]] = []
    for step in order:
        y, new = step_function(rebuild(inputs, [leaf[step] for leaf in given]), [*states, *(constants or ())])
        found, new = [tensor(leaf) for leaf in flatten(y)], [tensor(state) for state in new]
        if masks is not None:
            kept = masks[step]
            zeros = [np.zeros(one.shape, one.dtype) for one in found]
            last = zeros if before is None or zero_output_for_mask else before
            found = [_chosen(kept, one, other) for one, other in zip(found, last)]
            new = [_chosen(kept, one, other) for one, other in zip(new, states, strict=True)]
        before, states = found, new
        outputs.append(found)
    assert before is not None
    every = outputs if return_all_outputs else outputs[-1:]
    stacked = [xp.stack([one[index] for one in every], axis=0 if time_major else 1) for index in range(len(before))]
    return rebuild(y, before), rebuild(y, stacked), states


def _time_first(x: Any, time_major: bool) -> Any:
    if x.ndim < 2:
        raise ValueError(f"backend.rnn inputs: expected (batch, time, ...), got {x.shape}")
    return x if time_major else namespace().swapaxes(x, 0, 1)


def _mask(mask: Any, time_major: bool, shape: Any) -> np.ndarray:
    """(time, batch) of booleans."""
    found = np.asarray(values(mask)).astype(bool)
    found = found[..., 0] if found.ndim == 3 else found
    found = found if time_major else found.T
    if found.shape != tuple(shape):
        raise ValueError(f"backend.rnn mask: expected (batch, time) as the inputs have, got {np.shape(values(mask))}")
    return found


def _chosen(mask: np.ndarray, one: Any, other: Any) -> Any:
    """The first where the mask of the batch is True, else the other."""
    return namespace().where(mask.reshape(-1, *[1] * (one.ndim - 1)), one, other)
