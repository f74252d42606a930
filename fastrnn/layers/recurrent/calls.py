# SPDX-License-Identifier: Apache-2.0
"""The calls of cells and layers inside a call."""

from __future__ import annotations

from typing import Any

from fastrnn.graph.call import Call, Pass


def _passing(call: Call) -> Pass:
    """What adds up the gradients of weights that several calls inside this one have: that of the whole pass, if it has
    one."""
    found: Pass = call.of("pass", Pass) if call.pass_ is None else call.pass_
    return found


def inside(call: Call, part: Any, mask: Any = None, spared: bool = False) -> Call:
    """The call of a part of a forward pass, in the same mode.

    Args:
        call: of the whole.
        part: names it.
        mask: of its input.
        spared: nobody wants the gradient of its input.
    """
    found = call.inner(part, mask)
    found.spared = frozenset([0]) if spared else frozenset()
    if call.taped:
        found.pass_ = _passing(call)
    return found


def again(call: Call, part: Any, spared: bool = False) -> Call:
    """That call, on the way back."""
    found: Call = call.of(part)
    found.spared = frozenset([0]) if spared else frozenset()
    return found


def begun(call: Call) -> Pass:
    """The pass of the calls inside, at the beginning of going back through them."""
    found = _passing(call)
    if call.pass_ is None:
        found.begin()
    return found
