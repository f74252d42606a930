# SPDX-License-Identifier: Apache-2.0
"""Labels from probabilities by connectionist temporal classification, with the last class as the blank."""

from __future__ import annotations

from typing import Any

from fastrnn.losses.ctc_decoding import ctc_decode_probabilities
from fastrnn.ops.dispatch import op, values


@op
def ctc_decode(y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1) -> Any:
    """The labels that probabilities stand for, a list of arrays with -1 behind the last, and their scores.

    >>> import numpy as np
    >>> ctc_decode(np.array([[[0.7, 0.1, 0.2], [0.1, 0.1, 0.8], [0.1, 0.6, 0.3]]]), np.array([3]))[0]
    [array([[ 0,  1, -1]], dtype=int32)]
    """
    return ctc_decode_probabilities(values(y_pred), values(input_length), greedy, beam_width, top_paths)
