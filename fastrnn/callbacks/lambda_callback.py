# SPDX-License-Identifier: Apache-2.0
"""LambdaCallback: a callback made of functions."""

from __future__ import annotations

from collections.abc import Callable

from fastrnn.callbacks.base import Callback


class LambdaCallback(Callback):
    """A callback made of functions: each keyword names a hook of `Callback` and gives the function to call for it.

    Args:
        on_epoch_begin, on_epoch_end: functions of `epoch, logs`.
        on_train_begin, on_train_end: functions of `logs`.
        on_train_batch_begin, on_train_batch_end: functions of `batch, logs`.
        **hooks: any other hook of `Callback`.

    Raises:
        TypeError: a name that is no hook, or a value that cannot be called.

    Example:

    >>> import numpy as np, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((1,)), fastrnn.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> tell = fastrnn.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print("end of", epoch))
    >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=[tell])
    end of 0
    end of 1
    """

    def __init__(self, on_epoch_begin: Callable[..., object] | None = None,
                 on_epoch_end: Callable[..., object] | None = None,
                 on_train_begin: Callable[..., object] | None = None,
                 on_train_end: Callable[..., object] | None = None,
                 on_train_batch_begin: Callable[..., object] | None = None,
                 on_train_batch_end: Callable[..., object] | None = None,
                 **hooks: Callable[..., object]) -> None:
        named = {"on_epoch_begin": on_epoch_begin, "on_epoch_end": on_epoch_end,
                 "on_train_begin": on_train_begin, "on_train_end": on_train_end,
                 "on_train_batch_begin": on_train_batch_begin, "on_train_batch_end": on_train_batch_end}
        for name, function in {**named, **hooks}.items():
            if function is None:
                continue
            if not (name.startswith("on_") and hasattr(Callback, name)):
                raise TypeError(f"LambdaCallback: {name!r} is not a hook of Callback")
            if not callable(function):
                raise TypeError(f"LambdaCallback: expected a function for {name}, got {function!r}")
            setattr(self, name, function)
