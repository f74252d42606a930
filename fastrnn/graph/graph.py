# SPDX-License-Identifier: Apache-2.0
"""The calls between some symbols and others, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastrnn.graph.symbol import Node, Symbol, flatten, rebuild


class Graph:
    """The nodes that lead from the inputs to the outputs.

    Args:
        inputs, outputs: symbols, alone or in lists, tuples and dictionaries.
        who: the model, for errors.

    Attributes:
        inputs, outputs: flat lists of symbols.
        input_structure, output_structure: as they were given.
        nodes: sorted: each comes after those that it reads. The nodes of the inputs are not among them.
        layers: each once, in the order that Keras gives them: by their distance from the outputs, the inputs' too.

    Raises:
        TypeError: an input or output is no symbol.
        ValueError: an output cannot be computed from the inputs alone, or the nodes close a circle.
    """

    def __init__(self, inputs: Any, outputs: Any, who: object = "Model") -> None:
        self.input_structure, self.output_structure = inputs, outputs
        self.inputs, self.outputs = _symbols(inputs, f"{who} inputs"), _symbols(outputs, f"{who} outputs")
        if len({id(symbol) for symbol in self.inputs}) != len(self.inputs):
            raise ValueError(f"{who} inputs: a symbol is listed twice: {', '.join(s.name for s in self.inputs)}")
        found = _Walk(self.inputs, who)
        for output in self.outputs:
            found.visit(output)
        given = {id(symbol) for symbol in self.inputs}
        self.nodes = [node for node in found.nodes if not any(id(made) in given for made in node.outputs)]
        self.layers = _by_depth(found, self.inputs)

    def __reduce__(self) -> Any:
        """A copy, from `copy.deepcopy` or a pickle: flat, as nodes and symbols hold each other deeper than Python
        recurses."""
        return _again, (Flat(self),)

    def nodes_of(self, layer: Any) -> list[Node]:
        """The calls of a layer in this graph."""
        return [node for node in self.nodes if node.layer is layer]


class Flat:
    """A graph as plain values: each node's layer, and where its inputs come from."""

    def __init__(self, graph: Graph) -> None:
        given = list(dict.fromkeys(symbol.node for symbol in graph.inputs))
        nodes = [*given, *graph.nodes]
        number = {id(node): index for index, node in enumerate(nodes)}

        def places(structure: Any) -> Any:
            return rebuild(structure, [_Place(number[id(leaf.node)], leaf.index) if isinstance(leaf, Symbol) else leaf
                                       for leaf in flatten(structure)])

        self.made = [(node.layer, [(symbol.shape, symbol.dtype, symbol.masked) for symbol in node.outputs],
                      node.single) for node in nodes]
        self.read: list[Any] = [([], (), (), {}, None, None)] * len(given) + [
            (places(node.inputs), places(node.masks), places(node.args), places(node.kwargs), node.training,
             node.options)
            for node in graph.nodes]
        self.inputs, self.outputs = places(graph.input_structure), places(graph.output_structure)

    def graph(self, inputs: Sequence[Symbol] | None = None) -> Graph:
        """The graph again, with nodes of its own; on other inputs, if they are given."""
        nodes: list[Node] = []
        given: dict[tuple[int, int], Symbol] = {}
        if inputs is not None:
            given = {(leaf.node, leaf.index): symbol for leaf, symbol in zip(flatten(self.inputs), inputs, strict=True)}

        def symbol(leaf: Any) -> Any:
            if not isinstance(leaf, _Place):
                return leaf
            place = leaf.node, leaf.index
            return given[place] if place in given else nodes[leaf.node].outputs[leaf.index]

        def symbols(structure: Any) -> Any:
            return rebuild(structure, [symbol(leaf) for leaf in flatten(structure)])

        for (layer, outputs, single), (reads_, masks, args, kwargs, training, options) in zip(self.made, self.read):
            node = Node(layer, symbols(reads_), symbols(args), symbols(kwargs), symbols(masks), training, options)
            node.makes([shape for shape, _, _ in outputs], [dtype for _, dtype, _ in outputs],
                       [masked for _, _, masked in outputs])
            node.single = single
            nodes.append(node)
        return Graph(symbols(self.inputs), symbols(self.outputs))


class _Place:
    """Where a symbol comes from: the number of its node, and which output it is."""

    __slots__ = ("index", "node")

    def __init__(self, node: int, index: int) -> None:
        self.node, self.index = node, index


