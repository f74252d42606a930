# SPDX-License-Identifier: Apache-2.0
"""Layers from PyTorch's modules, by the names and shapes in a state dict."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn.saving import files, safetensors
from fastrnn.saving.errors import ModelFileError, shown
from fastrnn.saving.tensors import Tensor
from fastrnn.saving.torch import archive
from fastrnn.saving.torch.checkpoint import listed, state_dict
from fastrnn.saving.torch.modules import KINDS, Module, maker
from fastrnn.saving.torch.state_files import format_of
from fastrnn.saving.torch.wrapped import check_plain

_STATE_DICT = "the state dict"
#: Names that an error says to ignore: enough to be copied.
_MOST_IGNORED = 50


def from_torch(source: Any, prefix: str | None = None, nonlinearity: str | Mapping[str, str] = "tanh",
               linear: str | Sequence[str] = (), key: str | None = None, ignore: str | Sequence[str] = ()) -> Any:
    """Layers with the weights of PyTorch's modules; PyTorch need not be installed.

    An LSTM, GRU or RNN becomes one `Sequential` of its stacked layers, each of them `Bidirectional` if the module is,
    which gives the outputs of all steps; an LSTMCell, GRUCell or RNNCell the same, of one layer. A Linear becomes a
    `Dense`, an Embedding an `Embedding`, a LayerNorm a `LayerNormalization` with PyTorch's epsilon, 1e-5. Inputs are
    always (batch, time, features), whatever `batch_first` was. The layers are float64 where the module's weights are,
    else float32. An LSTM with `proj_size` becomes an LSTM, whose state is not projected, and a `Dense`: the same
    outputs from more weights. Dropout between the layers, activations, `padding_idx` and another epsilon (set
    `layer.epsilon`) are in no state dict.

    Nothing that a file names is imported or called; of the pickle in PyTorch's files, tensors and plain values are
    read, and everything else is stepped over.

    Args:
        source: a state dict (a dictionary of tensors or arrays by name), or a file: a `.safetensors` one, or what
            `torch.save(model.state_dict(), path)` wrote in any version from 0.2 on, which its first bytes say, whatever
            its name: `.pt`, `.pth`, `.bin`, `.ckpt`, `.model`, `.pkl`. Or a checkpoint, in which the state dict is
            beside an epoch, an optimizer's state, a program's own objects and the like.
        prefix: name of the one module that is wanted, "encoder.lstm"; None takes all.
        nonlinearity: of RNN modules, which a state dict does not say: "tanh" or "relu", or that by module name.
        linear: names of the Linear modules without bias, or one name; a matrix alone is else taken for an Embedding.
        key: of the state dict in a checkpoint, "model_state_dict"; what else the checkpoint holds is left.
        ignore: names of modules to leave out with all that is inside, or patterns, "bn*", "encoder.conv?": of kinds
            that fastrnn does not have, and whose part the caller computes; also single weights by their names.

    Returns:
        The layers by module name ("" is the module itself that the state dict is of), or with a prefix one layer.

    Raises:
        ModelFileError: a ValueError; a module is of a kind that fastrnn does not have, shapes do not fit together,
            a weight is left that belongs to nothing or is kept in parts (weight_norm, pruning, WeightDrop), the source
            is a checkpoint and no key is given, or the file is broken: says what, and where.
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
    >>> [*from_torch({**state, "bn1.weight": np.ones(2), "bn1.running_mean": np.ones(2)}, ignore=["bn*"])]
    ['rnn', 'out']
    """
    tensors, file = _tensors(source, key, [ignore] if isinstance(ignore, str) else ignore)
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
    check_plain(modules, wanted, file)
    found = {name: Module(file, name, weights) for name, weights in wanted.items()}
    makers = {name: maker(module, nonlinearity, name in linear) for name, module in found.items()}
    if others := [name for name, make in makers.items() if make is None]:
        raise _of_other_kinds(found, others)
    layers = {name: make() for name, make in makers.items() if make}    # now that all of them are known to fit
    return layers if prefix is None else layers[prefix]


def is_state_dict(path: str) -> bool:
    """Whether a file is one of PyTorch's; of a safetensors file, by what it says that it is."""
    found = format_of(path)
    if found != "safetensors":
        return found == "torch"
    metadata = safetensors.read(files.mapped(path), path)[1]
    return metadata.get("format") != "fastrnn" and "config" not in metadata


def _of_other_kinds(modules: Mapping[str, Module], others: Sequence[str]) -> ModelFileError:
    """What to ignore where modules are of no kind that there is a layer for."""
    kept = sorted(name.split(".") for name in modules.keys() - {*others})
    names = dict[str, None]()
    for name in others:
        # Of the kept modules, one beside it in the order of the alphabet is in the most of the same modules.
        parts = name.split(".")
        at = bisect.bisect(kept, parts)
        shared = max((_shared(parts, near) for near in kept[max(at - 1, 0):at + 1]), default=0)
        if name and shared < len(parts):
            names[".".join(parts[:shared + 1])] = None
        else:   # there are kept modules inside
            names |= dict.fromkeys(f"{name}.{weight}".removeprefix(".") for weight in modules[name].weights)
    first = modules[others[0]]
    weight, tensor = next(iter(first.weights.items()))
    return first.error(f"weights {listed(first.weights)}, {shown(weight)} of shape {tensor.shape}, are of no module "
                       f"that fastrnn has a layer for: {KINDS}; take one module by prefix, or leave out what you "
                       f"compute yourself: ignore=[{listed(names, most=_MOST_IGNORED)}]")


def _shared(one: Sequence[str], two: Sequence[str]) -> int:
    """How many parts of two names, from the first on, are the same."""
    return len([*itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, two))])


def _tensors(source: Any, key: str | None, ignore: Sequence[str]) -> tuple[dict[str, Tensor], str]:
    if isinstance(source, Mapping):
        state = state_dict(source, key, _STATE_DICT, "", ignore)
        return {name: _of_array(name, value) for name, value in state.items()}, _STATE_DICT
    if hasattr(source, "state_dict"):
        raise TypeError(f"source: expected a state dict or the path of a file, got {type(source).__name__}; give its "
                        "state_dict()")
    path = files.named(source)
    data = files.mapped(path)
    if format_of(path) == "safetensors":
        tensors, metadata = safetensors.read(data, path)
        if metadata.get("format") == "fastrnn":
            raise ModelFileError(path, "", "the file is one of fastrnn's own; load it by load_model")
        return dict(state_dict(tensors, key, path, "", ignore)), path
    return archive.read(data, path, key, ignore), path


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
