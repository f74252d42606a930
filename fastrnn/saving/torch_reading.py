# SPDX-License-Identifier: Apache-2.0
"""Layers from PyTorch's modules, by the names and shapes in a state dict."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Embedding, Input, LayerNormalization, SimpleRNN
from fastrnn.layers.base import Layer
from fastrnn.layers.recurrent import Recurrent
from fastrnn.models.sequential import Sequential
from fastrnn.saving import files, layouts, safetensors, torch_archive
from fastrnn.saving.errors import ModelFileError, shown
from fastrnn.saving.tensors import Tensor, check_fits
from fastrnn.saving.torch_checkpoint import listed, state_dict

_CELLS: dict[int, type[Recurrent]] = {1: SimpleRNN, 3: GRU, 4: LSTM}      # by the number of gates
_RECURRENT_WEIGHT = re.compile(r"(weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)_l(0|[1-9]\d{0,3})(_reverse)?")
#: What LayerNorm adds to the variance unless told otherwise.
_TORCH_EPSILON = 1e-5
#: Units for each number of a projected state.
_WIDEST_PROJECTION = 8
_STATE_DICT = "the state dict"


def from_torch(source: Any, prefix: str | None = None, nonlinearity: str | Mapping[str, str] = "tanh",
               linear: str | Sequence[str] = (), key: str | None = None) -> Any:
    """Layers with the weights of PyTorch's modules; PyTorch need not be installed.

    An LSTM, GRU or RNN becomes one `Sequential` of its stacked layers, each of them `Bidirectional` if the module is,
    which gives the outputs of all steps; a Linear becomes a `Dense`, an Embedding an `Embedding`, a LayerNorm a
    `LayerNormalization` with PyTorch's epsilon, 1e-5. Inputs are always (batch, time, features), whatever `batch_first`
    was. The layers are float64 where the module's weights are, else float32. An LSTM with `proj_size` becomes an LSTM,
    whose state is not projected, and a `Dense`: the same outputs from more weights. Dropout between the layers,
    activations, `padding_idx` and another epsilon (set `layer.epsilon`) are in no state dict.

    Nothing that a file names is imported or called; of the pickle in a `.pt` file, only what tensors need is read.

    Args:
        source: a state dict (a dictionary of tensors or arrays by name), or a file: `.safetensors`, or what
            `torch.save(model.state_dict(), path)` wrote: `.pt`, `.pth`, `.bin`. Or a checkpoint, in which the state
            dict is beside an epoch, an optimizer's state and the like.
        prefix: name of the one module that is wanted, "encoder.lstm"; None takes all.
        nonlinearity: of RNN modules, which a state dict does not say: "tanh" or "relu", or that by module name.
        linear: names of the Linear modules without bias, or one name; a matrix alone is else taken for an Embedding.
        key: of the state dict in a checkpoint, "model_state_dict"; what else the checkpoint holds is left.

    Returns:
        The layers by module name ("" is the module itself that the state dict is of), or with a prefix one layer.

    Raises:
        ModelFileError: a ValueError; a module is of a kind that fastrnn does not have, shapes do not fit together,
            a weight is left that belongs to nothing, the source is a checkpoint and no key is given, or the file is
            broken: says what, and where.
        FileNotFoundError: there is no such file.
        TypeError: the source is neither; of a module, give its `state_dict()`.

    Example:

    >>> state = {"rnn.weight_ih_l0": np.ones((8, 3)), "rnn.weight_hh_l0": np.ones((8, 2)),
    ...          "out.weight": np.ones((5, 2)), "out.bias": np.zeros(5)}
    >>> layers = from_torch(state)
    >>> layers["out"](layers["rnn"](np.zeros((1, 4, 3)))).shape
    (1, 4, 5)
    >>> from_torch({"epoch": 3, "model": state}, prefix="rnn", key="model").layers[0].units
    2
    """
    tensors, file = _tensors(source, key)
    modules: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        module, _, weight = name.rpartition(".")
        modules.setdefault(module, {})[weight] = tensor
    wanted = modules if prefix is None else {prefix: modules.get(prefix, {})}
    if not modules:
        raise ModelFileError(file, "", "expected a state dict with weights, got one without")
    if not all(wanted.values()):
        raise ModelFileError(file, "", f"there is no module {shown(prefix)} with weights of its own; there are "
                                       f"{listed(modules)}")
    linear = [linear] if isinstance(linear, str) else linear
    named = set(linear) | (set(nonlinearity) if isinstance(nonlinearity, Mapping) else set())
    if named - modules.keys():
        raise ModelFileError(file, "", f"linear or nonlinearity names {shown(min(named - modules.keys()))}, and there "
                                       f"is no such module; there are {listed(modules)}")
    makers = {name: _maker(_Module(file, name, weights), nonlinearity, name in linear)
              for name, weights in wanted.items()}
    layers = {name: make() for name, make in makers.items()}    # now that all of them are known to fit
    return layers if prefix is None else layers[prefix]


def is_state_dict(path: str) -> bool:
    """Whether a file is one of PyTorch's, by its suffix; of a `.safetensors` file, by what it says that it is."""
    if not path.endswith(files.NATIVE):
        return path.endswith(files.TORCH)
    metadata = safetensors.read(files.mapped(path), path)[1]
    return metadata.get("format") != "fastrnn" and "config" not in metadata


