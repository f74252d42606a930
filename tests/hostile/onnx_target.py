# SPDX-License-Identifier: Apache-2.0
"""ONNX files to be fuzzed: protobuf as trees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx

import fastrnn
from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Embedding
from fastrnn.saving import ModelFileError, load_onnx
from fastrnn.saving.onnx.export import onnx_model
from tests.hostile.target import LATIN, Json, Target

#: The messages in a message, by the number of their field.
_DIMENSION: dict[int, Any] = {}
_TENSOR: dict[int, Any] = {13: {}}
_VALUE = {2: {1: {2: {1: _DIMENSION}}}}
_ATTRIBUTE = {5: _TENSOR}
_MODEL = {7: {1: {5: _ATTRIBUTE}, 5: _TENSOR, 11: _VALUE, 12: _VALUE}, 8: {}}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def protobuf_tree(data: bytes, inside: dict[int, Any]) -> list[Json]:
    """A message's fields, each as its number, the kind in which it is stored, and its value."""
    fields, at = [], 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        value: Json
        if kind == 0:
            value, at = _varint(data, at)
        else:
            size, at = _varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            part, at = data[at:at + size], at + size
            value = protobuf_tree(part, inside[number]) if number in inside and kind == 2 else part.decode(LATIN)
        fields.append([number, kind, value])
    return fields


def _number(value: int) -> bytes:
    value &= (1 << 64) - 1
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def protobuf_bytes(fields: Json) -> bytes:
    """A message of such fields; a value says its kind itself, if it is not the one that is stored."""
    parts = []
    for field in fields if isinstance(fields, list) else ():
        if not isinstance(field, list) or len(field) < 3 or not all(isinstance(n, int) for n in field[:2]):
            continue
        number, kind, value = field[:3]
        if isinstance(value, int):
            parts += [_number((number & 0xffff) << 3 | kind & 7), _number(value)]
        elif isinstance(value, float):
            parts += [_number((number & 0xffff) << 3 | 5), np.float32(value).tobytes()]
        else:
            content = value.encode(LATIN, "replace") if isinstance(value, str) else protobuf_bytes(value)
            size = _number(len(content)) if kind not in (1, 5) else b""
            parts += [_number((number & 0xffff) << 3 | (kind & 7 or 2)), size, content]
    return b"".join(parts)


class Onnx(Target):
    """ONNX graphs, which are run too."""

    suffix = ".onnx"

    def __init__(self) -> None:
        fastrnn.utils.set_random_seed(0)
        model = fastrnn.Sequential([fastrnn.Input((None,)), Embedding(5, 2),
                                    Bidirectional(LSTM(1, return_sequences=True)), GRU(1), Dense(1)])
        data = self.good_bytes(onnx_model(model).SerializeToString())
        tree = protobuf_tree(data, _MODEL)
        assert protobuf_bytes(tree) == data
        super().__init__({"model": tree})

    def good_bytes(self, data: bytes) -> bytes:
        """The file to be changed."""
        return data

    def assemble(self, trees: dict[str, Json]) -> bytes:
        return protobuf_bytes(trees["model"])

    def read(self, path: Path) -> None:
        model = load_onnx(path)
        x = np.array([[1, 2, 0]])
        try:
            model.run([x for _ in model.inputs])
        except ModelFileError:
            raise
        except ValueError as error:     # the file declares another input
            assert ": input " in str(error), error


class OnnxExternal(Onnx):
    """The same with the data in a file beside it, which is not changed."""

    _NAME = "m.onnx.data"

    def good_bytes(self, data: bytes) -> bytes:
        model, self._data = onnx.ModelProto.FromString(data), b""
        for tensor in model.graph.initializer:
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in (("location", self._NAME), ("offset", len(self._data)), ("length", len(tensor.raw_data))):
                tensor.external_data.add(key=key, value=str(value))
            self._data += tensor.raw_data
            tensor.ClearField("raw_data")
        return model.SerializeToString()

    def read(self, path: Path) -> None:
        beside = path.with_name(self._NAME)
        if not beside.exists():
            beside.write_bytes(self._data)
        super().read(path)
