# SPDX-License-Identifier: Apache-2.0
"""Losses that layers inside a model add: penalties on outputs, and `add_loss` in a `call` of the user's own."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from fastrnn.graph.call import Call
from fastrnn.graph.graph import Graph
from fastrnn.graph.symbol import Node, Symbol, flatten, rebuild
from fastrnn.layers.base import Layer, Shape


class Penalty(Layer):
    """A regularizer's penalty on an output, as an array of one element: a mean over the batch, as in Keras."""

    masks = "drop"

    def __init__(self, regularizer: Any, dtype: str) -> None:
        super().__init__(name="penalty", dtype=dtype)
        self._regularizer = regularizer
        self.built = True

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        return (1,)

    def compute_mask(self, x: Any, mask: Any = None) -> None:
        return None

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        if call.taped:
            call.kept = x
        return np.full(1, self._regularizer(x) / max(1, len(x)), self.dtype)

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray:
        x = self.taped(call).kept
        return np.asarray(dy[0] / max(1, len(x)) * self._regularizer.gradient(x), x.dtype)


def with_inner_losses(graph: Graph) -> tuple[Graph, list[Symbol]]:
    """The graph, and the symbols of the losses that its layers add; where models inside it add some, one that has their
    layers in their places."""
    if not adds_losses(graph):
        return graph, []
    place: dict[int, Symbol] = {id(symbol): symbol for symbol in graph.inputs}
    losses: list[Symbol] = []
    _unroll(graph, place, losses)
    return Graph(graph.input_structure, _at(graph.output_structure, place)), losses


def adds_losses(graph: Graph) -> bool:
    """Whether a layer of the graph, or of a model inside it, adds a loss."""
    return any(node.adds_loss or node.layer.activity_regularizer is not None or node.layer.penalizes_inside
               or ((inner := node.layer.unrolled()) is not None and adds_losses(inner)) for node in graph.nodes)


def _at(structure: Any, place: dict[int, Symbol]) -> Any:
    return rebuild(structure, [place.get(id(leaf), leaf) for leaf in flatten(structure)])


def _unroll(graph: Graph, place: dict[int, Symbol], losses: list[Symbol]) -> None:
    """Give each symbol of the graph its place among nodes of our own, and collect losses."""
    for node in graph.nodes:
        inputs = [place[id(symbol)] for symbol in node.inputs]
        inner = node.layer.unrolled()
        if inner is not None and not node.masks and adds_losses(inner):
            within = {id(symbol): given for symbol, given in zip(inner.inputs, inputs)}
            _unroll(inner, within, losses)
            place.update((id(symbol), within[id(made)]) for symbol, made in zip(node.outputs, inner.outputs))
            continue
        if node.layer.penalizes_inside:
            parts = node.layer.by_parts(partial(_run, node, _at(node.masks, place), losses), inputs)
            place.update((id(symbol), made) for symbol, made in zip(node.outputs, parts, strict=True))
            losses += _penalties(node.layer, parts)
            continue
        again = Node(node.layer, inputs, _at(node.args, place), _at(node.kwargs, place), _at(node.masks, place),
                     node.training, node.options)
        again.makes([symbol.shape for symbol in node.outputs], [symbol.dtype for symbol in node.outputs],
                    [symbol.masked for symbol in node.outputs])
        again.single, again.adds_loss = node.single, node.adds_loss
        place.update((id(symbol), made) for symbol, made in zip(node.outputs, again.outputs))
        if node.adds_loss:
            losses.append(again.outputs[-1])
        else:
            losses += _penalties(node.layer, again.outputs)


def _run(node: Node, masks: tuple[Any, ...], losses: list[Symbol], layer: Layer, inputs: list[Symbol],
         as_its_caller: bool = True) -> list[Symbol]:
    """The outputs of a layer inside that of a node; its penalties are collected."""
    made = layer.connect(inputs, (inputs,), {}, node.training, options=node.options if as_its_caller else None,
                         masks=masks if as_its_caller else ())
    outputs: list[Symbol] = made if isinstance(made, list) else [made]
    losses += _penalties(layer, outputs)
    return outputs


def _penalties(layer: Layer, outputs: list[Symbol]) -> list[Symbol]:
    """The layer's penalty on each of its outputs, none if it has none."""
    regularizer = layer.activity_regularizer
    return [] if regularizer is None else [Penalty(regularizer, symbol.dtype)(symbol) for symbol in outputs]
