# SPDX-License-Identifier: Apache-2.0
"""Layers from PyTorch's modules, by the names and shapes in a state dict."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Embedding, Input, SimpleRNN
from fastrnn.layers.base import Layer
from fastrnn.layers.recurrent import Recurrent
from fastrnn.models.sequential import Sequential
from fastrnn.saving import files, layouts, safetensors, torch_archive
from fastrnn.saving.errors import ModelFileError, check_name, shown
from fastrnn.saving.tensors import Tensor, check_fits

_CELLS: dict[int, type[Recurrent]] = {1: SimpleRNN, 3: GRU, 4: LSTM}      # by the number of gates
_RECURRENT_WEIGHT = re.compile(r"(weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)_l(0|[1-9]\d{0,3})(_reverse)?")
_STATE_DICT = "the state dict"


def from_torch(source: Any, prefix: str | None = None, nonlinearity: str | Mapping[str, str] = "tanh",
               linear: Sequence[str] = ()) -> Any:
    """Layers with the weights of PyTorch's modules; PyTorch need not be installed.

    An LSTM, GRU or RNN becomes one `Sequential` of its stacked layers, each of them `Bidirectional` if the module is,
    which gives the outputs of all steps; a Linear becomes a `Dense`, an Embedding an `Embedding`. Inputs are always
    (batch, time, features), whatever `batch_first` was. The layers are float64 where the module's weights are, else
    float32. Dropout between the layers, activations and `padding_idx` are in no state dict.

    Nothing that a file names is imported or called; of the pickle in a `.pt` file, only what tensors need is read.

    Args:
        source: a state dict (a dictionary of tensors or arrays by name), or a file: `.safetensors`, or what
            `torch.save(model.state_dict(), path)` wrote: `.pt`, `.pth`, `.bin`.
        prefix: name of the one module that is wanted, "encoder.lstm"; None takes all.
        nonlinearity: of RNN modules, which a state dict does not say: "tanh" or "relu", or that by module name.
        linear: names of the Linear modules without bias; a matrix alone is else taken for an Embedding.

    Returns:
        The layers by module name ("" is the module itself that the state dict is of), or with a prefix one layer.

    Raises:
        ModelFileError: a ValueError; a module is of a kind that fastrnn does not have, shapes do not fit together,
            a weight is left that belongs to nothing, or the file is broken: says what, and where.
        FileNotFoundError: there is no such file.

    Example:

    >>> state = {"rnn.weight_ih_l0": np.ones((8, 3)), "rnn.weight_hh_l0": np.ones((8, 2)),
    ...          "out.weight": np.ones((5, 2)), "out.bias": np.zeros(5)}
    >>> layers = from_torch(state)
    >>> layers["out"](layers["rnn"](np.zeros((1, 4, 3)))).shape
    (1, 4, 5)
    >>> from_torch(state, prefix="rnn").layers[0].units
    2
    """
    tensors, file = _tensors(source)
    modules: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        module, _, weight = name.rpartition(".")
        modules.setdefault(module, {})[weight] = tensor
    wanted = modules if prefix is None else {prefix: modules.get(prefix, {})}
    if not wanted or not all(wanted.values()):
        raise ModelFileError(file, "", f"there is no module {prefix!r} with weights of its own; there are "
                                       f"{shown(', '.join(map(repr, modules)))}")
    named = set(linear) | (set(nonlinearity) if isinstance(nonlinearity, Mapping) else set())
    if named - modules.keys():
        raise ModelFileError(file, "", f"linear or nonlinearity names {min(named - modules.keys())!r}, and there is no "
                                       f"such module; there are {shown(', '.join(map(repr, modules)))}")
    makers = {name: _maker(_Module(file, name, weights), nonlinearity, name in linear)
              for name, weights in wanted.items()}
    layers = {name: make() for name, make in makers.items()}    # now that all of them are known to fit
    return layers if prefix is None else layers[prefix]


def _tensors(source: Any) -> tuple[dict[str, Tensor], str]:
    if isinstance(source, Mapping):
        return {check_name(name, _STATE_DICT, ""): _of_array(name, value) for name, value in source.items()}, \
            _STATE_DICT
    path = os.fspath(source)
    suffix = os.path.splitext(path)[1]
    if suffix == files.NATIVE:
        tensors, metadata = safetensors.read(files.mapped(path), path)
        if metadata.get("format") == "fastrnn":
            raise ModelFileError(path, "", "the file is one of fastrnn's own; load it by load_model")
        return tensors, path
    if suffix not in (".pt", ".pth", ".bin"):
        raise ModelFileError(path, "", f"expected a file .pt, .pth, .bin or .safetensors, got {suffix!r}")
    return torch_archive.read(files.mapped(path), path), path


def _of_array(name: str, value: Any) -> Tensor:
    """An array, or what has the methods of PyTorch's tensors."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = (value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy()
    array = np.asarray(value)
    return Tensor(name, array.shape, array.dtype, lambda: array)


