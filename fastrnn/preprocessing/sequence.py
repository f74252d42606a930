"""Sequences of different lengths made into one array; windows of time series, and pairs of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from fastrnn.preprocessing.skip_grams import make_sampling_table, skipgrams
from fastrnn.preprocessing.timeseries import TimeseriesGenerator
from fastrnn.registry import absent_from

__all__ = ["TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams"]

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    __getattr__ = absent_from(__name__, __all__)


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: DTypeLike = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Pad or cut sequences to one length and stack them.

    Args:
        sequences: N sequences, each a list (or array) of T_n items; an item is a number, a string, or an array whose
            shape is the same for all items.
        maxlen: the length of the result; the longest sequence's where None.
        dtype: the result's dtype. Items and `value` are cast to it as NumPy casts: the default cuts fractions off, so
            give "float32" for sequences of floats. Use `object` for strings: a string dtype cuts what is longer than
            its width (one character where none is given).
        padding: "pre" puts `value` before a short sequence, "post" after it.
        truncating: "pre" drops the first items of a long sequence, "post" the last.
        value: what to pad with.

    Returns:
        An array (N, maxlen) + item shape.

    Raises:
        ValueError: an unknown `padding` or `truncating`, a negative `maxlen`, something that is not a list of
            sequences, items of different shapes, or items that `dtype` cannot hold.

    >>> pad_sequences([[1], [2, 3], [4, 5, 6]])
    array([[0, 0, 1],
           [0, 2, 3],
           [4, 5, 6]], dtype=int32)
    >>> pad_sequences([[1], [4, 5, 6]], maxlen=2, padding="post", truncating="post", value=9)
    array([[1, 9],
           [4, 5]], dtype=int32)
    """
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in ("pre", "post"):
            raise ValueError(f"pad_sequences: {name} must be 'pre' or 'post', got {side!r}")
    lengths = _lengths(sequences)
    sequences = list(sequences)  # a pandas Series, whose [0] may be another row, becomes a list of rows
    if maxlen is None:
        if not lengths:
            raise ValueError("pad_sequences: sequences is empty, so there is no longest one; give maxlen")
        maxlen = max(lengths)
    elif maxlen < 0:
        raise ValueError(f"pad_sequences: maxlen must be 0 or more, got {maxlen}")
    dtype = np.dtype(dtype)
    if isinstance(value, str) and dtype.kind not in "OUS":
        raise ValueError(
            f"pad_sequences: value {value!r} is a string, which dtype {dtype} cannot hold; use dtype=object"
        )

    first = next((i for i, length in enumerate(lengths) if length), None)
    item_shape = () if first is None else _as_array(sequences[first], None, first).shape[1:]
    padded = np.full((len(lengths), maxlen, *item_shape), value, dtype=dtype)
    for i, (sequence, length) in enumerate(zip(sequences, lengths, strict=True)):
        kept = min(length, maxlen)
        if kept == 0:
            continue
        start = length - kept if truncating == "pre" else 0
        items = _as_array(sequence[start : start + kept], dtype, i)
        if items.shape[1:] != item_shape:
            raise ValueError(
                f"pad_sequences: items must have one shape: {item_shape} in sequence {first}, "
                f"but {items.shape[1:]} in sequence {i}"
            )
        if padding == "pre":
            padded[i, maxlen - kept :] = items
        else:
            padded[i, :kept] = items
    return padded


def _lengths(sequences: Sequence[Any]) -> list[int]:
    if not hasattr(sequences, "__len__"):
        raise ValueError(
            f"pad_sequences: sequences must be a list of sequences, got {type(sequences).__name__}; "
            "make a list of a generator first"
        )
    lengths = []
    for i, sequence in enumerate(sequences):
        try:
            lengths.append(len(sequence))
        except TypeError as error:
            raise ValueError(
                f"pad_sequences: sequences must be a list of sequences, but item {i} is {sequence!r}; "
                "put a single sequence in a list"
            ) from error
    return lengths


def _as_array(items: Any, dtype: np.dtype | None, position: int) -> np.ndarray:
    try:
        return np.asarray(items, dtype=dtype)
    except (ValueError, TypeError, OverflowError) as error:
        target = "an array" if dtype is None else f"dtype {dtype}"
        raise ValueError(f"pad_sequences: sequence {position} does not fit {target}: {error}") from error
