# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs run in this process, with the interface of `onnx.backend.base`, and without onnx.

`prepare`, `run_model`, `run_node`, `supports_device` and `is_compatible` of this module are what onnx's tools expect
of a backend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn.saving import files, onnx_pointwise, onnx_shapes
from fastrnn.saving.errors import ModelFileError, shown
from fastrnn.saving.onnx_graph import OPSETS, Graph, Node, Unsupported, Value, read_graph, read_node
from fastrnn.saving.onnx_recurrent import RecurrentNode
from fastrnn.saving.onnx_room import Room
from fastrnn.saving.protobuf import Message

_OPERATORS = {**onnx_pointwise.OPERATORS, **onnx_shapes.OPERATORS}
_RECURRENT = ("GRU", "LSTM", "RNN")
#: Inputs of a node that an error tells of; recurrent nodes have at most as many.
_MOST_SHOWN = 8
#: What NumPy raises where values or shapes do not fit an operator.
_UNFIT = (ValueError, TypeError, IndexError, ArithmeticError, MemoryError, AttributeError, KeyError)

Step = Callable[[Sequence[Any], Room], Any]     # a RecurrentNode, or an operator's function for one node


def load_onnx(source: Any, max_bytes: int | None = None) -> OnnxModel:
    """A graph of an ONNX file, to be run.

    Recurrent nodes run on fastrnn's kernels; the operators around them, as PyTorch, tf2onnx and Keras export them, on
    NumPy. Needs no package onnx. Nothing but the file given is read, nothing that it names is imported or called.

    Args:
        source: path of a file, its bytes, or onnx's ModelProto. `OnnxModel.run` takes and gives arrays of the shapes
            and dtypes that the graph says, which the attributes `inputs` and `outputs` have.
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
        data, file = memoryview(source.SerializeToString()), "ModelProto"
    elif isinstance(source, (bytes, bytearray, memoryview)):
        data, file = memoryview(source), "bytes"
    else:
        file = files.named(source)
        data = files.mapped(file)
    return OnnxModel(read_graph(data, file), max_bytes)


class OnnxModel:
    """A graph that can be run, from several threads at once too; `load_onnx` makes it.

    Attributes:
        inputs, outputs: each with its name, dtype and shape, as the file declares them.
    """

    def __init__(self, graph: Graph, max_bytes: int | None = None) -> None:
        self.file, self.inputs, self.outputs = graph.file, graph.inputs, graph.outputs
        self._max_bytes = max_bytes
        self._constants = dict(graph.constants)
        steps = [(node, self._step(node)) for node in graph.nodes]
        size = sum(constant.nbytes for constant in self._constants.values())
        # What depends on no input is made once, now; but loading is not to take long, whatever a file asks for.
        room, work = Room((32 << 20) + 2 * size), (128 << 20) + 16 * size
        self._steps = []
        for node, step in steps:
            constant = all(not name or name in self._constants for name in node.inputs)
            work -= sum(self._constants[name].nbytes for name in node.inputs if name) if constant else 0
            if constant and work > 0:
                made = self._outputs(node, step, self._constants, room)
                self._constants.update(made)
                work -= sum(array.nbytes for array in made.values())
            else:
                self._steps.append((node, step))
        for node, step in self._steps:
            if isinstance(step, RecurrentNode):
                step.constant = all(not name or name in self._constants for name in node.inputs[1:4] + node.inputs[7:])
        self._last_uses = self._uses()

    def run(self, inputs: Any, **kwargs: Any) -> tuple[np.ndarray, ...]:
        """The outputs.

        Args:
            inputs: arrays by name; or in the order of `inputs`; or the one array.

        Raises:
            ValueError: an input is missing or does not fit.
            ModelFileError: a ValueError; a node cannot take what reaches it, or there is no room for what it gives.
        """
        values: dict[str, np.ndarray] = {**self._constants, **self._given(inputs)}
        size = sum(value.nbytes for value in values.values())
        room = Room((32 << 20) + 64 * size if self._max_bytes is None else self._max_bytes)
        for (node, step), over in zip(self._steps, self._last_uses):
            values.update(self._outputs(node, step, values, room))
            for name in over:
                room.give_back(values.pop(name))
        return tuple(np.ascontiguousarray(values[value.name]).reshape(values[value.name].shape)
                     for value in self.outputs)

    # one node ------------------------------------------------------------------------------------------------------

    def _step(self, node: Node) -> Step:
        if node.operator in _RECURRENT:
            try:
                return RecurrentNode(node)
            except Unsupported as error:
                raise self._error(node, str(error)) from None
        operator = _OPERATORS.get(node.operator)
        if operator is None:
            raise self._error(node, f"the operator {shown(node.operator)} is not supported, only those that are "
                                    "usual around recurrent nodes; export this part of the model apart")
        return lambda inputs, room: operator(node, inputs, room)

    def _outputs(self, node: Node, step: Step, values: Mapping[str, np.ndarray], room: Room) -> dict[str, np.ndarray]:
        given = [values[name] if name else None for name in node.inputs]
        try:
            with np.errstate(all="ignore"):
                found = step(given, room)
            node.check_attributes()
        except Unsupported as error:
            raise self._error(node, str(error)) from None
        except ModelFileError:
            raise
        except _UNFIT as error:
            shapes = ", ".join("none" if x is None else f"{x.dtype} {x.shape}" for x in given[:_MOST_SHOWN])
            shapes += f" and {len(given) - _MOST_SHOWN} more" if len(given) > _MOST_SHOWN else ""
            raise self._error(node, f"cannot take inputs {shapes}: {shown(str(error))}") from None
        results = found if isinstance(found, tuple) else (found,)
        if len(node.outputs) > len(results):
            raise self._error(node, f"gives {len(results)} outputs, the file expects {len(node.outputs)}")
        named = {name: np.asarray(result) for name, result in zip(node.outputs, results) if name}
        for result in named.values():
            room.take(result)
        return named

    def _error(self, node: Node, problem: str) -> ModelFileError:
        return ModelFileError(self.file, str(node), problem)

    def _uses(self) -> list[list[str]]:
        """The values that are needed no more, after each step."""
        kept = {*self._constants, *(value.name for value in (*self.inputs, *self.outputs))}
        over: list[list[str]] = []
        for node, _ in reversed(self._steps):
            names = {name for name in (*node.inputs, *node.outputs) if name and name not in kept}
            kept |= names
            over.append(sorted(names))
        return over[::-1]

    # inputs --------------------------------------------------------------------------------------------------------

    def _given(self, inputs: Any) -> dict[str, np.ndarray]:
        names = [value.name for value in self.inputs]
        if isinstance(inputs, np.ndarray):
            inputs = [inputs]
        given = dict(inputs) if isinstance(inputs, Mapping) else dict(zip(names, inputs))
        count = len(given) if isinstance(inputs, Mapping) else len(inputs)
        if set(given) != set(names) or count != len(names):
            raise ValueError(f"{self.file}: expected the inputs {', '.join(names) or 'none'}, got {count}: "
                             f"{', '.join(map(str, given))}")
        return {value.name: self._checked(value, given[value.name]) for value in self.inputs}

    def _checked(self, value: Value, given: Any) -> np.ndarray:
        try:
            array = np.asarray(given) if isinstance(given, (np.ndarray, np.generic)) else np.asarray(given, value.dtype)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.file}: input {value.name}: expected {value.dtype}, got {type(given).__name__}: "
                             f"{error}") from None
        if array.dtype.kind not in "fiub" or (value.dtype is not None and array.dtype.name != value.dtype):
            raise ValueError(f"{self.file}: input {value.name}: expected {value.dtype}, got {array.dtype}; convert it, "
                             f"e.g. by x.astype({value.dtype!r})")
        shape = value.shape
        if shape is not None and (array.ndim != len(shape) or any(
                size is not None and size != got for size, got in zip(shape, array.shape))):
            raise ValueError(f"{self.file}: input {value.name}: expected shape {shape}, got {array.shape}")
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


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
    found = read_node(Message(memoryview(node.SerializeToString()), "NodeProto", "node"), opset)
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
