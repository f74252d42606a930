# SPDX-License-Identifier: Apache-2.0
"""A graph as plain values, from a configuration: read and checked before there is a layer.

Keras 3 writes a layer's calls as `{"args": ..., "kwargs": ...}` with `__keras_tensor__` for each symbol, Keras 2 as
lists of `[layer, call, output, kwargs]`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from fastrnn.graph.symbol import flatten
from fastrnn.registry import value_of_plain

#: Layers of a graph, and calls; outputs of a call; lists and dictionaries inside each other; characters of a name.
MAX_LAYERS, MAX_CALLS, MAX_OUTPUTS, MAX_DEPTH, MAX_NAME = 10_000, 10_000, 1_000, 32, 255


class Reference(NamedTuple):
    """An output of a layer's call.

    Attributes:
        layer: the layer's name.
        call: which of its calls.
        output: which of the call's outputs.
    """

    layer: str
    call: int
    output: int


class CallPlan(NamedTuple):
    """A call of a layer: its arguments, with references where symbols are to be."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class LayerPlan(NamedTuple):
    """A layer.

    Attributes:
        name: of the layer.
        entry: its configuration, which was not looked into: {"class_name": ..., "config": ...}.
        calls: in the order in which they are numbered.
    """

    name: str
    entry: dict[str, Any]
    calls: tuple[CallPlan, ...]


class Blueprint(NamedTuple):
    """A graph.

    Attributes:
        layers: in the order of their weights.
        inputs, outputs: references, alone or in lists and dictionaries.
        order: all calls, by layer and number, each after those that it reads.
    """

    layers: tuple[LayerPlan, ...]
    inputs: Any
    outputs: Any
    order: tuple[tuple[str, int], ...]


def is_functional(config: Any) -> bool:
    """Whether it is the configuration of a graph, and not of a line of layers.

    >>> is_functional({"layers": [], "input_layers": [], "output_layers": []}), is_functional({"layers": []})
    (True, False)
    """
    return isinstance(config, Mapping) and "input_layers" in config and "output_layers" in config


def read(config: Mapping[str, Any]) -> Blueprint:
    """The blueprint of a functional model's configuration, as Keras 3 or Keras 2 writes it.

    Raises:
        ValueError: it is no such configuration, two layers share a name, something refers to what is not there, calls
            close a circle, an input is no InputLayer, or no output needs a call.
    """
    entries = config.get("layers")
    if not isinstance(entries, (list, tuple)) or not 0 < len(entries) <= MAX_LAYERS:
        raise ValueError(f"layers: expected a list of 1 to {MAX_LAYERS} layers, got {_shown(entries)}")
    names = [_name(entry, f"layers[{i}]") for i, entry in enumerate(entries)]
    known = set(names)
    if len(known) != len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(f"layers: there are two layers named {_shown(twice)}; names in a model must differ")
    reader = _Reader(known)
    layers = [LayerPlan(name, dict(entry), reader.calls(entry, f"layers[{i}] {_shown(name)}"))
              for i, (name, entry) in enumerate(zip(names, entries))]
    inputs = reader.structure(config.get("input_layers"), "input_layers")
    outputs = reader.structure(config.get("output_layers"), "output_layers")
    layers, outputs = _counted_from_zero(layers, outputs)
    _check_references(layers, inputs, outputs)
    return Blueprint(tuple(layers), inputs, outputs, _sorted(layers, outputs))


def link(blueprint: Blueprint, made_layers: Sequence[Any]) -> tuple[Any, Any]:
    """Call layers as a blueprint says, and give them the names that they have there.

    Args:
        blueprint: the blueprint.
        made_layers: the layers, in its order.

    Returns:
        The symbols of the inputs and of the outputs, in the blueprint's structures.

    Raises:
        ValueError, TypeError: a layer does not take what it is called on, or has fewer outputs than others read.
    """
    layers = {plan.name: layer for plan, layer in zip(blueprint.layers, made_layers, strict=True)}
    for name, layer in layers.items():
        layer.name = name
    made: dict[tuple[str, int], list[Any]] = {}

    def symbol(reference: Reference) -> Any:
        outputs = made[reference.layer, reference.call]
        if reference.output >= len(outputs):
            raise ValueError(f"{layers[reference.layer]}: has {len(outputs)} outputs, but output {reference.output} is "
                             "read")
        return outputs[reference.output]

    plans = {plan.name: plan for plan in blueprint.layers}
    for reference in flatten_references(blueprint.inputs):
        made[reference.layer, 0] = [layers[reference.layer].symbol()]
    for name, number in blueprint.order:
        call = plans[name].calls[number]
        made[name, number] = flatten(layers[name](*_replaced(call.args, symbol), **_replaced(call.kwargs, symbol)))
    return _replaced(blueprint.inputs, symbol), _replaced(blueprint.outputs, symbol)