def _tensors(source: Any, key: str | None) -> tuple[dict[str, Tensor], str]:
    if isinstance(source, Mapping):
        state = state_dict(source, key, _STATE_DICT, "")
        return {name: _of_array(name, value) for name, value in state.items()}, _STATE_DICT
    if hasattr(source, "state_dict"):
        raise TypeError(f"source: expected a state dict or the path of a file, got {type(source).__name__}; give its "
                        "state_dict()")
    path = files.named(source)
    suffix = os.path.splitext(path)[1]
    if suffix == files.NATIVE:
        tensors, metadata = safetensors.read(files.mapped(path), path)
        if metadata.get("format") == "fastrnn":
            raise ModelFileError(path, "", "the file is one of fastrnn's own; load it by load_model")
        return dict(state_dict(tensors, key, path, "")), path
    if suffix not in files.TORCH:
        expected = f"{', '.join(files.TORCH)} or {files.NATIVE}"
        raise ModelFileError(path, "", f"expected a file {expected}, got {shown(suffix)}")
    return torch_archive.read(files.mapped(path), path, key), path


def _of_array(name: str, value: Any) -> Tensor:
    """An array, or what has the methods of PyTorch's tensors."""
    if hasattr(value, "detach"):
        value = value.detach()
        try:
            array = np.asarray((value.float() if str(value.dtype) == "torch.bfloat16" else value).cpu().numpy())
        except (TypeError, ValueError, RuntimeError) as error:     # sparse, quantized, of no data, of numbers unknown
            raise ModelFileError(_STATE_DICT, name, f"expected a plain tensor of numbers that NumPy has, got "
                                                    f"{value.dtype}, {value.layout}: {shown(str(error))}") from None
    else:
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
            raise ValueError(f"from_torch nonlinearity: expected 'tanh' or 'relu', got {shown(given)}")
        return _recurrent(module, given)
    if "weight" in names:
        shape = module.shape("weight")
        if names == {"weight", "bias"} and shape == module.shape("bias") and shape:
            return _layer_norm(module)
        if len(shape) == 2:
            return _linear(module) if "bias" in names or linear else _embedding(module)
    hint = "; LSTMCell, GRUCell and RNNCell are single steps" if "weight_ih" in names else ""
    raise module.error(f"weights {shown(', '.join(names))}, the first of shape {module.shape(next(iter(names)))}, are "
                       f"of no module that fastrnn has a layer for: LSTM, GRU, RNN, Linear, Embedding, LayerNorm{hint}")


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


