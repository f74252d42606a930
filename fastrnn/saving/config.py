# SPDX-License-Identifier: Apache-2.0
"""Configurations from files: from text to layers, none of them with weights yet, by one closed table of names.

A name in a file is looked up, and is an error if it is not there. Nothing is imported, evaluated or called by its name,
no value is taken for a path, and there is no switch that changes this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from fastrnn import layers as layers_module
from fastrnn.layers.base import Layer, Shape
from fastrnn.layers.core.input import InputLayer
from fastrnn.layers.table import registry
from fastrnn.saving.errors import MAX_COUNT, MAX_DEPTH, MAX_TEXT, ModelFileError, check_name, shown
from fastrnn.saving.keras import legacy_config

#: Where Keras's own classes are from, in its versions, and fastrnn's.
_HOMES = ("keras", "tf_keras", "tensorflow", "builtins", "fastrnn")
#: Keras's forms of what is no plain value; all but these stand for code or types.
_ARRAYS = ("__numpy__", "__tensor__")
_PLAIN = (*_ARRAYS, "__keras_tensor__")
_ARRAY_DTYPES = ("float16", "float32", "float64", "int32", "int64", "bool")


class Stack(NamedTuple):
    """A sequential model's configuration, read.

    Attributes:
        name, trainable: of the model.
        layers: with an `InputLayer` first, if there is one; not built.
        input_shape: batch first, None if the file does not say.
    """

    name: str
    trainable: bool
    layers: list[Layer]
    input_shape: Shape | None


def parse_json(text: bytes | str, file: str, place: str) -> Any:
    """JSON as values, within bounds.

    Raises:
        ModelFileError: too long or too deep, no JSON, or a dictionary with a key twice, of which readers take
            different ones.
    """
    if len(text) > MAX_TEXT:
        raise ModelFileError(file, place, f"expected at most {MAX_TEXT} bytes of JSON, got {len(text)}")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ModelFileError(file, place, "a dictionary has a key twice")
        return found

    try:
        value = json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise ModelFileError(file, place, f"expected at most {MAX_DEPTH} levels, got more") from None
    except ModelFileError:
        raise
    except ValueError as error:     # and UnicodeDecodeError
        raise ModelFileError(file, place, f"no JSON: {shown(str(error))}") from None
    check_depth(value, file, place)
    return value


def check_depth(value: Any, file: str, place: str) -> None:
    """Refuse dictionaries and lists inside each other without end."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level if isinstance(outer, (dict, list))
                 for inner in (outer.values() if isinstance(outer, dict) else outer)]
        if not level:
            return
    raise ModelFileError(file, place, f"expected at most {MAX_DEPTH} levels, got more")


def check_names(value: Any, file: str, place: str) -> None:
    """Refuse what names code: a class from elsewhere than Keras, a Lambda, a function's bytes; and types of numbers
    that are more than a name, which NumPy would parse."""
    if isinstance(value, list):
        for inner in value:
            check_names(inner, file, place)
    if not isinstance(value, dict):
        return
    dtype = value.get("dtype")
    if isinstance(dtype, str) and not dtype.isidentifier():
        raise ModelFileError(file, place, f"expected the name of a dtype, got {shown(dtype)}")
    name = value.get("class_name")
    if name is not None and isinstance(value.get("config", {}), (dict, str, list)):
        if not isinstance(name, str):
            raise ModelFileError(file, place, f"expected a class's name, got {shown(name)}")
        if name == "Lambda" or name.endswith(">Lambda") or "__lambda__" in name:
            raise ModelFileError(file, place, "Lambda layers are not loaded: they hold a program, which would run; "
                                              "write the layer as a class and load the weights alone")
        if name.startswith("__") and name not in _PLAIN:
            raise ModelFileError(file, place, f"{shown(name)} stands for code or a type, which is not loaded")
        if name in _ARRAYS:
            _check_array(value.get("config"), file, place)
        _check_home(name, value, file, place)
    for key, inner in value.items():
        check_names(inner, file, f"{place}.{key}" if len(place) < 200 else place)


def _check_array(config: Any, file: str, place: str) -> None:
    if not isinstance(config, dict) or config.get("dtype") not in _ARRAY_DTYPES:
        raise ModelFileError(file, place, f"expected an array with a dtype of {', '.join(_ARRAY_DTYPES)}")


def _check_home(name: str, entry: Mapping[str, Any], file: str, place: str) -> None:
    module = entry.get("module")
    if module is not None and (not isinstance(module, str) or module.split(".")[0] not in _HOMES):
        raise ModelFileError(file, place, f"class {shown(name)} of module {shown(module)} is not one of Keras's own, "
                                          "and nothing that a file names is imported")
    registered = entry.get("registered_name")
    if registered is not None and not isinstance(registered, str):
        raise ModelFileError(file, place, f"expected registered_name to be a text, got {shown(registered)}")
    if module is None and isinstance(registered, str) and ">" in registered and registered.split(">")[0] != "keras":
        raise ModelFileError(file, place, f"class {shown(registered)} is not one of Keras's own")


