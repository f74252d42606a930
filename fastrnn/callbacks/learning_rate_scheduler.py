# SPDX-License-Identifier: Apache-2.0
"""LearningRateScheduler: set the learning rate of each epoch by a function."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastrnn.callbacks.base import Callback, Logs, announce


class LearningRateScheduler(Callback):
    """Set the optimizer's learning rate at the beginning of each epoch.

    The learning rate of each epoch is added to the logs as `learning_rate`.

    Args:
        schedule: function of the epoch's index (from 0) and the present learning rate, or of the index alone; returns
            the new learning rate as a float.
        verbose: 1 prints a line an epoch.

    Raises:
        ValueError: `schedule` returned something that is not a float.

    Example:

    >>> import numpy as np, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((1,)), fastrnn.layers.Dense(1)])
    >>> model.compile(fastrnn.optimizers.SGD(0.8), "mse")
    >>> halve = fastrnn.callbacks.LearningRateScheduler(lambda epoch, lr: lr / 2 if epoch else lr)
    >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=3, verbose=0, callbacks=[halve])
    >>> [round(rate, 4) for rate in history.history["learning_rate"]]
    [0.8, 0.4, 0.2]
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        optimizer = self.model.optimizer
        if _takes_two(self.schedule):
            rate = self.schedule(epoch, float(optimizer.learning_rate))
        else:
            rate = self.schedule(epoch)
        if not isinstance(rate, (float, np.floating)):
            raise ValueError(f"LearningRateScheduler: schedule must return a float, got {rate!r} "
                             f"of type {type(rate).__name__} for epoch {epoch}")
        optimizer.learning_rate = float(rate)
        if self.verbose:
            announce(f"Epoch {epoch + 1}: LearningRateScheduler sets the learning rate to {float(rate):g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


def _takes_two(schedule: Callable[..., float]) -> bool:
    """Whether `schedule` takes the learning rate beside the epoch (asked of its code: inspect is slow to import)."""
    code = getattr(schedule, "__code__", None)
    if code is None:
        return True
    bound = 1 if getattr(schedule, "__self__", None) is not None else 0
    variadic = bool(code.co_flags & 0x04)  # CO_VARARGS
    return variadic or code.co_argcount - bound >= 2
