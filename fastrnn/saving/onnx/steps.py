# SPDX-License-Identifier: Apache-2.0
"""What one node of an ONNX graph does in a run: from slots to slots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn.saving.onnx.graph import Node, Unsupported
from fastrnn.saving.onnx.recurrent import RecurrentNode
from fastrnn.saving.onnx.room import Room

Operator = Callable[[Sequence[Any], Room], Any]     # a RecurrentNode, or an operator's function for one node
Work = Callable[[list[Any], Room], None]            # from slots to slots


class Step(NamedTuple):
    """One node.

    Attributes:
        node: for errors.
        takes, gives: slots of its inputs and outputs.
        work: what it does.
        shares: its outputs may lie in the memory of its first input.
        counted: its outputs are counted as memory.
        in_numpy: NumPy computes it, and would warn of infinities.
    """

    node: Node
    takes: list[int]
    gives: list[int]
    work: Work
    shares: bool
    counted: bool
    in_numpy: bool


def view_work(function: Callable[[np.ndarray], np.ndarray], takes: int, gives: int, copies: bool) -> Work:
    """Of a view of one slot, which may have memory of its own."""
    def work(values: list[Any], room: Room) -> None:
        values[gives] = function(values[takes])

    def counted(values: list[Any], room: Room) -> None:
        values[gives] = result = function(values[takes])
        room.take(result)

    return counted if copies else work


def any_work(node: Node, operator: Operator, takes: Sequence[int], gives: Sequence[int]) -> Work:
    """Of any operator."""
    return lambda values, room: call(node, operator, takes, gives, values, room)


def recurrent_work(operator: RecurrentNode, takes: Sequence[int], gives: Sequence[int]) -> Work:
    """Of a recurrent node, whose attributes and number of outputs are checked already."""
    def work(values: list[Any], room: Room) -> None:
        for slot, result in zip(gives, operator([values[slot] for slot in takes], room)):
            values[slot] = result
            room.used += result.nbytes

    return work


def call(node: Node, operator: Operator, takes: Sequence[int], gives: Sequence[int], values: list[Any],
          room: Room) -> None:
    """Have an operator take its inputs from slots, and put into slots what it gives."""
    found = operator([values[slot] for slot in takes], room)
    if not node.checked:
        node.check_attributes()
    results = found if isinstance(found, tuple) else (found,)
    if len(gives) > len(results):
        raise Unsupported(f"gives {len(results)} outputs, the file expects {len(gives)}")
    for slot, result in zip(gives, results):
        values[slot] = result = np.asarray(result)
        room.take(result)
