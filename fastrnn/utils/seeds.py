# SPDX-License-Identifier: Apache-2.0
"""set_random_seed: one number for all generators."""

from __future__ import annotations

import random

import numpy as np

from fastrnn import runtime


def set_random_seed(seed: int) -> None:
    """Seed Python's `random`, NumPy's global generator and fastrnn's own, so that a run repeats bit for bit.

    Args:
        seed: an integer from 0 to 2**32 - 1 (what NumPy's global generator takes).

    Raises:
        ValueError: `seed` is not such an integer.

    >>> set_random_seed(7)
    >>> first = np.random.rand()
    >>> set_random_seed(7)
    >>> first == np.random.rand()
    True
    """
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(f"set_random_seed: seed must be an integer from 0 to 2**32 - 1, got {seed!r}")
    seed = int(seed)
    random.seed(seed)
    np.random.seed(seed)
    runtime.set_seed(seed)