class _Module:
    """The weights of one module."""

    def __init__(self, file: str, name: str, weights: Mapping[str, Tensor]) -> None:
        self.file, self.name, self.weights = file, name, weights
        self.dtype = "float64" if any(tensor.dtype == np.float64 for tensor in weights.values()) else "float32"

    def __contains__(self, weight: str) -> bool:
        return weight in self.weights

    @property
    def title(self) -> str:
        return f"module '{self.name}'"

    def error(self, problem: str) -> ModelFileError:
        return ModelFileError(self.file, self.title, problem)

    def options(self, kind: str) -> dict[str, Any]:
        """Arguments of the module's one layer."""
        return {"name": self.name or kind, "dtype": self.dtype}

    def check(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Refuse weights that are missing, left over, or of other shapes or kinds of numbers."""
        missing, left = shapes.keys() - self.weights.keys(), self.weights.keys() - shapes.keys()
        if missing:
            raise self.error(f"weight {shown(min(missing))} is missing; there are {shown(', '.join(self.weights))}")
        if left:
            raise self.error(f"weight {shown(min(left))} belongs to nothing that fastrnn knows of such a module; there "
                             f"are {shown(', '.join(self.weights))}")
        for weight, shape in shapes.items():
            check_fits(self.weights[weight], self.file, shape, self.dtype, f"{self.title}, '{weight}'")

    def shape(self, weight: str) -> tuple[int, ...]:
        return self.weights[weight].shape

    def read(self, weight: str) -> np.ndarray:
        """The values; they may be the file's own memory, or the caller's."""
        return self.weights[weight].read()


def _maker(module: _Module, nonlinearity: str | Mapping[str, str], linear: bool) -> Callable[[], Layer]:
    """What makes a module's layer, after everything about it was checked."""
    names = module.weights.keys()
    if any(_RECURRENT_WEIGHT.fullmatch(name) for name in names):
        given = nonlinearity.get(module.name, "tanh") if isinstance(nonlinearity, Mapping) else nonlinearity
        if given not in ("tanh", "relu"):
            raise ValueError(f"from_torch nonlinearity: expected 'tanh' or 'relu', got {given!r}")
        return _recurrent(module, given)
    if "weight" in names:
        rank = len(module.shape("weight"))
        if rank == 2 and ("bias" in names or linear):
            return _linear(module)
        if rank == 2:
            return _embedding(module)
        if names == {"weight", "bias"} and rank == 1:
            raise module.error("a weight and a bias of one axis are a LayerNorm's, and fastrnn has no layer for it")
    hint = "; LSTMCell, GRUCell and RNNCell are single steps" if "weight_ih" in names else ""
    raise module.error(f"weights {shown(', '.join(names))}, the first of shape {module.shape(next(iter(names)))}, are "
                       f"of no module that fastrnn has a layer for: LSTM, GRU, RNN, Linear, Embedding{hint}")


def _linear(module: _Module) -> Callable[[], Layer]:
    units, width = module.shape("weight")
    bias = "bias" in module
    module.check({"weight": (units, width), **({"bias": (units,)} if bias else {})})
    _positive(module, units, width)

    def make() -> Layer:
        layer = Dense(units, use_bias=bias, **module.options("dense"))
        layer.stored["kernel"] = np.array(module.read("weight").T, layer.dtype, order="C")
        if bias:
            layer.stored["bias"] = np.array(module.read("bias"), layer.dtype)
        layer.build((None, width))
        return layer

    return make


def _embedding(module: _Module) -> Callable[[], Layer]:
    rows, width = module.shape("weight")
    module.check({"weight": (rows, width)})
    _positive(module, rows, width)

    def make() -> Layer:
        layer = Embedding(rows, width, **module.options("embedding"))
        layer.stored["embeddings"] = np.array(module.read("weight"), layer.dtype, order="C")
        layer.build((None, None))
        return layer

    return make


def _recurrent(module: _Module, nonlinearity: str) -> Callable[[], Layer]:
    if any(name.startswith("weight_hr") for name in module.weights):
        raise module.error("an LSTM with proj_size has a projection of its state, weight_hr_l0, and no layer of "
                           "fastrnn has one")
    if "weight_ih_l0" not in module or "weight_hh_l0" not in module or not len(module.shape("weight_ih_l0")) == len(
            module.shape("weight_hh_l0")) == 2:
        raise module.error("expected matrices weight_ih_l0 and weight_hh_l0; there are "
                           f"{shown(', '.join(module.weights))}")
    (rows, units), width = module.shape("weight_hh_l0"), module.shape("weight_ih_l0")[1]
    _positive(module, rows, units, width)
    if rows % units or rows // units not in _CELLS:
        raise module.error(f"expected weight_hh_l0 of (4 H, H) for an LSTM, (3 H, H) for a GRU or (H, H) for an RNN, "
                           f"got ({rows}, {units})")
    ends = [end for end in layouts.TORCH_DIRECTIONS if f"weight_ih_l0{end}" in module]
    depth = 1 + max(int(match[2]) for match in map(_RECURRENT_WEIGHT.fullmatch, module.weights) if match)
    depth = min(depth, len(module.weights))     # a number in a name is no reason to count that far
    kinds = layouts.TORCH_KINDS[:4 if "bias_ih_l0" in module else 2]
    shapes = dict[str, tuple[int, ...]]()
    for k in range(depth):
        for end in ends:
            inputs = width if k == 0 else len(ends) * units
            of_kinds = ((rows, inputs), (rows, units), (rows,), (rows,))
            shapes |= {f"{kind}_l{k}{end}": shape for kind, shape in zip(kinds, of_kinds)}
    module.check(shapes)
    cell = _CELLS[rows // units]

    def make() -> Layer:
        model = Sequential([Input((None, width))], name=module.name or None)
        for k in range(depth):
            options: dict[str, Any] = {"activation": nonlinearity} if cell is SimpleRNN else {}
            layer: Any = cell(units, use_bias=len(kinds) == 4, return_sequences=True, dtype=module.dtype,
                              name=f"{module.name or cell.__name__.lower()}_l{k}", **options)
            layer = Bidirectional(layer) if len(ends) == 2 else layer
            for end, inner in zip(ends, layer.sublayers() or [layer]):
                _give(inner, [module.read(f"{kind}_l{k}{end}") for kind in kinds])
            model.add(layer)
        return model

    return make


def _give(layer: Any, weights: Sequence[np.ndarray]) -> None:
    names = ("kernel", "recurrent_kernel", "bias")
    layer.stored.update(zip(names, layouts.of_torch(layer, *weights)))


def _positive(module: _Module, *sizes: int) -> None:
    if not all(sizes):
        raise module.error("a weight has an axis of length 0")
