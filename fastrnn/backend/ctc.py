# SPDX-License-Identifier: Apache-2.0
"""Labels from probabilities by connectionist temporal classification, with the last class as the blank."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.graph.tape import is_box
from fastrnn.losses.ctc import ctc_batch_cost_and_gradient
from fastrnn.losses.ctc_decoding import ctc_decode_probabilities
from fastrnn.ops.ctc import shapes_alone, with_gradient
from fastrnn.ops.dispatch import op, tensor, values


@op
def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Any:
    """The CTC loss of probabilities, the last class the blank; see `fastrnn.losses.ctc.ctc_batch_cost`.

    >>> ctc_batch_cost([[0]], [[[0.5, 0.5]]], [[1]], [[1]]).round(4)
    array([[0.6931]], dtype=float32)
    """
    if shapes_alone():
        return np.zeros((len(values(y_pred)), 1), values(y_pred).dtype)
    arguments = values(y_true), values(y_pred), values(input_length), values(label_length)
    return with_gradient(y_pred, *ctc_batch_cost_and_gradient(*arguments, gradient=is_box(tensor(y_pred))))


@op
def ctc_decode(y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1) -> Any:
    """The labels that probabilities stand for, a list of arrays with -1 behind the last, and their scores.

    >>> import numpy as np
    >>> ctc_decode(np.array([[[0.7, 0.1, 0.2], [0.1, 0.1, 0.8], [0.1, 0.6, 0.3]]]), np.array([3]))[0]
    [array([[ 0,  1, -1]], dtype=int32)]
    """
    return ctc_decode_probabilities(values(y_pred), values(input_length), greedy, beam_width, top_paths)
