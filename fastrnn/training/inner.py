# SPDX-License-Identifier: Apache-2.0
"""Losses that layers inside a model add: penalties on outputs, and `add_loss` in a `call` of the user's own."""

from __future__ import annotations

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
    if not _adds(graph):
        return graph, []
    place: dict[int, Symbol] = {id(symbol): symbol for symbol in graph.inputs}
    losses: list[Symbol] = []
    _unroll(graph, place, losses)
    return Graph(graph.input_structure, _at(graph.output_structure, place)), losses


def _adds(graph: Graph) -> bool:
    """Whether a layer of the graph, or of a model inside it, adds a loss."""
    return any(node.adds_loss or node.layer.activity_regularizer is not None
               or ((inner := node.layer.unrolled()) is not None and _adds(inner)) for node in graph.nodes)


def _at(structure: Any, place: dict[int, Symbol]) -> Any:
    return rebuild(structure, [place.get(id(leaf), leaf) for leaf in flatten(structure)])


def _unroll(graph: Graph, place: dict[int, Symbol], losses: list[Symbol]) -> None:
    """Give each symbol of the graph its place among nodes of our own, and collect losses."""
    for node in graph.nodes:
        inputs = [place[id(symbol)] for symbol in node.inputs]
        inner = node.layer.unrolled()
        if inner is not None and not node.masks and _adds(inner):
            within = {id(symbol): given for symbol, given in zip(inner.inputs, inputs)}
            _unroll(inner, within, losses)
            place.update((id(symbol), within[id(made)]) for symbol, made in zip(node.outputs, inner.outputs))
            continue
        again = Node(node.layer, inputs, _at(node.args, place), _at(node.kwargs, place), _at(node.masks, place),
                     node.training, node.options)
        again.makes([symbol.shape for symbol in node.outputs], [symbol.dtype for symbol in node.outputs],
                    [symbol.masked for symbol in node.outputs])
        again.single, again.adds_loss = node.single, node.adds_loss
        place.update((id(symbol), made) for symbol, made in zip(node.outputs, again.outputs))
        if node.adds_loss:
            losses.append(again.outputs[-1])
        elif node.layer.activity_regularizer is not None:
            losses += [Penalty(node.layer.activity_regularizer, symbol.dtype)(symbol) for symbol in again.outputs]
