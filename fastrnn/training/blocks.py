# SPDX-License-Identifier: Apache-2.0
"""Batches of arrays that are larger than memory: read in blocks, the next one while the kernels use the last."""

from __future__ import annotations

import math
import operator
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastrnn import runtime
from fastrnn.training.data import leaves, mapped

#: Bytes of a block whose samples are shuffled, and of one that is read in order.
SHUFFLED, IN_ORDER = 64 << 20, 4 << 20


class Blocks:
    """The batches of arrays that are read as their parts are asked for, as a source.

    A block is samples in a row, of 64 MB where they are shuffled and 4 MB where not, but a whole number of batches. For
    each pass the blocks come in a new order, and within each its samples do. Two blocks are in memory at once.

    Args:
        x, y, weight: arrays, or structures of them; or None.
        batch_size: samples in a batch; the last one of the last block may have fewer.
        what: for errors.
        shuffle: draw an order for each pass, from `runtime.rng()`; `"batch"` within each batch alone.
        start, stop: the samples, all by default.

    Raises:
        ValueError: the arrays do not have the same number of samples.
    """

    def __init__(self, x: Any, y: Any, weight: Any, batch_size: int, what: str, shuffle: bool | str = False,
                 start: int = 0, stop: int | None = None) -> None:
        self._parts, self._batch_size, self._what, self._shuffle = (x, y, weight), batch_size, what, shuffle
        every = leaves(self._parts)
        counts = {len(array) for array in every}
        if len(counts) > 1:
            raise ValueError(f"{what}: expected as many samples in each array, got {', '.join(map(str, counts))}")
        self._start, self._stop = start, counts.pop() if stop is None else stop
        sample = sum(math.prod(np.shape(array)[1:]) * np.dtype(getattr(array, "dtype", float)).itemsize
                     for array in every)
        size = SHUFFLED if shuffle is True else IN_ORDER
        self.block_size = max(1, size // max(1, sample * batch_size)) * batch_size

    def __len__(self) -> int:
        return -(-(self._stop - self._start) // self._batch_size)

    def __iter__(self) -> Iterator[tuple[Any, Any, Any]]:
        starts = np.arange(self._start, self._stop, self.block_size)
        if self._shuffle is True:
            starts = runtime.rng().permutation(starts)
        reading = None
        for start in starts.tolist():
            block, reading = reading, _Reading(self._reader(start))
            if block is not None:
                yield from self._batches(block.result())
        if reading is not None:
            yield from self._batches(reading.result())

    def split(self, fraction: float) -> tuple[Blocks, Blocks]:
        """These samples without the last `fraction`, and that, in order.

        Raises:
            ValueError: one of the two would have none.
        """
        first = self._start + math.floor((self._stop - self._start) * (1.0 - fraction))
        if not 0.0 < fraction < 1.0 or first in (self._start, self._stop):
            raise ValueError(f"{self._what}: validation_split={fraction} of {self._stop - self._start} samples leaves "
                             "none for training or none for validation; pass more data or another fraction")
        parts = *self._parts, self._batch_size, self._what
        return (Blocks(*parts, self._shuffle, self._start, first), Blocks(*parts, False, first, self._stop))

    def _reader(self, start: int) -> Callable[[], Any]:
        stop = min(start + self.block_size, self._stop)
        return lambda: mapped(lambda array: np.asarray(array[start:stop]), self._parts)

    def _batches(self, block: Any) -> Iterator[tuple[Any, Any, Any]]:
        size = len(leaves(block)[0])
        order = np.arange(size)
        if self._shuffle is True:
            order = runtime.rng().permutation(size)
        for start in range(0, size, self._batch_size):
            rows: Any = slice(start, start + self._batch_size)
            if self._shuffle:
                rows = order[rows] if self._shuffle is True else runtime.rng().permutation(order[rows])
            x, y, weight = mapped(operator.itemgetter(rows), block)
            yield x, y, weight


class _Reading(threading.Thread):
    """Reads in a thread of its own, which nobody need wait for."""

    def __init__(self, read: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._read = read
        self._found: Any = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._found = self._read()
        except BaseException as error:
            self._error = error

    def result(self) -> Any:
        """What was read, or the error of reading."""
        self.join()
        if self._error is not None:
            raise self._error
        return self._found
