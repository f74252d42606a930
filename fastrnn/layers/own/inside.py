# SPDX-License-Identifier: Apache-2.0
"""The layers inside a layer of the user's own: those that its attributes hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastrnn.layers.calling import Calling

NOT_INSIDE = ("_default_call", "_nodes", "_graph", "_schedules", "_stateful", "_variables")


def sublayers_of(layer: Any) -> list[Any]:
    """The layers that attributes hold, in lists and dictionaries too, each once, in the order of the attributes."""
    found: dict[int, Any] = {}
    for name, value in vars(layer).items():
        if name not in NOT_INSIDE and name not in layer.not_inside:
            for inner in _layers_in(value):
                found.setdefault(id(inner), inner)
    return list(found.values())


def _layers_in(value: Any) -> Iterator[Any]:
    if isinstance(value, Calling):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _layers_in(part)
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _layers_in(part)