def flatten_references(structure: Any) -> list[Reference]:
    """The references in a structure of lists, tuples and dictionaries, in order."""
    if isinstance(structure, Reference):
        return [structure]
    if isinstance(structure, (list, tuple)):
        return [found for part in structure for found in flatten_references(part)]
    if isinstance(structure, Mapping):
        return [found for key in sorted(structure) for found in flatten_references(structure[key])]
    return []


def _replaced(structure: Any, by: Any) -> Any:
    """The structure with what `by` gives in place of each reference."""
    if isinstance(structure, Reference):
        return by(structure)
    if isinstance(structure, (list, tuple)):
        return type(structure)(_replaced(part, by) for part in structure)
    if isinstance(structure, dict):
        return {key: _replaced(part, by) for key, part in structure.items()}
    return structure


# reading -----------------------------------------------------------------------------------------------------------

def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"


def _name(entry: Any, place: str) -> str:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("class_name"), str):
        raise ValueError(f"{place}: expected a dictionary with 'class_name' and 'config'")
    inner = entry.get("config")
    own = inner.get("name") if isinstance(inner, Mapping) else None
    name = entry.get("name", own)
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
        raise ValueError(f"{place}: expected a name of 1 to {MAX_NAME} characters, got {_shown(name)}")
    if own is not None and own != name:
        raise ValueError(f"{place}: is named {_shown(name)}, but {_shown(own)} in its configuration")
    return name


