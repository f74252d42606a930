# SPDX-License-Identifier: Apache-2.0
"""The state dict of what PyTorch's programs save: alone, or in a checkpoint beside an epoch and the like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from fastrnn.saving.errors import MAX_DEPTH, ModelFileError, check_name, shown
from fastrnn.saving.torch.pickle_values import WAY_OUT, Opaque, kind_of

#: Keys that an error names.
_MOST_SHOWN = 10


def state_dict(found: Any, key: str | None, file: str, place: str, ignore: Sequence[str] = ()) -> Mapping[str, Any]:
    """The tensors or arrays by name, nothing else among them.

    Args:
        found: what was saved.
        key: of the state dict in a checkpoint; None where `found` is the state dict.
        file, place: where it is from, for errors.
        ignore: modules with all that is inside, or single weights, that are left out, whatever they are: names, or
            patterns with `*`; "" is what belongs to no module inside.

    Raises:
        ModelFileError: it is no state dict, and if there are some in it, under which keys; there is no such key, or
            nothing of a name or pattern to ignore.

    Example:

    >>> import numpy as np
    >>> state_dict({"epoch": 3, "model": {"e.weight": np.ones(2)}}, "model", "m.pt", "data.pkl")
    {'e.weight': array([1., 1.])}
    """
    inside = found
    if key is not None and isinstance(found, Mapping):
        if key not in found:
            hint = "; it is a state dict itself: leave out key" if _is_state_dict(found) else ""
            raise ModelFileError(file, place, f"there is no key {shown(key)}; there are {listed(found)}{hint}")
        inside, place = found[key], f"{place}, {shown(key)}".removeprefix(", ")
    if not isinstance(inside, Mapping):
        raise ModelFileError(file, place, f"expected a state dict, got {kind_of(inside)}; {WAY_OUT}")
    if key is None and (keys := state_dicts(found)):
        raise ModelFileError(file, place, f"expected a state dict, got a dictionary with the keys {listed(found)}; say "
                                          f"which is wanted: key={listed(keys, ' or key=')}")
    deep = next((name for name in inside if isinstance(name, str) and name.count(".") > MAX_DEPTH), None)
    if deep is not None:
        raise ModelFileError(file, place, f"expected at most {MAX_DEPTH} modules inside each other, got {shown(deep)}")
    inside = _without(inside, ignore, file, place)
    for name, tensor in inside.items():
        check_name(name, file, place)
        if not _is_tensor(tensor):
            raise ModelFileError(file, place, f"expected {shown(name)} to be a tensor, got {kind_of(tensor)}; the "
                                              f"keys are {listed(inside)}; {WAY_OUT}")
    return inside


def _without(inside: Mapping[Any, Any], ignore: Sequence[str], file: str, place: str) -> Mapping[Any, Any]:
    """A state dict without what is ignored."""
    if not ignore:
        return inside
    names = [name for name in inside if isinstance(name, str)]
    left = set[Any]()
    for pattern in ignore:
        found = {name for name in names
                 if any(one == pattern or fnmatchcase(one, pattern) for one in _around(name))}
        if not found:
            modules = dict.fromkeys(name.rpartition(".")[0] for name in names)
            raise ModelFileError(file, place, f"ignore names {shown(pattern)}, and there is no such module; there are "
                                              f"{listed(modules)}")
        left |= found
    return {name: value for name, value in inside.items() if name not in left}


def _around(name: str) -> Iterator[str]:
    """A weight and the modules that it is in; "" only for a weight that is in none.

    >>> list(_around("encoder.rnn.bias_hh_l0")), list(_around("scale"))
    (['encoder.rnn.bias_hh_l0', 'encoder.rnn', 'encoder'], ['scale', ''])
    """
    yield name
    if "." not in name:
        yield ""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def state_dicts(found: Any) -> list[str]:
    """The keys of the state dicts in a checkpoint; of one that is there twice, the first.

    >>> import numpy as np
    >>> state_dicts({"epoch": 3, "model": {"e.weight": np.ones(2)}, "optimizer": {"state": {}}})
    ['model']
    """
    if not isinstance(found, Mapping):
        return []
    # A pickle can hold one dictionary under many keys: each is looked at once, or the time would be without bound.
    first: dict[int, str] = {}
    for key, value in found.items():
        if isinstance(key, str) and isinstance(value, Mapping):
            first.setdefault(id(value), key)
    return [key for key in first.values() if _is_state_dict(found[key])]


def _is_state_dict(value: Mapping[Any, Any]) -> bool:
    return bool(value) and all(isinstance(name, str) and _is_tensor(tensor) for name, tensor in value.items())


def _is_tensor(value: Any) -> bool:
    """PyTorch's, NumPy's, or a `Tensor` of a file."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def listed(keys: Iterable[Any], separator: str = ", ", most: int = _MOST_SHOWN) -> str:
    """Keys or names as an error may show them: the first few.

    >>> listed(["encoder.lstm", "out"])
    "'encoder.lstm', 'out'"
    """
    texts = [shown(key) if isinstance(key, (str, int, Opaque)) else kind_of(key) for key in keys]
    more = len(texts) - most
    return separator.join(texts[:most]) + (f" and {more} more" if more > 0 else "")
