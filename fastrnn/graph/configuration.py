# SPDX-License-Identifier: Apache-2.0
"""A graph as a configuration in Keras 3's form, which `blueprint` reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastrnn.graph.graph import Graph
from fastrnn.graph.symbol import Node, Symbol
from fastrnn.registry import plain_value


def configuration(graph: Graph, entry: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """The layers of a graph with their calls, its inputs and its outputs, as plain values.

    Args:
        graph: the graph.
        entry: gives a layer's own configuration, {"class_name": ..., "config": ...}.

    Raises:
        ValueError: a call has an argument that is no plain value, or an input is made by a layer.
    """
    for symbol in graph.inputs:
        if symbol.node.inputs:
            raise ValueError(f"the input {symbol.name!r} is the output of {symbol.node.layer}, which a configuration "
                             "has no place for; make the model of Inputs")
    calls = {id(layer): graph.nodes_of(layer) for layer in graph.layers}
    numbers = {id(node): number for nodes in calls.values() for number, node in enumerate(nodes)}

    def history(symbol: Symbol) -> list[Any]:
        return [symbol.node.layer.name, numbers.get(id(symbol.node), 0), symbol.index]

    def output(symbol: Symbol) -> list[Any]:
        name, number, index = history(symbol)
        return [name, number + symbol.node.layer.first_call_number, index]

    def tensor(symbol: Symbol) -> dict[str, Any]:
        return {"class_name": "__keras_tensor__", "config": {
            "shape": list(symbol.shape), "dtype": symbol.dtype, "keras_history": history(symbol)}}

    def call(node: Node) -> dict[str, Any]:
        kwargs = dict(node.kwargs)
        if kwargs.get("training") is False:     # Keras 3 writes false where nobody said anything
            kwargs["training"] = 0
        return {"args": _plain(list(node.args), tensor, node), "kwargs": _plain(kwargs, tensor, node)}

    return {
        "layers": [{**entry(layer), "name": layer.name, "inbound_nodes": [call(node) for node in calls[id(layer)]]}
                   for layer in graph.layers],
        "input_layers": _plain(graph.input_structure, history, None),
        "output_layers": _plain(graph.output_structure, output, None),
    }


def _plain(value: Any, of_symbol: Callable[[Symbol], Any], node: Node | None) -> Any:
    """A structure as plain values in Keras 3's form."""
    if isinstance(value, Symbol):
        return of_symbol(value)
    if isinstance(value, (list, tuple)):
        return [_plain(part, of_symbol, node) for part in value]
    if isinstance(value, Mapping):
        return {key: _plain(part, of_symbol, node) for key, part in value.items()}
    if isinstance(value, slice):
        return {"class_name": "__slice__", "config": {
            "start": plain_value(value.start), "stop": plain_value(value.stop), "step": plain_value(value.step)}}
    if value is ...:
        return {"class_name": "__ellipsis__", "config": {}}
    value = plain_value(value)
    if value is None or isinstance(value, (bool, int, float, str, dict)):
        return value
    raise ValueError(f"{node.layer if node else 'the graph'}: a call with {value!r} has no form in a configuration")
