# SPDX-License-Identifier: Apache-2.0
"""timeseries_dataset_from_array: the windows of a series."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.utils.dataset import Array, Dataset


def timeseries_dataset_from_array(data: Any, targets: Any, sequence_length: int, sequence_stride: int = 1,
                                  sampling_rate: int = 1, batch_size: int | None = 128, shuffle: bool = False,
                                  seed: int | None = None, start_index: int | None = None,
                                  end_index: int | None = None, format: str = "tf") -> Dataset:
    """Batches of windows of a series, each with the target at its start.

    Args:
        data: the series, `(steps, ...)`.
        targets: `targets[i]` belongs to the window that starts at `data[i]`; so to predict the step after the window
            they are `data[sequence_length:]`. None gives windows alone.
        sequence_length: steps in a window.
        sequence_stride: steps between the starts of windows.
        sampling_rate: steps between those that a window takes.
        batch_size: windows in a batch; None gives them one by one.
        shuffle: windows in random order, another one each time.
        seed: of that order.
        start_index, end_index: the windows are those of `data[start_index:end_index]`.
        format: "tf" or "grain", without effect; what is given is a `Dataset`.

    Returns:
        A `Dataset` of `(windows, targets)`, `(batch, sequence_length, ...)` and `(batch, ...)`.

    Raises:
        ValueError: an argument does not fit the data.

    Example:

    >>> data = timeseries_dataset_from_array(np.arange(7), np.arange(3, 7), sequence_length=3, batch_size=2)
    >>> for x, y in data:
    ...     print(x.tolist(), y.tolist())
    [[0, 1, 2], [1, 2, 3]] [3, 4]
    [[2, 3, 4], [3, 4, 5]] [5, 6]
    """
    who = "timeseries_dataset_from_array"
    series = arrays.as_array(data, f"{who}: data")
    steps = len(series)
    first, last = start_index or 0, end_index or steps
    if not 0 <= first < steps:
        raise ValueError(f"{who}: expected start_index from 0 to {steps - 1}, got {start_index}")
    if end_index and not (first < end_index < steps):
        raise ValueError(f"{who}: expected end_index over {first} and below the {steps} steps of data, got {end_index}")
    for name, value in (("sampling_rate", sampling_rate), ("sequence_stride", sequence_stride)):
        if not 0 < value < steps:
            raise ValueError(f"{who}: expected {name} from 1 to {steps - 1}, got {value}")
    if sequence_length < 1 or (batch_size is not None and batch_size < 1):
        raise ValueError(f"{who}: expected sequence_length and batch_size of 1 or more, got {sequence_length}, "
                         f"{batch_size}")
    if format not in ("tf", "grain"):
        raise ValueError(f"{who}: expected format 'tf' or 'grain', got {format!r}")
    series = series[first:last]
    count = len(series) - (sequence_length - 1) * sampling_rate
    wanted = None
    if targets is not None:
        wanted = arrays.as_array(targets, f"{who}: targets")
        count = min(count, len(wanted))
        wanted = wanted[first:last]
        count = min(count, len(wanted))
    starts = np.arange(0, count, sequence_stride)
    generator = None
    if shuffle:
        seed = int(np.random.randint(10**6)) if seed is None else seed
        np.random.RandomState(seed).shuffle(starts)
        generator = np.random.default_rng(seed)
    within = np.arange(sequence_length) * sampling_rate

    def items() -> Iterator[Any]:
        order = starts if generator is None else generator.permutation(starts)
        for at in range(0, len(order), batch_size or 1):
            some: Any = order[at : at + batch_size] if batch_size else order[at]
            x = series[some[:, None] + within if batch_size else some + within]
            yield x.view(Array) if wanted is None else (x.view(Array), np.asarray(wanted[some]).view(Array))

    return Dataset(items, -(-len(starts) // (batch_size or 1)), batch_size)
