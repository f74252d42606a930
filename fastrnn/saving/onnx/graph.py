# SPDX-License-Identifier: Apache-2.0
"""What an ONNX file has: its nodes, constants, inputs and outputs, checked; https://onnx.ai/onnx/repo-docs/IR.html

Nothing but the bytes given, and the one file beside them that `external` guards, is read; graphs inside of nodes
are refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn.saving import files
from fastrnn.saving.errors import MAX_COUNT, MAX_RANK, ModelFileError, shown
from fastrnn.saving.onnx.external import External
from fastrnn.saving.onnx.protobuf import Message

#: Versions of ONNX's operators that are understood. What older ones said by attributes that are no more is refused.
OPSETS = range(1, 29)
#: NumPy's dtypes by ONNX's numbers; where a tensor's values are, if not in its raw data.
DTYPES = {1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool",
          10: "float16", 11: "float64", 12: "uint32", 13: "uint64"}
_FLOATS = {"float32": (4, "<f4"), "float64": (10, "<f8")}
_INTEGERS = {"int64": 7, "uint32": 11, "uint64": 11}    # all others are in int32_data, field 5
_VALUES = (4, 5, 6, 7, 9, 10, 11)       # fields that hold values: strings and numbers one by one, and raw data
_KINDS = {8: "strings", 14: "complex numbers", 15: "complex numbers", 16: "bfloat16"}


class Unsupported(Exception):
    """What a node cannot do, said without its name, which is added where the node is known."""


class Node:
    """An operator, the names of what it takes and gives, and its attributes.

    Attributes:
        operator: "LSTM".
        opset: version of ONNX's operators that the file asks for.
        checked: each of its attributes was asked for.
    """

    def __init__(self, operator: str, name: str, inputs: Sequence[str], outputs: Sequence[str],
                 attributes: dict[str, Any], opset: int) -> None:
        self.operator, self.name, self.opset = operator, name, opset
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.attributes = attributes
        self.asked: set[str] = set()
        self.checked = False

    def __str__(self) -> str:
        return f"{ascii(self.operator)[1:-1][:60]} {shown(self.name or ', '.join(self.outputs))}"

    def attribute(self, name: str, kind: type, default: Any = None) -> Any:
        """An attribute of a kind: int, float, str, list (of numbers or texts) or np.ndarray."""
        self.asked.add(name)
        value = self.attributes.get(name)
        if value is None:
            return default
        if not isinstance(value, kind):
            raise Unsupported(f"attribute {name}: expected {kind.__name__}, got {shown(value)}")
        return value

    def integers(self, name: str) -> list[int] | None:
        """An attribute that is a list of whole numbers, or None."""
        values = self.attribute(name, list)
        if values is not None and not all(isinstance(value, int) for value in values):
            raise Unsupported(f"attribute {name}: expected whole numbers, got {shown(values)}")
        return values

    def check_attributes(self) -> None:
        """Refuse attributes that nothing asked for: they would be without the effect they are there for."""
        left = sorted(set(self.attributes) - self.asked)
        if left:
            raise Unsupported(f"attribute {shown(left[0])} is not supported; got {shown(self.attributes[left[0]])}")
        self.checked = True


class Value(NamedTuple):
    """An input or output: its name, dtype and shape, of which a size may be None, or all unknown."""

    name: str
    dtype: str | None
    shape: tuple[int | None, ...] | None


class Graph(NamedTuple):
    """A whole file."""

    file: str
    opset: int
    nodes: list[Node]
    constants: dict[str, np.ndarray]
    inputs: list[Value]
    outputs: list[Value]


def read_file(path: str) -> Graph:
    """The graph of an ONNX file, whose constants may lie in a file beside it; see `read_graph`."""
    return read_graph(files.mapped(path), path, External(path))


def read_graph(data: memoryview, file: str, external: External) -> Graph:
    """The graph of an ONNX file.

    Args:
        data: the file's bytes; the values of constants stay in them.
        file: its name, for errors.
        external: gives the values that are not in it.

    Raises:
        ModelFileError: the file is broken, or has what is not supported.
    """
    model = Message(data, file, "model")
    opset = _opset(model)
    if model.has(25):
        raise model.error("functions of the file's own are not supported; export the model without them")
    graph = model.message(7, "graph")
    if graph is None:
        raise model.error("there is no graph; the file is cut off or no ONNX file")
    if graph.has(15):
        raise graph.error("sparse constants are not supported; export the model with dense ones")
    constants: dict[str, np.ndarray] = {}
    for message in graph.messages(5, "constant", MAX_COUNT):
        name = message.text(8, "name")
        if not name or name in constants:
            raise message.error(f"expected a name that no other constant has, got {shown(name)}")
        message.place = f"constant {shown(name)}"
        constants[name] = read_tensor(message, external)
    nodes = [read_node(message, opset, external) for message in graph.messages(1, "node", MAX_COUNT)]
    inputs = [_value(message) for message in graph.messages(11, "input", MAX_COUNT)]
    outputs = [_value(message) for message in graph.messages(12, "output", MAX_COUNT)]
    found = Graph(file, opset, nodes, constants, [value for value in inputs if value.name not in constants], outputs)
    _check_order(found)
    return found


def _opset(model: Message) -> int:
    versions = [entry.integer(2, "version") for entry in model.messages(8, "opset", 100)
                if entry.text(1, "domain") in ("", "ai.onnx")]
    if len(versions) != 1:
        raise model.error(f"expected one version of ONNX's operators, got {versions}; the file is cut off or no ONNX "
                          "file")
    if versions[0] not in OPSETS:
        raise model.error(f"expected an opset from {OPSETS[0]} to {OPSETS[-1]}, got {versions[0]}; export the model "
                          "with another opset")
    return versions[0]


def _check_order(graph: Graph) -> None:
    """Each value is given once, before it is taken."""
    known = {*graph.constants, *(value.name for value in graph.inputs)}
    if len(known) != len(graph.constants) + len(graph.inputs):
        raise ModelFileError(graph.file, "graph", "two inputs have the same name")
    for node in graph.nodes:
        for name in node.inputs:
            if name and name not in known:
                raise ModelFileError(graph.file, str(node), f"takes {shown(name)}, which nothing before it gives: the "
                                                            "graph has a circle, is not sorted, or is cut off")
        for name in node.outputs:
            if name in known:
                raise ModelFileError(graph.file, str(node), f"gives {shown(name)}, which there is already")
        known.update(name for name in node.outputs if name)
    missing = [value.name for value in graph.outputs if value.name not in known]
    if missing or not graph.outputs:
        raise ModelFileError(graph.file, "graph", f"nothing gives the output {shown((missing or [''])[0])}")


def read_node(message: Message, opset: int, external: External) -> Node:
    """A node from its message."""
    operator, name = message.text(4, "operator"), message.text(3, "name")
    message.place = f"{shown(operator)} {shown(name)}"
    domain = message.text(7, "domain")
    if domain not in ("", "ai.onnx"):
        raise message.error(f"operators of {shown(domain)} are not supported, only those of ONNX itself")
    attributes: dict[str, Any] = {}
    for entry in message.messages(5, "attribute", 100):
        key = entry.text(1, "name")
        entry.place = f"{message.place}, attribute {shown(key)}"
        if key in attributes:
            raise entry.error("there are two of this name")
        attributes[key] = _attribute(entry, external)
    inputs, outputs = message.texts(1, "input"), message.texts(2, "output")
    if max(len(inputs), len(outputs)) > 1000:
        raise message.error(f"expected at most 1000 inputs and outputs, got {len(inputs)} and {len(outputs)}")
    if len({name for name in outputs if name}) != len([name for name in outputs if name]):
        raise message.error(f"gives the same name twice: {shown(outputs)}")
    return Node(operator, name, inputs, outputs, attributes, opset)


def _attribute(entry: Message, external: External) -> Any:
    if entry.has(6) or entry.has(11):
        raise entry.error("graphs inside a node, as If, Loop and Scan have, are not supported; export the model such "
                          "that recurrent layers become RNN, LSTM or GRU nodes")
    kind = entry.integer(20, "type")
    if kind == 1 or (not kind and entry.has(2)):
        return entry.float32(2, "value")
    if kind == 2 or (not kind and entry.has(3)):
        return entry.integer(3, "value")
    if kind == 3 or (not kind and entry.has(4)):
        return entry.text(4, "value")
    if kind == 4 or (not kind and entry.has(5)):
        tensor = entry.message(5, entry.place)
        if tensor is None:
            raise entry.error("expected a tensor, got none")
        return read_tensor(tensor, external)
    if kind == 6 or (not kind and entry.has(7)):
        return [float(value) for value in entry.floats(7, "values")]
    if kind == 7 or (not kind and entry.has(8)):
        return entry.integers(8, "values")
    if kind == 8 or (not kind and entry.has(9)):
        return entry.texts(9, "values")
    raise entry.error(f"attributes of type {kind} are not supported")


def read_tensor(message: Message, external: External) -> np.ndarray:
    """A constant: its raw data as they lie in the file, other forms as they are converted."""
    outside = message.integer(14, "data location")
    if outside not in (0, 1) or outside != message.has(13) or (outside and any(map(message.has, _VALUES))):
        raise message.error("expected values either in the file, or all of them in another one, by one place in it")
    code = message.integer(2, "dtype")
    if code not in DTYPES:
        raise message.error(f"expected a dtype from {', '.join(DTYPES.values())}, got {_KINDS.get(code, code)}")
    dtype = np.dtype(DTYPES[code]).newbyteorder("<")
    shape = tuple(message.integers(1, "shape"))
    if len(shape) > MAX_RANK or any(size < 0 for size in shape) or math.prod(max(size, 1) for size in shape) > 1 << 40:
        raise message.error(f"expected a shape of at most {MAX_RANK} axes, got {shown(shape)}")
    if message.has(9) or outside:
        size = math.prod(shape) * dtype.itemsize        # Python's numbers: nothing overflows
        raw = external.read(message, size) if outside else message.binary(9, "values")
        if size != len(raw):
            raise message.error(f"expected {size} bytes for the shape {shape}, got {len(raw)}")
        if not raw:
            return np.zeros(shape, dtype)
        array = np.frombuffer(raw, np.uint8 if dtype.kind == "b" else dtype)
        return (array != 0 if dtype.kind == "b" else array).reshape(shape)
    if dtype.name in _FLOATS:
        array = message.floats(*_with_name(_FLOATS[dtype.name]))
    else:
        numbers = message.integers(_INTEGERS.get(dtype.name, 5), "values", dtype.kind != "u")
        if dtype == np.float16:
            array = np.array([number & 0xffff for number in numbers], np.uint16).view(np.float16)
        elif dtype.kind == "b":
            array = np.array([number != 0 for number in numbers], bool)
        else:
            limits = np.iinfo(dtype)
            if any(not limits.min <= number <= limits.max for number in numbers):
                raise message.error(f"expected numbers of {dtype.name}, got {shown(numbers)}")
            array = np.array(numbers, dtype)
    if math.prod(shape) != array.size:
        raise message.error(f"expected {math.prod(shape)} numbers for the shape {shape}, got {array.size}")
    return array.reshape(shape)


def _with_name(place: tuple[int, str]) -> tuple[int, str, str]:
    return place[0], "values", place[1]


def _value(message: Message) -> Value:
    name = message.text(1, "name")
    kind = message.message(2, f"type of {shown(name)}")
    tensor = None if kind is None else kind.message(1, f"type of {shown(name)}")
    if kind is not None and tensor is None:
        raise message.error(f"{shown(name)}: expected a tensor; sequences, maps and optional values are not supported")
    if tensor is None:
        return Value(name, None, None)
    code = tensor.integer(1, "dtype")
    if code and code not in DTYPES:
        raise message.error(f"{shown(name)}: expected a dtype from {', '.join(DTYPES.values())}, got "
                            f"{_KINDS.get(code, code)}")
    shape = tensor.message(2, f"shape of {shown(name)}")
    sizes = None
    if shape is not None:
        sizes = tuple(dim.integer(1, "size") if dim.has(1) else None for dim in shape.messages(1, "size", MAX_RANK))
    return Value(name, DTYPES.get(code), sizes)
