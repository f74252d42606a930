# SPDX-License-Identifier: Apache-2.0
"""ONNX files that are hostile or broken: refused when loaded or when run, at little cost, and never a crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import fastrnn
from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Embedding
from fastrnn.saving import ModelFileError, inspect, load_onnx
from fastrnn.saving.onnx.export import onnx_model
from tests.hostile.test_broken import PLACES, in_a_child

SECONDS, MEMORY = 1.0, 64 << 20
HUGE = 1 << 31
#: As a name could be: too long for an error, and with what moves a terminal's cursor.
LONG = "\x1b[2J\n" * 100


def whole(nodes, constants=None, inputs=(("x", [2, 3]),), outputs=("y",), opset=17):
    """A file of these nodes."""
    stored = [numpy_helper.from_array(np.array(array), name) for name, array in (constants or {}).items()]
    given_ = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs]
    gives = [helper.make_empty_tensor_value_info(name) for name in outputs]
    made = helper.make_graph(nodes, "g", given_, gives, stored)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def node(operator, inputs="x", outputs="y", **attributes):
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


def external(folder: Path, location: Any = "m.onnx.data", tensor: Any = None, **changes: Any) -> onnx.ModelProto:
    """A constant whose values are in another file, which exists and would fit.

    Args:
        folder: of the model; beside it are a file, a link, a pipe and a folder.
        location: what the model says of where the values are; None for nothing.
        tensor: changes the constant.
        changes: of the other entries, as text; None leaves one out.
    """
    (folder / "m.onnx.data").write_bytes(bytes(48))
    (folder / "empty").touch()
    (folder / "link").symlink_to(folder / "m.onnx.data")
    (folder / "passwd").symlink_to("/etc/passwd")
    (folder / "folder").mkdir()
    (folder / "folder" / "data").write_bytes(bytes(24))
    os.mkfifo(folder / "pipe")
    model = whole([node("Add", "x c")], {"c": np.zeros((2, 3), "f4")})
    outside(model.graph.initializer[0], {"location": location, "offset": "0", "length": "24", **changes})
    if tensor is not None:
        tensor(model.graph.initializer[0])
    return model


def outside(tensor: onnx.TensorProto, entries: dict[str, Any]) -> None:
    """Have a tensor's values in another file."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        if value is not None:
            tensor.external_data.add(key=key, value=value)


def external_attribute(folder: Path, location: str) -> onnx.ModelProto:
    """A constant that is a node's attribute, with its values in another file."""
    external(folder)
    model = whole([node("Constant", "", "c", value=numpy_helper.from_array(np.zeros((2, 3), "f4"))),
                   node("Add", "x c")])
    outside(model.graph.node[0].attribute[0].t, {"location": location})
    return model


def external_twice(folder: Path, *locations: str, times: int = 1) -> onnx.ModelProto:
    """Constants in one file after the other."""
    (folder / "other").write_bytes(bytes(48))
    model = external(folder)
    for number in range(times):
        for location in locations:
            tensor = model.graph.initializer.add(name=f"{location}{number}", dims=[2, 3], data_type=TensorProto.FLOAT)
            outside(tensor, {"location": location})
    return model


def lying(change) -> onnx.ModelProto:
    model = whole([node("Add", "x c")], {"c": np.zeros((2, 3), "f4")})
    change(model.graph.initializer[0])
    return model


def subgraph(operator: str, **attributes) -> onnx.ModelProto:
    body = whole([node("Relu")]).graph
    return whole([node(operator, **dict.fromkeys(attributes, body))])


def deep() -> bytes:
    """Graphs in nodes in graphs, three thousand deep."""
    data = b""
    for _ in range(3000):
        for number in (6, 5, 1):        # a graph in an attribute in a node
            size, head = len(data), bytearray()
            while size > 127:
                head.append(size & 127 | 128)
                size >>= 7
            data = bytes([number << 3 | 2, *head, size]) + data
    return onnx.ModelProto(opset_import=[helper.make_opsetid("", 17)]).SerializeToString() + \
        b"\x3a" + bytes([len(data) & 127 | 128, len(data) >> 7 & 127 | 128, len(data) >> 14]) + data


def recurrent(**changes) -> onnx.ModelProto:
    """An LSTM node of two units on three features, its arrays changed."""
    arrays = {"w": np.zeros((1, 8, 3), "f4"), "r": np.zeros((1, 8, 2), "f4"), "b": np.zeros((1, 16), "f4"),
              "l": np.array([4, 4], "i4"), "h": np.zeros((1, 2, 2), "f4"), **changes}
    return whole([node("LSTM", "x w r b l h", "y", hidden_size=2)], arrays, [("x", [4, 2, 3])])


