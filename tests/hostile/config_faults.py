# SPDX-License-Identifier: Apache-2.0
"""Configurations that want to do harm, of models and of their training, entered into `FAULTS`."""

from __future__ import annotations

import base64
import copy
import json
import marshal
from collections.abc import Callable
from pathlib import Path

from fastrnn.saving import state
from fastrnn.saving.writing import model_config
from tests.hostile.faults import WHOLE, Json, fault, good_model, write

BYTECODE = base64.b64encode(marshal.dumps(compile("__import__('os').system('touch pwned')", "x", "eval"))).decode()
UNSAFE = {"module": "keras.config", "class_name": "function", "config": "enable_unsafe_deserialization",
          "registered_name": "enable_unsafe_deserialization"}


def entry(name: str, config: Json, module: str | None = "keras.layers", registered: str | None = None) -> Json:
    return {"module": module, "class_name": name, "config": config, "registered_name": registered}


def deep(levels: int, leaf: Json) -> Json:
    for _ in range(levels):
        leaf = entry("TimeDistributed", {"name": "deep", "layer": leaf})
    return leaf


def deep_models(levels: int, leaf: Json, beside: int = 0) -> Json:
    """Models inside each other, with so many more layers in each."""
    for _ in range(levels):
        others = [entry("Dropout", {"name": str(i), "rate": 0.1}) for i in range(beside)]
        leaf = inner_model([*others, leaf])
    return leaf


def stacked(cells: Json) -> Json:
    return entry("RNN", {"name": "r", "cell": entry("StackedRNNCells", {"name": "s", "cells": cells})})


def deep_cells(levels: int) -> Json:
    cells = [entry("GRUCell", {"name": "g", "units": 2})]
    for _ in range(levels):
        cells = [entry("StackedRNNCells", {"name": "s", "cells": cells})]
    return stacked(cells)


def inner_model(layers: Json) -> Json:
    return entry("Sequential", {"name": "inner", "layers": layers}, "keras")


class Config(dict):
    """The good configuration; `layers` are its layers."""

    @property
    def layers(self) -> list[Json]:
        return self["config"]["layers"]

    def set(self, index: int, key: str, value: Json) -> Config:
        self.layers[index]["config"][key] = value
        return self

    def put(self, layer: Json) -> Config:
        self.layers.insert(2, layer)
        return self


def _all(key: str, value: Json) -> Callable[[Config], Json]:
    return lambda c: c.set(4, key, value)


