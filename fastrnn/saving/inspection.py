# SPDX-License-Identifier: Apache-2.0
"""What is in a model file, told without making anything of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fastrnn.graph.graph import reads
from fastrnn.layers.core.input import InputLayer
from fastrnn.layers.network import Network
from fastrnn.models.sequential import Sequential
from fastrnn.saving import files, locations, safetensors
from fastrnn.saving.contents import Contents, places_of
from fastrnn.saving.errors import MAX_COUNT, MAX_DEPTH, MAX_NAME, ModelFileError, check_name, shown
from fastrnn.saving.keras import hdf5
from fastrnn.saving.keras.hdf5 import Group
from fastrnn.saving.locations import Place
from fastrnn.saving.onnx import graph as onnx_graph
from fastrnn.saving.onnx.graph import Graph
from fastrnn.saving.reading import open_model
from fastrnn.saving.tensors import Tensor
from fastrnn.saving.torch import archive as torch_archive
from fastrnn.saving.torch.checkpoint import state_dict, state_dicts
from fastrnn.saving.torch.state_files import format_of


def inspect(filepath: Any) -> str:
    """The layers of a model file, their output shapes, weights and sizes; of a file of weights alone, its arrays; of an
    ONNX file its inputs, nodes, constants and outputs.

    Nothing is built, and no weight is read.

    Args:
        filepath: of the file, a PyTorch or ONNX one among them (for that one, see `load_onnx`, also the file of data
            beside it); without a suffix, that of a `.safetensors` file. PyTorch's files are known by their first bytes,
            whatever their names (`.pt`, `.pth`, `.ckpt`, `.model`). Of a PyTorch checkpoint the state dicts are shown,
            each under its key.

    Raises:
        ModelFileError: a ValueError; the file is broken, or has something that fastrnn does not.
        FileNotFoundError: there is no such file.
        ImportError: h5py, which Keras's formats need, is not installed.

    Example:

    >>> import os, tempfile, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.Dense(2, name="out")], name="m")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(os.path.join(folder, "m"))
    ...     print(inspect(os.path.join(folder, "m")).partition(": ")[2])
    Sequential 'm', input (None, None, 3), not compiled
      Dense 'out': (None, None, 2), 8 parameters
        dense/kernel  (3, 2)  float32
        dense/bias    (2,)    float32
    8 parameters in 2 arrays, 32 bytes
    """
    path = files.named(filepath)
    found_as = format_of(path)
    if found_as == "torch":
        tensors = _states(path)
    elif found_as == "safetensors" and not path.endswith(files.NATIVE):
        tensors = safetensors.read(files.mapped(path), path)[0]
    elif path.endswith(files.ONNX):
        return "\n".join(_graph(onnx_graph.read_file(path)))
    else:
        path = files.existing(path)
        if _has_model(path):
            found = open_model(path)
            places = places_of(found.model, path)
            return "\n".join(_model(found, places, found.find(places)))
        tensors = _arrays(path)
    return "\n".join([f"{path}: weights alone", *_rows(tensors, "  "), _total(tensors)])


def _has_model(path: str) -> bool:
    suffix = files.suffix_of(path)
    if suffix == ".safetensors":
        return "config" in safetensors.read(files.mapped(path), path)[1]
    if suffix in (".h5", ".hdf5"):
        return hdf5.open_file(files.mapped(path), path).text("model_config") is not None
    return suffix == ".keras"


def _arrays(path: str) -> dict[str, Tensor]:
    if files.suffix_of(path) == ".safetensors":
        return safetensors.read(files.mapped(path), path)[0]
    found: dict[str, Tensor] = {}
    for tensor in _walk(hdf5.open_file(files.mapped(path), path), path, set()):
        if len(found) == MAX_COUNT:
            raise ModelFileError(path, tensor.place, f"expected at most {MAX_COUNT} arrays")
        found[tensor.place] = tensor
    return found


def _states(path: str) -> dict[str, Tensor]:
    """The tensors of a PyTorch file's state dict, or of each in a checkpoint."""
    found, place = torch_archive.load(files.mapped(path), path)
    keys = [check_name(key, path, place) for key in state_dicts(found)]
    if not keys:
        return dict(state_dict(found, None, path, place))
    return {f"{key}: {name}": tensor for key in keys for name, tensor in state_dict(found, key, path, place).items()}


