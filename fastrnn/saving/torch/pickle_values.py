# SPDX-License-Identifier: Apache-2.0
"""What the machine for pickles makes beside plain values, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from fastrnn.saving.errors import shown

#: What to do about a file that has more than tensors.
WAY_OUT = "save the tensors alone: torch.save(model.state_dict(), path)"


class Symbol(NamedTuple):
    """A name of the closed table, as "module name"."""

    name: str


class Opaque:
    """What was not made: of what the pickle says of it, the kind alone is kept.

    Args:
        kind: the name of a class, "argparse.Namespace", or some words.
    """

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return f"<{self.kind}>"


class Refusal(Exception):
    """What is wrong with a pickle; the caller knows in which file."""


def kind_of(value: Any) -> str:
    """What a value is, for errors; of containers no more than that: they can be without end when they are written out.

    >>> kind_of({"a": 1}), kind_of(3)
    ('a dict', '3')
    """
    plain = isinstance(value, (str, int, float)) or value is None
    if isinstance(value, Symbol):
        return shown(value.name)
    if isinstance(value, Opaque):
        return f"a value of {shown(value.kind)}, which is not made"
    return shown(value) if plain else f"a {type(value).__name__.strip('_').lower()}"


def fill(target: dict[Any, Any], items: Iterable[tuple[Any, Any]]) -> None:
    """Enter items; a key that is no text and no whole number is not made, so that its item cannot be asked for.

    Raises:
        Refusal: a key is there twice.
    """
    for key, value in items:
        if type(key) not in (str, int):
            key = Opaque(key.kind if type(key) is Opaque else f"{kind_of(key)} as a key")
        if key in target:
            raise Refusal(f"a dictionary has the key {shown(key)} twice")
        target[key] = value
