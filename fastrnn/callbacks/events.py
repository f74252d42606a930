# SPDX-License-Identifier: Apache-2.0
"""Event files, which TensorBoard reads.

A file is a row of records, each of which is the length of its data (8 bytes), the checksum of these bytes (4), the
data, and their checksum (4), all with the low byte first. The data are an `Event`, the file's version in the first of
them, in the form of Protocol Buffers. The numbers of fields are those of TensorFlow's event.proto, summary.proto,
tensor.proto and types.proto; the checksum is that of its record writer (lib/hash/crc32c.h).
"""

from __future__ import annotations

import functools
import os
import struct
import time
import zlib
from collections.abc import Sequence
from typing import IO

import numpy as np

_FLOAT, _DOUBLE, _STRING = 1, 2, 7                      # of tensors
_SCALAR, _TENSOR, _BLOBS = 1, 2, 3                      # classes of data, by which TensorBoard finds its plugin


class EventFile:
    """One file of a folder, made when the first event is written.

    Args:
        folder: is made if it is not there.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._file: IO[bytes] | None = None

    def scalar(self, tag: str, value: float, step: int) -> None:
        """A number."""
        self._tensor(tag, step, "scalars", _SCALAR, _FLOAT, (), _bytes(4, struct.pack("<f", value)))

    def histogram(self, tag: str, values: np.ndarray, step: int, buckets: int = 30) -> None:
        """How values are distributed: the left and the right end of each bucket, and how many lie in it."""
        values = np.ravel(values).astype(np.float64)
        values = values[np.isfinite(values)]
        low, high = (values.min(), values.max()) if values.size else (0.0, 0.0)
        if low == high:     # TensorFlow: all in the last bucket, around the value
            low, high = low - 0.5, high + 0.5
        counts, edges = np.histogram(values, buckets, (low, high))
        rows = np.stack([edges[:-1], edges[1:], counts], axis=1)
        self._tensor(tag, step, "histograms", _TENSOR, _DOUBLE, rows.shape, _bytes(4, rows.astype("<f8").tobytes()))

    def image(self, tag: str, pixels: np.ndarray, step: int) -> None:
        """A picture in shades of grey, (rows, columns) of numbers from 0 to 1."""
        shades = np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
        height, width = shades.shape
        strings = [str(width).encode(), str(height).encode(), _png(shades)]
        self._tensor(tag, step, "images", _BLOBS, _STRING, (3,), b"".join(_bytes(8, text) for text in strings))

    def text_of_model(self, tag: str, text: str, step: int) -> None:
        """A model's configuration, as JSON, which TensorBoard draws."""
        self._tensor(tag, step, "graph_keras_model", 0, _STRING, (), _bytes(8, text.encode()), b"1")

    def flush(self) -> None:
        """Let readers see what was written."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """The end; the next event begins another file."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def _tensor(self, tag: str, step: int, plugin: str, kind: int, dtype: int, shape: Sequence[int], data: bytes,
                content: bytes = b"") -> None:
        sizes = b"".join(_bytes(2, _number(1, size)) for size in shape)
        tensor = _number(1, dtype) + _bytes(2, sizes) + data
        metadata = _bytes(1, _bytes(1, plugin.encode()) + (_bytes(2, content) if content else b""))
        metadata += _number(4, kind) if kind else b""
        self._event(_number(2, step) + _bytes(5, _bytes(1, _bytes(1, tag.encode()) + _bytes(8, tensor)
                                                        + _bytes(9, metadata))))

    def _event(self, what: bytes) -> None:
        if self._file is None:
            import socket  # which little else needs

            os.makedirs(self.folder, exist_ok=True)
            name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}.v2"
            self._file = open(os.path.join(self.folder, name), "xb")  # noqa: SIM115
            self._event(_bytes(3, b"brain.Event:2"))
        data = struct.pack("<Bd", 1 << 3 | 1, time.time()) + what
        length = struct.pack("<Q", len(data))
        self._file.write(length + checksum(length) + data + checksum(data))


def checksum(data: bytes) -> bytes:
    """That of a record: CRC-32C, turned by 15 bits, plus a number, so that it differs from one that the data have
    themselves.

    >>> (int.from_bytes(checksum(b"123456789"), "little") - 0xa282ead8) % 2**32 == (0xe3069283 >> 15 | 0xe3069283 << 17
    ... ) % 2**32
    True
    """
    crc, table = 0xFFFFFFFF, _table()
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _entry(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)   # Castagnoli's polynomial, its bits reversed
    return value


@functools.cache
def _table() -> list[int]:
    return [_entry(value) for value in range(256)]


def _varint(value: int) -> bytes:
    """A whole number of 0 or more, seven bits a byte, the last first."""
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _png(shades: np.ndarray) -> bytes:
    """(rows, columns) of bytes as a PNG file: its header, the rows without filter, the end (ISO 15948)."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = shades.shape
    rows = np.pad(shades, ((0, 0), (1, 0))).tobytes()
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
