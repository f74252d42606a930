# SPDX-License-Identifier: Apache-2.0
"""Pickles of PyTorch's, put together operation by operation, and the archives that they lie in."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    if -2**31 <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def symbol(name: str) -> bytes:
    """By the operation GLOBAL."""
    module, _, name = name.rpartition(".")
    return f"c{module}\n{name}\n".encode()


def symbol_of_stack(name: str) -> bytes:
    """By the operation STACK_GLOBAL."""
    module, _, name = name.rpartition(".")
    return text(module) + text(name) + b"\x93"


def group(*items: bytes) -> bytes:
    """A tuple."""
    return b"(" + b"".join(items) + b"t"


def storage(kind: str = "torch.FloatStorage", key: bytes = text("0"), count: int = 4) -> bytes:
    return group(text("storage"), symbol(kind), key, text("cpu"), number(count)) + b"Q"


ORDERED_DICT = symbol("collections.OrderedDict") + b")R"


def tensor(stored: bytes | None = None, offset: int = 0, shape: tuple = (2, 2), strides: tuple = (2, 1),
           hooks: bytes = ORDERED_DICT) -> bytes:
    sizes, steps = (group(*map(number, values)) for values in (shape, strides))
    return (symbol("torch._utils._rebuild_tensor_v2")
            + group(stored or storage(), number(offset), sizes, steps, b"\x89", hooks) + b"R")


def state(*items: bytes) -> bytes:
    """A whole pickle: a dictionary of these names and values, in turn."""
    batches = [items[i:i + 2000] for i in range(0, len(items), 2000)]
    return b"\x80\x02}" + b"".join(b"(" + b"".join(batch) + b"u" for batch in batches) + b"."


def members(pkl: bytes, **storages: bytes) -> dict[str, bytes]:
    """An archive with this pickle, and by default one storage "0" of four numbers."""
    return {"m/data.pkl": pkl, "m/byteorder": b"little", "m/version": b"3\n",
            **{f"m/data/{key}": content for key, content in (storages or {"0": bytes(16)}).items()}}


def write(path: Path, content: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, value in content.items():
            file.writestr(zipfile.ZipInfo(name), value, method)
    return path


GOOD = state(text("e.weight"), tensor())

#: The three pickles in front of a file from before PyTorch 1.6: a number, the version, the machine.
HEAD = tuple(pickle.dumps(value, 2) for value in (
    0x1950a86a20f9469cfc6c, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {"long": 4}}))


def legacy(pkl: bytes, keys: bytes = pickle.dumps(["0"], 2), storages: bytes = struct.pack("<q16x", 4),
           machine: bytes = HEAD[2]) -> bytes:
    """A file from before PyTorch 1.6 with this pickle, and by default one storage "0" of four numbers."""
    return HEAD[0] + HEAD[1] + machine + pkl + keys + storages
