# SPDX-License-Identifier: Apache-2.0
"""Graphs as ONNX files, run by ONNX Runtime and by fastrnn: the predictions of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import fastrnn
from fastrnn.saving import export_onnx, load_onnx
from tests.saving import graph_zoo


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options)


def run(path: Path, xs: list[np.ndarray]) -> list[list[np.ndarray]]:
    """What ONNX Runtime and fastrnn give."""
    onnx.checker.check_model(str(path))
    opened = session(path)
    feed = {value.name: x.astype("int64") if "int" in value.type else x
            for value, x in zip(opened.get_inputs(), xs, strict=True)}
    return [opened.run(None, feed), list(load_onnx(path).run(feed))]


def close(model: Any, path: Path, xs: list[np.ndarray]) -> None:
    expected = graph_zoo.outputs(model, xs)
    for found in run(path, xs):
        for got, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("opset", [14, 21])
@pytest.mark.parametrize("name", graph_zoo.GRAPHS)
def test_predictions(name, opset, tmp_path):
    model = graph_zoo.make(fastrnn, name)
    export_onnx(model, tmp_path / "m.onnx", opset=opset)
    for samples in (1, 5):
        close(model, tmp_path / "m.onnx", graph_zoo.inputs(model, samples, seed=samples))


def test_names(tmp_path):
    model = graph_zoo.make(fastrnn, "dictionaries")
    export_onnx(model, tmp_path / "m.onnx")
    opened = session(tmp_path / "m.onnx")
    assert [value.name for value in opened.get_inputs()] == ["a", "z"]
    assert [value.name for value in opened.get_outputs()] == ["one", "two"]


def test_shared_weights_are_stored_once(tmp_path):
    model = graph_zoo.make(fastrnn, "one-layer-over-its-own-output")
    export_onnx(model, tmp_path / "m.onnx")
    constants = onnx.load(tmp_path / "m.onnx").graph.initializer
    kernel = model.layers[1].kernel.shape[0] * model.layers[1].kernel.shape[1]
    assert sum(np.prod(constant.dims) == kernel for constant in constants) <= 2    # of the input and of the state


def test_states_of_a_graph(tmp_path):
    """Only layers that no others give states to take them from outside."""
    model = graph_zoo.make(fastrnn, "encoder-decoder")
    export_onnx(model, tmp_path / "m.onnx", states=True)
    opened = session(tmp_path / "m.onnx")
    assert [value.name for value in opened.get_inputs()] == ["source", "target", "encoder_h", "encoder_c"]
    assert [value.name for value in opened.get_outputs()][1:] == ["encoder_h_out", "encoder_c_out"]


def test_an_input_that_is_given_out(tmp_path):
    x = fastrnn.Input((3,), name="x")
    model = fastrnn.Model(x, [x, fastrnn.layers.Dense(2)(x)])
    export_onnx(model, tmp_path / "m.onnx")
    close(model, tmp_path / "m.onnx", graph_zoo.inputs(model))


def test_whole_numbers(tmp_path):
    """Indices through an operation and a merge, and comparisons."""
    layers, words = fastrnn.layers, fastrnn.Input((6,), dtype="int32", name="words")
    both = layers.concatenate([words[:, 1:], words[:, :1]])
    model = fastrnn.Model(words, [layers.GRU(2)(layers.Embedding(graph_zoo.WORDS, 3)(both)), words > 4])
    export_onnx(model, tmp_path / "m.onnx")
    xs = graph_zoo.inputs(model)
    expected = graph_zoo.outputs(model, xs)
    for found in run(tmp_path / "m.onnx", xs):
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(found[1].astype(bool), expected[1].astype(bool))
