# SPDX-License-Identifier: Apache-2.0
"""Requests that come at about the same time are one call of the model."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class BusyError(Exception):
    """As many requests wait as may; or the service ends."""


class _Entry(NamedTuple):
    job: Any
    answer: asyncio.Future[Any] | None      # None: nobody waits for it


class Batcher:
    """A thread that takes jobs from a queue, those of a window of time together, and runs them.

    The event loop only puts jobs into the queue and is told of a batch's answers at once; it never waits for the model.
    The thread waits for the window itself: timers of event loops count in milliseconds.

    Args:
        run: jobs to answers, in order; an answer that is an exception is raised where the job came from. It runs in the
            thread, and nowhere else.
        window_us: microseconds from a batch's first job to its start. 0: what waits when the thread is free.
        most: jobs of a batch.
        waiting: jobs in the queue and under way.
        name: of the thread.

    Example:

    >>> async def ask():
    ...     batcher = Batcher(lambda jobs: [job + 1 for job in jobs], window_us=100, most=8, waiting=8, name="adding")
    ...     batcher.start()
    ...     answers = await asyncio.gather(*(batcher.ask(number) for number in range(3)))
    ...     await batcher.stop()
    ...     return answers
    >>> asyncio.run(ask())
    [1, 2, 3]
    """

    def __init__(self, run: Callable[[list[Any]], Sequence[Any]], window_us: float, most: int, waiting: int,
                 name: str) -> None:
        self._run, self._window, self._most, self._waiting = run, window_us * 1e-6, most, waiting
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._pending = 0
        self._running = False
        self._name = name

    @property
    def running(self) -> bool:
        """Whether it takes jobs and does them."""
        return self._running and self._thread.is_alive()

    def start(self) -> None:
        """Begin, in the process and on the event loop that are to have it. To a forked child all threads of its parent
        have ended, also one that was not started: so it is made here."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        self._running = True
        self._thread.start()

    async def stop(self) -> None:
        """Do what is in the queue, and end."""
        if self._running:
            self._running = False
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            await asyncio.sleep(0)          # the last answers are delivered

    async def ask(self, job: Any) -> Any:
        """Have a job done, and its answer.

        Raises:
            BusyError: too many wait.
        """
        if not self._running:
            raise BusyError("the service ends")
        if self._pending >= self._waiting:
            raise BusyError(f"{self._waiting} requests wait already; try again later")
        self._pending += 1
        answer = self._loop.create_future()
        self._queue.put(_Entry(job, answer))
        return await answer

    def tell(self, job: Any) -> None:
        """Have a job done that nobody waits for, however many wait."""
        if self._running:
            self._queue.put(_Entry(job, None))

    def _work(self) -> None:
        ends = False
        while not ends:
            entries, ends = self._collect()
            wanted = [entry for entry in entries if entry.answer is None or not entry.answer.cancelled()]
            try:
                answers: Sequence[Any] = self._run([entry.job for entry in wanted]) if wanted else []
            except Exception as error:
                answers = [error] * len(wanted)
            try:
                self._loop.call_soon_threadsafe(self._deliver, entries, wanted, answers)
            except RuntimeError:            # the loop was closed before the batch was done
                return

    def _collect(self) -> tuple[list[_Entry], bool]:
        """The next batch, and whether it is the last."""
        first = self._queue.get()
        if first is None:
            return [], True
        entries, end = [first], time.monotonic() + self._window
        while len(entries) < self._most:
            left = end - time.monotonic()
            try:
                entry = self._queue.get(timeout=left) if left > 0 else self._queue.get_nowait()
            except queue.Empty:
                break
            if entry is None:
                return entries, True
            entries.append(entry)
        return entries, False

    def _deliver(self, entries: list[_Entry], wanted: list[_Entry], answers: Sequence[Any]) -> None:
        self._pending -= sum(entry.answer is not None for entry in entries)
        for entry, answer in zip(wanted, answers):
            if entry.answer is None or entry.answer.done():
                continue
            if isinstance(answer, Exception):
                entry.answer.set_exception(answer)
            else:
                entry.answer.set_result(answer)


def each_alone(run: Callable[[Any], Any], jobs: Sequence[Any]) -> list[Any]:
    """Answers, or the exceptions in their places, of jobs run one by one: what is wrong with one fails that one alone.

    >>> [str(answer) for answer in each_alone(lambda job: 6 // job, [3, 0])]
    ['2', 'integer division or modulo by zero']
    """
    answers: list[Any] = []
    for job in jobs:
        try:
            answers.append(run(job))
        except Exception as error:
            answers.append(error)
    return answers
