# SPDX-License-Identifier: Apache-2.0
"""TerminateOnNaN: end the training when the loss is no longer a number."""

from __future__ import annotations

import math

from fastrnn.callbacks.base import Callback, Logs, announce


class TerminateOnNaN(Callback):
    """Stop training when the loss becomes NaN or infinite.

    Args:
        raise_error: raise instead of stopping.

    Raises:
        RuntimeError: the loss is NaN or infinite and `raise_error` is true.

    Example:

    >>> import numpy as np, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((1,)), fastrnn.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x = np.full((4, 1), np.nan)
    >>> history = model.fit(x, x, epochs=9, verbose=0, callbacks=[fastrnn.callbacks.TerminateOnNaN()])
    Batch 0: the loss is nan, stopping
    >>> len(history.history["loss"])
    1
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"TerminateOnNaN: the loss is {loss} at batch {batch}")
        announce(f"Batch {batch}: the loss is {loss}, stopping")
        self.model.stop_training = True
