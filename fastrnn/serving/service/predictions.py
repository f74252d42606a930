# SPDX-License-Identifier: Apache-2.0
"""Whole sequences through one frozen model, those of a shape in one call."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.serving.frozen import Frozen
from fastrnn.serving.service.batching import Batcher, each_alone
from fastrnn.serving.service.inputs import InputError, Inputs
from fastrnn.serving.service.metrics import Metrics
from fastrnn.serving.service.settings import Settings


class Predictions:
    """Answers requests for `frozen(x)`.

    Requests whose samples have the same shape are one batch; no sequence is padded, so each has the output that it
    has by itself.

    Args:
        frozen: the model.
        settings: limits.
        metrics: where calls are counted.
    """

    def __init__(self, frozen: Frozen, settings: Settings, metrics: Metrics) -> None:
        self._frozen, self._metrics, self._steps = frozen, metrics, settings.steps
        self.inputs = Inputs.of_model(frozen)
        self.batcher = Batcher(self._run, settings.window_us, settings.batch, settings.waiting, "fastrnn predictions")

    async def predict(self, x: np.ndarray) -> np.ndarray:
        """The output (samples, ...) for an input (samples, ...).

        Raises:
            InputError: it has too many time steps, or the model refuses it.
            BusyError: too many requests wait.
        """
        steps = len(x) * (x.shape[1] if x.ndim > 1 and self.inputs.shape[0] is None else 1)
        if steps > self._steps:
            raise InputError(f"x: expected {self._steps} time steps at most, samples times time, got {steps}")
        try:
            y: np.ndarray = await self.batcher.ask(x)
        except ValueError as error:
            raise InputError(str(error)) from error
        return y

    def _run(self, xs: list[np.ndarray]) -> list[Any]:
        answers: list[Any] = [None] * len(xs)
        groups: dict[tuple[int, ...], list[int]] = {}
        for place, x in enumerate(xs):
            groups.setdefault(x.shape[1:], []).append(place)
        for places in groups.values():
            for place, answer in zip(places, self._run_alike([xs[place] for place in places])):
                answers[place] = answer
        return answers

    def _run_alike(self, xs: list[np.ndarray]) -> list[Any]:
        """Of one shape."""
        try:
            y = self._call(np.concatenate(xs) if len(xs) > 1 else xs[0], len(xs))
        except Exception as error:
            return each_alone(lambda x: self._call(x, 1), xs) if len(xs) > 1 else [error]
        return np.split(y, np.cumsum([len(x) for x in xs])[:-1])

    def _call(self, x: np.ndarray, requests: int) -> np.ndarray:
        with self._metrics.model_call("predict", requests):
            y = self._frozen(x)
        [array] = [y] if isinstance(y, np.ndarray) else y.values() if isinstance(y, dict) else y
        return np.asarray(array)