#: What makes each file, of the folder that it lies in; and what its error says.
FAULTS = {
    "external data by a link": (lambda f: external(f, "link"), "symbolic link"),
    "external data by a link that leads away": (lambda f: external(f, "passwd"), "symbolic link"),
    "external data by a path": (lambda f: external(f, "../../../etc/passwd"), "plain name"),
    "external data by a path that stays": (lambda f: external(f, "folder/data"), "plain name"),
    "external data by a path from here": (lambda f: external(f, "./m.onnx.data"), "plain name"),
    "external data by a whole path": (lambda f: external(f, str(f / "m.onnx.data")), "plain name"),
    "external data by another system's path": (lambda f: external(f, "folder\\data"), "plain name"),
    "external data on a drive": (lambda f: external(f, "c:data"), "plain name"),
    "external data by a URL": (lambda f: external(f, "http://localhost/m.onnx.data"), "plain name"),
    "external data with a NUL": (lambda f: external(f, "m.onnx.data\0"), "plain name"),
    "external data by a long name": (lambda f: external(f, "m" * 300), "plain name"),
    "external data by a longer name": (lambda f: external(f, "m" * 3000), "1024 bytes"),
    "external data by a name that moves the cursor": (lambda f: external(f, LONG), "plain name"),
    "external data of no name": (lambda f: external(f, ""), "plain name"),
    "external data of no place": (lambda f: external(f, None), "plain name"),
    "external data here": (lambda f: external(f, "."), "plain name"),
    "external data above": (lambda f: external(f, ".."), "plain name"),
    "external data in a folder": (lambda f: external(f, "folder"), "got a folder"),
    "external data from a pipe": (lambda f: external(f, "pipe"), "a pipe"),
    "external data in an empty file": (lambda f: external(f, "empty"), "empty"),
    "external data in no file": (lambda f: external(f, "none"), "not there"),
    "external data beyond the end": (lambda f: external(f, offset="25"), "do not lie within the 48 bytes"),
    "external data far beyond the end": (lambda f: external(f, offset=str(10**18 - 1)), "do not lie within"),
    "external data at a number that overflows": (lambda f: external(f, offset="1" * 30), "as offset"),
    "external data before the start": (lambda f: external(f, offset="-24"), "as offset"),
    "external data at no number": (lambda f: external(f, offset="0x10"), "as offset"),
    "external data at another writing's number": (lambda f: external(f, offset="\u0662"), "as offset"),
    "external data of another length": (lambda f: external(f, length="48"), "expected 24 bytes"),
    "external data of no length": (lambda f: external(f, length="0"), "expected 24 bytes"),
    "external data of a length below zero": (lambda f: external(f, length="-1"), "as length"),
    "external data larger than its file": (lambda f: external(f, tensor=lambda t: t.dims.__setitem__(0, 1 << 36),
                                                               length=None), "do not lie within"),
    "external data of a shape that overflows": (lambda f: external(f, tensor=lambda t: t.dims.extend([1 << 62] * 2)),
                                                "axes"),
    "external data of texts": (lambda f: external(f, tensor=lambda t: setattr(t, "data_type", 8)), "strings"),
    "external data with an unknown entry": (lambda f: external(f, basepath="/etc"), "once each, got 'basepath'"),
    "external data at two places": (lambda f: external(f, tensor=lambda t: t.external_data.add(
        key="location", value="passwd")), "once each, got 'location'"),
    "external data of many entries": (lambda f: external(f, tensor=lambda t: t.external_data.extend(
        [t.external_data[0]] * 1000)), "at most 4"),
    "external data and values": (lambda f: external(f, tensor=lambda t: setattr(t, "raw_data", bytes(24))), "either"),
    "external data that is not meant": (lambda f: external(f, tensor=lambda t: t.ClearField("data_location")),
                                        "either"),
    "external data meant but not there": (lambda f: external(f, tensor=lambda t: t.ClearField("external_data")),
                                          "either"),
    "external data in an attribute by a path": (lambda f: external_attribute(f, "../m.onnx.data"), "plain name"),
    "external data in two files": (lambda f: external_twice(f, "other"), "all its data in one file"),
    "external data on top of each other": (lambda f: external_twice(f, "m.onnx.data", times=5000), "on top of each"),
    "constant larger than its bytes": (lambda f: lying(lambda t: t.dims.__setitem__(0, 1 << 40)), "bytes|axes"),
    "constant of a shape that overflows": (lambda f: lying(lambda t: t.dims.extend([1 << 62, 1 << 62])), "axes"),
    "constant of no elements in a huge shape": (lambda f: lying(lambda t: t.dims.extend([1 << 62, 0])), "axes"),
    "constant of a negative shape": (lambda f: lying(lambda t: t.dims.__setitem__(0, -2)), "axes"),
    "constant of many axes": (lambda f: lying(lambda t: t.dims.extend([1] * 100)), "axes"),
    "constant of strings": (lambda f: lying(lambda t: setattr(t, "data_type", 8)), "strings"),
    "constant of an unknown dtype": (lambda f: lying(lambda t: setattr(t, "data_type", 99)), "99"),
    "ConstantOfShape": (lambda f: whole([node("ConstantOfShape", "s")], {"s": [HUGE, HUGE]}), "may be used"),
    "ConstantOfShape of many axes": (lambda f: whole([node("ConstantOfShape", "s")], {"s": [1] * 60}), "8 axes"),
    "ConstantOfShape below zero": (lambda f: whole([node("ConstantOfShape", "s")], {"s": [-5]}), "expected a shape"),
    "Expand": (lambda f: whole([node("Expand", "x s")], {"s": [HUGE, 2, 3]}), "may be used"),
    "Tile": (lambda f: whole([node("Tile", "x s")], {"s": [HUGE, HUGE]}), "may be used"),
    "Pad": (lambda f: whole([node("Pad", "x s")], {"s": [0, 0, HUGE, HUGE]}), "may be used"),
    "Range": (lambda f: whole([node("Range", "a b c")], {"a": 0, "b": HUGE * HUGE // 2, "c": 1}), "may be used"),
    "Range of steps of zero": (lambda f: whole([node("Range", "a b c")], {"a": 0, "b": 9, "c": 0}), "step"),
    "Range to infinity": (lambda f: whole([node("Range", "a b c")], {"a": 0.0, "b": np.inf, "c": 1.0}), "Range"),
    "OneHot": (lambda f: whole([node("OneHot", "i d v")], {"i": [0, 1], "d": HUGE, "v": [0.0, 1.0]}), "may be used"),
    "Reshape": (lambda f: whole([node("Reshape", "x s")], {"s": [HUGE, HUGE]}), "cannot take"),
    "Gather out of bounds": (lambda f: whole([node("Gather", "x i")], {"i": [1 << 40]}), "cannot take"),
    "GatherND out of bounds": (lambda f: whole([node("GatherND", "x i")], {"i": [[1 << 40]]}), "cannot take"),
    "GatherElements out of bounds": (lambda f: whole([node("GatherElements", "x i")], {"i": [[1 << 40]]}), "cannot"),
    "an outer product": (lambda f: whole([node("MatMul", "a b")], {"a": np.zeros((9999, 1), "f4"),
                                                                   "b": np.zeros((1, 9999), "f4")}), "may be used"),
    "broadcasting": (lambda f: whole([node("Add", "a b")], {"a": np.zeros((9999, 1), "f4"),
                                                            "b": np.zeros((1, 9999), "f4")}), "may be used"),
    "a chain that doubles": (lambda f: whole([node("Concat", f"{'x' if i == 0 else f'v{i}'} " * 2, f"v{i + 1}", axis=0)
                                              for i in range(60)], outputs=("v60",)), "may be used"),
    "a circle": (lambda f: whole([node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b", "y")]), "circle"),
    "a node that takes its own output": (lambda f: whole([node("Add", "x y")]), "circle"),
    "an output twice": (lambda f: whole([node("Relu"), node("Relu")]), "there is already"),
    "an output over an input": (lambda f: whole([node("Relu", "x", "x")], outputs=("x",)), "there is already"),
    "no such output": (lambda f: whole([node("Relu", "x", "z")]), "nothing gives the output"),
    "If": (lambda f: subgraph("If", then_branch=1, else_branch=1), "graphs inside a node"),
    "Loop": (lambda f: subgraph("Loop", body=1), "graphs inside a node"),
    "Scan": (lambda f: subgraph("Scan", body=1), "graphs inside a node"),
    "very deep": (lambda f: deep(), "graphs inside a node|operator"),
    "another domain": (lambda f: whole([node("Inverse", domain="com.microsoft")]), "'com.microsoft' are not supported"),
    "an operator of a long name": (lambda f: whole([node(LONG)]), "is not supported"),
    "an attribute of a long value": (lambda f: whole([node("Pad", "x s", mode=LONG)], {"s": [0] * 4}), "known mode"),
    "a direction of a long name": (lambda f: whole([node("GRU", "x x x", direction=LONG)]), "attribute direction"),
    "activations of a long name": (lambda f: whole([node("RNN", "x x x", activations=[LONG])]), "activations"),
    "many sizes": (lambda f: whole([node("Split", split=[1] * 5000)], opset=11), "split"),
    "many repeats": (lambda f: whole([node("Tile", "x s")], {"s": [1] * 1000}), "repeats"),
    "many starts": (lambda f: whole([node("Slice", "x s e")], {"s": [1] * 1000, "e": [1]}), "starts"),
    "many inputs": (lambda f: whole([node("Concat", "x " * 1000, axis=5)]), "axis"),
    "many inputs that do not fit": (lambda f: whole([node("Concat", "x " * 999 + "s", axis=1)],
                                                    {"s": np.zeros(3, "f4")}), "cannot take"),
    "many inputs of two dtypes": (lambda f: whole([node("Concat", "x " * 999 + "s", axis=1)], {"s": [1]}), "one dtype"),
    "an unknown operator": (lambda f: whole([node("PyOp")]), "operator 'PyOp' is not supported"),
    "an opset of the future": (lambda f: whole([node("Relu")], opset=1000), "expected an opset"),
    "an attribute without effect": (lambda f: whole([node("Relu", consumed_inputs=[1])]), "'consumed_inputs' is not"),
    "many empty nodes": (lambda f: onnx.ModelProto(opset_import=[helper.make_opsetid("", 17)]).SerializeToString()
                         + b"\x3a\x80\x80\x80\x05" + b"\x0a\x00" * (5 << 20), "times"),
    "many nodes": (lambda f: whole([node("Relu", "x", f"y{i}") for i in range(10_001)], outputs=("y0",)), "most 10000"),
    "W of another shape": (lambda f: recurrent(w=np.zeros((1, 8, 4), "f4")), "LSTM"),
    "R of another shape": (lambda f: recurrent(r=np.zeros((1, 8, 3), "f4")), "LSTM"),
    "R without units": (lambda f: recurrent(r=np.zeros((1, 0, 0), "f4")), "LSTM"),
    "B of another shape": (lambda f: recurrent(b=np.zeros((1, 3), "f4")), "LSTM"),
    "lengths beyond the end": (lambda f: recurrent(l=np.array([4, 1 << 30], "i4")), "sequence_lens"),
    "lengths below zero": (lambda f: recurrent(l=np.array([4, -1], "i4")), "sequence_lens"),
    "states of another shape": (lambda f: recurrent(h=np.zeros((1, 1, 2), "f4")), "initial_h"),
    "a text": (lambda f: b"no ONNX file at all", "no ONNX file"),
    "one byte": (lambda f: b"\x08", "cut off"),
    "an endless number": (lambda f: b"\xff" * 100, "ten bytes"),
}  # fmt: skip


def good_model() -> fastrnn.Sequential:
    fastrnn.utils.set_random_seed(0)
    return fastrnn.Sequential([fastrnn.Input((None,)), Embedding(7, 4, mask_zero=True),
                               Bidirectional(LSTM(3, return_sequences=True)), GRU(2), Dense(1)])


GOOD = onnx_model(good_model()).SerializeToString()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What each file did, loaded and run in a process of its own."""
    folder = tmp_path_factory.mktemp("onnx")
    paths = {}
    for number, (name, (make, _)) in enumerate(FAULTS.items()):
        (folder / str(number)).mkdir()
        data = make(folder / str(number))
        paths[name] = folder / str(number) / "m.onnx"
        paths[name].write_bytes(data if isinstance(data, bytes) else data.SerializeToString())
    return dict(zip(FAULTS, probe(list(paths.values()), folder), strict=True))


def probe(paths: list[Path], folder: Path) -> list[dict]:
    warm = folder / "warm.onnx"
    warm.write_bytes(GOOD)
    root = os.path.dirname(os.path.dirname(fastrnn.__file__))
    run = subprocess.run([sys.executable, str(Path(__file__).with_name("probe.py"))], cwd=folder, text=True,
                         input=json.dumps({"warm": [[str(warm), "onnx"]],
                                           "files": [[str(path), "onnx"] for path in paths]}),
                         capture_output=True, env={**os.environ, "PYTHONPATH": root, "OPENBLAS_NUM_THREADS": "1"})
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.mark.parametrize("name", FAULTS)
def test_refused(name, results):
    result, said = results[name], FAULTS[name][1]
    assert result["error"] is not None, "the file was run"
    assert result["error"][0] == "ModelFileError", result
    assert "m.onnx: " in result["error"][1]
    assert len(result["error"][1]) < 500
    assert any(word in result["error"][1] for word in said.split("|")), result["error"][1]
    assert result["events"] == []
    assert result["seconds"] < SECONDS, result
    assert result["memory"] < MEMORY, result


def test_inspected_as_text(tmp_path):
    """Names in a file are shown in lines of their own, without what moves a terminal's cursor."""
    (tmp_path / "m.onnx").write_bytes(whole([node(LONG)], {LONG: [1]}).SerializeToString())
    lines = inspect(tmp_path / "m.onnx").splitlines()
    assert all(line.isprintable() and len(line) < 500 for line in lines) and len(lines) == 7


@pytest.mark.parametrize("make", [lambda folder: GOOD, lambda f: external(f).SerializeToString(),
                                  lambda f: external_attribute(f, "m.onnx.data").SerializeToString()],
                         ids=["whole", "external", "attribute"])
def test_a_good_file_does_nothing_else_either(tmp_path, make):
    (tmp_path / "m.onnx").write_bytes(make(tmp_path))
    [result] = probe([tmp_path / "m.onnx"], tmp_path)
    assert (result["error"], result["events"]) == (None, []), result


def outcome(data: bytes) -> str:
    """What became of a file: refused, refused at run, or run."""
    x = np.array([[1, 2, 0, 3]])
    try:
        model = load_onnx(data)
    except ModelFileError as error:
        assert str(error).startswith("bytes: ")
        return "refused"
    try:
        model.run([x for _ in model.inputs])
    except ValueError:      # of an input, too: a changed file may declare another one
        return "refused at run"
    return "run"


def test_cut_off():
    data = onnx_model(good_model()).SerializeToString()
    lengths = sorted({int(n) for n in np.linspace(0, len(data) - 1, PLACES)})
    results = in_a_child(lambda: (outcome(data[:length]) for length in lengths))
    assert results == ["refused"] * len(lengths)


def test_one_byte_changed():
    """A protobuf has no checksum: what is left of the structure is checked, and a number may be another."""
    data = onnx_model(good_model()).SerializeToString()
    places = np.random.default_rng(0).integers(0, len(data), PLACES)

    def work():
        for place in places:
            broken = bytearray(data)
            broken[place] ^= 1 << int(place % 8)
            yield outcome(bytes(broken))

    results = in_a_child(work)
    assert len(results) == PLACES
    assert results.count("refused") > 20 and results.count("run") > 20


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.sampled_from(["set", "cut", "insert", "copy"]),
                          st.integers(0, 255)), min_size=1, max_size=4))
def test_changed_at_random(edits):
    data = bytearray(GOOD)
    for place, what, byte in edits:
        place %= len(data)
        if what == "set":
            data[place] = byte
        elif what == "cut":
            del data[place:place + byte % 8 + 1]
        elif what == "insert":
            data.insert(place, byte)
        else:
            data[place:place] = data[place:place + byte]
    assert outcome(bytes(data)) in ("refused", "refused at run", "run")


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(["sizes", "attribute", "operator", "input", "dtype"]), st.integers(0, 10**6),
       st.sampled_from([0, 1, -1, 2, 7, 1 << 31, 1 << 62, -(1 << 63)]))
def test_changed_in_its_structure(what, place, value):
    """Values that are well formed, and wrong."""
    model = onnx.ModelProto.FromString(GOOD)
    nodes, constants = model.graph.node, model.graph.initializer
    some, constant = nodes[place % len(nodes)], constants[place % len(constants)]
    if what == "sizes":
        if constant.dims:
            constant.dims[place % len(constant.dims)] = value
        if constant.data_type == TensorProto.INT64 and constant.raw_data:
            constant.raw_data = np.full(len(constant.raw_data) // 8, value, "<i8").tobytes()
    elif what == "attribute" and len(some.attribute):
        some.attribute[place % len(some.attribute)].i = value
        some.attribute[place % len(some.attribute)].type = onnx.AttributeProto.INT
    elif what == "operator":
        some.op_type = nodes[value % len(nodes)].op_type
    elif what == "input" and len(some.input):
        some.input[place % len(some.input)] = ["", *(c.name for c in constants)][value % (len(constants) + 1)]
    elif what == "dtype":
        constant.data_type = value % 20
    assert outcome(model.SerializeToString()) in ("refused", "refused at run", "run")
