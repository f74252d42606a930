# SPDX-License-Identifier: Apache-2.0
"""Configurations of graphs that want to do harm: a thousand by rule, and files with some, entered into `FAULTS`."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastrnn
from fastrnn.graph import blueprint
from fastrnn.saving import state
from fastrnn.saving.keras import legacy_config
from fastrnn.saving.writing import model_config
from tests.hostile.config_faults import BYTECODE, deep, entry
from tests.hostile.faults import WHOLE, Json, fault, write

Change = Callable[[Json], Any]


def good_graph(library: Any = fastrnn) -> Any:
    """A graph with each kind of place that a configuration can have."""
    layers = library.layers
    words, signal = library.Input((4,), dtype="int32", name="words"), library.Input((None, 3), name="signal")
    x = layers.Embedding(7, 3, mask_zero=True, name="table")(words)
    encoder = layers.GRU(3, return_state=True, name="encoder")
    one, h = encoder(x)
    two, _ = encoder(signal, initial_state=h)
    inner = library.Input((3,), name="inner_in")
    inside = library.Model(inner, layers.Dense(3, name="inner_out")(inner), name="inside")
    line = library.Sequential([library.Input((3,)), layers.Dense(3, name="deep")], name="line")
    both = layers.Add(name="both")([inside(one), inside(line(two))])
    steps = layers.TimeDistributed(layers.Dense(2, name="step"), name="steps")(x)
    return library.Model({"words": words, "signal": signal}, [both * 2.0, {"steps": steps, "state": h}], name="good")


def good_config() -> Json:
    fastrnn.utils.set_random_seed(0)
    return json.loads(json.dumps(model_config(good_graph())))


def old_config() -> Json:
    """A graph in Keras 2's form, throughout."""
    layers = fastrnn.layers
    a, b = fastrnn.Input((None, 3), name="a"), fastrnn.Input((None, 3), name="b")
    encoder = layers.GRU(3, name="encoder")
    both = layers.Add(name="both")([encoder(a), encoder(b)])
    model = fastrnn.Model([a, b], [layers.Dense(2, name="one")(both), layers.Dense(2, name="two")(both)], name="old")
    return json.loads(json.dumps(legacy_config.old_entry(model_config(model))))


# by rule -----------------------------------------------------------------------------------------------------------

