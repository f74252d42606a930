# SPDX-License-Identifier: Apache-2.0
"""What `adapt` is given, as batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from fastrnn import arrays


def is_one_array(data: Any) -> bool:
    """Whether the data are one array, and no series of batches.

    >>> is_one_array([1, 2]), is_one_array(iter([1, 2]))
    (True, False)
    """
    return isinstance(data, (list, tuple)) or arrays.is_array_like(data)


def batches(data: Any, steps: int | None, what: str) -> Iterator[Any]:
    """The inputs in a series of batches, without targets: an iterable, as a tf.data.Dataset is one, or what has indices
    and a length.

    Args:
        data: the series.
        steps: how many of them to take, None for all.
        what: names the layer and argument in errors.

    Raises:
        TypeError: it is no series.
    """
    if isinstance(data, (str, bytes)):
        raise TypeError(f"{what}: expected an array, a list or batches of them, got a {type(data).__name__}; put it in "
                        "a list")
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not hasattr(data, "__iter__"):
        data = (data[index] for index in range(len(data)))
    if not hasattr(data, "__iter__"):
        raise TypeError(f"{what}: expected an array, a list or batches of them, got {type(data).__name__}")
    for batch in itertools.islice(data, steps):
        yield batch[0] if isinstance(batch, tuple) else batch
