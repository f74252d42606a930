# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs of recurrent nodes that tests share, and what runs them to compare."""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from fastrnn.saving import load_onnx

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
DEFAULTS = {"RNN": ["Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}
KINDS = {np.dtype("float32"): TensorProto.FLOAT, np.dtype("float64"): TensorProto.DOUBLE,
         np.dtype("int32"): TensorProto.INT32, np.dtype("int64"): TensorProto.INT64, np.dtype(bool): TensorProto.BOOL}
T, N, D, H = 5, 3, 2, 4


def graph(node, arrays, constants=(), opset=17):
    """A model of one node, or several, whose inputs are `arrays` but for those that are constants."""
    nodes = node if isinstance(node, list) else [node]
    inputs = [helper.make_tensor_value_info(name, KINDS[a.dtype], None) for name, a in arrays.items()
              if name not in constants]
    outputs = [helper.make_empty_tensor_value_info(name) for name in nodes[-1].output if name]
    stored = [numpy_helper.from_array(arrays[name], name) for name in constants]
    return helper.make_model(helper.make_graph(nodes, "g", inputs, outputs, stored),
                             opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def by_runtime(model, feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def assert_same(got, expected, tolerance=1e-6):
    assert len(got) == len(expected)
    for one, two in zip(got, expected):
        assert (one.shape, one.dtype) == (two.shape, two.dtype)
        if one.size and one.dtype.kind == "f":
            assert np.abs(one - two).max() <= tolerance * max(1, np.abs(two).max())
        else:
            np.testing.assert_array_equal(one, two)


def recurrent(operator, rng, lengths=True, initial=True, bias=True, peepholes=False, directions=1, layout=0,
              dtype="float32"):
    """The inputs of a recurrent node, by name."""
    g = GATES[operator]

    def random(*shape):
        return rng.uniform(-0.7, 0.7, shape).astype(dtype)

    arrays = {"X": random(T, N, D), "W": random(directions, g * H, D), "R": random(directions, g * H, H)}
    if bias:
        arrays["B"] = random(directions, 2 * g * H)
    if lengths:
        arrays["sequence_lens"] = np.array([T, 2, 3], np.int32)
    if initial:
        arrays["initial_h"] = random(directions, N, H)
        if operator == "LSTM":
            arrays["initial_c"] = random(directions, N, H)
    if peepholes:
        arrays["P"] = random(directions, 3 * H)
    if layout:
        arrays.update({name: arrays[name].swapaxes(0, 1).copy() for name in ("X", "initial_h", "initial_c")
                       if name in arrays})
    return arrays


def node_of(operator, arrays, **attributes):
    places = ["X", "W", "R", "B", "sequence_lens", "initial_h", *(["initial_c", "P"] if operator == "LSTM" else [])]
    inputs = [name if name in arrays else "" for name in places]
    outputs = ["Y", "Y_h", *(["Y_c"] if operator == "LSTM" else [])]
    return helper.make_node(operator, inputs, outputs, name="n", hidden_size=H, **attributes)


def check_beside_runtime(operator, arrays, tolerance=1e-6, **attributes):
    model = graph(node_of(operator, arrays, **attributes), arrays)
    assert_same(load_onnx(model).run(arrays), by_runtime(model, arrays), tolerance)
    stored = graph(node_of(operator, arrays, **attributes), arrays,
                   [name for name in "WRBP" if name in arrays])
    feeds = {name: a for name, a in arrays.items() if name not in "WRBP"}
    loaded = load_onnx(stored)
    for _ in range(2):
        assert_same(loaded.run(feeds), by_runtime(model, arrays), tolerance)
