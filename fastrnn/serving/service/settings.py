# SPDX-License-Identifier: Apache-2.0
"""What a service allows, and how long it waits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

#: The environment's variables begin with this: FASTRNN_SERVE_WINDOW_US.
PREFIX = "FASTRNN_SERVE_"


def _setting(default: float, what: str, least: float = 1) -> Any:
    return field(default=default, metadata={"help": what, "least": least})


@dataclass(frozen=True)
class Settings:
    """Limits of a service. Every one is a number, and has an option of `fastrnn serve` and a variable of the
    environment.

    Raises:
        ValueError: a number is too small, or none.

    Example:

    >>> Settings(window_us=500).window_us
    500
    >>> Settings(sessions=0)
    Traceback (most recent call last):
    ValueError: serve sessions: expected 1 or more, got 0
    """

    window_us: int = _setting(0, "microseconds that a batch waits for more; 0: it is what came during the last", 0)
    batch: int = _setting(64, "requests of a batch, at most")
    waiting: int = _setting(1024, "requests that may wait; those beyond are refused (503)")
    request_bytes: int = _setting(1 << 20, "size of a request, at most (413)")
    steps: int = _setting(10_000, "of a request the samples times the time steps, at most (422)")
    sessions: int = _setting(1000, "streaming sessions at once, at most (503)")
    message_bytes: int = _setting(64 << 10, "size of a session's message, at most (1009)")
    idle_seconds: float = _setting(60.0, "after which a session without a message is closed (1008)", 0.001)
    request_seconds: float = _setting(30.0, "for a request to arrive (408), and for its answer (504)", 0.001)
    drain_seconds: int = _setting(10, "for requests that are under way when the service is told to end")
    connections: int = _setting(4096, "open connections, at most (503)")
    threads: int = _setting(0, "of a call; 0: as FASTRNN_NUM_THREADS says, in a forked worker one", 0)

    def __post_init__(self) -> None:
        for one in fields(self):
            value, least = getattr(self, one.name), one.metadata["least"]
            kinds = int if isinstance(one.default, int) else (int, float)
            if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value < float("inf"):
                raise ValueError(f"serve {one.name}: expected {least} or more, got {value!r}")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Those that the environment has, and the defaults.

        Args:
            environment: names and texts; those of the process if not given.

        Raises:
            ValueError: a text is no number, or a number too small.

        Example:

        >>> Settings.from_environment({"FASTRNN_SERVE_BATCH": "16"}).batch
        16
        """
        given: dict[str, Any] = {}
        for one in fields(cls):
            if text := environment.get(PREFIX + one.name.upper(), ""):
                kind: Any = type(one.default)
                try:
                    given[one.name] = kind(text)
                except ValueError:
                    raise ValueError(f"{PREFIX}{one.name.upper()}: expected a number, got {text!r}") from None
        return cls(**given)
