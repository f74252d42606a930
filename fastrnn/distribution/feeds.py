# SPDX-License-Identifier: Apache-2.0
"""What a rank takes of each batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from fastrnn.distribution.failure import of_all
from fastrnn.training.feeds import ArrayBatches, Batch, Samples, SourceBatches


class Shard(NamedTuple):
    """One of the parts that a batch is cut into: its number, and its samples, None if there are none."""

    number: int
    batch: Batch | None


class Share(NamedTuple):
    """What a rank takes of a batch: how many samples the batch has, and the rank's shards of it in a row."""

    samples: int
    shards: list[Shard]


class Cut(NamedTuple):
    """How batches are cut: into how many shards, and which of these are the rank's."""

    shards: int
    first: int
    own: int

    def places(self, samples: int) -> list[tuple[int, int]]:
        """Where each of the rank's shards of a batch begins and ends.

        >>> Cut(4, 2, 2).places(10)
        [(5, 7), (7, 10)]
        """
        return [(i * samples // self.shards, (i + 1) * samples // self.shards)
                for i in range(self.first, self.first + self.own)]

    def share(self, batch: Batch) -> Share:
        """The rank's share of a batch."""
        samples = Samples(batch)
        return Share(samples.count, [
            Shard(self.first + i, samples.part(start, stop) if stop > start else None)
            for i, (start, stop) in enumerate(self.places(samples.count))])


class SharedArrays(ArrayBatches):
    """`ArrayBatches` of arrays that every rank has, of which each gathers its own samples alone."""

    def __init__(self, samples: Batch, batch_size: int, shuffle: bool | str, cut: Cut) -> None:
        super().__init__(samples, batch_size, shuffle)
        self._cut = cut

    def _sliced(self) -> Iterator[Any]:
        for start in range(0, self.samples, self._batch_size):
            size = min(self._batch_size, self.samples - start)
            yield Share(size, [
                Shard(self._cut.first + i, self._samples.part(start + a, start + b) if b > a else None)
                for i, (a, b) in enumerate(self._cut.places(size))])

    def _shuffled(self, order: np.ndarray) -> Iterator[Any]:
        sources = self._samples.arrays
        places = self._cut.places(min(self._batch_size, self.samples))
        if self._buffers is None:
            size = places[-1][1] - places[0][0] + 1     # that of a smaller batch may be one more by rounding
            self._buffers = [np.empty((size, *source.shape[1:]), source.dtype) for source in sources]
        for start in range(0, self.samples, self._batch_size):
            size = min(self._batch_size, self.samples - start)
            places = self._cut.places(size)
            first, last = places[0][0], places[-1][1]
            rows = order[start + first : start + last]
            gathered = [source.take(rows, 0, buffer[: len(rows)], "clip")
                        for source, buffer in zip(sources, self._buffers)]
            yield Share(size, [
                Shard(self._cut.first + i,
                      self._samples.batch([array[a - first : b - first] for array in gathered]) if b > a else None)
                for i, (a, b) in enumerate(places)])


class SharedSource:
    """The batches of a source. Either that of each rank gives whole batches, the same as that of every other, or it
    gives the rank's share of them.

    Args:
        batches: those of this rank's source.
        cut: how whole batches are cut.
        whole: whether they are whole.
        gather: what every rank gives for a number of this one.
        who: for errors.

    Raises:
        ValueError: sources of whole batches differ in length, or in the sizes of their batches.
    """

    def __init__(self, batches: SourceBatches, cut: Cut, whole: bool, gather: Callable[[int], list[int]]) -> None:
        self._batches, self._cut, self._whole, self._gather = batches, cut, whole, gather
        self.once = batches.once
        self.begin, self.end = batches.begin, batches.end

    @property
    def steps(self) -> int | None:
        return self._batches.steps

    def __iter__(self) -> Iterator[Any]:
        batches = iter(self._batches)
        while True:
            batch = next(batches, None)
            sizes = self._gather(0 if batch is None else len(batch.x[0]))
            if not any(sizes):
                return
            if not self._whole:
                yield Share(sum(sizes), [Shard(self._cut.first, batch)])
                continue
            if len(set(sizes)) > 1 or batch is None:
                other = next(rank for rank, size in enumerate(sizes) if size != sizes[0])
                raise of_all(ValueError(
                    f"DataParallel: the source of rank {other} gave a batch of {sizes[other]} samples where that of "
                    f"rank 0 gave one of {sizes[0]}; have each give the same whole batches, or pass "
                    "DataParallel(auto_shard_dataset=False) if each gives the batches of its rank"))
            yield self._cut.share(batch)
