# SPDX-License-Identifier: Apache-2.0
"""Messages of protobuf, read without a schema: https://protobuf.dev/programming-guides/encoding

Nothing is made of a field that nobody asked for, and their number is bounded: a message of two bytes a field would
else take fifty times its size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from fastrnn.saving.errors import ModelFileError, shown

#: Fields of a file, those inside of others included, where they are looked at.
MAX_FIELDS = 200_000
#: Whole numbers of one array that are stored as such, which takes Python to read.
MAX_NUMBERS = 65_536

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class Message:
    """A message, and the messages in it, of which none is looked at before it is asked for.

    Args:
        data: its bytes.
        file, place: where it is, for errors.
        left: how many fields may still be read of the file; its messages share it.
    """

    def __init__(self, data: memoryview, file: str, place: str, left: list[int] | None = None) -> None:
        self.data, self.file, self.place = data, file, place
        self._left = [MAX_FIELDS] if left is None else left
        self._found: dict[int, list[tuple[int, int | memoryview]]] = {}
        for number, kind, value in self._fields():
            values = self._found.setdefault(number, [])
            values.append((kind, value))
            if len(values) > MAX_NUMBERS:
                raise self.error(f"field {number} is there more than {MAX_NUMBERS} times")

    def error(self, problem: str) -> ModelFileError:
        """What is wrong with this message."""
        return ModelFileError(self.file, self.place, problem)

    def _fields(self) -> Iterator[tuple[int, int, int | memoryview]]:
        data, position = self.data, 0
        while position < len(data):
            self._left[0] -= 1
            if self._left[0] < 0:
                raise self.error(f"the file has more than {MAX_FIELDS} fields")
            key, position = self._varint(data, position)
            number, kind = key >> 3, key & 7
            value: int | memoryview
            if kind == VARINT:
                value, position = self._varint(data, position)
            else:
                if kind == BYTES:
                    size, position = self._varint(data, position)
                elif kind in (FIXED32, FIXED64):
                    size = 4 if kind == FIXED32 else 8
                else:
                    raise self.error(f"broken protobuf: field {number} is of kind {kind}; this is no ONNX file")
                if number == 0 or size > len(data) - position:
                    raise self.error(f"broken protobuf: field {number} has {size} bytes, {len(data) - position} are "
                                     "left; the file is cut off or no ONNX file")
                value = data[position:position + size]
                position += size
            yield number, kind, value

    def _varint(self, data: memoryview, position: int) -> tuple[int, int]:
        """A number of seven bits a byte, and where it ends."""
        if position < len(data) and data[position] < 128:       # most are of one
            return data[position], position + 1
        value = 0
        for shift in range(0, 70, 7):
            if position >= len(data):
                raise self.error("broken protobuf: it ends within a number; the file is cut off or no ONNX file")
            byte = data[position]
            position += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value & (1 << 64) - 1, position
        raise self.error("broken protobuf: a number has more than ten bytes")

    # values --------------------------------------------------------------------------------------------------------

    def has(self, number: int) -> bool:
        """Whether there is such a field."""
        return number in self._found

    def _one(self, number: int, kind: int, what: str) -> int | memoryview | None:
        found = self._found.get(number, [])
        if len(found) > 1:
            raise self.error(f"{what}: expected one, got {len(found)}")
        if found and found[0][0] != kind:
            raise self.error(f"broken protobuf: {what} is of kind {found[0][0]}")
        return found[0][1] if found else None

    def integer(self, number: int, what: str, default: int = 0) -> int:
        """A whole number, which may be negative."""
        value = self._one(number, VARINT, what)
        return default if value is None else _signed(value)     # type: ignore[arg-type]

    def float32(self, number: int, what: str) -> float:
        """A number of four bytes; zero if there is none."""
        value = self._one(number, FIXED32, what)
        return 0.0 if value is None else struct.unpack("<f", value)[0]      # type: ignore[arg-type]

    def binary(self, number: int, what: str) -> memoryview:
        """Bytes; none if there is no such field."""
        value = self._one(number, BYTES, what)
        return memoryview(b"") if value is None else value      # type: ignore[return-value]

    def text(self, number: int, what: str) -> str:
        """A text; "" if there is none."""
        return self._decoded(self.binary(number, what), what)

    def texts(self, number: int, what: str) -> list[str]:
        """The texts of a field that can be there many times."""
        return [self._decoded(value, what) for value in self._many(number, what)]

    def message(self, number: int, what: str) -> Message | None:
        """The message in a field, or None."""
        value = self._one(number, BYTES, what)
        return None if value is None else Message(value, self.file, what, self._left)       # type: ignore[arg-type]

    def messages(self, number: int, what: str, most: int) -> list[Message]:
        """The messages of a field that can be there many times."""
        found = self._many(number, what)
        if len(found) > most:
            raise self.error(f"{what}: expected at most {most}, got {len(found)}")
        return [Message(value, self.file, f"{what} {index}", self._left) for index, value in enumerate(found)]

    def integers(self, number: int, what: str, signed: bool = True) -> list[int]:
        """Whole numbers, one a field or many."""
        numbers: list[int] = []
        for kind, value in self._found.get(number, []):
            if kind == VARINT:
                numbers.append(value)       # type: ignore[arg-type]
            elif kind == BYTES:
                position = 0
                while position < len(value):        # type: ignore[arg-type]
                    one, position = self._varint(value, position)       # type: ignore[arg-type]
                    numbers.append(one)
                    if len(numbers) > MAX_NUMBERS:
                        break
            else:
                raise self.error(f"broken protobuf: {what} is of kind {kind}")
            if len(numbers) > MAX_NUMBERS:
                raise self.error(f"{what}: expected at most {MAX_NUMBERS} numbers stored one by one; save the file "
                                 "with raw data")
        return [_signed(number) for number in numbers] if signed else numbers

    def floats(self, number: int, what: str, dtype: str = "<f4") -> np.ndarray:
        """Numbers of four or eight bytes, one a field or many."""
        single = FIXED32 if dtype == "<f4" else FIXED64
        parts = self._found.get(number, [])
        if any(kind not in (single, BYTES) for kind, _ in parts):
            raise self.error(f"broken protobuf: {what} is of another kind")
        itemsize = np.dtype(dtype).itemsize
        if any(len(value) % itemsize for _, value in parts):        # type: ignore[arg-type]
            raise self.error(f"broken protobuf: {what} ends within a number")
        if len(parts) == 1 and len(parts[0][1]):        # type: ignore[arg-type]
            return np.frombuffer(parts[0][1], dtype)        # type: ignore[arg-type]
        return np.frombuffer(b"".join(value for _, value in parts), dtype)       # type: ignore[misc]

    def _many(self, number: int, what: str) -> list[memoryview]:
        found = self._found.get(number, [])
        if any(kind != BYTES for kind, _ in found):
            raise self.error(f"broken protobuf: {what} is of another kind")
        return [value for _, value in found]        # type: ignore[misc]

    def _decoded(self, value: memoryview, what: str) -> str:
        if len(value) > 1024:
            raise self.error(f"{what}: expected a text of at most 1024 bytes, got {len(value)}")
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            raise self.error(f"{what}: expected UTF-8, got {shown(bytes(value))}") from None


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
