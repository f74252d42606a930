# SPDX-License-Identifier: Apache-2.0
"""PyTorch's files, as `torch.save` writes them, without PyTorch; what a file is, its first bytes say, not its name.

Since version 1.6 they are zip archives: `data.pkl` is a pickle of a state dict or of a checkpoint with one, in which a
tensor is a shape and strides over a storage; the storages are members `data/0`, `data/1`, ...; `byteorder` is that of
their numbers. Older ones are read by `legacy`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from typing import Any, Literal

from fastrnn.saving.archive import Archive
from fastrnn.saving.errors import MAX_TEXT, ModelFileError, shown
from fastrnn.saving.tensors import Tensor
from fastrnn.saving.torch import legacy, pickle_machine
from fastrnn.saving.torch.checkpoint import state_dict
from fastrnn.saving.torch.legacy import LegacyReader
from fastrnn.saving.torch.pickle_values import WAY_OUT, Refusal
from fastrnn.saving.torch.tensors import Storage, TensorReader

_BYTE_ORDERS: dict[bytes, Literal["<", ">"]] = {b"little": "<", b"big": ">"}
_ZIP = b"PK\3\4"
#: The name of the first member: what torch.save writes, or TorchScript.
_FIRST = re.compile(rb"[^/]+/(data\.pkl|constants\.pkl|data/|code/)")
#: Where a tar archive says that it is one; PyTorch 0.1 wrote those.
_TAR, _TAR_AT = b"ustar", 257


def recognizes(data: memoryview) -> bool:
    """Whether a file begins as PyTorch's do: a zip archive with what PyTorch writes in front, or what older versions
    wrote."""
    if bytes(data[:4]) != _ZIP or len(data) < 30:
        return legacy.recognizes(data)
    (length,) = struct.unpack("<H", data[26:28])
    return _FIRST.match(bytes(data[30:30 + length])) is not None


def read(data: memoryview, file: str, key: str | None = None, ignore: Sequence[str] = ()) -> dict[str, Tensor]:
    """The tensors of a state dict, by name; none is read yet.

    Args:
        data: the file's bytes.
        file: its name, for errors.
        key: of the state dict in a checkpoint; None where the file is of the state dict alone.
        ignore: what is left out of it, as `state_dict` takes it.

    Raises:
        ModelFileError: as `load` and `state_dict`.
    """
    found, place = load(data, file)
    return {name: tensor._replace(place=name) for name, tensor in state_dict(found, key, file, place, ignore).items()}


def load(data: memoryview, file: str) -> tuple[Any, str]:
    """All that was saved: plain values, a `Tensor` for each tensor, and an `Opaque` in the place of each other object;
    and the member of the archive that it is in.

    Raises:
        ModelFileError: it is no such file, or broken; a storage's size is not the one stored; a tensor does not lie
            within its storage.
    """
    reader: LegacyReader | _ZipReader
    if legacy.recognizes(data):
        reader = LegacyReader(data, file)
    elif bytes(data[:2]) == _ZIP[:2]:
        reader = _ZipReader(data, file)
    elif bytes(data[_TAR_AT:_TAR_AT + len(_TAR)]) == _TAR:
        raise ModelFileError(file, "", "files of PyTorch 0.1, tar archives, are not read; load it with a newer PyTorch "
                                       f"and {WAY_OUT}")
    else:
        raise ModelFileError(file, "", "expected what torch.save writes: a zip archive, or, before PyTorch 1.6, "
                                       f"pickles with storages behind them; {WAY_OUT}")
    return reader.value(), reader.place


class _ZipReader(TensorReader):
    def __init__(self, data: memoryview, file: str) -> None:
        self._file = file
        self._archive = Archive(data, file)
        pickles = [name for name in self._archive.names if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise ModelFileError(file, "", f"expected one member data.pkl, got {len(pickles)}; is it a PyTorch file?")
        (self.place,) = pickles
        self._root = self.place.removesuffix("data.pkl")
        if f"{self._root}constants.pkl" in self._archive:
            raise ModelFileError(file, "", f"TorchScript files hold programs, which are not loaded; {WAY_OUT}")
        order = f"{self._root}byteorder"
        text = bytes(self._archive.read(order, 16)) if order in self._archive else b"little"
        if text not in _BYTE_ORDERS:
            raise ModelFileError(file, order, f"expected little or big, got {shown(text)}")
        super().__init__(len(data), _BYTE_ORDERS[text])
        self._contents: dict[str, memoryview] = {}

    def value(self) -> Any:
        content = self._archive.read(self.place, MAX_TEXT)
        return pickle_machine.load(content, self._file, self.place, self.symbols, self.functions, self.persistent)

    def check(self, storage: Storage) -> None:
        if self._member(storage.key) not in self._archive:
            raise Refusal(f"the archive has no storage {shown(storage.key)}")
        size = self._archive.size(self._member(storage.key))
        if size > self._size:
            raise Refusal(f"storage {shown(storage.key)} takes {size} bytes, and the whole file {self._size}; its "
                          "members must not be compressed")
        if storage.elements != size // storage.item:
            raise Refusal(f"storage {shown(storage.key)}: {storage.elements} elements declared, {size // storage.item} "
                          "stored")

    def content(self, key: str) -> memoryview:
        """A storage's bytes, checked once however many tensors lie in it."""
        if key not in self._contents:
            self._contents[key] = self._archive.read(self._member(key), self._size)
        return self._contents[key]

    def _member(self, key: str) -> str:
        return f"{self._root}data/{key}"
