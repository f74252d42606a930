# SPDX-License-Identifier: Apache-2.0
"""From the user's arrays, or a source of batches, to the batches of an epoch.

Every array is checked and converted once, before the first step: the batches are slices of it, or, where they are
shuffled, are gathered into one buffer that is used again for each.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from fastrnn import arrays, runtime


class Batch(NamedTuple):
    """Inputs, targets and sample weights of some samples; the last two may be None."""

    x: list[np.ndarray]
    y: np.ndarray | None
    weight: np.ndarray | None


def _each(function: Callable[..., np.ndarray], *batches: Batch) -> Batch:
    """A batch of what a function makes of each array."""
    return Batch([function(*arrays) for arrays in zip(*(batch.x for batch in batches))],
                 None if batches[0].y is None else function(*(batch.y for batch in batches)),
                 None if batches[0].weight is None else function(*(batch.weight for batch in batches)))


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
        self._data = data
        self._batch_size = batch_size
        self._shuffle = shuffle
        self.samples = len(data.x[0])
        self.steps = -(-self.samples // batch_size)
        self._buffers: Batch | None = None

    def __iter__(self) -> Iterator[Batch]:
        if self._shuffle:
            return self._shuffled(self._order())
        return self._sliced()

    def _sliced(self) -> Iterator[Batch]:
        for start in range(0, self.samples, self._batch_size):
            batch = slice(start, start + self._batch_size)
            yield _each(lambda array, batch=batch: array[batch], self._data)

    def _shuffled(self, order: np.ndarray) -> Iterator[Batch]:
        if self._buffers is None:
            size = min(self._batch_size, self.samples)
            self._buffers = _each(lambda a: np.empty((size, *a.shape[1:]), a.dtype), self._data)
        for start in range(0, self.samples, self._batch_size):
            rows = order[start : start + self._batch_size]
            # mode="clip" writes straight into `out`; the default would make a copy first.
            yield _each(lambda source, buffer, rows=rows: source.take(rows, 0, buffer[: len(rows)], "clip"),
                        self._data, self._buffers)

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


def is_source(x: Any) -> bool:
    """Whether `x` makes batches itself, rather than being an array, something that converts to one, or a dictionary of
    the inputs by name."""
    if isinstance(x, (list, tuple, str, Mapping)) or arrays.is_array_like(x):
        return False
    return hasattr(x, "__next__") or hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))


def unpack(item: Any, what: str) -> tuple[Any, Any, Any]:
    """`(x, y, sample_weight)` from `(x, y)`, `(x, y, sample_weight)`, or `x` alone."""
    if not isinstance(item, (tuple, list)):
        return item, None, None
    if len(item) == 2:
        return item[0], item[1], None
    if len(item) == 3:
        return item[0], item[1], item[2]
    if len(item) == 1:
        return item[0], None, None
    raise ValueError(f"{what}: expected (x, y) or (x, y, sample_weight), got {len(item)} items")


def single_array(x: Any) -> Any:
    """A list of one array, which is how Keras lists the inputs of a model, stands for that array."""
    if isinstance(x, (list, tuple)) and len(x) == 1 and arrays.is_array_like(x[0]) and getattr(x[0], "ndim", 0) > 1:
        return x[0]
    return x


def single_input(x: Any, name: str | None, model: object) -> Any:
    """The input of a model that has one: a list of one array, and a dictionary with the input's name, stand for the
    array; what else is in the dictionary is not looked at, as in Keras.

    Args:
        x: what the user passed.
        name: of the input, None if it has none.
        model: which errors name.

    Raises:
        ValueError: the dictionary does not have the name.
    """
    if not isinstance(x, Mapping):
        return single_array(x)
    if name in x:
        return x[name]
    way_out = "" if name else "; its input has no name, begin the model with Input(shape, name=...)"
    raise ValueError(f"{model}: expected {f'input {name!r}' if name else 'an array'}, got a dictionary with "
                     f"{', '.join(map(repr, x)) or 'nothing'}{way_out}")


def as_targets(y: Any, indices: bool, dtype: str, what: str) -> np.ndarray:
    """Targets as floats, or as class indices where the loss takes those and all are whole numbers."""
    y = single_array(y)
    if not indices:
        return arrays.as_float(y, dtype, what)
    y = arrays.as_numbers(y, what)
    if y.dtype.kind in "iub":
        return np.require(y, np.intp, ("C", "A"))
    y = arrays.as_float(y, "float64", what)
    with np.errstate(invalid="ignore"):
        whole = y.astype(np.intp)
    return whole if np.array_equal(whole, y) else y  # the loss says which target is no index


def as_weights(weight: Any, samples: int, dtype: str, what: str) -> np.ndarray:
    """Sample weights as floats of shape `(samples,)`, or `(samples, time)` for weights of single time steps; axes of
    length 1 at the end, which the targets may have, are dropped."""
    weight = arrays.as_float(weight, dtype, what)
    while weight.ndim > 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    if weight.ndim not in (1, 2):
        raise ValueError(f"{what}: expected shape (samples,) or (samples, time), got {weight.shape}")
    check_length(samples, weight, what)
    return weight


def class_weights(class_weight: Any, y: np.ndarray, dtype: str, what: str, per_step: bool = False) -> np.ndarray:
    """The weight of each sample by the class of its target; classes that `class_weight` does not name have weight 1.

    Args:
        class_weight: dictionary from class index to weight.
        y: targets: indices `(samples,)` or `(samples, 1)`, or one-hot `(samples, classes)`.
        dtype: float type of the result.
        what: names the argument in errors.
        per_step: the model predicts a sequence, so that the second axis of targets is time.

    Raises:
        TypeError: `class_weight` is no dictionary.
        ValueError: it has other keys than whole numbers, or other values than finite numbers; or a sample has not one
            class: targets of time steps, of several labels, or that are no whole numbers.
    """
    if not isinstance(class_weight, dict):
        raise TypeError(f"{what}: expected a dictionary from class index to weight, got {type(class_weight).__name__}")
    for key, value in class_weight.items():
        if not isinstance(key, (int, np.integer)) or not isinstance(value, (int, float, np.number)) \
                or not np.isfinite(value):
            raise ValueError(f"{what}: expected a finite number for each class index, got {key!r}: {value!r}; "
                             "write it as {0: 1.0, 1: 5.0}")
    of_samples = _classes(y, per_step)
    if of_samples is None:
        raise ValueError(f"{what}: expected targets with one class a sample, whole numbers (samples,) or one-hot rows "
                         f"(samples, classes), got {'time steps' if per_step else 'others'} of shape {y.shape}; "
                         "pass sample_weight instead, (samples,), or (samples, time) for a weight of each step")
    classes, position = np.unique(of_samples, return_inverse=True)
    return np.array([class_weight.get(int(c), 1.0) for c in classes], dtype)[position]


def _classes(y: np.ndarray, per_step: bool) -> np.ndarray | None:
    """The class of each sample, None where they have not one each."""
    if y.size == len(y):
        y = y.reshape(len(y))
        with np.errstate(invalid="ignore"):
            classes = y.astype(np.int64)
        return classes if np.array_equal(classes, y) else None
    if y.ndim != 2 or per_step or not (((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all()):
        return None
    return y.argmax(axis=1)


def check_length(samples: int, array: np.ndarray, what: str) -> None:
    """Raise if `array` does not have one row for each sample of x."""
    if array.ndim == 0 or len(array) != samples:
        found = "a single number" if array.ndim == 0 else f"{len(array)}"
        raise ValueError(f"{what}: expected as many samples as x has, {samples}, got {found}")


def split(data: Batch, fraction: float) -> tuple[Batch, Batch]:
    """Split the last `fraction` of the samples off for validation."""
    if not 0.0 < fraction < 1.0:
        raise ValueError(f"fit: expected validation_split in (0, 1), got {fraction}")
    samples = len(data.x[0])
    first = math.floor(samples * (1.0 - fraction))
    if first in (0, samples):
        raise ValueError(f"fit: validation_split={fraction} of {samples} samples leaves none for "
                         f"{'training' if first == 0 else 'validation'}; pass more data or another fraction")

    def part(rows: slice) -> Batch:
        return _each(lambda array: array[rows], data)

    return part(slice(None, first)), part(slice(first, None))


def check_count(value: Any, name: str, least: int = 1) -> int:
    """An integer argument of at least `least`."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name}: expected {least} or more, got {value}")
    return int(value)


def concatenate(parts: Iterable[np.ndarray], samples: int | None) -> np.ndarray | None:
    """One array of all `parts`, written into place as they come where the number of samples is known."""
    if samples is None:
        kept = [part.copy() for part in parts]
        return np.concatenate(kept) if kept else None
    whole: np.ndarray | None = None
    at = 0
    for part in parts:
        if whole is None:
            if len(part) == samples:
                return part
            whole = np.empty((samples, *part.shape[1:]), part.dtype)
        whole[at : at + len(part)] = part
        at += len(part)
    return whole
