# SPDX-License-Identifier: Apache-2.0
"""Progbar: how far a loop of the user's has come."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastrnn.callbacks.progress import can_encode, format_duration, format_metrics, format_step, redraws


class Progbar:
    """Shows how far a loop has come, and the means of what it measures.

    A bar is redrawn in place on a terminal or in a notebook; elsewhere the last line alone is written.

    Args:
        target: number of steps, None if unknown.
        width: of the bar, in characters.
        verbose: 0 shows nothing, 1 the bar, 2 a line at the end.
        interval: seconds between two drawings at least.
        stateful_metrics: names of values that are shown as they are; the others as means over the steps.
        stateless_metrics: names of values that are shown as means, in the place of these.
        unit_name: what a step is called.

    Raises:
        ValueError: both kinds of metrics are named.

    Example:

    >>> bar = Progbar(3, verbose=2)
    >>> for loss in (3.0, 2.0, 1.0):
    ...     bar.add(1, [("loss", loss)])
    3/3 - 0.0s - ... - loss: 2.0000
    """

    def __init__(self, target: int | None, width: int = 20, verbose: int = 1, interval: float = 0.05,
                 stateful_metrics: Iterable[str] | None = None, stateless_metrics: Iterable[str] | None = None,
                 unit_name: str = "step") -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError("Progbar: expected stateful_metrics or stateless_metrics, got both")
        self.target, self.width, self.verbose = target, width, verbose
        self.interval, self.unit_name = interval, unit_name
        self.stateful_metrics = None if stateful_metrics is None else set(stateful_metrics)
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        self._seen = 0
        self._sums: dict[str, tuple[float, float]] = {}     # of a value times steps, and of these steps
        self._start = time.perf_counter()
        self._drawn = 0.0
        self._shown = ""

    def update(self, current: int, values: Iterable[tuple[str, Any]] | None = None,
               finalize: bool | None = None) -> None:
        """Show that the loop has come to a step.

        Args:
            current: the number of steps that are done.
            values: pairs of a name and the value of the steps since the last update.
            finalize: whether these are the last ones; if None, when `current` is `target`.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        steps = max(current - self._seen, 1)
        for name, value in values or ():
            value = float(np.mean(value))
            total, count = self._sums.get(name, (0.0, 0.0)) if self._is_mean(name) else (0.0, 0.0)
            self._sums[name] = total + value * steps, count + steps
        self._seen = current
        now = time.perf_counter()
        if not self.verbose or (not finalize and (self.verbose == 2 or now - self._drawn < self.interval)):
            return
        live = self.verbose == 1 and redraws(sys.stdout)
        if not live and not finalize:
            return
        self._drawn = now
        line = self._line(current, now - self._start, finalize, live)
        self._write(f"\r{line}{' ' * (len(self._shown) - len(line))}" if live else line, finalize)
        self._shown = "" if finalize else line

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Show that `n` more steps are done.

        Args:
            n: how many.
            values: as in `update`.
        """
        self.update(self._seen + n, values)

    def _is_mean(self, name: str) -> bool:
        if self.stateless_metrics is not None:
            return name in self.stateless_metrics
        return self.stateful_metrics is None or name not in self.stateful_metrics

    def _line(self, current: int, seconds: float, finalize: bool, live: bool) -> str:
        step = seconds / max(current, 1)
        count = f"{current:>{len(str(self.target))}}/{self.target}" if self.target else f"{current}/Unknown"
        bar = ""
        if live and self.target:
            full, empty = ("━", "─") if can_encode(sys.stdout) else ("=", ".")
            done = int(self.width * min(current / self.target, 1.0))
            bar = f" {full * done}{empty * (self.width - done)}"
        left = seconds if finalize or not self.target else step * (self.target - current)
        means = {name: total / count for name, (total, count) in self._sums.items()}
        between = " " if live else " - "
        rate = format_step(step).replace("step", self.unit_name)
        return f"{count}{bar}{between}{format_duration(left)}{between}{rate}{format_metrics(means)}"

    @staticmethod
    def _write(text: str, end: bool) -> None:
        sys.stdout.write(text + ("\n" if end else ""))
        sys.stdout.flush()
