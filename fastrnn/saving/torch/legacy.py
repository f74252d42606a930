# SPDX-License-Identifier: Apache-2.0
"""PyTorch's files as `torch.save` wrote them before version 1.6.

Four pickles in a row: a number that marks the format, its version, what is said of the machine, and what was saved,
with keys in the place of storages. Behind them a pickle of the list of these keys, and in its order the storages, each
as its count of numbers in eight bytes, and the numbers.
"""

from __future__ import annotations

import struct
from typing import Any

from fastrnn.saving.errors import MAX_COUNT, MAX_TEXT, ModelFileError, shown
from fastrnn.saving.torch import pickle_machine
from fastrnn.saving.torch.pickle_values import Refusal, kind_of
from fastrnn.saving.torch.tensors import Storage, TensorReader

_MAGIC = 0x1950a86a20f9469cfc6c.to_bytes(10, "little")
#: Bytes within which the first pickle has its number, in any protocol.
_FIRST = 32
_VERSION = 1001
_COUNT = struct.Struct("<q")


def recognizes(data: memoryview) -> bool:
    """Whether a file begins as these do."""
    return bytes(data[:1]) == b"\x80" and _MAGIC in bytes(data[:_FIRST])


class LegacyReader(TensorReader):
    """Reads a file that `recognizes` knows."""

    place = ""

    def __init__(self, data: memoryview, file: str) -> None:
        super().__init__(len(data))
        self._data, self._file = data, file
        self._declared: dict[str, Storage] = {}
        self._places: dict[str, int] = {}
        self._at = 0

    def value(self) -> Any:
        """All that was saved.

        Raises:
            ModelFileError: the file is broken: a storage is not there, of another size, or does not end where the next
                one begins.
        """
        self._at = bytes(self._data[:_FIRST]).index(_MAGIC) + len(_MAGIC)
        if bytes(self._data[self._at:self._at + 1]) != b".":
            raise self._error("expected the first pickle to be a number; the file is broken")
        self._at += 1
        if (version := self._next("version")) != _VERSION or type(version) is not int:
            raise self._error(f"expected version {_VERSION} of the format, got {kind_of(version)}")
        machine = self._next("machine")
        if type(machine) is not dict or machine.get("little_endian") is not True:
            raise self._error("expected a file of a little-endian machine")
        found = self._next("pickle", self)
        self._place_storages(self._next("keys"))
        return found

    def check(self, storage: Storage) -> None:
        if self._declared.setdefault(storage.key, storage) != storage:
            raise Refusal(f"storage {shown(storage.key)} is declared twice, in two ways")
        if storage.elements * storage.item > self._size or len(self._declared) > MAX_COUNT:
            raise Refusal(f"storage {shown(storage.key)} of {storage.elements} elements is larger than the whole file, "
                          f"or one of more than {MAX_COUNT}")

    def content(self, key: str) -> memoryview:
        start, storage = self._places[key], self._declared[key]
        return self._data[start:start + storage.elements * storage.item]

    def _next(self, place: str, tensors: TensorReader | None = None) -> Any:
        """The value of the pickle that comes next."""
        data = self._data[self._at:self._at + MAX_TEXT]
        tables = (tensors.symbols, tensors.functions, tensors.persistent) if tensors else ()
        value, length = pickle_machine.load_first(data, self._file, f"{place}, from byte {self._at}", *tables)
        self._at += length
        return value

    def _place_storages(self, keys: Any) -> None:
        if type(keys) is not list or any(type(key) is not str for key in keys) \
                or sorted(keys) != sorted(self._declared):
            raise self._error("expected a list of the keys of all storages, each once")
        for key in keys:
            storage, header = self._declared[key], bytes(self._data[self._at:self._at + _COUNT.size])
            if len(header) != _COUNT.size or _COUNT.unpack(header) != (storage.elements,):
                raise self._error(f"expected the {storage.elements} elements of storage {shown(key)}; the file is cut "
                                  "off or broken")
            self._places[key] = self._at + _COUNT.size
            self._at = self._places[key] + storage.elements * storage.item
        if self._at != self._size:
            raise self._error(f"expected the file to end here, and it has {self._size} bytes; it is cut off, or has "
                              "something else behind it")

    def _error(self, problem: str) -> ModelFileError:
        return ModelFileError(self._file, f"byte {self._at}", problem)
