# SPDX-License-Identifier: Apache-2.0
"""CTC on arrays, in traces and on symbols."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.graph.eager import current, tape
from fastrnn.graph.tape import is_box
from fastrnn.losses import ctc_decoding
from fastrnn.losses.ctc import ctc_loss_and_gradient
from fastrnn.ops.dispatch import op, tensor, values


@op
def ctc_loss(target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0) -> Any:
    """The CTC loss of sequences, from logits; see `fastrnn.losses.ctc.ctc_loss`.

    >>> ctc_loss([[1]], [[[0.0, 0.0]]], [1], [1]).round(4)
    array([0.6931], dtype=float32)
    """
    if shapes_alone():
        return np.zeros(len(values(output)), values(output).dtype)
    arguments = values(target), values(output), values(target_length), values(output_length), mask_index
    return with_gradient(output, *ctc_loss_and_gradient(*arguments, gradient=is_box(tensor(output))))


def shapes_alone() -> bool:
    """Whether labels are zeros, which may be no labels."""
    running = current()
    return running is not None and running.shapes_alone


def with_gradient(output: Any, losses: Any, gradient: Any) -> Any:
    """Losses of sequences, as a step of the trace that the outputs are in."""
    running = tape()
    if gradient is None or running is None:
        return losses
    return running.record(losses, [tensor(output)], lambda dy: gradient * dy.reshape(len(dy), 1, 1))


@op
def ctc_decode(inputs: Any, sequence_lengths: Any, strategy: str = "greedy", beam_width: int = 100, top_paths: int = 1,
               merge_repeated: bool = True, mask_index: int | None = 0) -> Any:
    """The labels that logits stand for, and their scores; see `fastrnn.losses.ctc_decoding.ctc_decode`.

    >>> ctc_decode([[[0.0, 1.0], [1.0, 0.0]]], [2])[0]
    array([[[ 1, -1]]], dtype=int32)
    """
    return ctc_decoding.ctc_decode(values(inputs), values(sequence_lengths), strategy, beam_width, top_paths,
                                   merge_repeated, mask_index)
