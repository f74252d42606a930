# SPDX-License-Identifier: Apache-2.0
"""The steps of a schedule: a graph's nodes, those of the models inside it among them, with slots for their arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn.graph.graph import Graph
from fastrnn.graph.symbol import Node, Symbol


class Step:
    """A call of a layer within a schedule.

    Attributes:
        index: of the step.
        inputs, outputs: slots of arrays.
        masks: slots of the masks of the inputs: one, or, where the layer merges masks, one for each; -1 for none.
        single: the layer gives one array, not a list.
        trainable: neither the layer nor a model that it is in is frozen.
        training: what the caller of the layer said, None if nothing.
        options: what else the caller said; see `Call`.
        sees_mask, makes_mask: a mask may come in, may go out.
        rows: an `Embedding` that gives rows, as the only layer that reads them can.
        plain: nothing but inputs go in.
        checks: the input must be converted: it is of another kind than the layer takes.
        free: slots that nobody reads after the step.
        arguments: of the call, where the layer has a `call` of the user's own.
    """

    __slots__ = ("arguments", "checks", "free", "index", "inputs", "layer", "makes_mask", "masks", "options", "outputs",
                 "plain", "rows", "sees_mask", "single", "trainable", "training")

    def __init__(self, index: int, layer: Any, inputs: tuple[int, ...], outputs: tuple[int, ...], single: bool,
                 training: bool | None, options: Any = None) -> None:
        self.options = options or None
        self.index, self.layer, self.inputs, self.outputs = index, layer, inputs, outputs
        self.single, self.training = single, training
        self.masks: tuple[int, ...] = ()
        self.trainable = True
        self.sees_mask = self.makes_mask = self.rows = self.checks = False
        self.plain = True
        self.arguments: Any = None
        self.free: tuple[int, ...] = ()

    def mask_in(self, known: list[Any]) -> Any:
        """The mask that the layer is told."""
        if not self.sees_mask:
            return None
        masks = [None if slot < 0 else known[slot] for slot in self.masks]
        return masks if self.layer.masks == "merge" else masks[0]

    def checked(self, xs: Sequence[Any]) -> list[Any]:
        """The inputs as the layer takes them, or an error that names it."""
        return [self.layer.check_part(index, x) if type(x) is np.ndarray else x for index, x in enumerate(xs)]


class Taker(NamedTuple):
    """A layer that reads an input of the graph, and as which of its own inputs."""

    layer: Any
    number: int

    @property
    def kind(self) -> str:
        """What numbers it takes there; see `Layer.input_kind`."""
        kind: str = self.layer.input_kind
        return kind if self.number == 0 or self.layer.takes_many else "float"

    def check(self, x: Any) -> np.ndarray:
        """The array as the layer takes it, or an error that names it."""
        array: np.ndarray = self.layer.check_part(self.number, x)
        return array


class Steps:
    """A graph's steps, and what is known of its slots."""

    def __init__(self, inputs: int) -> None:
        self.steps: list[Step] = []
        self.size = inputs
        self.outputs: list[int] = []
        self.masked: list[bool] = [False] * inputs
        self.dtypes: list[str] = []
        self.ranks: list[int] = []
        self.takers: list[list[Taker]] = [[] for _ in range(inputs)]

    def slot(self, symbol: Symbol, masked: bool) -> int:
        """A new slot, for the array of a symbol."""
        self.masked.append(masked)
        self.dtypes.append(symbol.dtype)
        self.ranks.append(len(symbol.shape))
        self.size += 1
        return self.size - 1


#: Makes steps of steps, and of the slots of the outputs, which it changes in their list.
Rewrite = Callable[[list[Step], list[int]], list[Step]]


def steps_of(graph: Graph, masked: frozenset[int], rewrite: Rewrite | None = None) -> Steps:
    """The steps of a graph; `masked` says which inputs come with a mask."""
    table = Steps(len(graph.inputs))
    for index, symbol in enumerate(graph.inputs):
        table.masked[index] = index in masked
        table.dtypes.append(symbol.dtype)
        table.ranks.append(len(symbol.shape))
    table.outputs = _unroll(graph, list(range(len(graph.inputs))), None, True, table)
    if rewrite is not None:
        table.steps = rewrite(table.steps, table.outputs)
    for step in table.steps:
        for index, slot in enumerate(step.inputs):
            if slot < len(graph.inputs):
                table.takers[slot].append(Taker(step.layer, index))
    for step in table.steps:
        _look_at(step, table)
    _hand_rows(table)
    _free(table)
    return table


def _unroll(graph: Graph, slots: list[int], training: bool | None, trainable: bool, table: Steps) -> list[int]:
    """Add the steps of a graph whose inputs are in `slots`; the slots of its outputs."""
    place = {id(symbol): slot for symbol, slot in zip(graph.inputs, slots)}
    for node in graph.nodes:
        inputs = tuple(place[id(symbol)] for symbol in node.inputs)
        said = node.training if node.training is not None else training
        inner = node.layer.unrolled()
        if inner is not None and not node.masks:
            inputs = tuple(_demanded(node, index, slot, table) for index, slot in enumerate(inputs))
            made = _unroll(inner, list(inputs), said, trainable and node.layer.trainable, table)
            place.update((id(symbol), slot) for symbol, slot in zip(node.outputs, made, strict=True))
            continue
        masks = _masks_of(node, inputs, place, table)
        seen = [slot >= 0 for slot in masks]
        masked = node.layer.masked_outputs(seen, len(node.outputs))
        outputs = tuple(table.slot(symbol, mask) for symbol, mask in zip(node.outputs, masked, strict=True))
        step = Step(len(table.steps), node.layer, inputs, outputs, node.single, said, node.options)
        step.trainable = trainable
        step.arguments = (node.args, node.kwargs) if node.layer.takes_arguments else None
        step.masks = tuple(masks)
        step.sees_mask, step.makes_mask = any(seen), any(masked)
        place.update((id(symbol), slot) for symbol, slot in zip(node.outputs, outputs))
        table.steps.append(step)
    return [place[id(symbol)] for symbol in graph.outputs]


