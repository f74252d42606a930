# SPDX-License-Identifier: Apache-2.0
"""Models to ONNX files."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from fastrnn.layers.base import Shape
from fastrnn.layers.network import Network
from fastrnn.models.sequential import Sequential
from fastrnn.saving import files
from fastrnn.saving.onnx import layers
from fastrnn.saving.onnx.builder import GraphBuilder

#: From the first in which every operator used has the form that is written, to the last that is tested.
OPSETS = range(14, 22)
#: What a message of protobuf can hold, and so a file without others beside it.
_LARGEST = (2 << 30) - 1


def export_onnx(model: Any, filepath: Any, opset: int = 17, states: bool = False, overwrite: bool = True) -> None:
    """Write a model to an ONNX file, for ONNX Runtime and others that read the format.

    The graph of a `Sequential` has the input "input", the batch first, and the output "output", that of another model
    its `input_names` and `output_names` ("x_out" for an output whose name an input has); sizes that may vary are free
    in it. A layer that is called several times has its weights in the file once.
    Dropout, which acts in training alone, is left out. Layers after an `Embedding` with mask_zero ignore what it
    masks, wherever in a sequence that is: the steps that count are moved to its front, the node is given their number
    as sequence_lens, and its outputs are moved back.

    Args:
        model: a built one.
        filepath: of the file, usually with the suffix `.onnx`.
        opset: version of ONNX's operators, 14 to 21.
        states: the graph takes the first states of each recurrent layer as inputs, where no other layer gives them:
            "lstm_h" and "lstm_c" for a layer named "lstm" ("bidirectional_forward_h" and so on in a `Bidirectional`,
            "encoder_lstm_h" in a model named "encoder", "lstm_h_1" at a second call), each (batch, units); and it
            gives the last ones as outputs, "lstm_h_out" and "lstm_c_out":
            to feed a long sequence in pieces (but not to layers that go backwards, which begin with the last piece).
            Without, every call starts from zeros, stateful layers too.
        overwrite: replace a file that is there.

    Raises:
        TypeError: it is no model.
        ValueError: the model is not built, or has something that ONNX lacks; says which layer and what.
        FileExistsError: there is a file and `overwrite` is False.
        ImportError: onnx is not installed.
        OSError: the file cannot be written; an old one is as it was.

    Example:

    >>> import os, tempfile, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_onnx(model, os.path.join(folder, "encoder.onnx"))
    ...     os.listdir(folder)
    ['encoder.onnx']

    ONNX Runtime runs it by ``onnxruntime.InferenceSession("encoder.onnx").run(None, {"input": x})``.
    """
    data = onnx_model(model, opset, states).SerializeToString()
    if not overwrite and os.path.exists(filepath):
        raise FileExistsError(f"{os.fspath(filepath)}: there is a file already; pass overwrite=True to replace it")
    files.write_whole(filepath, lambda file: file.write(data))


def onnx_model(model: Any, opset: int = 17, states: bool = False) -> Any:
    """A model as onnx's ModelProto; see `export_onnx`."""
    if not isinstance(model, Network):
        raise TypeError(f"export_onnx model: expected a Sequential or a Model, got {type(model).__name__}; put layers "
                        "into one")
    if opset not in OPSETS:
        raise ValueError(f"{model}: export_onnx expected an opset from {OPSETS[0]} to {OPSETS[-1]}, got {opset!r}")
    if not model.built:
        raise ValueError(f"{model}: build the model before it is exported, by build(input_shape) or a first call")
    if sum(weight.data.nbytes for weight in model.weights) > _LARGEST - (1 << 20):
        raise ValueError(f"{model}: an ONNX file holds 2 GB; save the model as .safetensors")
    graph = GraphBuilder(model.dtype, opset, states)
    line = isinstance(model, Sequential)
    names = ["input"] if line else model.input_names
    inputs = [graph.add_input(name, "int64" if kind == "index" else model.dtype,
                              _free(symbol.shape, "" if line else name))
              for name, kind, symbol in zip(names, input_kinds(model), model.inputs)]
    outputs, _ = layers.add_all(graph, model, inputs, [None] * len(inputs))
    graph.scope = ""
    for y, name, symbol in zip(outputs, ["output"] if line else _output_names(model, graph), model.outputs):
        graph.add_output(y, name, _free(symbol.shape, "" if line else name))
    for value, name, shape in graph.final:
        graph.add_output(value, name, shape)
    return graph.model(model.name, "")


def input_kinds(model: Any) -> list[str]:
    """Of each input "index" where it holds whole numbers, as a layer that reads it needs them, else "float"."""
    takers = model.schedule().takers
    return ["index" if "index" in {taker.kind for taker in takers[index]} or np.dtype(symbol.dtype).kind in "iu"
            else "float" for index, symbol in enumerate(model.inputs)]


def _output_names(model: Any, graph: GraphBuilder) -> list[str]:
    """The names of the outputs; one that an input has gets an ending."""
    taken = {value.name for value in graph.inputs}
    return [f"{name}_out" if name in taken else name for name in model.output_names]


def _free(shape: Shape, name: str) -> list[Any]:
    """A shape in ONNX's terms: sizes that may vary have names, those of one input or output where that is named."""
    names = ("batch", f"{name}_time" if name else "time")
    return [(names[axis] if axis < len(names) else f"{name}_size_{axis}" if name else f"size_{axis}")
            if size is None else size for axis, size in enumerate(shape)]
