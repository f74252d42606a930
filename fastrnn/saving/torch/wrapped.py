# SPDX-License-Identifier: Apache-2.0
"""Weights that PyTorch's programs keep in parts, or under another name, and compute when the module is called."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from fastrnn.saving.errors import ModelFileError, shown
from fastrnn.saving.torch.checkpoint import listed


class _Wrapper(NamedTuple):
    """What keeps them so.

    Attributes:
        name: of the function.
        ends: of the names that there are in the place of the weight's own.
        way_out: what gives the weight back, called before the state dict is saved.
    """

    name: str
    ends: tuple[str, ...]
    way_out: str


_WRAPPERS = (
    _Wrapper("torch.nn.utils.weight_norm", ("_g", "_v"), "torch.nn.utils.remove_weight_norm"),
    _Wrapper("torch.nn.utils.prune", ("_orig", "_mask"), "torch.nn.utils.prune.remove"),
    _Wrapper("torch.nn.utils.spectral_norm", ("_orig", "_u", "_v"), "torch.nn.utils.remove_spectral_norm"),
)
#: WeightDrop, of AWD-LSTM and fastai, keeps a weight before dropout, which is the one that inference takes.
_RAW = "_raw"
#: Of module "rnn", the parts of "weight_hh_l0" are in the module "rnn.parametrizations.weight_hh_l0".
_PARAMETRIZED = re.compile(r"(?:(.+)\.)?(parametrizations\.([^.]+))")


def check_plain(modules: Mapping[str, Collection[str]], wanted: Collection[str], file: str) -> None:
    """Refuse weights in parts, and say how they are put together.

    Args:
        modules: names of weights, by module.
        wanted: which of the modules layers are made of.
        file: for errors.

    Raises:
        ModelFileError: a wanted module has such weights.
    """
    parametrized: dict[str, dict[str, list[str]]] = {}
    for name, weights in modules.items():
        if (match := _PARAMETRIZED.fullmatch(name)) and any(part.startswith("original") for part in weights):
            owner, inside, weight = match.groups("")
            if owner in wanted or name in wanted:
                parametrized.setdefault(owner, {})[weight] = [f"{inside}.{part}" for part in weights]
    for owner, parts_of in parametrized.items():
        raise _refusal(file, owner, [*itertools.chain(*parts_of.values())], [*parts_of],
                       "torch.nn.utils.parametrize has",
                       _call("torch.nn.utils.parametrize.remove_parametrizations", next(iter(parts_of))))
    for name, weights in modules.items():
        for wrapper in _WRAPPERS if name in wanted else ():
            if stems := _stems(weights, wrapper.ends):
                parts = [stem + end for stem in stems for end in wrapper.ends]
                raise _refusal(file, name, parts, stems, f"{wrapper.name} has", _call(wrapper.way_out, stems[0]))
        inner = f"{name}.module".removeprefix(".")      # the module that fastai's WeightDropout is around
        if (name in wanted or inner in wanted) and (stems := _stems(weights, [_RAW])):
            start = f"{inner if inner in modules else name}.".removeprefix(".")
            raw = f"{name}.{stems[0]}{_RAW}".removeprefix(".")
            raise _refusal(file, name, [stem + _RAW for stem in stems], stems, "WeightDrop has",
                           f"state[{shown(start + stems[0])}] = state.pop({shown(raw)})")


def _stems(weights: Collection[str], ends: Iterable[str]) -> list[str]:
    """The names of weights which are there with each of these ends."""
    first, *_ = ends
    stems = [name.removesuffix(first) for name in weights if name.endswith(first)]
    return [stem for stem in stems
            if stem.startswith(("weight", "bias")) and all(stem + end in weights for end in ends)]


def _call(function: str, weight: str) -> str:
    return f"{function}(module, {shown(weight)})"


def _refusal(file: str, module: str, parts: list[str], stems: list[str], wrapper: str, way_out: str) -> ModelFileError:
    return ModelFileError(file, f"module '{module}'", f"{listed(parts)} stand in the place of {listed(stems)}, as "
                          f"{wrapper} it; make plain weights of them, and save the state dict anew: {way_out}"
                          f"{', and so for each' if len(stems) > 1 else ''}")
