# SPDX-License-Identifier: Apache-2.0
"""Dataset: items that are made as they are read, as often as they are."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any

import numpy as np

from fastrnn import runtime


class Array(np.ndarray):
    """NumPy's array, with the method by which programs written for tensors ask for one."""

    def numpy(self) -> np.ndarray:
        """The array."""
        return self.view(np.ndarray)


class Dataset:
    """Items in a row, each an array, a tuple or a dictionary of arrays; every iteration makes them anew.

    It has the methods of TensorFlow's class that Keras programs use on what `text_dataset_from_directory` and
    `timeseries_dataset_from_array` give. Each returns another `Dataset`, and none reads an item before it is iterated
    over. `fit`, `evaluate` and `predict` take one whose items are batches.

    Args:
        items: what to iterate over, or a function without arguments that gives an iterator.
        length: number of items; None if it is not known, or if there is no end.
        batch_size: samples in each item, where these are batches.

    Example:

    >>> data = Dataset([(1, 10), (2, 20), (3, 30)]).map(lambda x, y: x + y).batch(2)
    >>> [batch.tolist() for batch in data], len(data)
    ([[11, 22], [33]], 2)
    """

    #: Names of the classes, in the order of their labels, where the items come from folders of them.
    class_names: list[str] | None = None

    def __init__(self, items: Iterable[Any] | Callable[[], Iterator[Any]], length: int | None = None,
                 batch_size: int | None = None) -> None:
        self._items = items
        self._length = len(items) if length is None and isinstance(items, Sized) else length
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items() if callable(self._items) else self._items)

    def __len__(self) -> int:
        if self._length is None:
            raise TypeError("the length of this Dataset is not known")
        return self._length

    def _then(self, items: Callable[[], Iterator[Any]], length: int | None, batch_size: int | None) -> Dataset:
        return Dataset(items, length, batch_size)

    # items ---------------------------------------------------------------------------------------------------------

    def map(self, map_func: Callable[..., Any], num_parallel_calls: Any = None, deterministic: Any = None,
            name: Any = None) -> Dataset:
        """The items that a function makes of these; it is called with the parts of a tuple one by one."""
        def items() -> Iterator[Any]:
            for item in self:
                yield map_func(*item) if isinstance(item, tuple) else map_func(item)
        return self._then(items, self._length, self.batch_size)

    def filter(self, predicate: Callable[..., Any], name: Any = None) -> Dataset:
        """The items for which a function, called as by `map`, is true."""
        def items() -> Iterator[Any]:
            for item in self:
                if bool(predicate(*item) if isinstance(item, tuple) else predicate(item)):
                    yield item
        return self._then(items, None, self.batch_size)

    def batch(self, batch_size: int, drop_remainder: bool = False, num_parallel_calls: Any = None,
              deterministic: Any = None, name: Any = None) -> Dataset:
        """Items of so many of these, put together along a new first axis."""
        def items() -> Iterator[Any]:
            rest = iter(self)
            while some := list(itertools.islice(rest, batch_size)):
                if len(some) == batch_size or not drop_remainder:
                    yield _stacked(some)
        length = self._length
        if length is not None:
            length = length // batch_size if drop_remainder else -(-length // batch_size)
        return self._then(items, length, batch_size)

    def unbatch(self, name: Any = None) -> Dataset:
        """The rows of these items, one by one."""
        def items() -> Iterator[Any]:
            for item in self:
                yield from _rows(item)
        return self._then(items, None, None)

    # order ---------------------------------------------------------------------------------------------------------

    def shuffle(self, buffer_size: int, seed: int | None = None, reshuffle_each_iteration: bool | None = True,
                name: Any = None) -> Dataset:
        """These items in random order, each drawn from the `buffer_size` that come next."""
        first = np.random.default_rng(runtime.rng().integers(2**63) if seed is None else seed)

        def items() -> Iterator[Any]:
            generator = np.random.default_rng(first.integers(2**63)) if reshuffle_each_iteration is not False else \
                np.random.default_rng(seed if seed is not None else 0)
            rest = iter(self)
            waiting = list(itertools.islice(rest, buffer_size))
            while waiting:
                place = int(generator.integers(len(waiting)))
                waiting[place], item = waiting[-1], waiting[place]
                waiting.pop()
                waiting.extend(itertools.islice(rest, 1))
                yield item
        return self._then(items, self._length, self.batch_size)

    def repeat(self, count: int | None = None, name: Any = None) -> Dataset:
        """These items so many times over; without end if `count` is None or -1."""
        endless = count is None or count < 0

        def items() -> Iterator[Any]:
            for _ in itertools.count() if endless else range(count or 0):
                empty = True
                for item in self:
                    empty = False
                    yield item
                if empty:
                    return
        length = None if endless or self._length is None else self._length * (count or 0)
        return self._then(items, length, self.batch_size)

    def take(self, count: int, name: Any = None) -> Dataset:
        """The first items; all of them if `count` is -1."""
        if count < 0:
            return self
        length = None if self._length is None else min(count, self._length)
        return self._then(lambda: itertools.islice(iter(self), count), length, self.batch_size)

    def skip(self, count: int, name: Any = None) -> Dataset:
        """The items after the first ones; none if `count` is -1."""
        length = None if self._length is None else 0 if count < 0 else max(self._length - count, 0)
        stop = 0 if count < 0 else None
        return self._then(lambda: itertools.islice(iter(self), max(count, 0), stop), length, self.batch_size)

    def enumerate(self, start: int = 0, name: Any = None) -> Dataset:
        """Pairs of a number and an item."""
        return self._then(lambda: enumerate(self, start), self._length, None)

    def concatenate(self, dataset: Iterable[Any], name: Any = None) -> Dataset:
        """These items, then those of another."""
        other = getattr(dataset, "_length", None)
        length = None if self._length is None or other is None else self._length + other
        return self._then(lambda: itertools.chain(self, dataset), length, self.batch_size)

    @staticmethod
    def zip(*datasets: Any, name: Any = None) -> Dataset:
        """Tuples of one item of each, as many as the shortest has."""
        parts = datasets[0] if len(datasets) == 1 and isinstance(datasets[0], (list, tuple)) else datasets
        lengths = [getattr(one, "_length", None) for one in parts]
        known = [length for length in lengths if length is not None]
        return Dataset(lambda: zip(*parts), min(known) if len(known) == len(lengths) else None)

    # for programs that ask for speed, or for the items as they are ---------------------------------------------------

    def cache(self, filename: Any = "", name: Any = None) -> Dataset:
        """These items, kept in memory once they have all been read."""
        kept: list[Any] = []
        full = [False]

        def items() -> Iterator[Any]:
            if full[0]:
                yield from kept
                return
            new = []
            for item in self:
                new.append(item)
                yield item
            kept[:], full[0] = new, True
        return self._then(items, self._length, self.batch_size)

    def prefetch(self, buffer_size: Any = None, name: Any = None) -> Dataset:
        """The same: items are made when they are read."""
        return self

    def with_options(self, options: Any, name: Any = None) -> Dataset:
        """The same: there are no options."""
        return self

    def as_numpy_iterator(self) -> Iterator[Any]:
        """An iterator over the items."""
        return iter(self)

    def cardinality(self) -> int:
        """The number of items, -2 if it is not known."""
        return -2 if self._length is None else self._length


def _stacked(some: list[Any]) -> Any:
    """Items of one structure as one, whose leaves have an axis more."""
    first = some[0]
    if isinstance(first, tuple):
        return tuple(_stacked(list(part)) for part in zip(*some))
    if isinstance(first, dict):
        return {key: _stacked([item[key] for item in some]) for key in first}
    return np.stack([np.asarray(item) for item in some]).view(Array)


def _rows(item: Any) -> Iterator[Any]:
    """The items of which `_stacked` made one."""
    if isinstance(item, tuple):
        yield from zip(*map(_rows, item))
    elif isinstance(item, dict):
        for values in zip(*map(_rows, item.values())):
            yield dict(zip(item, values))
    else:
        yield from item