def _layer_norm(module: _Module) -> Callable[[], Layer]:
    shape = module.shape("weight")
    module.check({"weight": shape, "bias": shape})
    _positive(module, *shape)

    def make() -> Layer:
        axis = -1 if len(shape) == 1 else [*range(-len(shape), 0)]
        layer = LayerNormalization(axis, _TORCH_EPSILON, **module.options("layer_normalization"))
        layer.stored["gamma"] = np.array(module.read("weight"), layer.dtype, order="C")
        layer.stored["beta"] = np.array(module.read("bias"), layer.dtype, order="C")
        layer.build((None, *([None] if len(shape) == 1 else []), *shape))
        return layer

    return make


def _recurrent(module: _Module, nonlinearity: str) -> Callable[[], Layer]:
    first = [f"{kind}_l0" for kind in ("weight_ih", "weight_hh")]
    if not all(name in module and len(module.shape(name)) == 2 for name in first):
        raise module.error(f"expected matrices {' and '.join(first)}; there are {shown(', '.join(module.weights))}")
    (rows, width), (_, state) = (module.shape(name) for name in first)
    _positive(module, rows, width, state)
    projected = "weight_hr_l0" in module        # proj_size: the state has fewer numbers than the cell
    units = rows // 4 if projected else state
    cell = _CELLS.get(rows // units) if units else None
    if cell is None or rows % units:
        raise module.error("expected weight_hh_l0 of (4 H, H) for an LSTM, (3 H, H) for a GRU or (H, H) for an RNN, "
                           f"got {module.shape('weight_hh_l0')}")
    if units > _WIDEST_PROJECTION * state:
        raise module.error(f"proj_size {state} is too small for {units} units: fastrnn's LSTM for it would take "
                           f"{units // state} times the memory; at most {_WIDEST_PROJECTION} are accepted")
    ends = [end for end in layouts.TORCH_DIRECTIONS if f"weight_ih_l0{end}" in module]
    depth = 1 + max(int(match[2]) for match in map(_RECURRENT_WEIGHT.fullmatch, module.weights) if match)
    depth = min(depth, len(module.weights))     # a number in a name is no reason to count that far
    kinds = layouts.TORCH_KINDS[:4 if "bias_ih_l0" in module else 2]
    shapes = dict[str, tuple[int, ...]]()
    for k in range(depth):
        for end in ends:
            inputs = width if k == 0 else len(ends) * state
            of_kinds = ((rows, inputs), (rows, state), (rows,), (rows,))
            shapes |= {f"{kind}_l{k}{end}": shape for kind, shape in zip(kinds, of_kinds)}
            if projected:
                shapes[f"weight_hr_l{k}{end}"] = (state, units)
    module.check(shapes)

    def make() -> Layer:
        model = Sequential([Input((None, width))], name=module.name or None)
        for k in range(depth):
            name = f"{module.name or cell.__name__.lower()}_l{k}"
            options: dict[str, Any] = {"activation": nonlinearity} if cell is SimpleRNN else {}
            layer: Any = cell(units, use_bias=len(kinds) == 4, return_sequences=True, dtype=module.dtype, name=name,
                              **options)
            layer = Bidirectional(layer) if len(ends) == 2 else layer
            projections = [module.read(f"weight_hr_l{k}{end}") for end in ends] if projected else []
            for i, (end, inner) in enumerate(zip(ends, layer.sublayers() or [layer])):
                weight_ih, weight_hh, *biases = (module.read(f"{kind}_l{k}{end}") for kind in kinds)
                if projected:
                    weight_hh = layouts.unprojected(weight_hh, projections[i])
                found = layouts.of_torch(inner, weight_ih, weight_hh, *biases)
                inner.stored.update(zip(("kernel", "recurrent_kernel", "bias"), found))
            model.add(layer)
            if projected:
                dense = Dense(len(ends) * state, use_bias=False, dtype=module.dtype, name=f"{name}_projection")
                dense.stored["kernel"] = layouts.projection(projections, module.dtype)
                model.add(dense)
        return model

    return make


def _positive(module: _Module, *sizes: int) -> None:
    if not all(sizes):
        raise module.error("a weight has an axis of length 0")
