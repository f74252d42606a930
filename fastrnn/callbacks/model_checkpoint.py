# SPDX-License-Identifier: Apache-2.0
"""ModelCheckpoint: save the model as training goes on."""

from __future__ import annotations

import os
from typing import Any

from fastrnn.callbacks.base import Logs, announce
from fastrnn.callbacks.monitor import MonitorCallback


class ModelCheckpoint(MonitorCallback):
    """Save the model, or its weights, after each epoch or after so many batches.

    A file is replaced as a whole: where training is interrupted while it is saved, the one before is there.

    Args:
        filepath: of the file, whose suffix is the format (see `fastrnn.saving`); `{epoch}`, `{batch}` and the names in
            the logs stand for their values: `"{epoch:02d}-{val_loss:.2f}.keras"`. Folders are made.
        monitor: name of the metric, as in the history.
        verbose: 1 prints a line when the model is saved, or is not better.
        save_best_only: save only where the metric is the best so far.
        save_weights_only: save the weights alone.
        mode: `"min"`, `"max"`, or `"auto"` to tell by the metric.
        save_freq: `"epoch"`, or a number of batches.
        initial_value_threshold: value that the first model saved as the best must be better than.
        period: of Keras 1 and 2: save after each such number of epochs.

    Raises:
        ValueError: an unknown mode or save_freq; a metric whose direction cannot be told.
        KeyError: `filepath` has a name that the logs have not.

    Example:

    >>> import os, tempfile, numpy as np, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((1,)), fastrnn.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> folder = tempfile.mkdtemp()
    >>> keep = fastrnn.callbacks.ModelCheckpoint(os.path.join(folder, "{epoch}.safetensors"))
    >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=[keep])
    >>> sorted(os.listdir(folder))
    ['1.safetensors', '2.safetensors']
    """

    writes = True

    def __init__(self, filepath: str | os.PathLike[str], monitor: str = "val_loss", verbose: int = 0,
                 save_best_only: bool = False, save_weights_only: bool = False, mode: str = "auto",
                 save_freq: str | int = "epoch", initial_value_threshold: float | None = None, *,
                 period: int = 1) -> None:
        super().__init__(monitor, mode)
        if not isinstance(period, int) or isinstance(period, bool) or period < 1:
            raise ValueError(f"ModelCheckpoint period: expected a number of epochs, got {period!r}")
        if save_freq != "epoch" and (not isinstance(save_freq, int) or isinstance(save_freq, bool) or save_freq < 1):
            raise ValueError(f"ModelCheckpoint: expected save_freq 'epoch' or a number of batches, got {save_freq!r}")
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self.best = initial_value_threshold
        self.period = period
        self._epoch = 0
        self._epochs = 0        # since the model was saved last
        self._batches = 0       # since the model was saved last
        if save_freq != "epoch":    # only then, since a run pays for whoever looks at its batches
            self.on_train_batch_end = self._after_batch  # type: ignore[method-assign]

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._epochs += 1
        if self.save_freq == "epoch" and self._epochs >= self.period:
            self._epochs = 0
            self._save(logs or {}, {})

    def _after_batch(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self._batches == self.save_freq:
            self._batches = 0
            self._save(logs or {}, {"batch": batch + 1})

    def _save(self, logs: Logs, counts: dict[str, Any]) -> None:
        if self.save_best_only and not self._is_best(logs):
            return
        try:
            path = self.filepath.format(**{**counts, **logs, "epoch": self._epoch + 1})
        except KeyError as error:
            names = ", ".join(["epoch", *counts, *logs])
            raise KeyError(f"ModelCheckpoint: filepath {self.filepath!r} has {error}, which is not there; "
                           f"there are: {names}") from None
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        (self.model.save_weights if self.save_weights_only else self.model.save)(path)
        if self.verbose:
            announce(f"Epoch {self._epoch + 1}: saved the model to {path}")

    def _is_best(self, logs: Logs) -> bool:
        current = self.value(logs)
        if current is None:         # as Keras does it: better too many files than none
            return True
        if not self.improves(current, self.best):
            if self.verbose:
                announce(f"Epoch {self._epoch + 1}: {self.monitor} did not improve from {self.best:.5g}")
            return False
        self.best = current
        return True
