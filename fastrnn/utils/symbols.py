# SPDX-License-Identifier: Apache-2.0
"""What programs ask of symbols, and how they start with a clean slate."""

from __future__ import annotations

from typing import Any

from fastrnn.graph.symbol import Symbol
from fastrnn.layers.base import reset_names


def is_keras_tensor(x: Any) -> bool:
    """Whether something is a symbol, as `Input` and calls on symbols give them.

    Args:
        x: anything.

    >>> import fastrnn
    >>> is_keras_tensor(fastrnn.Input((3,))), is_keras_tensor([3])
    (True, False)
    """
    return isinstance(x, Symbol)


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


def clear_session(free_memory: bool = True) -> None:
    """Start the numbering of layers' names anew; there is no other state that models share.

    Args:
        free_memory: without effect: a model's memory is free when nothing refers to it.

    >>> import fastrnn
    >>> clear_session()
    >>> fastrnn.layers.Dense(1).name
    'dense'
    """
    reset_names()