class _Reader:
    """Turns calls and structures of a configuration into those with references."""

    def __init__(self, names: set[str]) -> None:
        self._names = names
        self._calls = 0

    def calls(self, entry: Mapping[str, Any], place: str) -> tuple[CallPlan, ...]:
        """The calls of a layer."""
        nodes = entry.get("inbound_nodes")
        if not isinstance(nodes, (list, tuple)):
            raise ValueError(f"{place} inbound_nodes: expected a list, got {_shown(nodes)}")
        self._calls += len(nodes)
        if self._calls > MAX_CALLS:
            raise ValueError(f"{place} inbound_nodes: expected at most {MAX_CALLS} calls in a model")
        if (entry["class_name"] == "InputLayer") != (not nodes):
            raise ValueError(f"{place} inbound_nodes: expected "
                             f"{'none, it is an InputLayer' if nodes else 'the calls of the layer, got none'}")
        return tuple(self._call(node, f"{place} inbound_nodes[{i}]") for i, node in enumerate(nodes))

    def _call(self, node: Any, place: str) -> CallPlan:
        if isinstance(node, Mapping) and "args" in node:
            args, kwargs = node["args"], node.get("kwargs", {})
            if not isinstance(args, (list, tuple)) or not isinstance(kwargs, Mapping):
                raise ValueError(f"{place}: expected a list of 'args' and a dictionary of 'kwargs', got {_shown(node)}")
            call = CallPlan(tuple(self._value(arg, place) for arg in args), self._keywords(kwargs, place))
            if "training" in call.kwargs:   # Keras 3 writes false where nobody said anything, and fastrnn 0 for false
                said = call.kwargs.pop("training")
                call.kwargs.update({} if said is False or said is None else {"training": bool(said)})
        else:
            call = self._of_keras_2(node, place)
        if not flatten_references([*call.args, call.kwargs]):
            raise ValueError(f"{place}: expected a call on outputs of other layers, got {_shown(node)}")
        kwargs = {key: value for key, value in call.kwargs.items()
                  if value is not None or key not in ("mask", "training", "initial_state")}
        return call._replace(kwargs=kwargs)

    def _value(self, value: Any, place: str, depth: int = 0) -> Any:
        """An argument in Keras 3's form."""
        if depth > MAX_DEPTH:
            raise ValueError(f"{place}: expected at most {MAX_DEPTH} levels, got more")
        if isinstance(value, (list, tuple)):
            found = [self._value(inner, place, depth + 1) for inner in value]
            return found if flatten_references(found) else tuple(found)     # as in x[:, -1], for JSON has no tuples
        if not isinstance(value, Mapping):
            return value
        kind, config = value.get("class_name"), value.get("config")
        if kind is None:
            return self._keywords(value, place, depth + 1)
        if kind == "__ellipsis__":
            return ...
        if kind in ("__numpy__", "__tensor__"):
            return value_of_plain(value)
        if not isinstance(config, Mapping):
            raise ValueError(f"{place}: expected 'config' to be a dictionary, got {_shown(config)}")
        if kind == "__keras_tensor__":
            return self.reference(config.get("keras_history"), place)
        if kind == "__slice__":
            ends = [config.get(key) for key in ("start", "stop", "step")]
            if not all(end is None or type(end) is int for end in ends):
                raise ValueError(f"{place}: expected a slice of whole numbers, got {_shown(ends)}")
            return slice(*ends)
        raise ValueError(f"{place}: {_shown(kind)} is no argument that a call can have")

    def _keywords(self, value: Mapping[Any, Any], place: str, depth: int = 0) -> dict[str, Any]:
        if not all(isinstance(key, str) for key in value):
            raise ValueError(f"{place}: expected a dictionary with texts as keys, got {_shown(list(value))}")
        return {key: self._value(inner, place, depth) for key, inner in value.items()}

    def reference(self, value: Any, place: str) -> Reference:
        """A reference to what is there, as far as that is known."""
        if not isinstance(value, (list, tuple)) or len(value) != 3:
            raise ValueError(f"{place}: expected a layer's name, the number of its call and that of the output, got "
                             f"{_shown(value)}")
        name, call, output = value
        if not isinstance(name, str) or name not in self._names:
            raise ValueError(f"{place}: there is no layer {_shown(name)}")
        if type(call) is not int or type(output) is not int or not 0 <= call <= MAX_CALLS \
                or not 0 <= output < MAX_OUTPUTS:
            raise ValueError(f"{place}: expected the number of a call and of an output, got {_shown(value)}")
        return Reference(name, call, output)

    def structure(self, value: Any, place: str, depth: int = 0) -> Any:
        """Inputs or outputs."""
        if depth > MAX_DEPTH:
            raise ValueError(f"{place}: expected at most {MAX_DEPTH} levels, got more")
        if isinstance(value, (list, tuple, Mapping)) and len(value) > MAX_OUTPUTS:
            raise ValueError(f"{place}: expected at most {MAX_OUTPUTS} of them, got {len(value)}")
        if isinstance(value, (list, tuple)) and value:
            if len(value) == 3 and isinstance(value[0], str):
                return self.reference(value, place)
            return [self.structure(inner, place, depth + 1) for inner in value]
        if isinstance(value, Mapping) and value and all(isinstance(key, str) for key in value):
            return {key: self.structure(inner, place, depth + 1) for key, inner in value.items()}
        raise ValueError(f"{place}: expected [layer, call, output], or such in lists or in dictionaries with texts as "
                         f"keys, got {_shown(value)}")

    # Keras 2 -------------------------------------------------------------------------------------------------------

    def _of_keras_2(self, node: Any, place: str) -> CallPlan:
        if not isinstance(node, (list, tuple, Mapping)) or not node:
            raise ValueError(f"{place}: expected a call, got {_shown(node)}")
        kwargs: dict[str, Any] = {}
        found = self._leaf(node, kwargs, place, 0)
        return CallPlan((found[0] if isinstance(found, list) and len(found) == 1 else found,), kwargs)

    def _leaf(self, value: Any, kwargs: dict[str, Any], place: str, depth: int) -> Any:
        """A structure of `[layer, call, output, kwargs]`; the keyword arguments, the same in each, go to `kwargs`."""
        if depth > MAX_DEPTH:
            raise ValueError(f"{place}: expected at most {MAX_DEPTH} levels, got more")
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return {key: self._leaf(inner, kwargs, place, depth + 1) for key, inner in value.items()}
        if not isinstance(value, (list, tuple)) or not value:
            raise ValueError(f"{place}: expected [layer, call, output, arguments], got {_shown(value)}")
        if not isinstance(value[0], str):
            return [self._leaf(inner, kwargs, place, depth + 1) for inner in value]
        if len(value) == 4:
            if not isinstance(value[3], Mapping) or not all(isinstance(key, str) for key in value[3]):
                raise ValueError(f"{place}: expected a dictionary of arguments, got {_shown(value[3])}")
            kwargs.update((key, self._argument(inner, place, 0)) for key, inner in value[3].items())
        if value[0] == "_CONSTANT_VALUE" and len(value) == 4 and value[0] not in self._names:
            return self._value(value[2], place)
        return self.reference(value[:3] if len(value) == 4 else value, place)

    def _argument(self, value: Any, place: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ValueError(f"{place}: expected at most {MAX_DEPTH} levels, got more")
        if isinstance(value, (list, tuple)):
            if len(value) == 3 and isinstance(value[0], str) and all(type(number) is int for number in value[1:]):
                return self.reference(value, place)
            return [self._argument(inner, place, depth + 1) for inner in value]
        if isinstance(value, Mapping):
            return {str(key): self._argument(inner, place, depth + 1) for key, inner in value.items()}
        return value


# checks ------------------------------------------------------------------------------------------------------------

def _counted_from_zero(layers: list[LayerPlan], outputs: Any) -> tuple[list[LayerPlan], Any]:
    """Keras counts the calls of some models from 1: 0 is the one that they were made with. Version 2 does so wherever
    it refers to them, and version 3 among the outputs alone, but to no Sequential."""
    models = {plan.name: plan.entry["class_name"] for plan in layers
              if isinstance(plan.entry.get("config"), Mapping) and "layers" in plan.entry["config"]}
    if not models:
        return layers, outputs
    if any(isinstance(node, Mapping) and "args" in node for plan in layers for node in plan.entry["inbound_nodes"]):
        return layers, _renumbered(outputs, {name for name, kind in models.items() if kind != "Sequential"})
    least: dict[str, int] = {}
    for reference in _all_references(layers, outputs):
        least[reference.layer] = min(reference.call, least.get(reference.layer, reference.call))
    moved = {name for name in models if least.get(name) == 1}
    return [plan._replace(calls=tuple(CallPlan(*_renumbered(tuple(call), moved)) for call in plan.calls))
            for plan in layers], _renumbered(outputs, moved)


def _renumbered(structure: Any, models: Collection[str]) -> Any:
    def lower(reference: Reference) -> Reference:
        if reference.layer not in models:
            return reference
        if not reference.call:
            raise ValueError(f"the calls of the model {_shown(reference.layer)} are counted from 1, but call 0 is read")
        return reference._replace(call=reference.call - 1)

    return _replaced(structure, lower)


def _all_references(layers: list[LayerPlan], outputs: Any) -> Iterator[Reference]:
    for plan in layers:
        for call in plan.calls:
            yield from flatten_references(list(call))
    yield from flatten_references(outputs)


def _check_references(layers: list[LayerPlan], inputs: Any, outputs: Any) -> None:
    counts = {plan.name: len(plan.calls) or 1 for plan in layers}       # an input has the one that it was made with
    for reference in _all_references(layers, outputs):
        if reference.call >= counts[reference.layer]:
            raise ValueError(f"the layer {_shown(reference.layer)} has {counts[reference.layer]} calls, but call "
                             f"{reference.call} is read")
    given = flatten_references(inputs)
    kinds = {plan.name: plan.entry["class_name"] for plan in layers}
    for reference in given:
        if kinds[reference.layer] != "InputLayer" or reference[1:] != (0, 0):
            raise ValueError(f"input_layers: expected InputLayers, got {_shown(list(reference))} of class "
                             f"{_shown(kinds[reference.layer])}")
    if len(set(given)) != len(given):
        raise ValueError("input_layers: an input is listed twice")
    listed = {reference.layer for reference in given}
    for plan in layers:
        if not plan.calls and plan.name not in listed:
            raise ValueError(f"input_layers: expected the input {_shown(plan.name)} among them")


def _sorted(layers: list[LayerPlan], outputs: Any) -> tuple[tuple[str, int], ...]:
    """All calls, each after those that it reads."""
    needs = {(plan.name, number): list(dict.fromkeys(reference[:2] for reference in flatten_references(list(call))))
             for plan in layers for number, call in enumerate(plan.calls)}
    readers: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for key, read in needs.items():
        for need in read:
            readers.setdefault(need, []).append(key)
    waits = {key: len(read) for key, read in needs.items()}
    ready = [(plan.name, 0) for plan in reversed(layers) if not plan.calls]
    order: list[tuple[str, int]] = []
    while ready:
        done = ready.pop()
        if done in needs:
            order.append(done)
        for reader in readers.get(done, ()):
            waits[reader] -= 1
            if not waits[reader]:
                ready.append(reader)
    if len(order) != len(needs):
        name = next(name for (name, _), left in waits.items() if left)
        raise ValueError(f"the calls close a circle, at the layer {_shown(name)}")
    wanted = {reference[:2] for reference in flatten_references(outputs)}
    for key in reversed(order):
        if key not in wanted:
            raise ValueError(f"the layer {_shown(key[0])}: no output needs its call {key[1]}")
        wanted.update(needs[key])
    return tuple(order)
