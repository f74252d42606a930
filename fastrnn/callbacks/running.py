# SPDX-License-Identifier: Apache-2.0
"""The callbacks of a run, and what becomes of them and the model where it is broken off."""

from __future__ import annotations

from typing import Any

from fastrnn import ranks
from fastrnn.callbacks.base import Callback
from fastrnn.callbacks.callback_list import CallbackList, flatten
from fastrnn.callbacks.progress import ProgbarLogger
from fastrnn.training.alone import team


def callbacks_of(model: Any, given: Any, verbose: int | str, epochs: int, steps: int | None, *more: Callback
                 ) -> CallbackList:
    """The callbacks given, those of `more` whose kind is not among them, and the progress bar, last. Of several
    processes that train together one alone has those that write files, and shows the progress."""
    if verbose not in ("auto", 0, 1, 2):
        raise ValueError(f"verbose: expected 'auto', 0, 1 or 2, got {verbose!r}")
    verbose = 1 if verbose == "auto" else int(verbose)
    callbacks = flatten(given)
    if not ranks.is_first():
        verbose = 0
        callbacks = [callback for callback in callbacks if not getattr(callback, "writes", False)]
    defaults = [*more, ProgbarLogger()] if verbose else [*more]
    callbacks += [default for default in defaults if not any(isinstance(c, type(default)) for c in callbacks)]
    return CallbackList(callbacks, model=model, verbose=verbose, epochs=epochs, steps=steps)


class Interruptible:
    """Leaves the model usable, and the screen in order, when an error or an interruption ends a run half-way."""

    def __init__(self, model: Any, callbacks: CallbackList) -> None:
        self._model = model
        self._callbacks = callbacks

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        for variable in self._model.weights:
            variable.touch()  # the optimizer may have written weights that their layer has not packed again
        for callback in self._callbacks.callbacks:
            if isinstance(callback, ProgbarLogger):
                callback.close()
        team().failed(error)
