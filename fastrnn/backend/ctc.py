# SPDX-License-Identifier: Apache-2.0
"""CTC under Keras 2's names, whose blank is the last class."""

from __future__ import annotations

from typing import Any

from fastrnn.losses.ctc_decoding import ctc_decode_probabilities
from fastrnn.ops.ctc import ctc_batch_cost as ctc_batch_cost
from fastrnn.ops.dispatch import values


def ctc_decode(y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1) -> Any:
    """The labels that probabilities stand for, and their scores.

    Args:
        y_pred: probabilities (batch, time, classes), as a softmax gives them.
        input_length: how many steps of each sequence count, (batch,).
        greedy: whether the best class of each step is taken, instead of a search.
        beam_width: how many beginnings a search keeps.
        top_paths: how many results it gives.

    Example:

    >>> ctc_decode([[[0.9, 0.1], [0.2, 0.8]]], [2])[0]
    [array([[ 0, -1]], dtype=int32)]
    """
    return ctc_decode_probabilities(values(y_pred), values(input_length), greedy, beam_width, top_paths)
