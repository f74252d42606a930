# SPDX-License-Identifier: Apache-2.0
"""The tensors of a PyTorch file: shapes and strides over storages, whatever the file keeps the storages in."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from fastrnn.saving.errors import MAX_RANK, shown
from fastrnn.saving.tensors import Tensor, widened
from fastrnn.saving.torch.pickle_values import WAY_OUT, Opaque, Refusal, Symbol, fill, kind_of

_BFLOAT16 = "bfloat16"      # which NumPy does not have: read as float32
#: The types of storages, and what they hold.
STORAGES = {
    "torch DoubleStorage": "f8", "torch FloatStorage": "f4", "torch HalfStorage": "f2",
    "torch BFloat16Storage": _BFLOAT16, "torch LongStorage": "i8", "torch IntStorage": "i4",
    "torch ShortStorage": "i2", "torch CharStorage": "i1", "torch ByteStorage": "u1", "torch BoolStorage": "?",
    "torch ComplexDoubleStorage": "c16", "torch ComplexFloatStorage": "c8", "torch QInt32Storage": "i4",
    "torch QInt8Storage": "i1", "torch QUInt8Storage": "u1", "torch.storage UntypedStorage": "u1",
}  # fmt: skip
#: Tensors may share storages; what they are together is at most twice the file and this.
_SHARED = 64 << 20


class Storage(NamedTuple):
    """A row of numbers in the file."""

    key: str
    kind: str
    elements: int

    @property
    def item(self) -> int:
        """Bytes of a number."""
        return _stored(self.kind).itemsize


class TensorReader(ABC):
    """What makes tensors of what a pickle says.

    Args:
        size: of the file, in bytes.
        order: of the bytes of a number.

    Attributes:
        functions: what a pickle may apply to arguments, by "module name".
    """

    def __init__(self, size: int, order: Literal["<", ">"] = "<") -> None:
        self._size, self._order = size, order
        self._bytes, self._most_bytes = 0, 2 * size + _SHARED
        self.functions: dict[str, Callable[..., Any]] = {
            "collections OrderedDict": _ordered_dict, "torch._utils _rebuild_parameter": _parameter,
            "torch._utils _rebuild_tensor": self._old_tensor, "torch._utils _rebuild_tensor_v2": self._tensor}

    @property
    def symbols(self) -> set[str]:
        """The names that stand for something."""
        return {*STORAGES, *self.functions}

    @abstractmethod
    def check(self, storage: Storage) -> None:
        """Refuse a storage that the file does not have, or has in another size."""

    @abstractmethod
    def content(self, key: str) -> memoryview:
        """The bytes of a storage that was checked."""

    def persistent(self, identifier: Any) -> Storage | Opaque:
        """What is outside of the pickle: ("storage", type, key, device, count), behind which older files say whether
        it is a part of another one; or, in whole modules, ("module", class, file, text)."""
        if type(identifier) is not tuple or len(identifier) not in (4, 5, 6):
            raise Refusal("expected ('storage', type, key, device, count)")
        kind, symbol, key, device, *rest = identifier
        if type(symbol) is Opaque:
            return Opaque(symbol.kind)
        if kind != "storage" or len(rest) not in (1, 2):
            raise Refusal("expected ('storage', type, key, device, count)")
        if rest[1:] not in ([], [None]):
            raise Refusal(f"a storage that is a part of another one is not read; {WAY_OUT} with a newer PyTorch")
        if type(symbol) is not Symbol or symbol.name not in STORAGES:
            raise Refusal(f"expected a type of storage, got {kind_of(symbol)}")
        if type(key) is not str or type(device) is not str:
            raise Refusal(f"expected a storage's key and device, got {kind_of(key)} and {kind_of(device)}")
        if type(rest[0]) is not int or rest[0] < 0:
            raise Refusal(f"storage {shown(key)}: expected a count of elements, got {kind_of(rest[0])}")
        storage = Storage(key, STORAGES[symbol.name], rest[0])
        self.check(storage)
        return storage

    def _old_tensor(self, *arguments: Any) -> Tensor | Opaque:
        """torch._utils._rebuild_tensor(storage, offset, size, stride), of PyTorch before 0.4"""
        return self._tensor(*arguments, False, None)

    def _tensor(self, *arguments: Any) -> Tensor | Opaque:
        """torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks, metadata=None)"""
        if len(arguments) not in (6, 7) or type(arguments[0]) is not Storage or type(arguments[4]) is not bool:
            raise Refusal("expected a tensor to have a storage, an offset, a shape and strides, and a truth value")
        storage, offset, shape, strides = arguments[:4]
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
        if any(arguments[5:]):
            return Opaque("a tensor with hooks or attributes")
        steps = tuple(stride * stored.itemsize for stride in strides)

        def values() -> np.ndarray:
            array = np.ndarray(shape, stored, self.content(storage.key), offset * stored.itemsize, steps)
            return array.astype(native, copy=False)

        native = stored.newbyteorder("=")
        tensor = Tensor("", shape, native, values)
        return widened(tensor) if storage.kind == _BFLOAT16 else tensor


def _stored(kind: str) -> np.dtype:
    return np.dtype("u2" if kind == _BFLOAT16 else kind)


def _are_counts(values: Any) -> bool:
    return type(values) is tuple and all(type(value) is int and 0 <= value < 1 << 48 for value in values)


def _ordered_dict(*arguments: Any) -> dict[Any, Any]:
    """collections.OrderedDict(), or, as Python 2 saved it, of a list with a list for each item"""
    items = arguments[0] if arguments else []
    if len(arguments) > 1 or type(items) is not list or not all(type(i) is list and len(i) == 2 for i in items):
        raise Refusal("expected an OrderedDict of nothing, or of keys with values")
    made: dict[Any, Any] = {}
    fill(made, items)
    return made


def _parameter(*arguments: Any) -> Tensor | Opaque:
    """torch._utils._rebuild_parameter(tensor, requires_grad, hooks)"""
    if len(arguments) != 3 or type(arguments[0]) is not Tensor:
        raise Refusal(f"expected a parameter to be a tensor; {WAY_OUT}")
    return Opaque("a parameter with hooks") if arguments[2] else arguments[0]
