# SPDX-License-Identifier: Apache-2.0
"""PyDataset: batches by index."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any


class PyDataset:
    """Base of the user's own sources of batches for `fit`, `evaluate` and `predict`.

    A subclass defines `__getitem__(index)`, which gives a batch `(x, y)` or `(x, y, sample_weight)`, and `__len__`, the
    number of batches in an epoch; or the property `num_batches` in its place, None where there is no end. `fit` asks
    for the batches in another order each epoch, unless `shuffle=False`.

    Args:
        workers, use_multiprocessing, max_queue_size: kept, and without effect: batches are made one after the other, on
            the thread that trains.

    Example:

    >>> import numpy as np
    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         x = np.full((4, 1), float(index))
    ...         return x, x ** 2
    >>> [float(y[0, 0]) for x, y in Squares()]
    [0.0, 1.0, 4.0]
    """

    # Attributes of the class, so that a subclass whose __init__ does not call this one has them.
    workers = 1
    use_multiprocessing = False
    max_queue_size = 10

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index), which gives a batch")

    @property
    def num_batches(self) -> int | None:
        """Batches in an epoch, None where there is no end."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(f"{type(self).__name__} must define __len__, or the property num_batches")

    def __iter__(self) -> Iterator[Any]:
        count = self.num_batches
        for index in itertools.count() if count is None else range(count):
            yield self[index]

    def on_epoch_begin(self) -> None:
        """Called before each epoch; does nothing here."""

    def on_epoch_end(self) -> None:
        """Called after each epoch; does nothing here."""


#: Keras 2's name of it.
Sequence = PyDataset
