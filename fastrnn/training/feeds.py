# SPDX-License-Identifier: Apache-2.0
"""The batches of an epoch, from arrays in memory or from a source of the user's.

The batches of arrays are slices of them, or, where they are shuffled, are gathered into one buffer that is used again
for each.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from fastrnn import runtime
from fastrnn.training.data import unpack

Arrays = Sequence[Any]


class Batch(NamedTuple):
    """Some samples: an array for each input of a model, and for each output its targets and its sample weights, or
    None."""

    x: Arrays
    y: Arrays
    weight: Arrays


class Samples:
    """Batches as flat lists of arrays, since what cuts them treats all arrays alike.

    Args:
        data: all the samples, checked, each array C-contiguous.
    """

    def __init__(self, data: Batch) -> None:
        self.arrays = [array for part in data for array in part if array is not None]
        places = iter(range(len(self.arrays)))
        self._places = [[-1 if array is None else next(places) for array in part] for part in data]
        self.count = len(data.x[0])

    def batch(self, arrays: list[Any]) -> Batch:
        """The batch that these arrays, in the order of `arrays`, are."""
        arrays.append(None)                 # which is at -1
        x, y, weight = self._places
        return Batch([arrays[i] for i in x], [arrays[i] for i in y], [arrays[i] for i in weight])

    def part(self, start: int, stop: int) -> Batch:
        """Some samples in a row, without a copy."""
        return self.batch([array[start:stop] for array in self.arrays])


class Batches(Protocol):
    """A pass over the data; iterating again makes another pass."""

    @property
    def steps(self) -> int | None:
        """Number of batches in a pass, None if unknown."""

    def __iter__(self) -> Iterator[Batch]: ...


class ArrayBatches:
    """Batches of arrays that lie in memory.

    Args:
        data: all the samples, checked, each array C-contiguous.
        batch_size: samples in a batch; the last one may have fewer.
        shuffle: True draws a new order for every pass, from `runtime.rng()`; `"batch"` changes the order only within
            each batch; False keeps the order.
    """

    def __init__(self, data: Batch, batch_size: int, shuffle: bool | str = False) -> None:
        self._samples = Samples(data)
        self._batch_size = batch_size
        self._shuffle = shuffle
        self.samples = self._samples.count
        self.steps = -(-self.samples // batch_size)
        self._buffers: list[np.ndarray] | None = None

    def __iter__(self) -> Iterator[Batch]:
        if self._shuffle:
            return self._shuffled(self._order())
        return self._sliced()

    def _sliced(self) -> Iterator[Batch]:
        for start in range(0, self.samples, self._batch_size):
            yield self._samples.part(start, start + self._batch_size)

    def _shuffled(self, order: np.ndarray) -> Iterator[Batch]:
        sources = self._samples.arrays
        if self._buffers is None:
            size = min(self._batch_size, self.samples)
            self._buffers = [np.empty((size, *source.shape[1:]), source.dtype) for source in sources]
        for start in range(0, self.samples, self._batch_size):
            rows = order[start : start + self._batch_size]
            # mode="clip" writes straight into `out`; the default would make a copy first.
            yield self._samples.batch([source.take(rows, 0, buffer[: len(rows)], "clip")
                                       for source, buffer in zip(sources, self._buffers)])

    def _order(self) -> np.ndarray:
        generator = runtime.rng()
        if self._shuffle != "batch":
            return generator.permutation(self.samples)
        order = np.arange(self.samples)
        for start in range(0, self.samples, self._batch_size):
            generator.shuffle(order[start : start + self._batch_size])
        return order


class SourceBatches:
    """Batches that the user's own object makes: a generator, an iterable, or an indexed sequence of batches.

    Args:
        source: yields `x`, `(x, y)` or `(x, y, sample_weight)`; or has `source[i]` and `len(source)`.
        convert: checks what it yields and makes a `Batch` of it.
    """

    def __init__(self, source: Any, convert: Callable[[Any, Any, Any], Batch]) -> None:
        self._source = source
        self._convert = convert
        self.steps: int | None = len(source) if hasattr(source, "__len__") else None
        self.once = hasattr(source, "__next__")  # an iterator cannot begin again

    def __iter__(self) -> Iterator[Batch]:
        for item in self._items():
            x, y, weight = unpack(item, "a batch")
            yield self._convert(x, y, weight)

    def _items(self) -> Iterator[Any]:
        source = self._source
        if hasattr(source, "__getitem__") and hasattr(source, "__len__"):
            for index in range(len(source)):
                yield source[index]
            if hasattr(source, "on_epoch_end"):
                source.on_epoch_end()
        else:
            yield from source


class Feed:
    """Hands out the batches of one epoch after the other.

    Args:
        batches: the passes over the data.
        steps: batches in an epoch; None makes an epoch of one whole pass. With a number the passes follow each other
            without regard to where epochs end.
    """

    def __init__(self, batches: Batches, steps: int | None = None) -> None:
        self._batches = batches
        self._steps = steps
        self._current: Iterator[Batch] | None = None
        self.exhausted = False

    @property
    def steps(self) -> int | None:
        """Number of batches in an epoch, None if unknown."""
        return self._steps or self._batches.steps

    def epoch(self) -> Iterator[Batch]:
        """The batches of the next epoch."""
        if self._steps is not None:
            yield from self._counted(self._steps)
            return
        empty = True
        for batch in self._batches:
            empty = False
            yield batch
        if empty:
            self._run_out()

    def _counted(self, steps: int) -> Iterator[Batch]:
        for _ in range(steps):
            batch = next(self._current, None) if self._current is not None else None
            if batch is None:
                self._current = iter(self._batches)
                batch = next(self._current, None)
            if batch is None:
                self._run_out()
                return
            yield batch

    def _run_out(self) -> None:
        self.exhausted = True
        warnings.warn("the input ran out of data; a generator must yield steps_per_epoch * epochs batches, "
                      "or every batch again when it is iterated over again", stacklevel=2)


def split(data: Batch, fraction: float) -> tuple[Batch, Batch]:
    """Split the last `fraction` of the samples off for validation."""
    if not 0.0 < fraction < 1.0:
        raise ValueError(f"fit: expected validation_split in (0, 1), got {fraction}")
    samples = Samples(data)
    first = math.floor(samples.count * (1.0 - fraction))
    if first in (0, samples.count):
        raise ValueError(f"fit: validation_split={fraction} of {samples.count} samples leaves none for "
                         f"{'training' if first == 0 else 'validation'}; pass more data or another fraction")
    return samples.part(0, first), samples.part(first, samples.count)
