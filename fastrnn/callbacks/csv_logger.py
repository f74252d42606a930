# SPDX-License-Identifier: Apache-2.0
"""CSVLogger: write the metrics of each epoch to a file."""

from __future__ import annotations

import csv
import os
from typing import Any

from fastrnn.callbacks.base import Callback, Logs


class CSVLogger(Callback):
    """Write one line an epoch, with the loss and the metrics, to a CSV file; `NA` where an epoch has no value.

    Args:
        filename: path of the file.
        separator: one character between the values.
        append: continue an existing file instead of replacing it.

    Example:

    >>> import os, tempfile, numpy as np, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((1,)), fastrnn.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> path = os.path.join(tempfile.mkdtemp(), "run.csv")
    >>> log = fastrnn.callbacks.CSVLogger(path)
    >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=[log])
    >>> open(path).read().split()[0]
    'epoch,loss,val_loss'
    """

    writes = True

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        self.filename = os.fspath(filename)
        self.separator = separator
        self.append = append
        self._file: Any = None
        self._writer: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._close()
        self._header = not (self.append and os.path.exists(self.filename) and os.path.getsize(self.filename))
        self._file = open(self.filename, "a" if self.append else "w", newline="", encoding="utf-8")  # noqa: SIM115

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        if self._writer is None:
            names = sorted(logs)
            if not any(name.startswith("val_") for name in names):
                names += [f"val_{name}" for name in names]  # validation may come in a later epoch (validation_freq)
            self._writer = csv.DictWriter(self._file, ["epoch", *names], restval="NA", extrasaction="ignore",
                                          delimiter=self.separator)
            if self._header:
                self._writer.writeheader()
        self._writer.writerow({"epoch": epoch, **logs})
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._writer = None
