# SPDX-License-Identifier: Apache-2.0
"""Streaming sessions: each in a slot of one stream, whose steps of a window are one call."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

from fastrnn.serving.frozen import Frozen
from fastrnn.serving.service.batching import Batcher, BusyError, each_alone
from fastrnn.serving.service.inputs import InputError, Inputs
from fastrnn.serving.service.metrics import Metrics
from fastrnn.serving.service.settings import Settings


class Session:
    """One sequence that goes on. Its slot is opened by the first step, and known to the batcher's thread alone."""

    slot: int | None = None
    closed = False


class _Job(NamedTuple):
    work: str                   # "step", "reset" or "close"
    session: Session
    x: np.ndarray | None = None


class Sessions:
    """The sessions of one model.

    Args:
        frozen: the model.
        settings: limits.
        metrics: where steps and sessions are counted.

    Raises:
        ValueError: a layer cannot run step by step: names it, and says why.
    """

    def __init__(self, frozen: Frozen, settings: Settings, metrics: Metrics) -> None:
        self._metrics, self._most = metrics, settings.sessions
        self.inputs = Inputs.of_stream(frozen)
        self._stream = frozen.stream()
        self._stream.close(0)
        self._open: set[Session] = set()
        self.batcher = Batcher(self._run, settings.window_us, settings.batch, settings.waiting, "fastrnn sessions")

    def __len__(self) -> int:
        return len(self._open)

    def open(self) -> Session:
        """Begin one.

        Raises:
            BusyError: there are as many as may be.
        """
        if len(self._open) >= self._most:
            raise BusyError(f"{self._most} sessions are open already; try again later")
        session = Session()
        self._open.add(session)
        self._metrics.sessions.inc()
        return session

    def close(self, session: Session, reason: str) -> None:
        """End one; its slot is free after the steps that wait."""
        if session in self._open:
            self._open.remove(session)
            self._metrics.sessions.dec()
            self._metrics.ended.labels(reason).inc()
            self.batcher.tell(_Job("close", session))

    async def step(self, session: Session, x: np.ndarray) -> np.ndarray:
        """The output (outputs,) of a session's next time step (1, features), or (1,) of indices.

        Raises:
            InputError: the session is closed, or the model refuses the input.
            BusyError: too many steps wait.
        """
        try:
            y: np.ndarray = await self.batcher.ask(_Job("step", session, x))
        except ValueError as error:
            raise InputError(str(error)) from error
        return y

    async def reset(self, session: Session) -> None:
        """Begin a session's sequence anew."""
        await self.batcher.ask(_Job("reset", session))

    def _run(self, jobs: list[_Job]) -> list[Any]:
        """In order; steps in a row are one call."""
        answers: list[Any] = []
        for are_steps, group in itertools.groupby(jobs, lambda job: job.work == "step"):
            some = list(group)
            answers += self._steps(some) if are_steps else each_alone(self._slot, some)
        return answers

    def _slot(self, job: _Job) -> None:
        """Reset or close."""
        session, slot = job.session, job.session.slot
        if job.work == "close":
            session.slot, session.closed = None, True
        if slot is not None:
            if job.work == "reset":
                self._stream.reset([slot])
            else:
                self._stream.close(slot)

    def _steps(self, jobs: list[_Job]) -> list[Any]:
        try:
            return list(self._step(jobs))
        except Exception as error:
            return each_alone(lambda job: self._step([job])[0], jobs) if len(jobs) > 1 else [error]

    def _step(self, jobs: list[_Job]) -> np.ndarray:
        """The outputs (steps, outputs); no slot has gone on if it raises."""
        for job in jobs:
            if job.session.closed:
                raise ValueError("the session is closed")
            if job.session.slot is None:
                job.session.slot = self._stream.open()
        x = np.concatenate([job.x for job in jobs if job.x is not None])
        with self._metrics.model_call("step", len(jobs)):
            return self._stream.step(x, slots=[job.session.slot for job in jobs])
