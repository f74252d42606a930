# SPDX-License-Identifier: Apache-2.0
"""Models to ONNX files."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from fastrnn._version import __version__
from fastrnn.layers.base import Shape
from fastrnn.layers.chain import Chain
from fastrnn.saving import files
from fastrnn.saving.onnx import layers
from fastrnn.saving.optional import package

#: From the first in which every operator used has the form that is written, to the last that is tested.
OPSETS = range(14, 22)
#: What a message of protobuf can hold, and so a file without others beside it.
_LARGEST = (2 << 30) - 1


class Graph:
    """The nodes of a graph in the order they are made, its constants, and its inputs and outputs.

    Attributes:
        dtype: "float32" or "float64", of all that is not an index.
        states: whether recurrent layers take their states from inputs and give them to outputs.
    """

    def __init__(self, dtype: str, opset: int, states: bool) -> None:
        self.onnx = package("onnx", "writing ONNX files needs", "onnx")
        self.dtype, self.opset, self.states = dtype, opset, states
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.final: list[tuple[str, str, Any]] = []     # last states: value, name of the output, shape
        self.scope = ""             # the layer that nodes are made for, which is in their names
        self._names: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """A name that nothing in the graph has."""
        count = self._names[name] = self._names.get(name, -1) + 1
        return f"{name}_{count}" if count else name

    def constant(self, value: Any, name: str, dtype: Any = None) -> str:
        """A tensor of the file; of the graph's own dtype if none is named."""
        name = self.unique(f"{self.scope}/{name}")
        array = np.array(value, dtype or self.dtype, order="C")
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output, whose name is given back."""
        return self.add_many(operator, inputs, ("",), **attributes)[0]

    def add_many(self, operator: str, inputs: Any, outputs: Any, **attributes: Any) -> list[str]:
        """A node whose outputs are told apart by these endings of their names, which are given back."""
        name = self.unique(f"{self.scope}/{operator}")
        results = [f"{name}.{output}" if output else name for output in outputs]
        self.nodes.append(self.onnx.helper.make_node(operator, list(inputs), results, name, **attributes))
        return results

    def add_input(self, name: str, dtype: str, shape: Any) -> str:
        """An input of the graph, whose name is given back."""
        name = self.unique(name)
        self.inputs.append(self._information(name, dtype, shape))
        return name

    def add_output(self, value: str, name: str, shape: Any) -> None:
        """Give a value out under this name."""
        name = self.unique(name)
        self.nodes.append(self.onnx.helper.make_node("Identity", [value], [name], self.unique("Identity")))
        self.outputs.append(self._information(name, self.dtype, shape))

    def _information(self, name: str, dtype: str, shape: Any) -> Any:
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.onnx.helper.make_tensor_value_info(name, kind, shape)

    def model(self, name: str, text: str) -> Any:
        """The whole, as onnx's ModelProto."""
        helper = self.onnx.helper
        graph = helper.make_graph(self.nodes, name, self.inputs, self.outputs, self.constants, text)
        opset = helper.make_opsetid("", self.opset)
        return helper.make_model(graph, opset_imports=[opset], producer_name="fastrnn", producer_version=__version__,
                                 ir_version=helper.find_min_ir_version_for([opset]))


def export_onnx(model: Any, filepath: Any, opset: int = 17, states: bool = False, overwrite: bool = True) -> None:
    """Write a model to an ONNX file, for ONNX Runtime and others that read the format.

    The graph has the input "input", the batch first, and the output "output"; sizes that may vary are free in it.
    Dropout, which acts in training alone, is left out. Layers after an `Embedding` with mask_zero ignore what it
    masks, wherever in a sequence that is: the steps that count are moved to its front, the node is given their number
    as sequence_lens, and its outputs are moved back.

    Args:
        model: a built `Sequential`.
        filepath: of the file, usually with the suffix `.onnx`.
        opset: version of ONNX's operators, 14 to 21.
        states: the graph takes the first states of each recurrent layer as inputs, "lstm_h" and "lstm_c" for a layer
            named "lstm" ("bidirectional_forward_h" and so on in a `Bidirectional`, "encoder_lstm_h" in a `Sequential`
            named "encoder"), each (batch, units), and gives the last ones as outputs, "lstm_h_out" and "lstm_c_out":
            to feed a long sequence in pieces (but not to layers that go backwards, which begin with the last piece).
            Without, every call starts from zeros, stateful layers too.
        overwrite: replace a file that is there.

    Raises:
        TypeError: it is no `Sequential`.
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
    if not isinstance(model, Chain):
        raise TypeError(f"export_onnx model: expected a Sequential, got {type(model).__name__}; put layers into one")
    if opset not in OPSETS:
        raise ValueError(f"{model}: export_onnx expected an opset from {OPSETS[0]} to {OPSETS[-1]}, got {opset!r}")
    if not model.built:
        raise ValueError(f"{model}: build the model before it is exported, by build(input_shape) or a first call")
    if sum(weight.data.nbytes for weight in model.weights) > _LARGEST - (1 << 20):
        raise ValueError(f"{model}: an ONNX file holds 2 GB; save the model as .safetensors")
    graph = Graph(model.dtype, opset, states)
    kind = "int64" if model.input_kind == "index" else model.dtype
    x: str = graph.add_input("input", kind, _free(model.input_shape))
    x, _ = layers.add_all(graph, model, x, None)
    graph.scope = ""
    graph.add_output(x, "output", _free(model.output_shape))
    for value, name, shape in graph.final:
        graph.add_output(value, name, shape)
    return graph.model(model.name, "")


def _free(shape: Shape) -> list[Any]:
    """A shape in ONNX's terms: sizes that may vary have names."""
    names = ("batch", "time")
    return [(names[axis] if axis < len(names) else f"size_{axis}") if size is None else size
            for axis, size in enumerate(shape)]
