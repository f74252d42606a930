# SPDX-License-Identifier: Apache-2.0
"""ReduceLROnPlateau: lower the learning rate when a metric has stopped improving."""

from __future__ import annotations

from typing import Any

from fastrnn.callbacks.base import Logs, announce
from fastrnn.callbacks.monitor import MonitorCallback


class ReduceLROnPlateau(MonitorCallback):
    """Lower the learning rate when a metric has stopped improving: `new_lr = max(lr * factor, min_lr)`.

    The learning rate of each epoch is added to the logs as `learning_rate`.

    Args:
        monitor: name of the metric, as in the history.
        factor: what the learning rate is multiplied by, below 1.
        patience: epochs without improvement after which it is lowered.
        verbose: 1 prints a line when it is lowered.
        mode: `"min"`, `"max"`, or `"auto"` to tell by the metric.
        min_delta: a change below this is no improvement.
        cooldown: epochs to wait after it was lowered before counting again.
        min_lr: lower bound of the learning rate.
        epsilon: the older name of `min_delta`.

    Raises:
        ValueError: `factor` of 1 or more, unknown mode, or a metric whose direction cannot be told.

    Example:

    >>> import numpy as np, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((1,)), fastrnn.layers.Dense(1)])
    >>> model.compile(fastrnn.optimizers.SGD(0.1), "mse")
    >>> reduce = fastrnn.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e9)
    >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=3, verbose=0, callbacks=[reduce])
    >>> round(model.optimizer.learning_rate, 4)
    0.025
    """

    def __init__(self, monitor: str = "val_loss", factor: float = 0.1, patience: int = 10, verbose: int = 0,
                 mode: str = "auto", min_delta: float = 1e-4, cooldown: int = 0, min_lr: float = 0.0,
                 *, epsilon: float | None = None) -> None:
        super().__init__(monitor, mode, min_delta if epsilon is None else epsilon)
        if not 0.0 <= factor < 1.0:
            raise ValueError(f"ReduceLROnPlateau: expected factor in [0, 1), got {factor}")
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self._reset()

    def _reset(self) -> None:
        self.best = None
        self.wait = 0
        self.cooldown_counter = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        optimizer = self.model.optimizer
        if logs is not None:
            logs["learning_rate"] = float(optimizer.learning_rate)
        current = self.value(logs)
        if current is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(current, self.best):
            self.best = current
            self.wait = 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            if self.wait >= self.patience and self._lower(optimizer, epoch):
                self.wait = 0
                self.cooldown_counter = self.cooldown

    def _lower(self, optimizer: Any, epoch: int) -> bool:
        """Lower the rate; False if it is at its bound."""
        old = float(optimizer.learning_rate)
        if old <= self.min_lr:
            return False
        optimizer.learning_rate = max(old * self.factor, self.min_lr)
        if self.verbose:
            announce(f"Epoch {epoch + 1}: ReduceLROnPlateau sets the learning rate to {optimizer.learning_rate:g}")
        return True
