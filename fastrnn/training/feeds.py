# SPDX-License-Identifier: Apache-2.0
"""The batches of an epoch, from arrays in memory or from a source of the user's.

The batches of arrays are slices of them, or, where they are shuffled, are gathered into one buffer that is used again
for each.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
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
        source: yields `x`, `(x, y)` or `(x, y, sample_weight)`; or has `source[i]` and `len(source)`, or `num_batches`,
            which is None where there is no end. Its `on_epoch_begin` and `on_epoch_end` are called, if it has them.
        convert: checks what it yields and makes a `Batch` of it.
        shuffle: ask an indexed sequence for its batches in a new order for every pass, from `runtime.rng()`.
    """

    def __init__(self, source: Any, convert: Callable[[Any, Any, Any], Batch], shuffle: bool | str = False) -> None:
        self._source = source
        self._convert = convert
        self._shuffle = bool(shuffle)
        counted = hasattr(source, "__len__") or hasattr(source, "num_batches")
        self._indexed = counted and hasattr(source, "__getitem__")
        self.once = hasattr(source, "__next__")  # an iterator cannot begin again

    @property
    def steps(self) -> int | None:
        """Number of batches in a pass, None if unknown: a sequence may have another one after each epoch."""
        if hasattr(self._source, "num_batches"):
            return self._source.num_batches
        try:
            return len(self._source)
        except TypeError:                   # there is no length, or TensorFlow and PyTorch do not know it
            return None

    def __iter__(self) -> Iterator[Batch]:
        for item in self._items():
            x, y, weight = unpack(item, "a batch")
            yield self._convert(x, y, weight)

    def _items(self) -> Iterator[Any]:
        source = self._source
        if not self._indexed:
            yield from map(_itself, source)     # a map, as a generator that may go on would be closed with this one
            return
        steps = self.steps
        order: Iterable[int] = itertools.count() if steps is None else range(steps)
        if self._shuffle and steps is not None:
            order = runtime.rng().permutation(steps).tolist()
        for index in order:
            yield source[index]

    def begin(self) -> None:
        """An epoch begins."""
        getattr(self._source, "on_epoch_begin", _nothing)()

    def end(self) -> None:
        """An epoch is over."""
        getattr(self._source, "on_epoch_end", _nothing)()


def _itself(item: Any) -> Any:
    return item


def _nothing() -> None:
    pass


class Feed:
    """Hands out the batches of one epoch after the other.

    Args:
        batches: the passes over the data.
        steps: batches in an epoch; None makes an epoch of one whole pass. With a number an epoch goes on where the last
            one stopped, and ends with the pass, with a warning if that came early.
        who: for errors.
    """

    def __init__(self, batches: Batches, steps: int | None = None, who: str = "fit") -> None:
        self._batches = batches
        self._steps = steps
        self._who = who
        self._current: Iterator[Batch] | None = None
        self._ever = False                  # whether there ever was a batch
        self.exhausted = False              # no batch came, nor will any

    @property
    def steps(self) -> int | None:
        """Number of batches in an epoch, None if unknown."""
        return self._steps or self._batches.steps

    def restart(self) -> None:
        """Begin the next epoch with the first batch, if what makes the batches can."""
        if not getattr(self._batches, "once", False):
            self._current = None

    def epoch(self) -> Iterator[Batch]:
        """The batches of the next epoch."""
        getattr(self._batches, "begin", _nothing)()
        yield from self._pass() if self._steps is None else self._counted(self._steps)
        getattr(self._batches, "end", _nothing)()

    def _pass(self) -> Iterator[Batch]:
        empty = True
        for batch in self._batches:
            empty, self._ever = False, True
            yield batch
        if empty:
            self._run_out(0)

    def _counted(self, steps: int) -> Iterator[Batch]:
        for step in range(steps):
            batch = None if self._current is None else next(self._current, None)
            if batch is None and step == 0:         # the last epoch ended with the pass
                self._current = iter(self._batches)
                batch = next(self._current, None)
            if batch is None:
                self._current = None
                self._run_out(step)
                return
            self._ever = True
            yield batch

    def _run_out(self, step: int) -> None:
        if not self._ever:
            raise ValueError(f"{self._who}: the source gave no batch; a generator that has come to its end has to be "
                             "made anew")
        self.exhausted = step == 0 or getattr(self._batches, "once", False)
        of = f" after {step} of {self._steps} batches" if self._steps else ""
        warnings.warn(f"{self._who}: the input ran out of data{of}, so this is interrupted; a generator must yield as "
                      "many batches as there are steps in all epochs, and what can be iterated over again those of one "
                      "epoch, as .repeat() lets it", stacklevel=7)


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
