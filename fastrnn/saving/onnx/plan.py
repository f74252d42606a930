# SPDX-License-Identifier: Apache-2.0
"""A graph as a flat list of steps over numbered slots, made once when it is loaded.

What depends on constants alone is computed then, operators are looked up and recurrent weights packed, and it is known
after which step a value is needed no more; a run is a loop over functions. What depends on the inputs' shapes alone,
such as first states of zeros, is kept from one run to the next of the same shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn.saving.errors import ModelFileError, caused_by, shown
from fastrnn.saving.onnx import pointwise, views
from fastrnn.saving.onnx.graph import Graph, Node, Unsupported
from fastrnn.saving.onnx.recurrent import RecurrentNode
from fastrnn.saving.onnx.room import Room
from fastrnn.saving.onnx.shapes import OPERATORS as SHAPE_OPERATORS
from fastrnn.saving.onnx.steps import Operator, Step, Work, any_work, call, recurrent_work, view_work

#: What runs each operator but the recurrent ones.
OPERATORS = {**pointwise.OPERATORS, **SHAPE_OPERATORS}
_RECURRENT = ("GRU", "LSTM", "RNN")
#: Inputs of a recurrent node that are weights: W, R, B and P.
_WEIGHTS = (1, 2, 3, 7)
#: Inputs of a recurrent node; of others, an error tells of as many.
_MOST_INPUTS = 8
#: What NumPy raises where values or shapes do not fit an operator.
_UNFIT = (ValueError, TypeError, IndexError, ArithmeticError, MemoryError, AttributeError, KeyError)
#: Bytes of values that depend on shapes alone, up to which they are kept.
_MOST_KEPT = 1 << 20
#: The slot that has no value: of an input that a node leaves out.
_NONE = 0

_Planned = tuple[Work, Sequence[tuple[int, bool]], Step]      # with what is over after it, and the step for errors


class Plan:
    """The steps of a graph, which threads may run at the same time.

    Args:
        graph: the graph.

    Raises:
        ModelFileError: a node has an operator, attribute or constant that it cannot have.
    """

    def __init__(self, graph: Graph) -> None:
        self._file = graph.file
        constants = dict(graph.constants)
        nodes = self._folded(graph.nodes, constants)
        #: Bytes of all constants, those among them that are computed from others.
        self.constant_bytes = sum(array.nbytes for array in constants.values())
        self._values: list[Any] = [None]        # by slot: constants, and None for what a run makes
        self._slots: dict[str, int] = {"": _NONE}
        for value in graph.inputs:
            self._new_slot(value.name)
        self._inputs = slice(1, 1 + len(graph.inputs))
        steps, by_shape, shaped = list[Step](), list[Step](), set[str]()
        for node, operator in nodes:
            step = self._step(node, operator, constants)
            asks = self._asks_for_shapes(node, constants, shaped)
            if asks:
                shaped.update(name for name in node.outputs if name)
            if step is not None:
                (by_shape if asks else steps).append(step)
        outputs = [self._slot(value.name, constants) for value in graph.outputs]
        self._in_numpy = any(step.in_numpy for step in steps)
        self._outputs, over = self._lives(steps, outputs)
        self._steps: list[_Planned] = [(step.work, gone, step) for step, gone in zip(steps, over)]
        self._by_shape: list[_Planned] = [(step.work, (), step) for step in by_shape]
        self._last: tuple[list[Any], list[Any], int] = [], [], 0    # shapes, what comes of them, and its bytes

    def run(self, given: Sequence[np.ndarray], room: Room) -> tuple[np.ndarray, ...]:
        """The outputs for the inputs, in their order.

        Raises:
            ModelFileError: a node cannot take what reaches it, or there is no room for what it gives.
        """
        values = self._of_shapes(given, room) if self._by_shape else self._values.copy()
        values[self._inputs] = given
        if self._in_numpy:      # which costs as much as some steps
            with np.errstate(all="ignore"):
                self._work(self._steps, values, room)
        else:
            self._work(self._steps, values, room)
        found = []
        for slot, apart in self._outputs:
            array = values[slot]
            found.append(array.copy() if apart or not array.flags.c_contiguous else array)
        return tuple(found)

    def _of_shapes(self, given: Sequence[np.ndarray], room: Room) -> list[Any]:
        """All slots, with the values that depend on nothing but shapes."""
        shapes = [array.shape for array in given]
        known, values, size = self._last
        if shapes == known:
            room.used += size
            return values.copy()
        values = self._values.copy()
        values[self._inputs] = given
        with np.errstate(all="ignore"):
            self._work(self._by_shape, values, room)
        values[self._inputs] = [None] * len(given)      # not to keep the caller's arrays
        if room.used <= _MOST_KEPT:
            self._last = shapes, values.copy(), room.used
        return values

    def _work(self, steps: Sequence[_Planned], values: list[Any], room: Room) -> None:
        step: Any = None
        try:
            for work, over, step in steps:      # noqa: B007 (for errors)
                work(values, room)
                for slot, counted in over:
                    if counted:
                        room.give_back(values[slot])
                    values[slot] = None
        except Unsupported as error:
            raise self._error(step.node, str(error)) from None
        except _UNFIT as error:
            raise self._unfit(step.node, [values[slot] for slot in step.takes], error) from None

    # errors --------------------------------------------------------------------------------------------------------

    def _error(self, node: Node, problem: str) -> ModelFileError:
        return ModelFileError(self._file, str(node), problem)

    def _unfit(self, node: Node, given: Sequence[Any], error: Exception) -> ModelFileError:
        shapes = ", ".join("none" if x is None else f"{x.dtype} {x.shape}" for x in given[:_MOST_INPUTS])
        shapes += f" and {len(given) - _MOST_INPUTS} more" if len(given) > _MOST_INPUTS else ""
        return caused_by(error, self._file, str(node), f"cannot take inputs {shapes}: {shown(str(error))}")

    # constants -----------------------------------------------------------------------------------------------------

    def _operator(self, node: Node) -> Operator:
        if node.operator in _RECURRENT:
            try:
                operator = RecurrentNode(node)
                node.check_attributes()
                operator.check_outputs(len(node.outputs))
                return operator
            except Unsupported as error:
                raise self._error(node, str(error)) from None
        function = OPERATORS.get(node.operator)
        if function is None:
            raise self._error(node, f"the operator {shown(node.operator)} is not supported, only those that are "
                                    "usual around recurrent nodes; export this part of the model apart")
        return lambda inputs, room: function(node, inputs, room)

    def _folded(self, nodes: Sequence[Node], constants: dict[str, np.ndarray]) -> list[tuple[Node, Operator]]:
        """The nodes that depend on an input; what the others give is added to the constants. But loading is not to take
        long, whatever a file asks for: what would is left to runs."""
        size = sum(constant.nbytes for constant in constants.values())
        room, work = Room((32 << 20) + 2 * size), (128 << 20) + 16 * size
        left = []
        for node, operator in [(node, self._operator(node)) for node in nodes]:
            if work > 0 and all(not name or name in constants for name in node.inputs):
                work -= sum(constants[name].nbytes for name in node.inputs if name)
                given = [_aligned(constants, name) if name else None for name in node.inputs]
                made = self._made(node, operator, given, room)
                constants.update(made)
                work -= sum(array.nbytes for array in made.values())
            else:
                left.append((node, operator))
        return left

    def _made(self, node: Node, operator: Operator, given: list[Any], room: Room) -> dict[str, np.ndarray]:
        """The outputs of a node, by name."""
        values: list[Any] = [*given, *(None for _ in node.outputs)]
        gives = range(len(given), len(values))
        try:
            with np.errstate(all="ignore"):
                call(node, operator, range(len(given)), gives, values, room)
        except Unsupported as error:
            raise self._error(node, str(error)) from None
        except _UNFIT as error:
            raise self._unfit(node, given, error) from None
        return {name: values[slot] for name, slot in zip(node.outputs, gives) if name}

    def _asks_for_shapes(self, node: Node, constants: dict[str, np.ndarray], shaped: set[str]) -> bool:
        """Whether what a node gives depends on the shapes of the graph's inputs alone.

        Args:
            node: the node.
            constants: all of them, by name.
            shaped: names of earlier values that are so.
        """
        if node.operator in _RECURRENT:
            return False
        if node.operator in ("Shape", "Size") and len(node.inputs) == 1:
            slot = self._slots.get(node.inputs[0], _NONE)
            return self._inputs.start <= slot < self._inputs.stop
        return not shaped.isdisjoint(node.inputs) and all(
            not name or name in constants or name in shaped for name in node.inputs)

    # steps ---------------------------------------------------------------------------------------------------------

    def _new_slot(self, name: str, value: Any = None) -> int:
        slot = len(self._values)
        self._values.append(value)
        if name:
            self._slots[name] = slot
        return slot

    def _slot(self, name: str, constants: dict[str, np.ndarray]) -> int:
        """Where a value is; a constant gets its slot with its first use."""
        slot = self._slots.get(name)
        return self._new_slot(name, _aligned(constants, name)) if slot is None else slot

    def _step(self, node: Node, operator: Operator, constants: dict[str, np.ndarray]) -> Step | None:
        """A node's step, or None if it gives the value that it takes."""
        if isinstance(operator, RecurrentNode):
            return self._recurrent(node, operator, constants)
        view = self._view(node, constants)
        if view is not None and view.function is views.same:
            self._slots[node.outputs[0]] = self._slot(node.inputs[0], constants)
            return None
        takes = [self._slot(name, constants) for name in (node.inputs if view is None else node.inputs[:1])]
        gives = [self._new_slot(name) for name in node.outputs]
        if view is None:
            return Step(node, takes, gives, any_work(node, operator, takes, gives),
                        node.operator in views.MAY_SHARE, True, True)
        work = view_work(view.function, takes[0], gives[0], view.copies)
        return Step(node, takes, gives, work, True, view.copies, False)

    def _view(self, node: Node, constants: dict[str, np.ndarray]) -> views.View | None:
        first, *others = node.inputs or [""]
        if not first or len(node.outputs) != 1 or not node.outputs[0] or any(
                name and name not in constants for name in others):
            return None
        try:
            view = views.view_of(node, [None, *(constants[name] if name else None for name in others)])
            if view is not None:
                node.check_attributes()
        except Unsupported as error:
            raise self._error(node, str(error)) from None
        except _UNFIT:      # a run says what is wrong, and with which shapes
            return None
        return view

    def _recurrent(self, node: Node, operator: RecurrentNode, constants: dict[str, np.ndarray]) -> Step:
        """The step of a recurrent node, whose weights are packed now, and needed no more, if they are constants."""
        names = [node.inputs[place] if place < len(node.inputs) else "" for place in _WEIGHTS]
        taken = list(node.inputs)
        if all(not name or name in constants for name in names):
            weights = [constants[name] if name else None for name in names]
            try:
                operator.keep(weights)
            except Unsupported as error:
                raise self._error(node, str(error)) from None
            except _UNFIT as error:
                raise self._unfit(node, weights, error) from None
            taken = ["" if place in _WEIGHTS else name for place, name in enumerate(taken)]
        takes = [self._slot(name, constants) for name in (taken + [""] * _MOST_INPUTS)[:_MOST_INPUTS]]
        gives = [self._new_slot(name) for name in node.outputs]
        return Step(node, takes, gives, recurrent_work(operator, takes, gives), False, True,
                    not operator.on_kernels)

    # lives ---------------------------------------------------------------------------------------------------------

    def _lives(self, steps: Sequence[Step], outputs: Sequence[int]) -> tuple[list[tuple[int, bool]], list[Any]]:
        """The slots of outputs, and whether each must be copied since its memory is another's; and by step, the slots
        whose values are needed no more after it, and whether they are counted as memory.

        Values that may share memory are needed for as long as any of them is."""
        owner = list(range(len(self._values)))
        last, counted = dict[int, int](), set[int]()
        for at, step in enumerate(steps):
            for slot in step.gives:
                owner[slot] = owner[step.takes[0]] if step.shares and step.takes else slot
                if step.counted:
                    counted.add(slot)
            for slot in (*step.takes, *step.gives):
                last[owner[slot]] = at
        own = set(range(len(self._values))) - {slot for step in steps for slot in step.gives}
        kept = own | {owner[slot] for slot in outputs}
        over: list[list[tuple[int, bool]]] = [[] for _ in steps]
        for slot in set(range(len(self._values))) - own:
            if owner[slot] not in kept:
                over[last[owner[slot]]].append((slot, slot in counted))
        seen, found = set(own), []
        for slot in outputs:
            found.append((slot, owner[slot] in seen))
            seen.add(owner[slot])
        return found, over


def _aligned(constants: dict[str, np.ndarray], name: str) -> np.ndarray:
    """A constant that something computes with. It may be a file's own bytes, which lie anywhere; but kernels only run,
    and products are several times as fast, where numbers begin at multiples of their size: so it is moved, once."""
    array = constants[name]
    if not (array.flags.aligned and array.dtype.isnative):
        array = constants[name] = np.require(array, array.dtype.newbyteorder("="), "A")
    return array
