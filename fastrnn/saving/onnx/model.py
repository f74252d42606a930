# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs from files, run in this process, without onnx."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastrnn.saving import files
from fastrnn.saving.onnx.external import External
from fastrnn.saving.onnx.graph import Graph, Value, read_file, read_graph
from fastrnn.saving.onnx.plan import Plan
from fastrnn.saving.onnx.room import Room


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
