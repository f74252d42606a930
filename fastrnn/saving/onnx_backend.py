# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs run in this process, with the interface of `onnx.backend.base`, and without onnx.

`prepare`, `run_model`, `run_node`, `supports_device` and `is_compatible` of this module are what onnx's tools expect
of a backend.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastrnn.saving import files
from fastrnn.saving.onnx_external import External
from fastrnn.saving.onnx_graph import OPSETS, Graph, Value, read_file, read_graph, read_node
from fastrnn.saving.onnx_plan import Plan
from fastrnn.saving.onnx_room import Room
from fastrnn.saving.protobuf import Message


def load_onnx(source: Any, max_bytes: int | None = None) -> OnnxModel:
    """A graph of an ONNX file, to be run.

    Recurrent nodes run on fastrnn's kernels; the operators around them, as PyTorch, tf2onnx and Keras export them, on
    NumPy. Needs no package onnx. Nothing but the file given is read, and the one file beside it that it names, as
    PyTorch's exporter makes it, `encoder.onnx.data`; nothing that it names is imported or called.

    Args:
        source: path of a file, its bytes, or onnx's ModelProto. Constants in another file need the path: that one is
            looked for in the same folder, and must be a file of a plain name and no link. `OnnxModel.run` takes and
            gives arrays of the shapes and dtypes that the graph says, which the attributes `inputs` and `outputs` have.
        max_bytes: how much memory the values of one run may take; a run that would take more is refused. None for 64
            times what its inputs and the file's constants take, and 32 MB.

    Raises:
        ModelFileError: a ValueError; the file is broken, or has an operator or attribute that is not supported: says
            which node, and what.
        FileNotFoundError: there is no such file.

    Example:

    >>> import os, tempfile, fastrnn
    >>> encoder = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fastrnn.saving.export_onnx(encoder, os.path.join(folder, "encoder.onnx"))
    ...     model = load_onnx(os.path.join(folder, "encoder.onnx"))
    >>> [value.name for value in model.inputs], [value.name for value in model.outputs]
    (['input'], ['output'])
    >>> (y,) = model.run({"input": np.zeros((2, 5, 3), "float32")})
    >>> y.shape
    (2, 4)
    """
    if hasattr(source, "SerializeToString"):
        graph = read_graph(memoryview(source.SerializeToString()), "ModelProto", External(None))
    elif isinstance(source, (bytes, bytearray, memoryview)):
        graph = read_graph(memoryview(source), "bytes", External(None))
    else:
        graph = read_file(files.named(source))
    return OnnxModel(graph, max_bytes)


class OnnxModel:
    """A graph that can be run, from several threads at once too; `load_onnx` makes it.

    Attributes:
        inputs, outputs: each with its name, dtype and shape, as the file declares them.
    """

    def __init__(self, graph: Graph, max_bytes: int | None = None) -> None:
        self.file, self.inputs, self.outputs = graph.file, graph.inputs, graph.outputs
        self._max_bytes = max_bytes
        self._plan = Plan(graph)
        self._names = {value.name for value in graph.inputs}
        #: Of each input, the dtype and shape of the last array that was one.
        self._fits: list[tuple[np.dtype | None, tuple[int, ...]]] = [(None, ())] * len(graph.inputs)

    def run(self, inputs: Any, **kwargs: Any) -> tuple[np.ndarray, ...]:
        """The outputs.

        Args:
            inputs: arrays by name; or in the order of `inputs`; or the one array.

        Raises:
            ValueError: an input is missing or does not fit.
            ModelFileError: a ValueError; a node cannot take what reaches it, or there is no room for what it gives.
        """
        given = self._given(inputs)
        most = self._max_bytes
        if most is None:
            most = (32 << 20) + 64 * (self._plan.constant_bytes + sum([array.nbytes for array in given]))
        return self._plan.run(given, Room(most))

    def _given(self, inputs: Any) -> list[np.ndarray]:
        """The inputs in their order, checked."""
        if isinstance(inputs, np.ndarray):
            inputs = [inputs]
        named = isinstance(inputs, Mapping)
        if len(inputs) != len(self.inputs) or (named and not self._names.issubset(inputs)):
            names = ", ".join(value.name for value in self.inputs) or "none"
            raise ValueError(f"{self.file}: expected the inputs {names}, got {len(inputs)}"
                             f"{': ' + ', '.join(map(str, inputs)) if named and inputs else ''}")
        given = []
        for place, (value, (dtype, shape)) in enumerate(zip(self.inputs, self._fits)):
            array = inputs[value.name if named else place]
            if type(array) is not np.ndarray or array.dtype is not dtype or array.shape != shape \
                    or not array.flags.aligned:
                array = self._checked(value, array)
                self._fits[place] = array.dtype, array.shape
            given.append(array)
        return given

    def _checked(self, value: Value, given: Any) -> np.ndarray:
        """An input as an array that is aligned and native."""
        try:
            array = np.asarray(given) if isinstance(given, (np.ndarray, np.generic)) else np.asarray(given, value.dtype)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.file}: input {value.name}: expected {value.dtype}, got {type(given).__name__}: "
                             f"{error}") from None
        if array.dtype.kind not in "fiub" or (value.dtype is not None and array.dtype.name != value.dtype):
            raise ValueError(f"{self.file}: input {value.name}: expected {value.dtype}, got {array.dtype}; convert it, "
                             f"e.g. by x.astype({value.dtype!r})")
        shape = value.shape
        if shape is not None and array.shape != shape and (array.ndim != len(shape) or any(
                size is not None and size != got for size, got in zip(shape, array.shape))):
            raise ValueError(f"{self.file}: input {value.name}: expected shape {shape}, got {array.shape}")
        if array.flags.aligned and array.dtype.isnative:
            return array
        return np.require(array, array.dtype.newbyteorder("="), "A")


# onnx.backend.base --------------------------------------------------------------------------------------------------


def prepare(model: Any, device: str = "CPU", **kwargs: Any) -> OnnxModel:
    """As `load_onnx`; its `run` gives the outputs."""
    if not supports_device(device):
        raise ValueError(f"expected the device 'CPU', got {device!r}")
    return load_onnx(model)


def run_model(model: Any, inputs: Any, device: str = "CPU", **kwargs: Any) -> tuple[np.ndarray, ...]:
    """The outputs of a model for inputs, once."""
    return prepare(model, device).run(inputs)


def run_node(node: Any, inputs: Any, device: str = "CPU", outputs_info: Any = None,
             **kwargs: Any) -> tuple[np.ndarray, ...]:
    """The outputs of one node, onnx's NodeProto, for its inputs in their order, or by name."""
    if not supports_device(device):
        raise ValueError(f"expected the device 'CPU', got {device!r}")
    opset = kwargs.get("opset_version", OPSETS[-1])
    found = read_node(Message(memoryview(node.SerializeToString()), "NodeProto", "node"), opset, External(None))
    takes = [Value(name, None, None) for name in dict.fromkeys(found.inputs) if name]
    gives = [Value(name, None, None) for name in found.outputs if name]
    return OnnxModel(Graph("NodeProto", opset, [found], {}, takes, gives)).run(inputs)


def supports_device(device: str) -> bool:
    """Whether a device is the processor, which is all there is."""
    return device.split(":")[0] == "CPU"


def is_compatible(model: Any, device: str = "CPU", **kwargs: Any) -> bool:
    """Whether a model can be run."""
    try:
        prepare(model, device)
    except ValueError:
        return False
    return True
