# SPDX-License-Identifier: Apache-2.0
"""Callback, the base class of everything that watches a run, and CallbackList, which calls many as one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

Logs = dict[str, Any]


class Callback:
    """Base class of callbacks: override the hooks you need and pass the instance to `fit`, `evaluate` or `predict`.

    `logs` holds the loss and the metrics so far (`{"accuracy": 0.91, "loss": 0.34}`); at the end of an epoch also
    those of the validation, their names beginning with `val_`. All callbacks get the same dictionary, and what one adds
    to it at the end of an epoch those after it, and the history, see too.

    Attributes:
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
    model: Any = None
    params: dict[str, Any] | None = None

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


class CallbackList(Callback):
    """Calls each hook on every callback in turn.

    Only the callbacks that override a hook of a batch are called for it, so that a run without them pays nothing.

    Args:
        callbacks: callbacks, or a single one, or None.
        model: the model that runs.
        params: what every callback gets through `set_params`.

    Raises:
        TypeError: one of them is not a callback, or is a class instead of an instance.
    """

    def __init__(self, callbacks: Iterable[Any] | Callback | None = None, model: Any = None,
                 params: dict[str, Any] | None = None) -> None:
        self.callbacks: list[Any] = flatten(callbacks)
        self.set_params(params or {})
        self.set_model(model)
        self._train_batch_begin = self._overriding("on_train_batch_begin", "on_batch_begin")
        self._train_batch_end = self._overriding("on_train_batch_end", "on_batch_end")
        self._test_batch_begin = self._overriding("on_test_batch_begin")
        self._test_batch_end = self._overriding("on_test_batch_end")
        self._predict_batch_begin = self._overriding("on_predict_batch_begin")
        self._predict_batch_end = self._overriding("on_predict_batch_end")

    def _overriding(self, *names: str) -> list[Callable[..., None]]:
        """The bound hooks called `names[0]` of those callbacks that override it or one of its other names."""
        return [getattr(c, names[0]) for c in self.callbacks if any(_overrides(c, name) for name in names)]

    @property
    def wants_train_logs(self) -> bool:
        """Whether anyone looks at the logs of a training batch."""
        return bool(self._train_batch_end)

    @property
    def wants_test_logs(self) -> bool:
        """Whether anyone looks at the logs of an evaluated batch."""
        return bool(self._test_batch_end)

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: Any) -> None:
        self.model = model
        for callback in self.callbacks:
            callback.set_model(model)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_train_begin(logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_train_end(logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_epoch_end(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        for hook in self._train_batch_begin:
            hook(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        for hook in self._train_batch_end:
            hook(batch, logs=logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_test_begin(logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_test_end(logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        for hook in self._test_batch_begin:
            hook(batch, logs=logs)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        for hook in self._test_batch_end:
            hook(batch, logs=logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_predict_begin(logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_predict_end(logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        for hook in self._predict_batch_begin:
            hook(batch, logs=logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        for hook in self._predict_batch_end:
            hook(batch, logs=logs)


def announce(message: str) -> None:
    """Print a message of a callback; on a terminal below the progress bar, which may be under way."""
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    print(f"\n{message}" if on_terminal else message)


def _overrides(callback: Any, name: str) -> bool:
    hook = getattr(callback, name, None)
    return hook is not None and getattr(hook, "__func__", hook) is not getattr(Callback, name)


def flatten(callbacks: Any) -> list[Any]:
    """A flat list of callbacks from None, one callback or nested lists of them."""
    if callbacks is None:
        return []
    if isinstance(callbacks, (list, tuple)):
        return [callback for item in callbacks for callback in flatten(item)]
    if isinstance(callbacks, type):
        raise TypeError(f"callbacks: expected instances of Callback, got the class {callbacks.__name__}; "
                        f"write {callbacks.__name__}(...)")
    if not (hasattr(callbacks, "set_model") and hasattr(callbacks, "on_epoch_end")):
        raise TypeError(f"callbacks: expected instances of Callback, got {callbacks!r} "
                        f"of type {type(callbacks).__name__}")
    return [callbacks]
