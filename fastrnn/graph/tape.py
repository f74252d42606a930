# SPDX-License-Identifier: Apache-2.0
"""The trace of a user's own code, from which its gradient follows: of autograd's nodes, and one for each call of a
layer."""

from __future__ import annotations

import heapq
import itertools
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastrnn.graph.call import Pass


class Unavailable(ImportError):
    """The package that differentiates a user's own code is not installed."""


class _Engine:
    """What is taken from autograd, imported when it is first needed."""

    def __init__(self) -> None:
        try:
            import autograd.numpy
            from autograd import core, tracer
        except ImportError:
            raise Unavailable("training code of your own (a layer's or model's call, a Lambda, a loss or an activation "
                              "that is a function) needs the package autograd; pip install 'fastrnn[ops]'") from None

        numbers = itertools.count()

        class Node(core.VJPNode):
            """A node that knows when it was made: a node's parents are older than it is."""

            __slots__ = ("number",)

            def __init__(self, *arguments: Any) -> None:
                super().__init__(*arguments)
                self.number = next(numbers)

            @classmethod
            def of(cls, parents: Sequence[Any], vjp: Callable[[Any], Any]) -> Node:
                node = cls.__new__(cls)
                node.parents, node.vjp, node.number = parents, vjp, next(numbers)
                return node

        tracer.notrace_primitives[Node] = tracer.notrace_primitives[core.VJPNode]
        self.node = Node
        self.new_box, self.kinds, self.add = tracer.new_box, tracer.Box.types, core.add_outgrads
        self.numpy: types.ModuleType = autograd.numpy


_engine: _Engine | None = None
_box_types: set[type] = set()       # autograd's own set of them, once it is imported
_stands_for_arrays: list[type] = []


def stands_for_an_array(cls: type) -> None:
    """Have objects of a class take part in traces: they have `_value`, `_node`, and `_trace`, -2 outside of a trace."""
    _stands_for_arrays.append(cls)
    if _engine is not None:
        _engine.kinds.add(cls)


def engine() -> _Engine:
    """autograd.

    Raises:
        Unavailable: it is not installed.
    """
    global _engine, _box_types
    if _engine is None:
        _engine = _Engine()
        _box_types = _engine.kinds
        _box_types.update(_stands_for_arrays)
    return _engine


def is_box(x: Any) -> bool:
    """Whether x stands for an array in a trace."""
    return type(x) in _box_types and type(x) not in _stands_for_arrays


def plain(x: Any) -> Any:
    """The array that a box stands for; anything else as it is."""
    while is_box(x):
        x = x._value
    return x


class Tape:
    """What was computed in one run of a user's own code, and the way back through it.

    Args:
        pass_: adds up the gradients of variables that other calls have too; None for one of this run's own.
        level: of runs inside each other, the outermost first.
    """

    def __init__(self, pass_: Pass | None = None, level: int = 0) -> None:
        self._engine = engine()
        self.trace = level
        self._own = pass_ is None
        self.pass_ = Pass() if pass_ is None else pass_
        self._leaves: dict[int, tuple[Any, Any]] = {}       # by id: what stands for an array, and its node
        #: The functions that were given boxes, and gave none.
        self.ends: list[str] = []

    # forward -------------------------------------------------------------------------------------------------------

    def box(self, x: np.ndarray) -> Any:
        """A box of an array whose gradient is asked for."""
        return self._engine.new_box(x, self.trace, self._engine.node.of((), _nothing))

    def leaf(self, variable: Any) -> Any:
        """The node of a variable."""
        known = self._leaves.get(id(variable))
        if known is None:
            known = self._leaves[id(variable)] = variable, self._engine.node.of((), _nothing)
        return known[1]

    def leaf_box(self, variable: Any) -> Any:
        """The variable's values as a box."""
        return self._engine.new_box(variable.data, self.trace, self.leaf(variable))

    def record(self, values: Any, inputs: Sequence[Any], back: Callable[..., Any]) -> Any:
        """Box what a function of the library gave.

        Args:
            values: an array, or a list of arrays.
            inputs: what it was given, boxes among them.
            back: gives the gradients of the inputs, an array or a list, for those of the values.

        Returns:
            A box, or a list of boxes.
        """
        boxed = [index for index, x in enumerate(inputs) if is_box(x)]
        parents = tuple(inputs[index]._node for index in boxed)

        def vjp(dys: Sequence[Any]) -> list[Any]:
            dx = back(*dys)
            every = dx if isinstance(dx, list) else [dx]
            return [None if index >= len(every) else every[index] for index in boxed]

        if not isinstance(values, list):
            return self._engine.new_box(values, self.trace, self._engine.node.of(parents, lambda dy: vjp([dy])))
        given: list[Any] = [None] * len(values)
        call = self._engine.node.of(parents, lambda _: vjp(given))

        def part(index: int) -> Any:
            def keep(dy: Any) -> tuple[float]:
                given[index] = dy
                return (0.0,)

            return self._engine.new_box(values[index], self.trace, self._engine.node.of((call,), keep))

        return [part(index) if isinstance(value, np.ndarray) else value for index, value in enumerate(values)]

    # backward ------------------------------------------------------------------------------------------------------

    def backward(self, outputs: Sequence[Any], dys: Sequence[Any], inputs: Sequence[Any], variables: Sequence[Any]
                 ) -> list[Any]:
        """The gradients of the inputs; those of the variables are in their `grad`.

        Args:
            outputs: as they came out of the run; those that are no boxes do not depend on anything.
            dys: their gradients, None for zero.
            inputs: boxes that `box` gave, others have no gradient.
            variables: all that have a gradient: of those that the outputs do not depend on it is zero.
        """
        if self._own:
            self.pass_.begin()
        wanted = {id(box._node): index for index, box in enumerate(inputs) if is_box(box)}
        leaves = {id(node): variable for variable, node in self._leaves.values()}
        found: list[Any] = [None] * len(inputs)
        given: dict[int, Any] = {}
        for node, gradient in self._walk(outputs, dys):
            if id(node) in wanted:
                found[wanted[id(node)]] = gradient
            elif id(node) in leaves:
                given[id(node)] = gradient
        for variable, node in self._leaves.values():
            if id(node) in given:
                self.pass_.gradient(variable)[...] = given[id(node)]
                self.pass_.done()
        for variable in variables:
            if self.pass_.first(variable):
                variable.gradient()[...] = 0
        return found

    def _walk(self, outputs: Sequence[Any], dys: Sequence[Any]) -> Any:
        """Each node that the outputs depend on and its gradient, the youngest first."""
        grads: dict[int, Any] = {}
        queue: list[tuple[int, Any]] = []

        def give(node: Any, gradient: Any) -> None:
            if id(node) not in grads:
                heapq.heappush(queue, (-node.number, node))
            grads[id(node)] = self._engine.add(grads.get(id(node)), gradient)

        for output, dy in zip(outputs, dys, strict=True):
            if dy is not None and is_box(output):
                give(output._node, np.asarray(dy, output.dtype))
        while queue:
            node = heapq.heappop(queue)[1]
            gradient = grads.pop(id(node))[0]
            yield node, gradient
            for parent, dx in zip(node.parents, node.vjp(gradient)):
                if dx is not None:
                    give(parent, dx)


def _nothing(_: Any) -> tuple[()]:
    return ()
