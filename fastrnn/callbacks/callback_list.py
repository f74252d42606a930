# SPDX-License-Identifier: Apache-2.0
"""CallbackList, which calls many callbacks as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fastrnn.callbacks.base import Callback, Logs
from fastrnn.callbacks.history import History
from fastrnn.callbacks.progress import ProgbarLogger


class CallbackList(Callback):
    """Calls each hook on every callback in turn.

    Only the callbacks that override a hook of a batch are called for it, so that a run without them pays nothing.

    Args:
        callbacks: callbacks, or a single one, or None. An object with the methods of a `Callback` is one, whatever its
            class: Keras's own callbacks, and those of tqdm.keras.
        add_history, add_progbar: add a `History`, a `ProgbarLogger`, if there is none yet.
        model: the model that runs.
        params: what every callback gets through `set_params`, by name.

    Raises:
        TypeError: one of them is not a callback, or is a class instead of an instance.
    """

    def __init__(self, callbacks: Iterable[Any] | Callback | None = None, add_history: bool = False,
                 add_progbar: bool = False, model: Any = None, **params: Any) -> None:
        self.callbacks: list[Any] = flatten(callbacks)
        for add, kind in (add_history, History), (add_progbar, ProgbarLogger):
            if add and not any(isinstance(callback, kind) for callback in self.callbacks):
                self.callbacks.append(kind())
        self.set_params(params)
        self.set_model(model)
        self._find_hooks()

    def append(self, callback: Any) -> None:
        """Call one more."""
        for more in flatten(callback):
            more.set_params(self.params)
            more.set_model(self.model)
            self.callbacks.append(more)
        self._find_hooks()

    def _find_hooks(self) -> None:
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
    def watches_batches(self) -> bool:
        """Whether anyone is told of training batches."""
        return bool(self._train_batch_begin or self._train_batch_end)

    @property
    def wants_train_logs(self) -> bool:
        """Whether anyone looks at the logs of a training batch."""
        return any(map(_reads_logs, self._train_batch_end))

    @property
    def wants_test_logs(self) -> bool:
        """Whether anyone looks at the logs of an evaluated batch."""
        return any(map(_reads_logs, self._test_batch_end))

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

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self.on_train_batch_begin(batch, logs)

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.on_train_batch_end(batch, logs)

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


def _reads_logs(hook: Callable[..., None]) -> bool:
    return bool(getattr(getattr(hook, "__self__", None), "reads_batch_logs", True))


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
