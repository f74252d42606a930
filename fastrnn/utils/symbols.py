# SPDX-License-Identifier: Apache-2.0
"""What programs ask of symbols."""

from __future__ import annotations

from typing import Any


def get_source_inputs(tensor: Any) -> list[Any]:
    """The inputs that a symbol depends on.

    Args:
        tensor: the symbol.

    Returns:
        The symbols of `Input`s, each once.

    >>> import fastrnn
    >>> a, b = fastrnn.Input((3,), name="a"), fastrnn.Input((3,), name="b")
    >>> [symbol.name for symbol in get_source_inputs(fastrnn.layers.add([a, b]))]
    ['a', 'b']
    """
    found: dict[int, Any] = {}
    seen: set[int] = set()
    waiting = [tensor]
    while waiting:
        symbol = waiting.pop()
        if id(symbol) in seen:
            continue
        seen.add(id(symbol))
        if symbol.node.inputs:
            waiting += reversed(list(symbol.node.inputs))
        else:
            found[id(symbol)] = symbol
    return list(found.values())
