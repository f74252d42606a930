"""Arrays from users: checked once, converted once, and refused with an error that says the way out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

#: The dtypes of the kernels; making an array of one is cheaper than of its name, and comparing it than comparing names.
DTYPES: dict[str, np.dtype[Any]] = {"float32": np.dtype("float32"), "float64": np.dtype("float64")}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_CONTIGUOUS_ALIGNED = 0x1 | 0x100       # NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_ALIGNED
_READ_BY_NUMPY = (list, tuple, np.ndarray, np.generic)     # as items of a list, and quickly
# What an object has that holds an array; the last is of SciPy's sparse matrices, which are refused.
_PROTOCOLS = ("__array__", "__array_interface__", "__dlpack__", "toarray")

__all__ = ["DTYPES", "Buffers", "Rows", "aligned_empty", "as_array", "as_float", "as_float_or_whole", "as_index",
           "as_numbers", "as_strings", "as_whole", "check_finite", "dtype_name", "is_array_like", "is_ready"]


def aligned_empty(size: int, dtype: str) -> np.ndarray:
    """An uninitialised 1-D array of at least ``size`` elements that starts on a cache line (64 bytes).

    It is longer by one line, which is what a kernel may use to align within it.
    """
    dtype_ = np.dtype(dtype)
    line = 64 // dtype_.itemsize
    buffer = np.empty(size + 2 * line, dtype_)
    offset = (-buffer.ctypes.data % 64) // dtype_.itemsize
    return buffer[offset:offset + size + line]


def is_array_like(x: Any) -> bool:
    """Whether an object that is no list is one array, of whatever library, and not a series of them."""
    if isinstance(x, np.ndarray) or any(hasattr(x, protocol) for protocol in _PROTOCOLS):
        return True
    try:
        memoryview(x)
    except TypeError:
        return False
    return True


def as_array(x: Any, what: str = "input") -> np.ndarray:
    """Anything that holds an array as NumPy's array, of any dtype; a view of it where that can be.

    Beyond what NumPy reads by itself (nested lists, buffers, `__array__`) these are PyTorch's tensors that require a
    gradient, tensors of bfloat16, as float32, objects with DLPack alone, and tables of pandas with columns of several
    numeric kinds.

    Args:
        x: array-like.
        what: names the layer and argument in errors.

    Raises:
        ValueError: it is a dictionary, a ragged sequence, categorical, or a table with a column that has no numbers.
    """
    if isinstance(x, np.ndarray):
        return np.asarray(x)
    is_list = isinstance(x, (list, tuple))
    if not is_list:
        if isinstance(x, Mapping):
            raise ValueError(f"{what}: expected an array of numbers, got a dictionary with "
                             f"{', '.join(map(repr, x)) or 'nothing'}; pass the array itself")
        if hasattr(getattr(x, "dtype", None), "categories"):
            raise ValueError(f"{what}: expected an array of numbers, got categories ({type(x).__name__}); pass their "
                             "codes, x.cat.codes, or one column for each category, pandas.get_dummies(x)")
        if hasattr(x, "iloc") and x.ndim == 2:
            return _from_table(x, what)
    try:
        if is_list and x and not isinstance(x[0], _READ_BY_NUMPY) and is_array_like(x[0]):
            x = [_from_library(item) for item in x]
        return np.asarray(x) if is_list else _from_library(x)
    except MemoryError:
        raise
    except Exception as error:      # a library's own kind of error, which does not name the argument
        uneven = _uneven(x) if is_list else ""
        problem = (f"a ragged sequence ({uneven}); pad it, e.g. with fastrnn.preprocessing.sequence.pad_sequences"
                   if uneven else f"{type(x).__name__}, which cannot be read as one: {error}")
        raise ValueError(f"{what}: expected an array of numbers, got {problem}") from None


def _from_library(x: Any) -> np.ndarray:
    """The array of an object of NumPy's or of another library."""
    if hasattr(x, "detach") and hasattr(x, "cpu"):      # PyTorch's
        x = x.detach().cpu()
        try:
            return np.asarray(x)
        except TypeError:
            return np.asarray(x.float())                # of a dtype that NumPy lacks, such as bfloat16
    if hasattr(x, "__dlpack__") and not hasattr(x, "__array__"):
        return np.from_dlpack(x)
    if hasattr(x, "toarray"):
        raise TypeError("it is a sparse matrix; pass x.toarray()")
    if hasattr(x, "row_splits"):
        raise TypeError("it is a ragged tensor; pass x.to_tensor()")
    return np.asarray(x)


def _from_table(x: Any, what: str) -> np.ndarray:
    """The array of a table of pandas; floats, NaN where a value is missing, if its columns are of several kinds."""
    array = np.asarray(x)
    if array.dtype.kind != "O":
        return array
    wrong = [f"{name!r} ({dtype})" for name, dtype in x.dtypes.items() if _kind_of_column(dtype) not in "fiub"]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ValueError(f"{what}: expected numbers in every column of the table, got {', '.join(wrong[:5])}{more}; "
                         "encode these columns, or leave them out, x.select_dtypes('number')")
    return x.to_numpy(dtype="float64", na_value=np.nan)


def _kind_of_column(dtype: Any) -> str:
    """NumPy's letter for the kind of a column's values; a categorical column has those of its categories."""
    return getattr(getattr(getattr(dtype, "categories", None), "dtype", dtype), "kind", "O")


def _uneven(x: Any, place: str = "") -> str:
    """Where the items of a sequence first differ in shape; nothing if they do not."""
    first = None
    for i, item in enumerate(x):
        try:
            shape = np.shape(item)
        except ValueError:
            return _uneven(item, f"{place}[{i}]")
        first = shape if i == 0 else first
        if shape != first:
            return f"{place}[0] has shape {first}, {place}[{i}] {shape}"
    return ""


