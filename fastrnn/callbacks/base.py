# SPDX-License-Identifier: Apache-2.0
"""Callback, the base class of everything that watches a run."""

from __future__ import annotations

import sys
from typing import Any, Self

from fastrnn import ranks
from fastrnn.registry import check_keywords

Logs = dict[str, Any]


class Callback:
    """Base class of callbacks: override the hooks you need and pass the instance to `fit`, `evaluate` or `predict`.

    `logs` holds the loss and the metrics so far (`{"accuracy": 0.91, "loss": 0.34}`); at the end of an epoch also
    those of the validation, their names beginning with `val_`. All callbacks get the same dictionary, and what one adds
    to it at the end of an epoch those after it, and the history, see too.

    Attributes:
        writes: whether it writes files, or the like, so that of several processes that train together only the first
            needs it.
        model: the model that runs.
        params: dictionary with `verbose`, `epochs` and `steps`, the number of batches an epoch (None if unknown).

    Example:

    >>> import fastrnn
    >>> class Losses(fastrnn.callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(epoch, sorted(logs))
    >>> model = fastrnn.Sequential([fastrnn.Input((3,)), fastrnn.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> history = model.fit([[1.0, 2.0, 3.0]], [[1.0]], epochs=2, verbose=0, callbacks=[Losses()])
    0 ['loss']
    1 ['loss']
    """

    # Class attributes, so that a subclass that does not call `super().__init__()` works too.
    writes = False
    model: Any = None
    params: dict[str, Any] | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        check_keywords(cls, kwargs)
        return super().__new__(cls)

    def set_params(self, params: dict[str, Any]) -> None:
        """Called before the run with its parameters."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Called before the run with its model."""
        self.model = model

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called when `fit` begins."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called when `fit` ends; `logs` are those of the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called when an epoch begins, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called when an epoch and its validation end."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch is trained on, counted from 0 in each epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch; `logs` are the averages over the epoch so far."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """The older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """The older name of `on_train_batch_end`."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called when `evaluate`, or a validation within `fit`, begins."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Called when `evaluate`, or a validation within `fit`, ends."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch is evaluated."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch is evaluated."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Called when `predict` begins."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Called when `predict` ends."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch is predicted."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch is predicted; `logs["outputs"]` holds its predictions."""


def announce(message: str) -> None:
    """Print a message of a callback; on a terminal below the progress bar, which may be under way. Of several processes
    that train together one alone prints."""
    if not ranks.is_first():
        return
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    print(f"\n{message}" if on_terminal else message)
