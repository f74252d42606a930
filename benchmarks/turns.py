# SPDX-License-Identifier: Apache-2.0
"""What is to be compared, timed in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any


def in_turn(calls: Mapping[Any, Callable[[], Any]], seconds: float = 0.02, rounds: int = 7) -> dict[Any, float]:
    """Seconds of each call: the best of some rounds, in each of which every call runs for about `seconds`, one after
    the other. Whatever else the machine does can only slow a round down, and falls on all of them."""
    best, repeats = dict.fromkeys(calls, float("inf")), {}
    for name, call in calls.items():
        call()                              # packs weights, makes buffers
        start = time.perf_counter()
        call()
        repeats[name] = max(1, int(seconds / max(time.perf_counter() - start, 1e-7)))
    for _ in range(rounds):
        for name, call in calls.items():
            if len(calls) > 1:
                call()                      # what the one before left in the caches is not its own
            start = time.perf_counter()
            for _ in range(repeats[name]):
                call()
            best[name] = min(best[name], (time.perf_counter() - start) / repeats[name])
    return best
