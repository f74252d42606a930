# SPDX-License-Identifier: Apache-2.0
"""split_dataset: one set of samples for training, another one for the rest."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from fastrnn.training.data import is_source
from fastrnn.utils.dataset import Array, Dataset


def split_dataset(dataset: Any, left_size: float | None = None, right_size: float | None = None,
                  shuffle: bool = False, seed: int | None = None, preferred_backend: str | None = None
                  ) -> tuple[Dataset, Dataset]:
    """Split samples into two datasets.

    Args:
        dataset: an array, a list or tuple of arrays of the same length, a `Dataset`, or a dataset of TensorFlow or
            PyTorch. Batches of a `Dataset` are taken apart, and put together again.
        left_size, right_size: samples in each: a number, or a fraction of all. What is None has the rest.
        shuffle: shuffle the samples first.
        seed: of that order.
        preferred_backend: accepted, and without effect.

    Returns:
        Two `Dataset`s of samples.

    Raises:
        TypeError: `dataset` is something else, or a size no number.
        ValueError: there are no samples, or the sizes do not fit their number.

    Example:

    >>> left, right = split_dataset(np.arange(10), left_size=0.7)
    >>> len(left), [int(x) for x in right]
    (7, [7, 8, 9])
    """
    samples, batch_size = _samples(dataset)
    if not samples:
        raise ValueError("split_dataset: there are no samples")
    if shuffle:
        random.Random(random.randint(0, 10**6) if seed is None else seed).shuffle(samples)
    left, right = _sizes(left_size, right_size, len(samples))
    halves = Dataset(samples[:left]), Dataset(samples[len(samples) - right :])
    return halves if batch_size is None else (halves[0].batch(batch_size), halves[1].batch(batch_size))


def _samples(dataset: Any) -> tuple[list[Any], int | None]:
    """The samples one by one, and how many were in a batch."""
    if isinstance(dataset, (list, tuple)):
        parts = [np.asarray(part) for part in dataset]
        if len({part.shape[:1] for part in parts}) > 1:
            raise ValueError("split_dataset: expected arrays of the same length, got "
                             f"{', '.join(str(part.shape) for part in parts)}")
        return [tuple(np.asarray(row).view(Array) for row in rows) for rows in zip(*parts)], None
    if isinstance(dataset, Dataset):
        return list(dataset if dataset.batch_size is None else dataset.unbatch()), dataset.batch_size
    batch_size = getattr(dataset, "_batch_size", None)      # of TensorFlow's
    if batch_size is not None:
        return list(dataset.unbatch()), int(batch_size)
    if isinstance(dataset, np.ndarray):
        return [np.asarray(row).view(Array) for row in dataset], None
    if is_source(dataset):
        if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"):
            return [dataset[index] for index in range(len(dataset))], None
        return list(dataset), None
    raise TypeError(f"split_dataset: expected arrays or a dataset, got {type(dataset).__name__}")


def _sizes(left: float | None, right: float | None, total: int) -> tuple[int, int]:
    """The numbers of samples that sizes and fractions stand for."""
    if left is None and right is None:
        raise ValueError("split_dataset: expected left_size or right_size, got neither")
    numbers: list[int | None] = []
    for name, size in (("left_size", left), ("right_size", right)):
        if size is None:
            numbers.append(None)
            continue
        if isinstance(size, bool) or not isinstance(size, (int, float, np.number)):
            raise TypeError(f"split_dataset: expected {name} to be a number, got {size!r}")
        whole = isinstance(size, (int, np.integer))
        if not 0 < size < (total if whole else 1):
            raise ValueError(f"split_dataset: expected {name} to be a whole number from 1 to {total - 1}, or a "
                             f"fraction between 0 and 1, got {size}")
        numbers.append(int(size) if whole else round(size * total))
    first, second = numbers
    if first is None:
        first = total - (second or 0)
    elif second is None:
        second = total - first
    assert second is not None
    if first + second > total:
        raise ValueError(f"split_dataset: left_size={left} and right_size={right} are more than the {total} samples")
    if not first or not second:
        raise ValueError(f"split_dataset: left_size={left} and right_size={right} of {total} samples leave none on the "
                         f"{'right' if first else 'left'}")
    return first, second