#: What to do to the good configuration: what is left is a fault.
CONFIGS: dict[str, Callable[[Config], Json]] = {
    "class_of_another_module": lambda c: c.put(entry("system", {"command": "touch pwned"}, "os")),
    "known_class_of_another_module": lambda c: c.put(entry("Dense", {"units": 2}, "antigravity")),
    "registered_class": lambda c: c.put(entry("Dense", {"units": 2}, None, "antigravity>Dense")),
    "class_path": lambda c: c.put(entry("antigravity.Dense", {"units": 2})),
    "builtin": lambda c: c.put(entry("eval", {"source": "1"}, "builtins")),
    "lambda_of_keras_3": lambda c: c.put(entry("Lambda", {"name": "l", "function": {
        "class_name": "__lambda__", "config": {"code": BYTECODE, "defaults": None, "closure": None}}})),
    "lambda_of_keras_2": lambda c: c.put(entry("Lambda", {"name": "l", "function": [BYTECODE, None, None],
                                                          "function_type": "lambda", "module": "os"})),
    "lambda_inside_a_wrapper": lambda c: c.put(entry("TimeDistributed", {"name": "t", "layer": entry("Lambda", {
        "function": [BYTECODE, None, None]})})),
    "lambda_as_activation": _all("activation", {"class_name": "__lambda__", "config": {"code": BYTECODE}}),
    "lambda_as_initializer": _all("kernel_initializer", entry("Lambda", {"function": BYTECODE}, None)),
    "unsafe_switch_as_layer": lambda c: c.put(UNSAFE),
    "unsafe_switch_as_initializer": _all("kernel_initializer", UNSAFE),
    "unsafe_switch_as_activation": _all("activation", UNSAFE),
    "unsafe_switch_as_name": _all("activation", "enable_unsafe_deserialization"),
    "function_by_name": _all("activation", {"module": "os", "class_name": "function", "config": "system",
                                            "registered_name": "system"}),
    "function_of_builtins": _all("kernel_regularizer", {"module": "builtins", "class_name": "function",
                                                        "config": "print", "registered_name": "function"}),
    "partial": _all("bias_constraint", entry("partial", {"func": "os.system"}, "functools")),
    "type_spec": _all("kernel_initializer", {"class_name": "__typespec__", "config": {"spec_name": "x"}}),
    "bytes_of_numpy": _all("kernel_initializer", entry("Constant", {"value": {
        "class_name": "__numpy__", "config": {"value": [0], "dtype": "U900000000"}}}, "keras.initializers")),
    "objects_of_numpy": _all("kernel_initializer", entry("Constant", {"value": {
        "class_name": "__numpy__", "config": {"value": [0], "dtype": "O"}}}, "keras.initializers")),
    "argument_of_escapes": _all("kernel_initializer", entry("RandomUniform", {"\x1b[2J\n": 1}, "keras.initializers")),
    "url_as_value": _all("kernel_initializer", "http://localhost:9/x"),
    "path_as_value": _all("kernel_initializer", "/etc/passwd"),
    "vocabulary_of_a_path": lambda c: c.put(entry("TextVectorization", {"vocabulary": "/etc/passwd"})),
    "weights_in_the_configuration": lambda c: c.set(1, "weights", [[0.0]]),
    "layer_name_that_leads_out": lambda c: c.set(4, "name", "../../../tmp/x"),
    "layer_name_that_is_absolute": lambda c: c.set(4, "name", "/etc/passwd"),
    "layer_name_of_nul": lambda c: c.set(4, "name", "a\0b"),
    "layer_name_of_escapes": lambda c: c.set(4, "name", "\x1b[2J"),
    "layer_name_without_end": lambda c: c.set(4, "name", "a" * 300_000),
    "layer_name_of_another_type": lambda c: c.set(4, "name", {"a": 1}),
    "units_bomb": _all("units", 10**9),
    "units_beyond_64_bits": _all("units", 10**30),
    "units_of_four_thousand_digits": _all("units", 10**4000),
    "negative_units": _all("units", -2),
    "units_of_another_type": _all("units", [2]),
    "embedding_bomb": lambda c: c.set(1, "input_dim", 10**12),
    "input_shape_bomb": lambda c: c["config"].update(build_input_shape=[10**9] * 7) or c,
    "input_shape_of_texts": lambda c: c["config"].update(build_input_shape=["a", "b"]) or c,
    "input_bomb": lambda c: c.set(0, "batch_shape", [None, 10**15, 10**15]),
    "layers_without_end": lambda c: c.layers.extend(c.layers[5:] * 12_000) or c,
    "deep_wrappers": lambda c: c.put(deep(100, entry("Dense", {"units": 2}))),
    "deep_wrappers_within_the_limit": lambda c: c.put(deep(9, entry("Dense", {"units": 2}))),
    "deep_models": lambda c: c.put(deep_models(100, entry("Dense", {"units": 2}))),
    "deep_models_within_the_limit": lambda c: c.put(deep_models(8, entry("Dense", {"units": 2}))),
    "deep_models_of_many_layers": lambda c: c.put(deep_models(8, entry("Dense", {"units": 2}), beside=200)),
    "deep_models_in_wrappers": lambda c: c.put(deep(2, deep_models(3, deep(2, entry("Dense", {"units": 2}))))),
    "a_model_inside_itself": lambda c: c.put({**inner_model([{"shared_object_id": 7}]), "shared_object_id": 7}),
    "the_whole_model_inside": lambda c: c.put(copy.deepcopy(dict(c))),
    "inner_models_without_end": lambda c: c.put(inner_model([entry("Dropout", {"rate": 0.1})] * 12_000)),
    "inner_model_without_layers": lambda c: c.put(inner_model([])),
    "inner_model_of_no_list": lambda c: c.put(inner_model({"a": 1})),
    "inner_model_of_texts": lambda c: c.put(inner_model(["Dense"])),
    "inner_input_bomb": lambda c: c.put(inner_model([
        entry("InputLayer", {"batch_shape": [None, 10**15, 10**15]}), entry("Dropout", {"rate": 0.1})])),
    "inner_input_in_the_middle": lambda c: c.put(inner_model([
        entry("Dropout", {"rate": 0.1}), entry("InputLayer", {"batch_shape": [None, None, 4]})])),
    "inner_functional": lambda c: c.put(inner_model([
        {**entry("Functional", {"name": "f", "layers": []}, "keras.src.models.functional")}])),
    "inner_lambda": lambda c: c.put(inner_model([entry("Lambda", {"function": [BYTECODE, None, None]})])),
    "inner_name_that_is_a_path": lambda c: c.put(inner_model([
        entry("Dropout", {"name": "../../pwned", "rate": 0.1})])),
    "both_directions_of_a_model": lambda c: c.set(2, "layer", inner_model([c.layers[2]["config"]["layer"]])),
    "cell_bomb": lambda c: c.put(stacked([entry("LSTMCell", {"units": 10**9})])),
    "cell_without_units": lambda c: c.put(entry("RNN", {"cell": entry("LSTMCell", {})})),
    "cell_of_another_type": lambda c: c.put(entry("RNN", {"cell": 7})),
    "cell_that_is_a_layer": lambda c: c.put(entry("RNN", {"cell": entry("Dense", {"units": 2})})),
    "cell_that_is_a_lambda": lambda c: c.put(stacked([entry("Lambda", {"function": [BYTECODE, None, None]})])),
    "cell_of_another_module": lambda c: c.put(stacked([entry("system", {"command": "touch pwned"}, "os")])),
    "cells_of_no_list": lambda c: c.put(stacked({"a": 1})),
    "cells_of_texts": lambda c: c.put(stacked(["GRUCell"])),
    "no_cells": lambda c: c.put(stacked([])),
    "cells_without_end": lambda c: c.put(stacked([entry("GRUCell", {"units": 2})] * 12_000)),
    "deep_cells": lambda c: c.put(deep_cells(100)),
    "deep_cells_within_the_limit": lambda c: c.put(deep_cells(8)),
    "very_deep": lambda c: "[" * 200_000 + "]" * 200_000,
    "very_deep_dictionaries": lambda c: '{"a":' * 200_000 + "1" + "}" * 200_000,
    "a_layer_inside_itself": lambda c: c.put({**entry("TimeDistributed", {"name": "t", "layer": {
        "class_name": "TimeDistributed", "config": {"layer": {"shared_object_id": 7}}}}), "shared_object_id": 7}),
    "shared_object": lambda c: c.put({"shared_object_id": 1}),
    "functional_cycle": lambda c: {**c, "class_name": "Functional", "config": {"name": "f", "layers": [
        {**entry("Dense", {"units": 2, "name": "a"}), "name": "a", "inbound_nodes": [[["a", 0, 0, {}]]]}],
        "input_layers": [["a", 0, 0]], "output_layers": [["a", 0, 0]]}},
    "subclass": lambda c: {**c, "module": "antigravity", "class_name": "Sequential"},
    "no_layers": lambda c: {**c, "config": {"name": "x"}},
    "layers_of_another_type": lambda c: {**c, "config": {"name": "x", "layers": [1, 2]}},
    "a_list": lambda c: [1, 2, 3],
    "a_number": lambda c: 7,
    "no_json": lambda c: "{'a': 1}",
    "a_key_twice": lambda c: json.dumps(c).replace('"class_name"', '"class_name": "Dense", "class_name"', 1),
    "text_without_end": lambda c: {**c, "x": "a" * 5_000_000},
    "state_that_a_stack_has_no_place_for": _all("return_state", True),
    "types_mixed_up": lambda c: c.set(2, "layer", [1]),
    "wrapper_of_a_wrapper": lambda c: c.set(2, "layer", copy.deepcopy(c.layers[2])),
    "half_floats": _all("dtype", "float16"),
    "structured_dtype": _all("dtype", "f4,f4,(1000000,1000000)f8"),
    "safe_mode_off": lambda c: {**c.put(entry("Lambda", {"function": [BYTECODE, None, None]})), "safe_mode": False},
}
TRAININGS: dict[str, Callable[[Json], Json]] = {
    "optimizer_of_another_module": lambda t: {**t, "optimizer": entry("Adam", {}, "antigravity")},
    "optimizer_that_is_none": lambda t: {**t, "optimizer": entry("system", {"command": "touch pwned"}, None)},
    "loss_lambda": lambda t: {**t, "loss": {"class_name": "__lambda__", "config": {"code": BYTECODE}}},
    "loss_by_path": lambda t: {**t, "loss": "os.system"},
    "metric_bomb": lambda t: {**t, "metrics": [entry("AUC", {"num_thresholds": 10**9}, "keras.metrics")]},
    "metric_of_another_module": lambda t: {**t, "metrics": [entry("AUC", {}, "antigravity")]},
    "unsafe_switch_as_metric": lambda t: {**t, "metrics": [UNSAFE]},
    "learning_rate_of_another_type": lambda t: {**t, "optimizer": entry("Adam", {"learning_rate": entry(
        "system", {}, "os")}, "keras.optimizers")},
    "training_of_another_type": lambda t: [1],
}


def _enter_configs() -> None:
    for name, change in CONFIGS.items():
        def make(path: Path, suffix: str, change: Callable[[Config], Json] = change) -> Path:
            model = good_model()
            return write(path, change(Config(copy.deepcopy(model_config(model)))), state.compile_config(model), model)
        make.__name__ = name
        fault(*WHOLE)(make)
    for name, change in TRAININGS.items():
        def make_training(path: Path, suffix: str, change: Callable[[Json], Json] = change) -> Path:
            model = good_model()
            return write(path, model_config(model), change(state.compile_config(model)), model)
        make_training.__name__ = name
        fault(*WHOLE)(make_training)


_enter_configs()


@fault(".keras", ".h5", ".hdf5", ".safetensors", ".weights.h5")
def another_format_under_this_suffix(path: Path, suffix: str) -> Path:
    """What one reader refuses, handed to another one by its name."""
    other = ".h5" if suffix in (".keras", ".safetensors") else ".keras"
    config = CONFIGS["lambda_of_keras_2"](Config(model_config(good_model())))
    write(path.with_name(f"other{other}"), config, None).rename(path)
    return path
