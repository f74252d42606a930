# SPDX-License-Identifier: Apache-2.0
"""What every library defines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stepping.cases import Case

#: x (N, D) -> y (N, H or O), a step further.
Step = Callable[[np.ndarray], np.ndarray]


class StreamEngine:
    """One library."""

    def __init__(self, threads: int) -> None:
        raise NotImplementedError

    def versions(self) -> str:
        """Name and version."""
        raise NotImplementedError

    def step(self, case: Case) -> Step:
        """What takes a step of all sessions from where the step before left them."""
        raise NotImplementedError

    def others(self, case: Case) -> dict[str, Callable[[], Any]]:
        """Further calls to be timed beside the step, by name."""
        return {}

    def alone(self, case: Case, seconds: float) -> dict[str, float]:
        """The seconds of what is timed by itself, for so long, by name."""
        return {}
