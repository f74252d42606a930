# SPDX-License-Identifier: Apache-2.0
"""What a user passes as data, as arrays: checked and converted once, before the first step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.arrays import single_array

_FEW = 100      # a list of fewer may be one of inputs, a longer one is an array


def is_source(x: Any) -> bool:
    """Whether `x` makes batches itself, rather than being an array, something that converts to one, or a dictionary of
    the inputs by name."""
    if isinstance(x, (list, tuple, str, Mapping)) or arrays.is_array_like(x):
        return False
    return hasattr(x, "__next__") or hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))


def leaves(part: Any) -> list[Any]:
    """The arrays of a structure, without what is None."""
    if isinstance(part, Mapping):
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        return [array for inner in part for array in leaves(inner)]
    return [] if part is None else [part]


def mapped(function: Callable[[Any], Any], part: Any) -> Any:
    """A structure with the function's values in place of its arrays; a tuple of structures becomes a list."""
    if isinstance(part, Mapping):
        return {key: mapped(function, inner) for key, inner in part.items()}
    if isinstance(part, (list, tuple)):
        return [mapped(function, inner) for inner in part]
    return None if part is None else function(part)


def on_disk(x: Any) -> bool:
    """Whether an array, or one of a structure of arrays, is read as its parts are asked for: mapped by NumPy, of h5py
    or zarr, or one of Dask's."""
    if isinstance(x, Mapping):
        x = list(x.values())
    if isinstance(x, (list, tuple)):
        return len(x) < _FEW and any(not isinstance(one, (list, tuple, Mapping)) and on_disk(one) for one in x)
    return isinstance(x, np.memmap) or (hasattr(x, "chunks") and hasattr(x, "dtype") and hasattr(x, "shape"))


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


def single_weight(weight: Any, samples: int) -> Any:
    """A list of one array of weights stands for that array."""
    if isinstance(weight, (list, tuple)) and len(weight) == 1 != samples and getattr(weight[0], "ndim", 0) > 0:
        return weight[0]
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


def check_count(value: Any, name: str, least: int = 1) -> int:
    """An integer argument of at least `least`."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name}: expected {least} or more, got {value}")
    return int(value)


class Whole:
    """Arrays that come in pieces, several at a time: the outputs of a model for one batch after the other.

    Args:
        samples: of all pieces together, so that they can be written into place as they come; None if that is unknown.
    """

    def __init__(self, samples: int | None) -> None:
        self._samples, self._at = samples, 0
        self._pieces: list[Sequence[np.ndarray]] = []       # where the number is unknown
        self._arrays: list[np.ndarray] | None = None

    def add(self, pieces: Sequence[np.ndarray]) -> None:
        """Take the next piece of each array."""
        if self._samples is None:
            self._pieces.append([piece.copy() for piece in pieces])
            return
        if self._arrays is None:
            if len(pieces[0]) == self._samples:
                self._arrays = list(pieces)
                return
            self._arrays = [np.empty((self._samples, *piece.shape[1:]), piece.dtype) for piece in pieces]
        stop = self._at + len(pieces[0])
        for array, piece in zip(self._arrays, pieces):
            array[self._at : stop] = piece
        self._at = stop

    def arrays(self) -> list[np.ndarray] | None:
        """The whole arrays, None if no piece came."""
        return [np.concatenate(pieces) for pieces in zip(*self._pieces)] if self._pieces else self._arrays
