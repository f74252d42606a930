# SPDX-License-Identifier: Apache-2.0
"""The safetensors format: eight bytes with the length of a header, the header in JSON, then the arrays' bytes.

The header has, by name, each array's dtype, shape and place: https://huggingface.co/docs/safetensors (format 0.5).
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from fastrnn.saving import config, tensors
from fastrnn.saving.errors import MAX_COUNT, MAX_RANK, MAX_TEXT, ModelFileError, check_name, shown
from fastrnn.saving.tensors import Tensor

_DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
           "U8": "u1", "U16": "<u2", "U32": "<u4", "U64": "<u8"}
_BFLOAT16 = "BF16"      # which NumPy does not have: read as float32
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
_ALIGNMENT = 64     # where the arrays begin: a cache line


def write(file: IO[bytes], arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str],
          first: str = "") -> None:
    """Write arrays and texts.

    Args:
        file: open for writing.
        arrays: by name.
        metadata: texts by name.
        first: name of an array that begins at a cache line.
    """
    # Wide elements first, so that every array is aligned without gaps, which the format forbids.
    order = sorted(arrays, key=lambda name: (name != first, -arrays[name].dtype.itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    offset = 0
    for name in order:
        array = arrays[name]
        header[name] = {"dtype": _NAMES[array.dtype.newbyteorder("<")], "shape": list(array.shape),
                        "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    if len(text) > MAX_TEXT:
        raise ValueError(f"the names and the configuration take {len(text)} bytes; at most {MAX_TEXT} can be saved")
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    file.write(struct.pack("<Q", len(text)) + text)
    for name in order:
        array = np.ascontiguousarray(arrays[name], arrays[name].dtype.newbyteorder("<"))
        file.write(array.reshape(-1).view(np.uint8).data)


def recognizes(data: memoryview) -> bool:
    """Whether a file begins as these do: with the length of a header that it has room for, and a brace."""
    return bytes(data[8:9]) == b"{" and struct.unpack("<Q", data[:8])[0] <= len(data) - 8


def read(data: memoryview, file: str, copy: bool = False) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The arrays, of which none is read yet, and the texts of a file.

    Args:
        data: the file's bytes.
        file: its name, for errors.
        copy: have the arrays read as copies, else as views of the bytes.

    Raises:
        ModelFileError: the header is too long or no such header; a dtype is unknown; an array's size does not agree
            with its shape; arrays overlap, or leave bytes that are none's.
    """
    if len(data) < 8:
        raise ModelFileError(file, "", f"expected a safetensors file, got {len(data)} bytes")
    (length,) = struct.unpack("<Q", data[:8])
    if length > len(data) - 8:
        raise ModelFileError(file, "header", f"{length} bytes declared, {len(data) - 8} stored; the file is cut off, "
                                             "or no safetensors file")
    if length > MAX_TEXT:
        raise ModelFileError(file, "header", f"expected at most {MAX_TEXT} bytes, got {length}")
    header = config.parse_json(bytes(data[8:8 + length]), file, "header")
    if not isinstance(header, dict) or len(header) > MAX_COUNT:
        raise ModelFileError(file, "header", f"expected a dictionary of at most {MAX_COUNT} arrays")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ModelFileError(file, "header: __metadata__", "expected texts by name")
    body = data[8 + length:]
    found = {check_name(name, file, "header"): _tensor(entry, name, body, file, copy)
             for name, entry in header.items()}
    end = 0
    for start, stop, name in sorted((*entry["data_offsets"], name) for name, entry in header.items()):
        if start != end:
            raise ModelFileError(file, name, f"expected its bytes to begin at {end}, where the array before ends, "
                                             f"got {start}")
        end = stop
    if end != len(body):
        raise ModelFileError(file, "", f"{len(body)} bytes of arrays stored, {end} declared")
    return found, metadata


def _tensor(entry: Any, name: str, body: memoryview, file: str, copy: bool) -> Tensor:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ModelFileError(file, name, f"expected dtype, shape and data_offsets, got {shown(entry)}")
    kind = entry["dtype"]
    if kind != _BFLOAT16 and (not isinstance(kind, str) or kind not in _DTYPES):
        raise ModelFileError(file, name, f"expected a dtype of {', '.join((*_DTYPES, _BFLOAT16))}, got {shown(kind)}")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _are_counts(shape) or len(shape) > MAX_RANK:
        raise ModelFileError(file, name, f"expected a shape of at most {MAX_RANK} counts, got {shown(shape)}")
    if not _are_counts(offsets) or len(offsets) != 2:
        raise ModelFileError(file, name, f"expected two data_offsets, got {shown(offsets)}")
    dtype = np.dtype(_DTYPES["U16" if kind == _BFLOAT16 else kind])
    if offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize:
        raise ModelFileError(file, name, f"expected {math.prod(shape) * dtype.itemsize} bytes for shape {shape} of "
                                         f"{dtype.name}, got {offsets[1] - offsets[0]}")
    found = tensors.view(body, name, file, tuple(shape), dtype, offsets[0], copy)
    return tensors.widened(found) if kind == _BFLOAT16 else found


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << 48 for value in values)
