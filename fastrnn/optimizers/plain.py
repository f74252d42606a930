# SPDX-License-Identifier: Apache-2.0
"""What the optimizers whose update is written in NumPy begin with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from fastrnn.optimizers.parts import Part


def prepared(parts: Iterable[Part], clip: float) -> Iterator[tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]]:
    """Of each variable the values, after weight decay; the gradient, scaled and clipped, in memory of its own; and the
    slots. To be used one after the other."""
    for w, g, _, scale, decay, slots in parts:      # rows that are not touched are zeros, so g is right as a whole
        if decay:
            w -= w * decay
        g = g * scale
        yield w, np.clip(g, -clip, clip, out=g) if clip < math.inf else g, slots
