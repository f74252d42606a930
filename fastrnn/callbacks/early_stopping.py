# SPDX-License-Identifier: Apache-2.0
"""EarlyStopping: end the training when a metric has stopped improving."""

from __future__ import annotations

import numpy as np

from fastrnn import ranks
from fastrnn.callbacks.base import Logs
from fastrnn.callbacks.monitor import MonitorCallback


class EarlyStopping(MonitorCallback):
    """Stop training when a metric has stopped improving.

    Args:
        monitor: name of the metric, as in the history.
        min_delta: a change below this is no improvement.
        patience: epochs without improvement after which training stops.
        verbose: 1 prints a line when training is stopped or weights are restored.
        mode: `"min"`, `"max"`, or `"auto"` to tell by the metric.
        baseline: value that must be reached within `patience` epochs.
        restore_best_weights: put the weights of the best epoch back when training ends.
        start_from_epoch: epochs to wait before the metric is watched.

    Attributes:
        stopped_epoch: index of the epoch after which training was stopped, 0 if it was not.
        best, best_epoch: the best value and its epoch's index.

    Raises:
        ValueError: unknown mode, or a metric whose direction cannot be told.

    Example:

    >>> import numpy as np, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((1,)), fastrnn.layers.Dense(1)])
    >>> model.compile(fastrnn.optimizers.SGD(0.0), "mse")      # learns nothing
    >>> stop = fastrnn.callbacks.EarlyStopping("loss", patience=3)
    >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=10, verbose=0, callbacks=[stop])
    >>> len(history.history["loss"])
    4
    """

    def __init__(self, monitor: str = "val_loss", min_delta: float = 0, patience: int = 0, verbose: int = 0,
                 mode: str = "auto", baseline: float | None = None, restore_best_weights: bool = False,
                 start_from_epoch: int = 0) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._reset()

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_epoch = 0
        self.best_weights: list[np.ndarray] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        current = self.value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.improves(current, self.best):
            self.best = current
            self.best_epoch = epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.improves(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.verbose and self.stopped_epoch and ranks.is_first():
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose and ranks.is_first():
                print(f"Restoring the weights of the best epoch, {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)
