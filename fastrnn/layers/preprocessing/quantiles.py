# SPDX-License-Identifier: Apache-2.0
"""Quantiles of data that come in batches: a summary of those seen, merged with one of each new batch.

A summary is an array (2, values): some of the values in order, and how many values each stands for.
"""

from __future__ import annotations

import numpy as np


def empty_summary() -> np.ndarray:
    """The summary of no values."""
    return np.zeros((2, 0), np.float32)


def summarized(values: np.ndarray, epsilon: float) -> np.ndarray:
    """The summary of an array: as many of its values as are needed to err by a part `epsilon` of them.

    >>> summarized(np.array([3.0, 1.0, 2.0, 4.0]), 0.5)
    array([[2., 4.],
           [2., 2.]])
    """
    values = np.sort(values, axis=None)
    step = max(values.size * epsilon, 1)
    kept = values[int(step - 1)::int(step)]
    return np.stack([kept, np.full_like(kept, step)])


def merged(one: np.ndarray, other: np.ndarray, epsilon: float) -> np.ndarray:
    """One summary of two."""
    both = np.concatenate([one, other], axis=1)
    return compressed(both[:, np.argsort(both[0])], epsilon)


def compressed(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """A summary of 1 / epsilon values, between those that it has."""
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    counts = summary[1].cumsum()
    seen = counts / counts[-1]
    values, counts = np.interp(shares, seen, summary[0]), np.interp(shares, seen, counts)
    return np.stack([values, np.diff(counts, prepend=0)]).astype(np.float32)


def boundaries(summary: np.ndarray, bins: int) -> list[float]:
    """The values between so many bins with as many values each."""
    found: list[float] = compressed(summary, 1.0 / bins)[0, :-1].tolist()
    return found
