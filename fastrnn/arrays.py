"""Arrays from users: checked once, converted once, and refused with an error that says the way out."""

from __future__ import annotations

from typing import Any

import numpy as np

#: The dtypes of the kernels; making an array of one is cheaper than of its name, and comparing it than comparing names.
DTYPES: dict[str, np.dtype[Any]] = {"float32": np.dtype("float32"), "float64": np.dtype("float64")}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_CONTIGUOUS_ALIGNED = 0x1 | 0x100       # NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_ALIGNED

__all__ = ["DTYPES", "Buffers", "Rows", "aligned_empty", "as_float", "as_index", "check_finite", "dtype_name",
           "is_ready"]


def aligned_empty(size: int, dtype: str) -> np.ndarray:
    """An uninitialised 1-D array of at least ``size`` elements that starts on a cache line (64 bytes).

    It is longer by one line, which is what a kernel may use to align within it.
    """
    dtype_ = np.dtype(dtype)
    line = 64 // dtype_.itemsize
    buffer = np.empty(size + 2 * line, dtype_)
    offset = (-buffer.ctypes.data % 64) // dtype_.itemsize
    return buffer[offset:offset + size + line]


def _numeric(x: Any, what: str) -> np.ndarray:
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ValueError(f"{what}: expected numbers in an array, got a ragged sequence ({error}); "
                         "pad it, e.g. with fastrnn.preprocessing.sequence.pad_sequences") from None
    if array.dtype.kind not in "fiub":
        kind = {"U": "strings", "S": "bytes", "O": "objects", "c": "complex numbers", "M": "dates",
                "m": "time spans", "V": "records"}.get(array.dtype.kind, str(array.dtype))
        way_out = ("encode text first, e.g. with fastrnn.preprocessing.text.Tokenizer" if array.dtype.kind in "US"
                   else "sequences of different lengths need fastrnn.preprocessing.sequence.pad_sequences"
                   if array.dtype.kind == "O" else "convert it to a numeric dtype")
        raise ValueError(f"{what}: expected numbers, got an array of {kind} (dtype {array.dtype}); {way_out}")
    return array


def dtype_name(x: np.ndarray) -> str | None:
    """ "float32" or "float64", None for another dtype: `x.dtype.name` takes microseconds."""
    return _NAMES.get(x.dtype)


def is_ready(x: Any, dtype: str) -> bool:
    """Whether ``x`` is what `as_float` would make of it: checking costs less than naming what is checked."""
    return (type(x) is np.ndarray and x.dtype == DTYPES[dtype]
            and x.flags.num & _CONTIGUOUS_ALIGNED == _CONTIGUOUS_ALIGNED)


def as_float(x: Any, dtype: str = "float32", what: str = "input") -> np.ndarray:
    """Any numeric array as an aligned, native, C-contiguous array of ``dtype``; ``x`` itself if it is one.

    Args:
        x: array-like of numbers; any dtype, byte order, strides and alignment.
        dtype: ``"float32"`` or ``"float64"``.
        what: names the layer and argument in errors.

    Raises:
        ValueError: for strings, objects, dates, complex numbers or ragged sequences.
    """
    if is_ready(x, dtype):
        return x
    return np.require(_numeric(x, what), dtype=DTYPES[dtype], requirements=("C", "A"))


def as_index(x: Any, limit: int, what: str = "input") -> np.ndarray:
    """Any numeric array of whole numbers from 0 to ``limit`` - 1 as a C-contiguous int32 array.

    Raises:
        ValueError: as `as_float`, and for a value that is NaN, no whole number, below 0, or ``limit`` and over. Keras
            cuts fractions off.
    """
    array = _numeric(x, what)
    if array.size:
        low, high = array.min(), array.max()
        if not (low >= 0 and high < limit):     # NaN fails too
            bad = low if not low >= 0 else high
            raise ValueError(f"{what}: expected indices from 0 to {limit - 1} (input_dim={limit}), got {bad}; "
                             "raise input_dim, or limit the vocabulary")
    if array.dtype.kind == "f" and np.count_nonzero(fractional := np.floor(array) != array):
        raise ValueError(f"{what}: expected indices, got {array[fractional][0]}, which is no whole number; round them, "
                         "or leave the Embedding out if they are measurements")
    return np.require(array, dtype=np.int32, requirements=("C", "A"))


def check_finite(x: np.ndarray, what: str) -> None:
    """Raise ValueError if ``x`` holds a NaN or an infinity."""
    if not np.isfinite(x).all():
        raise ValueError(f"{what}: expected finite numbers, got NaN or infinity")


class Rows:
    """Rows of a table by index, not copied out of it: what an `Embedding` hands to a layer that can read them there.

    Args:
        table: (V, D)
        indices: int32 (N, T), from 0 to V - 1.
    """

    __slots__ = ("indices", "shape", "table")

    def __init__(self, table: np.ndarray, indices: np.ndarray) -> None:
        self.table, self.indices = table, indices
        self.shape: tuple[int, ...] = (*indices.shape, table.shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, which: Any) -> Rows:
        """Those of some samples and steps."""
        return Rows(self.table, self.indices[which])


class Buffers:
    """Arrays that a layer keeps and uses again: each grows to the largest size it was asked for."""

    def __init__(self) -> None:
        self._flat: dict[str, np.ndarray] = {}
        self._shaped: dict[str, np.ndarray] = {}

    def flat(self, name: str, size: int, dtype: str) -> np.ndarray:
        """The 1-D buffer of that name, of at least ``size`` elements."""
        buffer = self._flat.get(name)
        if buffer is None or buffer.size < size or buffer.dtype != DTYPES[dtype]:
            buffer = self._flat[name] = aligned_empty(size, dtype)
        return buffer

    def array(self, name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """The buffer of that name as a C-contiguous array of that shape; what it holds is not defined."""
        array = self._shaped.get(name)
        if array is None or array.shape != shape or array.dtype != DTYPES[dtype]:
            size = 1
            for n in shape:
                size *= n
            array = self._shaped[name] = self.flat(name, size, dtype)[:size].reshape(shape)
        return array
