# SPDX-License-Identifier: Apache-2.0
"""The layers and the weights of a layer of the user's own: those that its attributes hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastrnn.layers.calling import Calling
from fastrnn.layers.variable import Variable

NOT_INSIDE = ("_default_call", "_nodes", "_graph", "_schedules", "_stateful", "_variables", "_plan")


def sublayers_of(layer: Any) -> list[Any]:
    """The layers that attributes hold, in lists and dictionaries too, each once, in the order of the attributes."""
    found: dict[int, Any] = {}
    for name, value in vars(layer).items():
        if name not in NOT_INSIDE and name not in layer.not_inside:
            for inner in _all_in(value, Calling):
                found.setdefault(id(inner), inner)
    return list(found.values())


def take_variables(layer: Any, value: Any) -> None:
    """Make weights of the layer of the variables that a value is or holds, those aside that are weights already."""
    for variable in _all_in(value, Variable):
        known = [*layer._variables, *(weight for inner in sublayers_of(layer) for weight in inner.weights)]
        if not any(weight is variable for weight in known):
            variable.path = f"{layer.name}/{variable.name}"
            layer._variables.append(variable)


def take_all_variables(layer: Any) -> None:
    """As `take_variables`, of all attributes: lists and dictionaries grow after they are set."""
    for name, value in list(vars(layer).items()):
        if name not in NOT_INSIDE and isinstance(value, (list, tuple, Mapping)):
            take_variables(layer, value)


def _all_in(value: Any, kind: type) -> Iterator[Any]:
    """What is of a kind: the value, or in lists and dictionaries what they hold."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _all_in(part, kind)
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _all_in(part, kind)