def as_numbers(x: Any, what: str = "input") -> np.ndarray:
    """As `as_array`, of a numeric dtype.

    Raises:
        ValueError: as there, and for strings, objects, dates or complex numbers.
    """
    array = x if type(x) is np.ndarray else as_array(x, what)
    kind = array.dtype.kind
    if kind in "fiub":
        return array
    if kind == "V" and array.dtype.type is not np.void:     # bfloat16 and its like, of the package ml_dtypes
        return array.astype(np.float32)
    if kind == "O" and array.ndim == 0:
        found = array[()]
        kind_found = "None" if found is None else type(found).__name__
        raise ValueError(f"{what}: expected an array of numbers, got {kind_found}")
    if kind == "O" and isinstance(array.flat[0] if array.size else None, str):
        kind = "U"
    name = {"U": "strings", "S": "bytes", "O": "objects", "c": "complex numbers", "M": "dates",
            "m": "time spans", "V": "records"}.get(kind, str(array.dtype))
    way_out = ("encode text first, e.g. with fastrnn.preprocessing.text.Tokenizer" if kind in "US"
               else "sequences of different lengths need fastrnn.preprocessing.sequence.pad_sequences"
               if kind == "O" else "convert it to a numeric dtype")
    raise ValueError(f"{what}: expected numbers, got an array of {name} (dtype {array.dtype}); {way_out}")


def single_array(x: Any) -> Any:
    """A list of one array, which is how Keras lists the inputs of a model, stands for that array."""
    if isinstance(x, (list, tuple)) and len(x) == 1 and is_array_like(x[0]) and getattr(x[0], "ndim", 0) > 1:
        return x[0]
    return x


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
    return np.require(as_numbers(x, what), dtype=DTYPES[dtype], requirements=("C", "A"))


def as_dtype(x: Any, dtype: str, what: str = "input") -> np.ndarray:
    """Any numeric array as an aligned, native, C-contiguous array of any numeric dtype; ``x`` itself if it is one. For
    "string" as `as_strings`.

    Raises:
        ValueError: as `as_float`.
    """
    if dtype in DTYPES:
        return as_float(x, dtype, what)
    if dtype == "string":
        return as_strings(x, what)
    return np.require(as_numbers(x, what), dtype=np.dtype(dtype), requirements=("C", "A"))


def as_float_or_whole(x: Any, dtype: str = "float32", what: str = "input") -> np.ndarray:
    """Floats as `as_float` has them; whole numbers and booleans as an aligned, native, C-contiguous array of their own
    dtype.

    >>> as_float_or_whole([1, 2]).dtype.kind, as_float_or_whole([1.0, 2]).dtype
    ('i', dtype('float32'))
    """
    if is_ready(x, dtype):
        return x
    array = as_numbers(x, what)
    return as_dtype(array, dtype if array.dtype.kind == "f" else array.dtype.name, what)


def as_index(x: Any, limit: int, what: str = "input") -> np.ndarray:
    """Any numeric array of whole numbers from 0 to ``limit`` - 1 as a C-contiguous int32 array.

    Raises:
        ValueError: as `as_float`, and for a value that is NaN, no whole number, below 0, or ``limit`` and over. Keras
            cuts fractions off.
    """
    array = as_numbers(x, what)
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


def as_whole(x: Any, what: str = "input") -> np.ndarray:
    """Any numeric array of whole numbers as a C-contiguous int64 array.

    Raises:
        ValueError: as `as_float`, and for a value that is no whole number.

    >>> as_whole([1.0, -2])
    array([ 1, -2])
    """
    array = as_numbers(x, what)
    if array.dtype.kind == "f" and np.count_nonzero(fractional := ~(np.floor(array) == array)):
        raise ValueError(f"{what}: expected whole numbers, got {array[fractional][0]}")
    return np.require(array, dtype=np.int64, requirements=("C", "A"))


def as_strings(x: Any, what: str = "input") -> np.ndarray:
    """Strings as an array of objects, each a str or bytes, as it came.

    Args:
        x: a str or bytes, a list of them, an array of NumPy's kinds of strings or of objects, or what holds an array.
        what: names the layer and argument in errors.

    Raises:
        ValueError: something in it is no string; it is ragged.

    >>> as_strings([["a"], ["b"]])
    array([['a'],
           ['b']], dtype=object)
    """
    if isinstance(x, (list, tuple)):
        try:
            array = np.array(x, object)         # as an array of strings each would have the length of the longest
        except ValueError:
            array = np.array([*x, None], object)[:-1]
    elif isinstance(x, (str, bytes)):
        array = np.array(x, object)
    else:
        array = as_array(x, what)
        if array.dtype.kind not in "OUST":
            raise ValueError(f"{what}: expected strings, got numbers (dtype {array.dtype})")
        array = array.astype(object)
    flat = array.ravel().tolist()
    if not all(kind is str or issubclass(kind, (str, bytes)) for kind in set(map(type, flat))):
        wrong = next(one for one in flat if not isinstance(one, (str, bytes)))
        if isinstance(wrong, (list, tuple)):
            raise ValueError(f"{what}: expected an array of strings, got a ragged sequence ({_uneven(x)})")
        if is_array_like(wrong) and not isinstance(wrong, np.generic):      # a list of other libraries' arrays
            return as_strings(np.stack([as_strings(one, what) for one in x]), what)
        missing = "; fill in the missing ones" if type(wrong).__name__ in ("NoneType", "NAType", "float") else ""
        raise ValueError(f"{what}: expected strings, got {wrong!r}, which is a {type(wrong).__name__}{missing}")
    return array


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
