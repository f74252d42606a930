# SPDX-License-Identifier: Apache-2.0
"""ProgbarLogger: shows on the screen how a run gets on."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from fastrnn.callbacks.base import Callback, Logs
from fastrnn.callbacks.terminal import terminal_columns

_BAR_WIDTH, _LEAST_BAR_WIDTH = 20, 8
_REDRAW_SECONDS = 0.05


class ProgbarLogger(Callback):
    """Shows the progress of a run, its time and its metrics.

    On a terminal, or in a notebook, a bar for each epoch that is redrawn in place:

        Epoch 2/3
        17/79 ━━━━──────────────── 2s 48ms/step - accuracy: 0.7031 - loss: 0.5712

    Where the output is a file or a pipe, or with `verbose=2`, one line when the epoch is over. `fit`, `evaluate` and
    `predict` make one of these unless `verbose=0`.

    Args:
        stream: where to write; None is `sys.stdout`, as it is when the run begins.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._given_stream = stream
        self._stream: TextIO | None = None
        self._bar = False
        self._fitting = False
        self._seen = 0
        self._shown = ""
        self._start = self._last_draw = self._steps_end = 0.0

    @property
    def reads_batch_logs(self) -> bool:
        """Whether there is a bar, rather than one line when all is over."""
        return self._bar

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        verbose = params.get("verbose", 1)
        self._stream = (self._given_stream or sys.stdout) if verbose else None
        self._bar = verbose != 2 and redraws(self._stream)
        self._epochs = params.get("epochs", 1)
        self._target = params.get("steps")

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._fitting = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._fitting = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._begin()
        self._title = f"Epoch {epoch + 1}/{self._epochs}" if self._epochs > 1 else ""
        if self._bar and self._title:
            self._write(self._title + "\n")

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._advance(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._end(logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if self._fitting:
            self._steps_end = time.perf_counter()  # the time a step takes is that of training, not of validation
        else:
            self._begin()

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if not self._fitting:
            self._advance(batch, logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._fitting:
            self._end(logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._begin()

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._advance(batch, None)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._end(None)

    def close(self) -> None:
        """Leave a bar that was interrupted behind, so that what is printed next begins on a line of its own."""
        if self._shown:
            self._write("\n")
            self._shown = ""
        self._fitting = False

    def _begin(self) -> None:
        self._start = time.perf_counter()
        self._steps_end = self._last_draw = 0.0
        self._seen = 0
        self._shown = self._title = ""

    def _advance(self, batch: int, logs: Logs | None) -> None:
        self._seen = batch + 1
        if not self._bar:
            return
        now = time.perf_counter()
        if now - self._last_draw < _REDRAW_SECONDS:
            return
        self._last_draw = now
        per_step = (now - self._start) / self._seen
        if self._target:
            remaining = format_duration(per_step * max(self._target - self._seen, 0))
            line = self._line(self._seen / self._target, f"{remaining} {format_step(per_step)}{format_metrics(logs)}")
        else:
            elapsed = format_duration(now - self._start)
            line = f"{self._seen}/unknown {elapsed} {format_step(per_step)}{format_metrics(logs)}"
        columns = terminal_columns(self._stream)
        self._redraw(line if len(line) < columns else line[: columns - 4] + "...")

    def _end(self, logs: Logs | None) -> None:
        if self._target is None and self._seen:
            self._target = self._seen  # the length of a generator is known after its first epoch
        now = time.perf_counter()
        per_step = ((self._steps_end or now) - self._start) / max(self._seen, 1)
        clock, rate, metrics = format_duration(now - self._start), format_step(per_step), format_metrics(logs)
        if self._bar:
            part = self._seen / self._target if self._target else 1.0  # below 1 where a callback stopped the epoch
            self._redraw(self._line(part, f"{clock} {rate}{metrics}"))
            self._write("\n")
            self._shown = ""
        else:
            title = f"{self._title} - " if self._title else ""
            self._write(f"{title}{self._count()} - {clock} - {rate}{metrics}\n")

    def _line(self, part: float, rest: str) -> str:
        """Count, bar and the rest; the bar gives way where the terminal is narrow."""
        count = self._count()
        room = terminal_columns(self._stream) - len(count) - len(rest) - 3
        full, empty = ("━", "─") if can_encode(self._stream) else ("=", ".")
        width = min(_BAR_WIDTH, max(room, _LEAST_BAR_WIDTH))
        done = int(width * min(part, 1.0))
        return f"{count} {full * done}{empty * (width - done)} {rest}"

    def _count(self) -> str:
        target = str(self._target or self._seen)
        return f"{self._seen:>{len(target)}}/{target}"

    def _redraw(self, line: str) -> None:
        """Write `line` over the one shown, blanks over what it leaves of it."""
        self._write("\r" + line + " " * (len(self._shown) - len(line)))
        self._shown = line

    def _write(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write(text)
            self._stream.flush()


def format_metrics(logs: Mapping[str, Any] | None) -> str:
    """` - accuracy: 0.7031 - loss: 0.5712`."""
    return "".join(f" - {name}: {_format_value(value)}" for name, value in (logs or {}).items())


def _format_value(value: Any) -> str:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return f"{number:.4f}" if number == 0.0 or not abs(number) < 1e-3 else f"{number:.4e}"


def format_duration(seconds: float) -> str:
    """`0.4s`, `12s`, `3:07` or `1:02:45`."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def format_step(seconds: float) -> str:
    """`48ms/step`, with the unit that suits."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        value = seconds * scale
        if value >= 1.0 or unit == "us":
            return f"{value:.0f}{unit}/step" if value >= 10 or unit == "us" else f"{value:.1f}{unit}/step"
    raise AssertionError


def can_encode(stream: TextIO | None) -> bool:
    """Whether a stream can show the characters of a bar."""
    encoding = getattr(stream, "encoding", None) or "ascii"
    return encoding.lower().replace("-", "").startswith("utf")


def redraws(stream: TextIO | None) -> bool:
    """Whether a carriage return takes the cursor back: on a terminal, and in a notebook."""
    if stream is None:
        return False
    return bool(getattr(stream, "isatty", lambda: False)()) or type(stream).__module__.startswith("ipykernel")

