# SPDX-License-Identifier: Apache-2.0
"""A stored array that has not been read: what every reader gives, and what is checked before anything is made."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fastrnn.saving.errors import MAX_RANK, ModelFileError

#: NumPy's names of the kinds of numbers that a stored array may have.
DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


class Tensor(NamedTuple):
    """One stored array: its shape and dtype, which are known to agree with what is stored, and the way to its values.

    Attributes:
        place: where in the file it lies, for errors.
        shape, dtype: of the array.
        read: gives the values, in the order of C.
    """

    place: str
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]


def view(data: memoryview, place: str, file: str, shape: tuple[int, ...], dtype: np.dtype, offset: int,
         copy: bool = True) -> Tensor:
    """The array at an offset of the file's bytes.

    Args:
        data: the bytes.
        place, file: where, for errors.
        shape, dtype: what the file declares.
        offset: where the array begins.
        copy: give a copy of the values, else, where they are aligned, the bytes themselves.

    Raises:
        ModelFileError: the array does not lie within the bytes.
    """
    if len(shape) > MAX_RANK:
        raise ModelFileError(file, place, f"expected an array of at most {MAX_RANK} axes, got {len(shape)}")
    size = math.prod(shape) * dtype.itemsize        # Python's numbers: nothing overflows
    if offset < 0 or size < 0 or offset + size > len(data):
        raise ModelFileError(file, place, f"the array of shape {shape} and {size} bytes does not lie within the "
                                          f"{len(data)} bytes stored; the file is cut off or broken")

    def read() -> np.ndarray:
        array = np.frombuffer(data[offset:offset + size], dtype).reshape(shape)
        if copy or not array.flags.aligned or not array.dtype.isnative:
            array = array.astype(dtype.newbyteorder("="), copy=True)
        return array

    return Tensor(place, shape, dtype, read)


def widened(tensor: Tensor) -> Tensor:
    """A tensor of bfloat16, stored as uint16, as float32: these are its upper halves, so that nothing is rounded."""

    def read() -> np.ndarray:
        return (tensor.read().astype(np.uint32) << 16).view(np.float32)

    return tensor._replace(dtype=np.dtype(np.float32), read=read)


def check_fits(tensor: Tensor, file: str, shape: tuple[int, ...], dtype: str, what: str) -> None:
    """Refuse a stored array that is not of the shape, or not of numbers that the dtype holds exactly."""
    if tensor.shape != shape:
        raise ModelFileError(file, tensor.place, f"{what}: expected shape {shape}, got {tensor.shape}; "
                                                 "the weights are of another model")
    kinds = "f" if np.dtype(dtype).kind == "f" else "iu"
    if tensor.dtype.kind not in kinds or not np.can_cast(tensor.dtype, dtype):
        raise ModelFileError(file, tensor.place, f"{what}: expected {dtype}, got {tensor.dtype.name}")


def values(tensor: Tensor, dtype: str) -> np.ndarray:
    """The values as an array of the dtype, which they fit into; the stored bytes themselves where they can be used."""
    return tensor.read().astype(dtype, copy=False)
