# SPDX-License-Identifier: Apache-2.0
"""SwapEMAWeights: evaluate and save a model with the running means of its weights."""

from __future__ import annotations

from fastrnn.callbacks.base import Callback, Logs


class SwapEMAWeights(Callback):
    """Give the model the running means of its weights while it is evaluated or predicts, and take them back after it.

    Args:
        swap_on_epoch: swap at the end of each epoch, too, until the next begins, so that callbacks after this one, as a
            `ModelCheckpoint`, save the means.

    Raises:
        ValueError: the model's optimizer was not made with `use_ema=True`.

    Example:

    >>> import numpy as np, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((1,)), fastrnn.layers.Dense(1)])
    >>> model.compile(fastrnn.optimizers.SGD(0.1, use_ema=True), "mse")
    >>> swap = fastrnn.callbacks.SwapEMAWeights()
    >>> x = np.ones((4, 1))
    >>> history = model.fit(x, x, epochs=2, verbose=0, validation_data=(x, x), callbacks=[swap])
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        self.swap_on_epoch = swap_on_epoch
        self._swapped = False

    def _swap(self, swapped: bool) -> None:
        """Put the means into the model, or take them out."""
        if swapped != self._swapped:
            optimizer = self.model.optimizer
            if not getattr(optimizer, "use_ema", False):
                raise ValueError(f"SwapEMAWeights: expected an optimizer made with use_ema=True, got {optimizer}")
            optimizer.swap_averages()
            self._swapped = swapped

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._swap(False)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch:
            self._swap(True)
            if epoch == (self.params or {}).get("epochs", 0) - 1:
                self.model.optimizer.take_averages()

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._swap(True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._swap(False)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._swap(True)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._swap(False)