def _masks_of(node: Node, inputs: tuple[int, ...], place: dict[int, int], table: Steps) -> list[int]:
    """Where the masks of a node's inputs are: in the slots of the inputs, or arrays that the caller gave."""
    found = []
    for index, slot in enumerate(inputs if node.layer.masks == "merge" else inputs[:1]):
        given = node.masks[index] if index < len(node.masks) else None
        if given is not None:
            found.append(_as_mask(given, place, table))
        else:
            found.append(slot if table.masked[slot] else -1)
    return found


def _as_mask(symbol: Symbol, place: dict[int, int], table: Steps) -> int:
    """A step that makes a mask of an array; the slot of it."""
    slot = table.slot(symbol, True)
    step = Step(len(table.steps), _MASK, (place[id(symbol)],), (slot,), True, None)
    step.makes_mask = True
    table.steps.append(step)
    return slot


def _demanded(node: Node, index: int, slot: int, table: Steps) -> int:
    """The slot of an input of the model inside, after a check where that wants a size that the graph leaves open."""
    shape, symbol = node.layer.demanded_shape(index), node.inputs[index]
    if all(size is None or size == given for size, given in zip(shape[1:], symbol.shape[1:])):
        return slot
    step = Step(len(table.steps), _Fixed(node.layer, index), (slot,), (table.slot(symbol, table.masked[slot]),), True,
                None)
    step.masks = (slot if table.masked[slot] else -1,)
    step.sees_mask = step.makes_mask = table.masked[slot]
    table.steps.append(step)
    return step.outputs[0]


class _Passes:
    """What stands in a schedule as layers do, and hands its input on."""

    masks = "pass"
    input_kind = "any"
    dtype = "any"
    trainable_weights: tuple[Any, ...] = ()
    weights: tuple[Any, ...] = ()
    reads_rows = gives_rows = takes_many = takes_arguments = penalizes_inside = False
    output_activation = activity_regularizer = None

    def forward(self, x: Any, call: Any) -> Any:
        return x

    def backward(self, dy: Any, call: Any) -> Any:
        return dy

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return mask

    def masks_of_outputs(self, xs: Any, call: Any) -> Any:
        return self.compute_mask(xs[0], call.mask)

    def check_part(self, index: int, x: Any) -> Any:
        return x

    def wants_strings(self, index: int) -> None:
        return None

    def mask_rank(self, rank: int) -> int:
        return rank - 1

    def runner(self) -> None:
        return None


class _Fixed(_Passes):
    """Refuses arrays of another size than a model inside demands."""

    def __init__(self, model: Any, index: int) -> None:
        self._model, self._index = model, index

    def forward(self, x: Any, call: Any) -> Any:
        self._model.check_fixed(self._index, x.shape)
        return x


class _AsMask(_Passes):
    """Turns an array into the mask of what other layers read."""

    masks = "make"

    def backward(self, dy: Any, call: Any) -> None:
        return None

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return np.asarray(x, bool)


_MASK = _AsMask()


def _look_at(step: Step, table: Steps) -> None:
    """What the step needs beside its input."""
    kind, inputs = step.layer.input_kind, len(table.takers)
    for slot in step.inputs:
        floating = table.dtypes[slot].startswith("float")
        if slot < inputs:       # what comes in is converted for the layers that read it, by the first
            kinds = {taker.kind for taker in table.takers[slot]}
            first = table.takers[slot][0].layer.dtype
            step.checks = step.checks or (kind == "float" and ("index" in kinds or step.layer.dtype != first))
        else:
            step.checks = step.checks or kind in ("index", "string") or (kind == "float" and not (
                floating and table.dtypes[slot] == step.layer.dtype))
    step.plain = not (step.sees_mask or step.training or step.checks or step.options or step.arguments)


def _hand_rows(table: Steps) -> None:
    """An `Embedding` need not copy its rows where the one layer that reads them can read the table."""
    for step in table.steps:
        if not step.layer.gives_rows or step.checks or table.ranks[step.inputs[0]] != 2:
            continue
        slot = step.outputs[0]
        readers = [other for other in table.steps if slot in other.inputs]
        if slot not in table.outputs and len(readers) == 1 and readers[0].layer.reads_rows \
                and readers[0].inputs[0] == slot and slot not in readers[0].inputs[1:]:
            step.rows = True


def _free(table: Steps) -> None:
    """When each slot is read for the last time."""
    kept = {*table.outputs, *range(len(table.takers))}
    for step in reversed(table.steps):
        last = tuple(dict.fromkeys(slot for slot in (*step.inputs, *step.outputs) if slot not in kept))
        step.free = last
        kept.update(last)
