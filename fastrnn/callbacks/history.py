# SPDX-License-Identifier: Apache-2.0
"""History: the record of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastrnn.callbacks.base import Callback, Logs
from fastrnn.training.history import plot_history

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class History(Callback):
    """The loss and the metrics of each epoch; `fit` makes one and returns it.

    Attributes:
        history: dictionary from each name (`"loss"`, `"accuracy"`, `"val_loss"`, ...) to the list of its values.
        epoch: indices of the epochs run, from 0.
        params: `verbose`, `epochs` and `steps` of the run.

    Example:

    >>> import numpy as np, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((1,)), fastrnn.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, verbose=0)
    >>> history.epoch, list(history.history)
    ([0, 1], ['loss'])
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []
        self._epochs_of: dict[str, list[int]] = {}  # validation need not run in every epoch

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
            self._epochs_of.setdefault(name, []).append(epoch)

    def plot(self, metrics: Sequence[str] | str | None = None) -> Figure:
        """Draw the run: one panel for the loss and one for each metric, training and validation, over the epochs.

        Args:
            metrics: names of the panels to draw, in this order (`["loss", "accuracy"]`); None draws all.

        Returns:
            A matplotlib `Figure`; `figure.savefig("run.png")` writes it, a notebook shows it.

        Raises:
            ImportError: matplotlib is missing; `pip install fastrnn[plot]` brings it.
            ValueError: nothing was recorded, or a name that was not.
        """
        return plot_history(self.history, self._epochs_of, metrics)