def read_stack(config: Any, file: str, version: int) -> Stack:
    """The layers of a model's configuration, none of them built.

    Args:
        config: the value of {"class_name": "Sequential", "config": ...}.
        file: name of the file, for errors.
        version: Keras's major version, whose form the configuration has.

    Raises:
        ModelFileError: a model of another kind; a layer that fastrnn does not have, by its name; an argument that its
            layer does not take.
    """
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise ModelFileError(file, "config", "expected a dictionary with 'class_name' and 'config'")
    check_names(config, file, "config")
    kind = config["class_name"]
    _check_kind(kind, file, "config")
    if kind != "Sequential":
        raise ModelFileError(file, "config", f"expected a Sequential model, got {shown(kind)}")
    inner = _model_config(config.get("config"), file, "config")
    entries = _entries(inner, file, "")
    for entry in entries:       # all of them by name, before the first is made
        entry.check()
    layers = _layers(entries, version)
    given = [_shape(layer._batch_input_shape, file) for layer in layers[:1] if layer._batch_input_shape is not None]
    shape = inner.get("build_input_shape") or next(iter(given), None)
    name = check_name(inner["name"], file, "config.name") if "name" in inner else "sequential"
    return Stack(name, bool(inner.get("trainable", True)), layers, None if shape is None else _shape(shape, file))


def _shape(value: Any, file: str) -> Shape:
    if not isinstance(value, (list, tuple)) or not 2 <= len(value) <= 8 or not all(
            size is None or (type(size) is int and 0 < size < 1 << 31) for size in value):
        raise ModelFileError(file, "config", f"expected the input's shape, batch first, got {shown(value)}")
    return tuple(value)


def _check_kind(kind: str, file: str, place: str) -> None:
    if kind in ("Functional", "Model"):
        raise ModelFileError(file, place, f"{kind} models are not supported, only Sequential ones; build the model "
                                          "and load its weights by load_weights")


def _model_config(config: Any, file: str, place: str) -> dict[str, Any]:
    """The configuration of a `Sequential`, checked to have a list of layers."""
    if isinstance(config, list):     # before Keras 2.2.3
        config = {"layers": config}
    if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        raise ModelFileError(file, place, "expected a dictionary with a list of 'layers'")
    if len(config["layers"]) > MAX_COUNT:
        raise ModelFileError(file, place, f"expected at most {MAX_COUNT} layers, got {len(config['layers'])}")
    return config


def _entries(config: Mapping[str, Any], file: str, place: str) -> list[_Entry]:
    return [_Entry(entry, f"{place}layers[{i}]", file) for i, entry in enumerate(config["layers"])]


def _layers(entries: list[_Entry], version: int) -> list[Layer]:
    """The layers of a model, not built."""
    layers = [entry.layer(version) for entry in entries]
    # Keras 2's input_length names the length of an embedding's input, and does not demand it.
    if version < 3 and len(layers) > 1 and isinstance(layers[0], InputLayer) and layers[1].input_kind == "index":
        layers[1]._batch_input_shape = layers[0]._batch_input_shape
        del layers[0]
    return layers


class _Entry:
    """A layer's configuration, and those inside it."""

    def __init__(self, entry: Any, place: str, file: str) -> None:
        if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
            raise ModelFileError(file, f"config.{place}", "expected a dictionary with 'class_name' and 'config'")
        self.name = entry["class_name"]
        self.file = file
        self.place = f"config.{place} {shown(self.name)}"
        self.layers: list[_Entry] | None = None     # those of a Sequential
        config = entry.get("config")
        if self.name == "Sequential":
            config = _model_config(config, file, self.place)
            self.layers = _entries(config, file, f"{place}.")
        if not isinstance(config, dict):
            raise ModelFileError(file, f"config.{place}", "expected 'config' to be a dictionary")
        self.config: dict[str, Any] = dict(config)
        self.inner = {key: _Entry(self.config[key], f"{place}.{key}", file)
                      for key in ("layer", "backward_layer") if isinstance(self.config.get(key), dict)}

    def check(self) -> None:
        """Refuse a class that fastrnn does not have, and names that are no names."""
        _check_kind(self.name, self.file, self.place)
        if legacy_config.modern_name(self.name) not in registry.objects:
            known = ", ".join(sorted(registry.objects))
            raise ModelFileError(self.file, self.place, f"fastrnn has no layer of this name; it has {known}")
        if "name" in self.config:
            check_name(self.config["name"], self.file, f"{self.place}.name")
        if self.config.get("weights") is not None:
            raise ModelFileError(self.file, self.place, "a configuration has no weights")
        for entry in [*(self.layers or ()), *self.inner.values()]:
            entry.check()

    def layer(self, version: int) -> Layer:
        """The layer, not built."""
        if self.layers is not None:
            return self._model(_layers(self.layers, version))
        config = legacy_config.modern_config(self.name, self.config, version)
        for key, entry in self.inner.items():
            layer = entry.layer(version)
            # Keras 3 writes the names that the layers have inside their wrapper.
            layer.name = layer.name.removeprefix("forward_") if key == "layer" else layer.name
            config[key] = layer
        try:
            layer = layers_module.deserialize({"class_name": legacy_config.modern_name(self.name), "config": config})
        except Exception as error:  # whatever the values of a file can provoke in what they are arguments of
            raise ModelFileError(self.file, self.place, str(error)[:1000]) from None
        if not isinstance(layer, Layer):
            raise ModelFileError(self.file, self.place, "expected a layer")
        return layer

    def _model(self, layers: list[Layer]) -> Layer:
        try:
            return registry.objects["Sequential"].unbuilt(
                layers, bool(self.config.get("trainable", True)), self.config.get("name"))
        except (TypeError, ValueError) as error:
            raise ModelFileError(self.file, self.place, str(error)[:1000]) from None