def _places(tree: Json, wanted: Callable[[Any], bool], path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to every place in a tree whose value is wanted."""
    if wanted(tree):
        yield path
    if isinstance(tree, (dict, list)):
        for key, inner in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _places(inner, wanted, (*path, key))


def _is_reference(value: Any) -> bool:
    return isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], str) and type(value[1]) is int


def _is_layer(value: Any) -> bool:
    return isinstance(value, dict) and "inbound_nodes" in value


def _at(tree: Json, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def _with(tree: Json, path: tuple[Any, ...], value: Any) -> Json:
    tree = copy.deepcopy(tree)
    _at(tree, path[:-1])[path[-1]] = value
    return tree


#: In the place of a reference [layer, call, output].
_REFERENCES: dict[str, Change] = {
    "dangling": lambda r: ["nowhere", *r[1:]], "empty": lambda r: ["", *r[1:]], "a_path": lambda r: ["../x", *r[1:]],
    "a_later_call": lambda r: [r[0], r[1] + 7, *r[2:]], "a_negative_call": lambda r: [r[0], -1, *r[2:]],
    "a_huge_call": lambda r: [r[0], 2**63, *r[2:]], "a_huge_output": lambda r: [*r[:2], 10**30, *r[3:]],
    "a_negative_output": lambda r: [*r[:2], -1, *r[3:]], "a_call_of_bool": lambda r: [r[0], True, *r[2:]],
    "a_call_of_float": lambda r: [r[0], 0.0, *r[2:]], "an_output_of_text": lambda r: [*r[:2], "0", *r[3:]],
    "an_output_of_none": lambda r: [*r[:2], None, *r[3:]], "short": lambda r: r[:2], "a_name": lambda r: r[:1],
    "long": lambda r: [*r, 0, 0], "nothing": lambda r: [], "none": lambda r: None, "a_number": lambda r: 7,
    "a_dictionary": lambda r: {"class_name": "os.system", "config": "x"}, "a_text": lambda r: "x" * 300,
    "a_list_for_a_name": lambda r: [[r[0]], *r[1:]], "a_bomb": lambda r: [r] * 3 + [["nowhere", 0, 0]] * 1000,
    "deep": lambda r: json.loads("[" * 20 + "]" * 20),
}
#: In the place of a layer's `inbound_nodes`.
_NODES: dict[str, Change] = {
    "none": lambda n: None, "a_dictionary": lambda n: {"a": 1}, "a_text": lambda n: "a", "a_number": lambda n: 7,
    "of_none": lambda n: [None], "of_numbers": lambda n: [1], "of_texts": lambda n: ["a"], "of_nothing": lambda n: [[]],
    "without_args": lambda n: [{"kwargs": {}}], "args_of_a_number": lambda n: [{"args": 1, "kwargs": {}}],
    "args_of_nothing": lambda n: [{"args": [], "kwargs": {}}], "args_of_constants": lambda n: [{"args": [1.0]}],
    "kwargs_of_a_list": lambda n: [{"args": [], "kwargs": [1]}], "without_end": lambda n: [{"args": []}] * 20_000,
    "deep": lambda n: [{"args": json.loads("[" * 28 + "]" * 28), "kwargs": {}}],
    "a_lambda": lambda n: [{"args": [{"class_name": "__lambda__", "config": {"code": BYTECODE}}], "kwargs": {}}],
    "a_class": lambda n: [{"args": [entry("Dense", {"units": 2})], "kwargs": {}}],
    "a_slice_of_texts": lambda n: [{"args": [{"class_name": "__slice__", "config": {"start": "os"}}]}],
    "a_tensor_without_history": lambda n: [{"args": [{"class_name": "__keras_tensor__", "config": {}}]}],
    "a_tensor_of_a_list": lambda n: [{"args": [{"class_name": "__keras_tensor__", "config": []}]}],
}
#: In the place of a layer.
_LAYERS: dict[str, Change] = {
    "none": lambda e: None, "a_list": lambda e: [1], "a_text": lambda e: "Dense", "empty": lambda e: {},
    "without_a_class": lambda e: {k: v for k, v in e.items() if k != "class_name"},
    "of_a_class_that_is_none": lambda e: {**e, "class_name": "system"},
    "of_a_class_that_is_a_number": lambda e: {**e, "class_name": 7},
    "of_another_module": lambda e: {**e, "module": "os"}, "registered": lambda e: {**e, "module": None,
                                                                              "registered_name": "antigravity>X"},
    "a_lambda": lambda e: {**e, "class_name": "Lambda", "config": {"function": [BYTECODE, None, None]}},
    "an_input": lambda e: {**e, "class_name": "InputLayer" if e["class_name"] != "InputLayer" else "Dense"},
    "without_calls": lambda e: {k: v for k, v in e.items() if k != "inbound_nodes"},
    "named_by_a_number": lambda e: {**e, "name": 7}, "named_otherwise": lambda e: {**e, "name": "other"},
    "without_a_configuration": lambda e: {**e, "config": None}, "of_a_list": lambda e: {**e, "config": [1]},
    "named_by_a_path": lambda e: {**e, "name": "../x", "config": {**e["config"], "name": "../x"}},
    "named_at_length": lambda e: {**e, "name": "a" * 300, "config": {**e["config"], "name": "a" * 300}},
    "with_weights": lambda e: {**e, "config": {**e["config"], "weights": [[0.0]]}},
}
#: In the place of the inputs or the outputs.
_ENDS: dict[str, Change] = {
    "none": lambda s: None, "nothing": lambda s: [], "no_keys": lambda s: {}, "a_number": lambda s: 7,
    "a_text": lambda s: "a",
    "of_none": lambda s: [None], "of_nothing": lambda s: [[]], "deep": lambda s: json.loads("[" * 28 + "]" * 28),
    "dangling": lambda s: [["nowhere", 0, 0]], "a_dictionary_of_nothing": lambda s: {"a": []},
    "one_of_them": lambda s: [["both", 0, 0]] if s else s, "a_later_call": lambda s: [["encoder", 9, 0]],
    "without_end": lambda s: [["words", 0, 0]] * 20_000, "of_an_output_that_is_not": lambda s: [["table", 0, 10**9]],
}


def hostile() -> dict[str, Json]:
    """Configurations, each of them a fault that shows before a layer is made."""
    found: dict[str, Json] = {}
    for kind, config in (("new", good_config()), ("old", old_config())):
        for wanted, changes in ((_is_reference, _REFERENCES), (_is_layer, _LAYERS)):
            for path in _places(config, wanted):
                for name, change in changes.items():
                    found[f"{kind} {'.'.join(map(str, path))} {name}"] = _with(config, path, change(_at(config, path)))
        for path in _places(config, _is_layer):
            for name, change in _NODES.items():
                found[f"{kind} {'.'.join(map(str, path))} nodes {name}"] = _with(
                    config, (*path, "inbound_nodes"), change(None))
            names = [e["name"] for e in _at(config, path[:-1])]
            for name in names[:path[-1]]:       # two layers of one name
                twice = {**_at(config, path), "name": name}
                twice["config"] = {**twice["config"], "name": name}
                found[f"{kind} {'.'.join(map(str, path))} twice {name}"] = _with(config, path, twice)
        for key in ("input_layers", "output_layers"):
            for name, change in _ENDS.items():
                found[f"{kind} {key} {name}"] = _with(config, ("config", key), change(config["config"][key]))
        for key in ("layers", "input_layers", "output_layers"):
            left = copy.deepcopy(config)
            del left["config"][key]
            found[f"{kind} without {key}"] = left
        found.update((f"{kind} circle {i}", circle) for i, circle in enumerate(_circles(config)))
    return found


def _circles(config: Json) -> Iterator[Json]:
    """Calls that read what comes of them, at once or in the end."""
    plan = blueprint.read(config["config"])
    reads = {(layer.name, i): {r[:2] for r in blueprint.flatten_references(list(call))}
             for layer in plan.layers for i, call in enumerate(layer.calls)}
    below: dict[Any, set[Any]] = {}             # all that a call needs, and itself
    for key in plan.order:
        below[key] = {key}.union(*(below.get(read, set()) for read in reads[key]))
    for number, layer in enumerate(config["config"]["layers"]):
        for i, node in enumerate(layer["inbound_nodes"]):
            for place in _places(node, _is_reference):
                path = ("config", "layers", number, "inbound_nodes", i, *place)
                for name, call in (key for key in plan.order if (layer["name"], i) in below[key]):
                    if name != "inside":        # whose calls Keras counts from 1
                        yield _with(config, path, [name, call, 0, *_at(config, path)[3:]])


# files ---------------------------------------------------------------------------------------------------------------

class Graph(dict):
    """The good configuration."""

    def layer(self, name: str) -> Json:
        return next(e for e in self["config"]["layers"] if e["name"] == name)

    def set(self, name: str, key: str, value: Json) -> Graph:
        self.layer(name)["config"][key] = value
        return self

    def refer(self, name: str, *reference: Any) -> Graph:
        """Have the first call of a layer read something else."""
        call = self.layer(name)["inbound_nodes"][0]
        place = next(_places(call, _is_reference))
        _at(call, place[:-1])[place[-1]] = list(reference)
        return self


def doubled(levels: int, times: int) -> Json:
    """Models in models, each of which calls the one inside so many times."""
    config: Json = entry("Dense", {"name": "leaf", "units": 3})
    for level in range(levels):
        calls = [[[["in", 0, 0, {}]]], *([[[config["config"]["name"], i, 0, {}]]] for i in range(times - 1))]
        config = entry("Functional", {"name": f"m{level}", "layers": [
            {**entry("InputLayer", {"name": "in", "batch_shape": [None, 3]}), "name": "in", "inbound_nodes": []},
            {**config, "name": config["config"]["name"], "inbound_nodes": [call[0] for call in calls]}],
            "input_layers": [["in", 0, 0]], "output_layers": [[config["config"]["name"], times - 1, 0]]}, "keras")
    return config


GRAPH_FAULTS: dict[str, Callable[[Graph], Json]] = {
    "dangling": lambda g: g.refer("steps", "nowhere", 0, 0),
    "circle": lambda g: g.refer("table", "steps", 0, 0),
    "circle_of_itself": lambda g: g.refer("table", "table", 0, 0),
    "a_call_that_is_not": lambda g: g.refer("steps", "encoder", 2, 0),
    "an_output_that_is_not": lambda g: g.refer("steps", "table", 0, 5),
    "an_output_without_end": lambda g: g.refer("steps", "table", 0, 10**12),
    "a_name_twice": lambda g: g["config"]["layers"].append(copy.deepcopy(g.layer("steps"))) or g,
    "an_input_that_is_none": lambda g: g["config"].update(input_layers=[["table", 0, 0]]) or g,
    "an_output_of_no_layer": lambda g: g["config"].update(output_layers=[["nowhere", 0, 0]]) or g,
    "inputs_without_end": lambda g: g["config"].update(input_layers=[["words", 0, 0]] * 30_000) or g,
    "layers_without_end": lambda g: g["config"].update(layers=[g.layer("words")] * 10_500) or g,
    "calls_without_end": lambda g: g.layer("steps").update(inbound_nodes=[[["table", 0, 0]]] * 12_000) or g,
    "arguments_without_end": lambda g: g.layer("both").update(inbound_nodes=[[["inside", 0, 0]] * 90_000]) or g,
    "models_called_by_models": lambda g: doubled(6, 40),
    "models_called_by_models_in_a_wrapper": lambda g: g["config"]["layers"].append(
        {**deep(1, doubled(3, 40)), "name": "deep",
         "inbound_nodes": copy.deepcopy(g.layer("steps")["inbound_nodes"])}) or g,
    "units_bomb": lambda g: g.set("encoder", "units", 10**9),
    "units_bomb_inside": lambda g: g.layer("inside")["config"]["layers"][1]["config"].update(units=10**9) or g,
    "embedding_bomb": lambda g: g.set("table", "input_dim", 10**12),
    "input_bomb": lambda g: g.set("signal", "batch_shape", [None, 10**15, 10**15]),
    "shapes_that_do_not_fit": lambda g: g.refer("steps", "encoder", 0, 0),
    "a_keyword_that_is_none": lambda g: g.layer("steps")["inbound_nodes"][0].update(kwargs={"__class__": 1}) or g,
    "a_mask_of_a_number": lambda g: g.layer("steps")["inbound_nodes"][0].update(kwargs={"mask": 7}) or g,
    "states_of_numbers": lambda g: g.layer("encoder")["inbound_nodes"][0].update(kwargs={"initial_state": [1, 2]}) or g,
    "a_lambda": lambda g: g["config"]["layers"].append({**entry("Lambda", {"function": [BYTECODE, None, None]}),
                                                        "name": "l", "inbound_nodes": []}) or g,
    "a_lambda_as_an_argument": lambda g: g.layer("steps")["inbound_nodes"][0]["args"].append(
        {"class_name": "__lambda__", "config": {"code": BYTECODE}}) or g,
    "an_array_bomb": lambda g: g.layer("steps")["inbound_nodes"][0]["args"].append(
        {"class_name": "__numpy__", "config": {"value": [0], "dtype": "U900000000"}}) or g,
    "a_subclass": lambda g: {**g, "class_name": "Transformer"},
    "no_calls": lambda g: g.layer("steps").update(inbound_nodes=[]) or g,
    "a_layer_that_nobody_reads": lambda g: g["config"].update(output_layers=[["table", 0, 0]]) or g,
}


def _graph_file(path: Path, name: str) -> Path:
    return write(path, GRAPH_FAULTS[name](Graph(good_config())), state.compile_config(good_graph()), good_graph())


def _enter(name: str) -> None:
    def make(path: Path, suffix: str) -> Path:
        return _graph_file(path, name)

    make.__name__ = f"graph_{name}"
    fault(*WHOLE)(make)


for _name in GRAPH_FAULTS:
    _enter(_name)
