# SPDX-License-Identifier: Apache-2.0
"""PyTorch's files, `.pt` and `.pth`, as `torch.save` has written them since version 1.6, without PyTorch.

A zip archive: `data.pkl` is a pickle of a state dict or of a checkpoint with one, in which a tensor is a shape and
strides over a storage; the storages are members `data/0`, `data/1`, ...; `byteorder` is that of their numbers. Of the
pickle's names, all are in the tables below.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from fastrnn.saving import pickle_machine
from fastrnn.saving.archive import Archive
from fastrnn.saving.errors import MAX_RANK, MAX_TEXT, ModelFileError, shown
from fastrnn.saving.pickle_machine import WAY_OUT, Refusal, Symbol, kind_of
from fastrnn.saving.tensors import Tensor, widened
from fastrnn.saving.torch_checkpoint import state_dict

_BFLOAT16 = "bfloat16"      # which NumPy does not have: read as float32
#: The types of storages, and what they hold.
_STORAGES = {
    "torch DoubleStorage": "f8", "torch FloatStorage": "f4", "torch HalfStorage": "f2",
    "torch BFloat16Storage": _BFLOAT16, "torch LongStorage": "i8", "torch IntStorage": "i4",
    "torch ShortStorage": "i2", "torch CharStorage": "i1", "torch ByteStorage": "u1", "torch BoolStorage": "?",
}  # fmt: skip
_BYTE_ORDERS: dict[bytes, Literal["<", ">"]] = {b"little": "<", b"big": ">"}
#: Tensors may share storages; what they are together is at most twice the file and this.
_SHARED = 64 << 20


class _Storage(NamedTuple):
    """A member of the archive as a row of numbers."""

    key: str
    kind: str
    elements: int


def read(data: memoryview, file: str, key: str | None = None) -> dict[str, Tensor]:
    """The tensors of a state dict, by name; none is read yet.

    Args:
        data: the file's bytes.
        file: its name, for errors.
        key: of the state dict in a checkpoint; None where the file is of the state dict alone.

    Raises:
        ModelFileError: as `load` and `state_dict`.
    """
    found, place = load(data, file)
    return {name: tensor._replace(place=name) for name, tensor in state_dict(found, key, file, place).items()}


def load(data: memoryview, file: str) -> tuple[Any, str]:
    """All that was saved, plain values and a `Tensor` for each tensor; and the member that it is in.

    Raises:
        ModelFileError: it is no such file, or broken; its pickle has more than tensors and plain values; a storage's
            size is not that of its member; a tensor does not lie within its storage.
    """
    if bytes(data[:2]) != b"PK":
        raise ModelFileError(file, "", "expected a zip archive, which torch.save has written since PyTorch 1.6; of an "
                                       f"older file, {WAY_OUT} with a newer PyTorch")
    reader = _Reader(data, file)
    return reader.value(), reader.place


class _Reader:
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
        self._order = _BYTE_ORDERS[text]
        self._contents: dict[str, memoryview] = {}
        self._bytes, self._most_bytes = 0, 2 * len(data) + _SHARED
        self._size = len(data)

    def value(self) -> Any:
        functions: dict[str, Callable[..., Any]] = {
            "collections OrderedDict": _ordered_dict, "torch._utils _rebuild_tensor_v2": self._tensor,
            "torch._utils _rebuild_parameter": _parameter}
        content = self._archive.read(self.place, MAX_TEXT)
        return pickle_machine.load(content, self._file, self.place, {*_STORAGES, *functions}, functions, self._storage)

    def _member(self, key: str) -> str:
        return f"{self._root}data/{key}"

    def _storage(self, identifier: Any) -> _Storage:
        """What stands for a storage in the pickle: ("storage", type, key, device, count)."""
        if type(identifier) is not tuple or len(identifier) != 5 or identifier[0] != "storage":
            raise Refusal("expected ('storage', type, key, device, count)")
        _, symbol, key, _, count = identifier
        if type(symbol) is not Symbol or symbol.name not in _STORAGES:
            raise Refusal(f"expected a type of storage, got {kind_of(symbol)}")
        if type(key) is not str or self._member(key) not in self._archive:
            raise Refusal(f"the archive has no storage {kind_of(key)}")
        kind = _STORAGES[symbol.name]
        size, item = self._archive.size(self._member(key)), _stored(kind).itemsize
        if size > self._size:
            raise Refusal(f"storage {shown(key)} takes {size} bytes, and the whole file {self._size}; its members must "
                          "not be compressed")
        if type(count) is not int or count != size // item:
            raise Refusal(f"storage {shown(key)}: {kind_of(count)} elements declared, {size // item} stored")
        return _Storage(key, kind, count)

    def _tensor(self, *arguments: Any) -> Tensor:
        """torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks, metadata=None)"""
        if len(arguments) not in (6, 7) or type(arguments[0]) is not _Storage:
            raise Refusal("expected a tensor to have a storage, an offset, a shape and strides")
        storage, offset, shape, strides = arguments[:4]
        if any(arguments[5:]):
            raise Refusal(f"a tensor has hooks or attributes, which are not loaded; {WAY_OUT}")
        if type(offset) is not int or not _are_counts(shape) or not _are_counts(strides) \
                or len(shape) != len(strides) or len(shape) > MAX_RANK or offset < 0:
            raise Refusal(f"expected an offset, and at most {MAX_RANK} sizes with as many strides, all 0 or more")
        elements = math.prod(shape)     # Python's numbers: nothing overflows
        end = offset + (1 + sum((size - 1) * stride for size, stride in zip(shape, strides)) if elements else 0)
        if end > storage.elements:
            raise Refusal(f"a tensor of shape {shape} and strides {strides} from element {offset} ends at {end}, "
                          f"beyond its storage {shown(storage.key)} of {storage.elements}")
        if elements > storage.elements:
            raise Refusal(f"a tensor of shape {shape} has more elements than its storage's {storage.elements}; save a "
                          "copy of it: tensor.contiguous()")
        stored = _stored(storage.kind).newbyteorder(self._order)
        self._bytes += elements * max(stored.itemsize, 4)
        if self._bytes > self._most_bytes:
            raise Refusal(f"the tensors would take more than {self._most_bytes} bytes, as their storages are shared; "
                          "save copies of them")
        steps = tuple(stride * stored.itemsize for stride in strides)

        def values() -> np.ndarray:
            array = np.ndarray(shape, stored, self._content(storage.key), offset * stored.itemsize, steps)
            return array.astype(native, copy=False)

        native = stored.newbyteorder("=")
        tensor = Tensor("", shape, native, values)
        return widened(tensor) if storage.kind == _BFLOAT16 else tensor

    def _content(self, key: str) -> memoryview:
        """A storage's bytes, checked once however many tensors lie in it."""
        if key not in self._contents:
            self._contents[key] = self._archive.read(self._member(key), self._size)
        return self._contents[key]


def _stored(kind: str) -> np.dtype:
    return np.dtype("u2" if kind == _BFLOAT16 else kind)


def _are_counts(values: Any) -> bool:
    return type(values) is tuple and all(type(value) is int and 0 <= value < 1 << 48 for value in values)


def _ordered_dict(*arguments: Any) -> dict[Any, Any]:
    if arguments:
        raise Refusal("expected an OrderedDict that starts empty")
    return {}


def _parameter(*arguments: Any) -> Tensor:
    """torch._utils._rebuild_parameter(tensor, requires_grad, hooks)"""
    if len(arguments) != 3 or type(arguments[0]) is not Tensor or arguments[2]:
        raise Refusal(f"expected a parameter to be a tensor without hooks; {WAY_OUT}")
    return arguments[0]
