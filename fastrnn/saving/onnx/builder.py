# SPDX-License-Identifier: Apache-2.0
"""A graph of ONNX in the making: nodes, constants, inputs and outputs, each with a name of its own."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from fastrnn._version import __version__
from fastrnn.saving.optional import package


class GraphBuilder:
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
        self.kinds: dict[str, str] = {}     # of the values that are not of the graph's own dtype: "int64", "bool"
        self._names: dict[str, int] = {}
        self._shared: dict[Any, str] = {}

    def unique(self, name: str) -> str:
        """A name that nothing in the graph has."""
        count = self._names[name] = self._names.get(name, -1) + 1
        return f"{name}_{count}" if count else name

    def constant(self, value: Any, name: str, dtype: Any = None) -> str:
        """A tensor of the file, which has each once; of the graph's own dtype if none is named."""
        array = np.array(value, dtype or self.dtype, order="C")
        key = array.shape, array.dtype.str, hashlib.sha256(array.data).digest()
        if key not in self._shared:
            self._shared[key] = name = self.unique(f"{self.scope}/{name}")
            self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return self._shared[key]

    def kind(self, value: str) -> str:
        """The dtype of a value."""
        return self.kinds.get(value, self.dtype)

    def of_kind(self, value: str, kind: str) -> str:
        """A value as one of another dtype."""
        if self.kind(value) == kind:
            return value
        number = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        return self.as_kind(self.add("Cast", value, to=number), kind)

    def as_kind(self, value: str, kind: str) -> str:
        """Take down of which dtype a value is."""
        self.kinds[value] = kind
        return value

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
        return self.as_kind(name, dtype)

    def add_output(self, value: str, name: str, shape: Any) -> None:
        """Give a value out under this name."""
        name = self.unique(name)
        self.nodes.append(self.onnx.helper.make_node("Identity", [value], [name], self.unique("Identity")))
        self.outputs.append(self._information(name, self.kind(value), shape))

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
