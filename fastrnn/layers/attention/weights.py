# SPDX-License-Identifier: Apache-2.0
"""Softmax over the steps that are asked, with masks and dropout, and its gradient: what all attention shares."""

from __future__ import annotations

import numpy as np

from fastrnn import _core, runtime
from fastrnn.graph.call import Call


def causal(queries: int, keys: int) -> np.ndarray:
    """Which steps each step may ask: those that are not later, (queries, keys).

    >>> causal(2, 3)
    array([[ True, False, False],
           [ True,  True, False]])
    """
    return np.tri(queries, keys, dtype=bool)


def softmax(scores: np.ndarray) -> np.ndarray:
    """Along the last axis, in place."""
    if scores.size:
        _core.kernels(scores.dtype.name).softmax_rows(scores, scores, runtime.get_num_threads())
    return scores


def softmax_back(weights: np.ndarray, d: np.ndarray) -> np.ndarray:
    """The gradient of the scores from that of the weights."""
    d = np.ascontiguousarray(d)
    found = np.empty_like(d)
    if d.size:
        _core.kernels(d.dtype.name).softmax_rows_backward(weights, d, found, runtime.get_num_threads())
    return found


def dropout(rate: float, rng: np.random.Generator, shape: tuple[int, ...], call: Call, dtype: str) -> np.ndarray:
    """What the weights are multiplied by, in the call's buffer."""
    factors = call.buffers.array("factors", shape, dtype)
    rng.random(dtype=factors.dtype, out=factors)
    np.multiply(factors >= rate, 1 / (1 - rate) if rate < 1 else 0, out=factors, casting="unsafe")
    return factors