def _walk(group: Group, path: str, seen: set[int]) -> Iterator[Tensor]:
    # A group inside itself never ends, and thirty with two links each to the next have a billion ways through them.
    if group.address in seen:
        raise ModelFileError(path, group.place, "a group that links lead to in several ways is not allowed")
    seen.add(group.address)
    if group.place.count("/") == MAX_DEPTH:
        raise ModelFileError(path, group.place, f"expected at most {MAX_DEPTH} groups inside each other")
    for name in group.names():
        if group.is_group(name):
            yield from _walk(group.group(name), path, seen)
        else:
            yield group.tensor(name)


def _model(found: Contents, places: list[Place], tensors: list[Tensor]) -> Iterator[str]:
    model = found.model
    compiled = "compiled" if found.training else "not compiled"
    inputs = model.input_shape if isinstance(model, Sequential) else ", ".join(
        f"{name!r} {symbol.shape}" for name, symbol in zip(model.input_names, model.inputs))
    yield f"{found.file}: {_kind(model)} '{model.name}', input {inputs}, {compiled}"
    stored = {place.native: tensor for place, tensor in zip(places, tensors, strict=True)}
    yield from _layers(model, {id(part.layer): part.native for part in locations.parts(model)}, stored, "  ")
    if not isinstance(model, Sequential):
        yield f"  output {', '.join(_reference(symbol, model.graph) for symbol in model.outputs)}"
    yield _total(stored)


def _layers(model: Any, natives: dict[int, str], stored: dict[str, Tensor], indent: str) -> Iterator[str]:
    """The layers of a model, what each is called on, and its arrays; what is in a wrapper is shown with it."""
    for layer in model.layers:
        path = natives[id(layer)]
        own = {name: tensor for name, tensor in stored.items() if name.startswith(f"{path}/")}
        count = sum(math.prod(tensor.shape) for tensor in own.values())
        calls = [] if model.graph is None else model.graph.nodes_of(layer)
        shapes = [symbol.shape for symbol in calls[0].outputs] if calls else [layer.batch_shape]
        line = f"{indent}{_kind(layer)} '{layer.name}': {', '.join(map(str, shapes))}"
        if not isinstance(layer, InputLayer):
            line += f", {count:,} parameters"
        if not isinstance(model, Sequential) and calls:
            line += f", on {'; '.join(', '.join(_reference(s, model.graph) for s in reads(call)) for call in calls)}"
        yield line
        if isinstance(layer, Network):
            yield from _layers(layer, natives, stored, f"{indent}  ")
        else:
            yield from _rows(own, f"{indent}  ")


def _kind(layer: Any) -> str:
    return type(layer).__name__


def _reference(symbol: Any, graph: Any) -> str:
    """A symbol by its layer; where that is called several times, which call; where it has several outputs, which:
    "'encoder' call 2 [1]"."""
    calls = [id(node) for node in graph.nodes_of(symbol.node.layer)]
    call = f" call {calls.index(id(symbol.node)) + 1}" if len(calls) > 1 else ""
    return f"'{symbol.name}'{call}{'' if symbol.node.single else f' [{symbol.index}]'}"


def _graph(graph: Graph) -> Iterator[str]:
    yield f"{graph.file}: ONNX graph of opset {graph.opset}, {len(graph.nodes)} nodes"
    for kind, values in (("input", graph.inputs), ("output", graph.outputs)):
        for value in values:
            shape = "any shape" if value.shape is None else value.shape
            yield f"  {kind} {shown(value.name)}: {shape} {value.dtype or 'of any dtype'}"
    for node in graph.nodes:
        yield f"  {node}: {shown(', '.join(node.inputs))} -> {shown(', '.join(node.outputs))}"
    yield "  constants:"
    yield from _rows(graph.constants, "    ")
    yield _total(graph.constants)


def _rows(tensors: Mapping[str, Tensor | np.ndarray], indent: str) -> Iterator[str]:
    # Names in an ONNX graph are any text, which may be long or move a terminal's cursor.
    told = [name if name.isprintable() and len(name) <= MAX_NAME else shown(name) for name in tensors]
    names = max(map(len, told), default=0)
    shapes = max((len(str(tensor.shape)) for tensor in tensors.values()), default=0)
    for name, tensor in zip(told, tensors.values()):
        yield f"{indent}{name:<{names}}  {tensor.shape!s:<{shapes}}  {tensor.dtype.name}"


def _total(tensors: Mapping[str, Tensor | np.ndarray]) -> str:
    count = sum(math.prod(tensor.shape) for tensor in tensors.values())
    size = sum(math.prod(tensor.shape) * tensor.dtype.itemsize for tensor in tensors.values())
    return f"{count:,} parameters in {len(tensors)} arrays, {size:,} bytes"
