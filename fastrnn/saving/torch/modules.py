# SPDX-License-Identifier: Apache-2.0
"""A layer of each kind of PyTorch's modules, by the names and shapes of its weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Embedding, Input, LayerNormalization, SimpleRNN
from fastrnn.layers.base import Layer
from fastrnn.layers.recurrent import Recurrent
from fastrnn.models.sequential import Sequential
from fastrnn.saving import layouts
from fastrnn.saving.errors import ModelFileError, shown
from fastrnn.saving.tensors import Tensor, check_fits
from fastrnn.saving.torch.checkpoint import listed

#: The modules that there is a layer for.
KINDS = "LSTM, GRU, RNN, their cells, Linear, Embedding, LayerNorm"
_CELLS: dict[int, type[Recurrent]] = {cell.gates: cell for cell in (SimpleRNN, GRU, LSTM)}
_RECURRENT_WEIGHT = re.compile(r"(weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)_l(0|[1-9]\d{0,3})(_reverse)?")
#: What LayerNorm adds to the variance unless told otherwise.
_TORCH_EPSILON = 1e-5
#: Units for each number of a projected state.
_WIDEST_PROJECTION = 8


class Module:
    """The weights of one module."""

    def __init__(self, file: str, name: str, weights: Mapping[str, Tensor]) -> None:
        self.file, self.name, self.weights = file, name, weights
        self.dtype = "float64" if any(tensor.dtype == np.float64 for tensor in weights.values()) else "float32"

    def __contains__(self, weight: str) -> bool:
        return weight in self.weights

    @property
    def title(self) -> str:
        """What errors call it."""
        return f"module '{self.name}'"

    def error(self, problem: str) -> ModelFileError:
        """An error that names the file and the module."""
        return ModelFileError(self.file, self.title, problem)

    def options(self, kind: str) -> dict[str, Any]:
        """Arguments of the module's one layer."""
        return {"name": self.name or kind, "dtype": self.dtype}

    def check(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Refuse weights that are missing, left over, or of other shapes or kinds of numbers."""
        missing, left = shapes.keys() - self.weights.keys(), self.weights.keys() - shapes.keys()
        if missing:
            names = [*sorted(left), *(name for name in self.weights if name not in left)]   # what is odd is not cut off
            raise self.error(f"weight {shown(min(missing))} is missing; there are {listed(names)}")
        if left:
            raise self.error(f"weight {shown(min(left))} belongs to nothing that fastrnn knows of such a module; there "
                             f"are {listed(self.weights)}")
        for weight, shape in shapes.items():
            check_fits(self.weights[weight], self.file, shape, self.dtype, f"{self.title}, '{weight}'")

    def shape(self, weight: str) -> tuple[int, ...]:
        """That of one of the weights."""
        return self.weights[weight].shape

    def read(self, weight: str) -> np.ndarray:
        """The values; they may be the file's own memory, or the caller's."""
        return self.weights[weight].read()


def maker(module: Module, nonlinearity: str | Mapping[str, str], linear: bool) -> Callable[[], Layer] | None:
    """What makes a module's layer, after everything about it was checked; None for a module of another kind.

    Args:
        module: its weights.
        nonlinearity: of RNN modules, "tanh" or "relu", or that by module name.
        linear: whether a matrix alone is that of a Linear, or else of an Embedding.
    """
    names = module.weights.keys()
    cell = "weight_ih" in names and "weight_hh" in names
    if cell or any(_RECURRENT_WEIGHT.fullmatch(name) for name in names):
        given = nonlinearity.get(module.name, "tanh") if isinstance(nonlinearity, Mapping) else nonlinearity
        if given not in ("tanh", "relu"):
            raise ValueError(f"from_torch nonlinearity: expected 'tanh' or 'relu', got {shown(given)}")
        return _recurrent(module, given, cell)
    if "weight" in names:
        shape = module.shape("weight")
        if names == {"weight", "bias"} and shape == module.shape("bias") and shape:
            return _layer_norm(module)
        if len(shape) == 2:
            return _linear(module) if "bias" in names or linear else _embedding(module)
    return None


def _linear(module: Module) -> Callable[[], Layer]:
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


def _embedding(module: Module) -> Callable[[], Layer]:
    rows, width = module.shape("weight")
    module.check({"weight": (rows, width)})
    _positive(module, rows, width)

    def make() -> Layer:
        layer = Embedding(rows, width, **module.options("embedding"))
        layer.stored["embeddings"] = np.array(module.read("weight"), layer.dtype, order="C")
        layer.build((None, None))
        return layer

    return make


def _layer_norm(module: Module) -> Callable[[], Layer]:
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


def _recurrent(module: Module, nonlinearity: str, single: bool) -> Callable[[], Layer]:
    """Of an LSTM, a GRU or an RNN, or, if single, of one step of one, an LSTMCell, a GRUCell or an RNNCell: the same
    weights, in whose names no layer is numbered."""
    def names(kind: str, k: int, directions: Sequence[str]) -> list[str]:
        return [kind if single else f"{kind}_l{k}{end}" for end in directions]

    first = [*names("weight_ih", 0, [""]), *names("weight_hh", 0, [""])]
    if not all(name in module and len(module.shape(name)) == 2 for name in first):
        raise module.error(f"expected matrices {' and '.join(first)}; there are {listed(module.weights)}")
    (rows, width), (_, state) = (module.shape(name) for name in first)
    _positive(module, rows, width, state)
    projected = not single and "weight_hr_l0" in module     # proj_size: the state has fewer numbers than the cell
    units = rows // 4 if projected else state
    cell = _CELLS.get(rows // units) if units else None
    if cell is None or rows % units:
        raise module.error(f"expected {first[1]} of (4 H, H) for an LSTM, (3 H, H) for a GRU or (H, H) for an RNN, "
                           f"got {module.shape(first[1])}")
    if units > _WIDEST_PROJECTION * state:
        raise module.error(f"proj_size {state} is too small for {units} units: fastrnn's LSTM for it would take "
                           f"{units // state} times the memory; at most {_WIDEST_PROJECTION} are accepted")
    ends = [""] if single else [end for end in layouts.TORCH_DIRECTIONS if f"weight_ih_l0{end}" in module]
    depth = 1 + max((int(match[2]) for match in map(_RECURRENT_WEIGHT.fullmatch, module.weights) if match), default=0)
    depth = 1 if single else min(depth, len(module.weights))    # a number in a name is no reason to count that far
    kinds = layouts.TORCH_KINDS[:4 if names("bias_ih", 0, [""])[0] in module else 2]
    shapes = dict[str, tuple[int, ...]]()
    for k in range(depth):
        inputs = width if k == 0 else len(ends) * state
        of_kinds = ((rows, inputs), (rows, state), (rows,), (rows,))
        for kind, shape in zip(kinds, of_kinds):
            shapes |= dict.fromkeys(names(kind, k, ends), shape)
        if projected:
            shapes |= dict.fromkeys(names("weight_hr", k, ends), (state, units))
    module.check(shapes)

    def make() -> Layer:
        model = Sequential([Input((None, width))], name=module.name or None)
        for k in range(depth):
            name = f"{module.name or cell.__name__.lower()}_l{k}"
            options: dict[str, Any] = {"activation": nonlinearity} if cell is SimpleRNN else {}
            layer: Any = cell(units, use_bias=len(kinds) == 4, return_sequences=True, dtype=module.dtype, name=name,
                              **options)
            layer = Bidirectional(layer) if len(ends) == 2 else layer
            projections = list(map(module.read, names("weight_hr", k, ends))) if projected else []
            stored = [map(module.read, names(kind, k, ends)) for kind in kinds]
            for i, (inner, of_one) in enumerate(zip(layer.sublayers() or [layer], zip(*stored))):
                weight_ih, weight_hh, *biases = of_one
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


def _positive(module: Module, *sizes: int) -> None:
    if not all(sizes):
        raise module.error("a weight has an axis of length 0")
