# SPDX-License-Identifier: Apache-2.0
"""What a stream's slot remembers, as bytes."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

_MAGIC, _VERSION = b"fastrnn\x00", 1
_HEADER = struct.Struct("<8sI32s32s")       # magic, version, identity of the model, digest of what follows


def pack(identity: bytes, states: Sequence[np.ndarray]) -> bytes:
    """Arrays behind a header that names the model that they are of, little-endian.

    >>> len(pack(b"m" * 32, [np.zeros(3, "float32")]))
    88
    """
    body = b"".join(np.ascontiguousarray(state, state.dtype.newbyteorder("<")).tobytes() for state in states)
    return _HEADER.pack(_MAGIC, _VERSION, identity, hashlib.sha256(body).digest()) + body


def unpack(data: Any, identity: bytes, shapes: Sequence[tuple[int, ...]], dtype: str) -> list[np.ndarray]:
    """The arrays that `pack` was given.

    Raises:
        ValueError: they are not whole, or not of this model or version.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise ValueError(f"stream loads: expected bytes, as dumps gives them, got {type(data).__name__}")
    data = bytes(data)
    if len(data) < _HEADER.size or not data.startswith(_MAGIC):
        raise ValueError("stream loads: expected bytes, as dumps gives them, got others")
    _, version, model, digest = _HEADER.unpack_from(data)
    if version != _VERSION:
        raise ValueError(f"stream loads: expected version {_VERSION} of a state, got {version}; use the fastrnn that "
                         "wrote it")
    if model != identity:
        raise ValueError("stream loads: the state is of another model")
    little = np.dtype(dtype).newbyteorder("<")
    sizes = [int(np.prod(shape)) for shape in shapes]
    whole = len(data) == _HEADER.size + sum(sizes) * little.itemsize
    if not whole or hashlib.sha256(data[_HEADER.size:]).digest() != digest:
        raise ValueError("stream loads: the bytes are cut off or changed")
    found, at = [], _HEADER.size
    for shape, size in zip(shapes, sizes):
        found.append(np.frombuffer(data, little, size, at).reshape(shape).astype(dtype))
        at += size * little.itemsize
    return found