def _again(flat: Flat) -> Graph:
    return flat.graph()


def _symbols(structure: Any, what: str) -> list[Symbol]:
    found = flatten(structure)
    for symbol in found:
        if not isinstance(symbol, Symbol):
            hint = ("; make it with Input, and call layers on it" if hasattr(symbol, "shape")
                    else "; call it on a symbol first" if hasattr(symbol, "forward") else "")
            raise TypeError(f"{what}: expected symbols, as Input gives them, got {type(symbol).__name__}{hint}")
    if not found:
        raise ValueError(f"{what}: expected at least one symbol, got none")
    return found


class _Walk:
    """Collects what a graph's outputs need, deepest first; no recursion, so that any depth will do."""

    def __init__(self, inputs: list[Symbol], who: object) -> None:
        self._given, self._who = {id(symbol) for symbol in inputs}, who
        self._inputs = inputs
        self.nodes: list[Node] = []
        self.first_met: dict[int, int] = {}             # by the layer's id, when the walk came to it
        self._done: set[int] = set()

    def visit(self, output: Symbol) -> None:
        """All that one output needs and that was not met before."""
        open_: set[int] = set()
        stack: list[tuple[Node, list[Symbol]]] = []
        self._enter(output, stack, open_)
        while stack:
            node, left = stack[-1]
            if left:
                self._enter(left.pop(0), stack, open_)
                continue
            stack.pop()
            open_.discard(id(node))
            self._done.add(id(node))
            self.nodes.append(node)

    def _enter(self, symbol: Symbol, stack: list[tuple[Node, list[Symbol]]], open_: set[int]) -> None:
        node = symbol.node
        if id(node) in open_:
            raise ValueError(f"{self._who}: the graph has a circle at {node.layer}")
        if id(node) in self._done:
            return
        self.first_met.setdefault(id(node.layer), len(self.first_met))
        given = id(symbol) in self._given
        if not node.inputs and not given:
            path = " <- ".join(str(one.layer) for one, _ in reversed(stack)) or "an output"
            names = ", ".join(one.name for one in self._inputs)
            raise ValueError(f"{self._who}: {path} needs the input {symbol.name!r}, which is not among the model's "
                             f"inputs ({names}); add it to them")
        open_.add(id(node))
        stack.append((node, [] if given else reads(node)))


def reads(node: Node) -> list[Symbol]:
    """What a node needs: its inputs, and the masks that it was given."""
    return [*node.inputs, *(mask for mask in node.masks if mask is not None)]


def _deepen(symbol: Symbol, depth: int, node_depth: dict[int, int]) -> None:
    """Keras computes masks by nodes of their own, which count: the mask of a symbol is at this depth."""
    while symbol.masked and symbol.node.layer.masks == "pass" and symbol.node.inputs:
        symbol = symbol.node.inputs[0]
    masked, unmasked = symbol.node.layer.mask_depths
    if symbol.masked and masked:
        for below in symbol.node.inputs:
            steps = depth + (masked if below.masked else unmasked)
            node_depth[id(below.node)] = max(steps, node_depth.get(id(below.node), 0))
            _deepen(below, steps, node_depth)


def _by_depth(found: _Walk, inputs: Sequence[Symbol]) -> list[Any]:
    """The layers by their greatest distance from an output, those of one distance as the walk met them: the order of
    Keras's weights (keras.src.ops.function.map_graph)."""
    layers: dict[int, Any] = {}
    node_depth: dict[int, int] = {}
    layer_depth: dict[int, int] = {}
    given = {id(symbol) for symbol in inputs}
    for node in reversed(found.nodes):
        key = id(node.layer)
        layers[key] = node.layer
        depth = max(node_depth.get(id(node), 0), layer_depth.get(key, 0))
        layer_depth[key] = node_depth[id(node)] = depth
        if any(id(made) in given for made in node.outputs):
            continue
        for symbol in reads(node):
            node_depth[id(symbol.node)] = max(depth + 1, node_depth.get(id(symbol.node), 0))
        if node.layer.reads_mask:
            _deepen(node.inputs[0], depth + 1, node_depth)
    for symbol in inputs:               # those that no output needs
        key = id(symbol.node.layer)
        layers.setdefault(key, symbol.node.layer)
        layer_depth.setdefault(key, 0)
    return [layers[key] for key in sorted(layers, key=lambda key: (-layer_depth[key], found.first_met.get(key, -1)))]
