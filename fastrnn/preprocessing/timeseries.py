# SPDX-License-Identifier: Apache-2.0
"""Windows of a time series with what follows them, as batches: Keras's `TimeseriesGenerator`."""

from __future__ import annotations

import json
from typing import Any

import numpy as np


class TimeseriesGenerator:
    """Batches of windows of a time series and of their targets, for `fit`, `evaluate` and `predict`.

    A window that belongs to step i holds the steps from i - length to i - 1, and its target is that of step i.

    Args:
        data: the steps, an array or a list, time first.
        targets: one for each step.
        length: how many steps a window goes back.
        sampling_rate: of these every which one is taken.
        stride: steps from a window to the next.
        start_index, end_index: the first and the last step that are used; None for the last there is.
        shuffle: draw windows by chance, by NumPy's `random` as in Keras.
        reverse: the last step of a window comes first.
        batch_size: windows in a batch.

    Raises:
        ValueError: there are not as many targets as steps, a number is too small, or no window fits.

    Example:

    >>> series = np.arange(10.0)
    >>> batches = TimeseriesGenerator(series, series, length=3, batch_size=2)
    >>> len(batches), batches[0]
    (4, (array([[0., 1., 2.],
           [1., 2., 3.]]), array([3., 4.])))
    """

    def __init__(self, data: Any, targets: Any, length: int, sampling_rate: int = 1, stride: int = 1,
                 start_index: int = 0, end_index: int | None = None, shuffle: bool = False, reverse: bool = False,
                 batch_size: int = 128) -> None:
        if len(data) != len(targets):
            raise ValueError(f"TimeseriesGenerator: expected as many targets as steps, got {len(targets)} for "
                             f"{len(data)}")
        for name, value in (("length", length), ("sampling_rate", sampling_rate), ("stride", stride),
                            ("batch_size", batch_size)):
            if value < 1:
                raise ValueError(f"TimeseriesGenerator {name}: expected 1 or more, got {value}")
        self.data, self.targets, self.length = data, targets, length
        self.sampling_rate, self.stride = sampling_rate, stride
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle, self.reverse, self.batch_size = shuffle, reverse, batch_size
        if start_index < 0 or self.end_index >= len(data):
            raise ValueError(f"TimeseriesGenerator: expected start_index and end_index from 0 to {len(data) - 1}, got "
                             f"{start_index} and {end_index}")
        if self.start_index > self.end_index:
            raise ValueError(f"TimeseriesGenerator: expected start_index + length to be at most end_index, got "
                             f"{self.start_index} and {self.end_index}; no window has a target")

    def __len__(self) -> int:
        """The number of batches."""
        each = self.batch_size * self.stride
        return (self.end_index - self.start_index + each) // each

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The windows and the targets of a batch."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"TimeseriesGenerator: expected an index below {len(self)}, got {index}")
        if self.shuffle:
            rows = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            first = self.start_index + self.batch_size * self.stride * (index % len(self))
            rows = np.arange(first, min(first + self.batch_size * self.stride, self.end_index + 1), self.stride)
        windows = np.array([self.data[row - self.length:row:self.sampling_rate] for row in rows])
        targets = np.array([self.targets[row] for row in rows])
        return (windows[:, ::-1] if self.reverse else windows), targets

    def get_config(self) -> dict[str, Any]:
        """The arguments as plain values, data and targets as JSON; `start_index` is that of the first target, as in
        Keras.

        Raises:
            TypeError: data or targets have no form in JSON.
        """
        texts = {}
        for name in "data", "targets":
            values = getattr(self, name)
            try:
                texts[name] = json.dumps(values.tolist() if hasattr(values, "tolist") else values)
            except TypeError as error:
                raise TypeError(f"TimeseriesGenerator {name}: expected what JSON has a form for: {error}") from None
        return {**texts, "length": self.length, "sampling_rate": self.sampling_rate, "stride": self.stride,
                "start_index": self.start_index, "end_index": self.end_index, "shuffle": self.shuffle,
                "reverse": self.reverse, "batch_size": self.batch_size}

    def to_json(self, **kwargs: Any) -> str:
        """The configuration as JSON.

        Args:
            kwargs: of `json.dumps`.
        """
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)
