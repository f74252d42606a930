# SPDX-License-Identifier: Apache-2.0
"""A configuration's layers: all of them checked, then all of them made, by one closed table of names.

The weights of what is made have shapes, but no values, and take no memory, until those of the file are known to fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import fastrnn.ops  # noqa: F401  whose functions a configuration can name
from fastrnn.graph import blueprint
from fastrnn.graph.blueprint import Blueprint
from fastrnn.layers.base import Layer, Shape
from fastrnn.layers.core.input import InputLayer
from fastrnn.layers.network import Network
from fastrnn.layers.table import INNER, deserialize, table_of
from fastrnn.layers.variable import hollow
from fastrnn.registered import CustomObjectScope, known_objects
from fastrnn.registry import Registry
from fastrnn.saving.config import check_names
from fastrnn.saving.errors import MAX_COUNT, MAX_RANK, ModelFileError, caused_by, check_name, shown
from fastrnn.saving.keras import legacy_config
from fastrnn.saving.keras.legacy_operations import with_operations

Objects = Mapping[str, Any]
#: The module of Keras's operations on arrays.
OPERATIONS = "keras.src.ops.numpy"


def read_model(config: Any, file: str, version: int, custom_objects: Objects | None = None,
               values: bool = False) -> Any:
    """The model of a configuration. A `Sequential` has no weights where nothing says the shape of its input.

    Args:
        config: {"class_name": "Sequential" or "Functional", "config": ...}.
        file: name of the file, for errors.
        version: Keras's major version, whose form the configuration has.
        custom_objects: the caller's own classes by name.
        values: give weights their first values, too.

    Raises:
        ModelFileError: it is no model; a layer that fastrnn does not have, by its name; an argument that its layer
            does not take; calls on what is not there, or in a circle; layers that do not fit together.
    """
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise ModelFileError(file, "config", "expected a dictionary with 'class_name' and 'config'")
    custom = dict(known_objects(custom_objects))
    check_names(config, file, "config", custom)
    entry = Entry(config, "", _Source(file, version, custom, values))
    if entry.layers is None and not entry.is_own_model():
        raise ModelFileError(file, "config", f"expected a Sequential or Functional model, got {shown(entry.name)}")
    entry.check()       # all of them by name, before the first is made
    if entry.calls() > MAX_COUNT:
        raise ModelFileError(file, "config", f"expected at most {MAX_COUNT} calls of layers, got {entry.calls()}, "
                                             "those of the models inside for each call of these")
    with CustomObjectScope(custom):     # for functions that layers name
        model = entry.layer()
    if entry.layers is None:
        shape = config.get("build_config", {}).get("input_shape")
        if shape is None:
            raise ModelFileError(file, "config.build_config", "the file does not say the shape of the model's input")
        entry.guarded(model.build, shape)
        return model
    if entry.plan is None and not model.built and any(not isinstance(layer, InputLayer) for layer in model.layers):
        shape = entry.config.get("build_input_shape") or model._batch_input_shape
        if shape is not None:
            entry.guarded(model.build, _shape(shape, file))
    return model


def _shape(value: Any, file: str) -> Shape:
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= MAX_RANK or not all(
            size is None or (type(size) is int and 0 < size < 1 << 31) for size in value):
        raise ModelFileError(file, "config", f"expected the input's shape, batch first, got {shown(value)}")
    return tuple(value)


def _hollow_out(layer: Layer) -> None:
    """Have the weights of a layer, and of those inside it, begin without values; but not where a `call` of the caller's
    own runs on zeros to show its shapes."""
    if not layer.takes_arguments:
        layer.first_values = hollow
        for inner in layer.sublayers():
            _hollow_out(inner)


class _Source(NamedTuple):
    """Where a configuration is from."""

    file: str
    version: int
    custom: Objects
    values: bool


class Entry:
    """A layer's configuration, and those inside it.

    Attributes:
        name: of the class.
        config: what the class is made with.
        layers: those of a model, else None.
        plan: how they are called, in a model that is a graph.
    """

    def __init__(self, entry: Any, place: str, source: _Source) -> None:
        self._source, self.file, self._custom = source, source.file, source.custom
        file = source.file
        if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
            raise ModelFileError(file, f"config.{place}", "expected a dictionary with 'class_name' and 'config'")
        self.name: str = entry["class_name"]
        self._module, self._registered = entry.get("module"), entry.get("registered_name")
        self.place = f"config.{place} {shown(self.name)}" if place else "config"
        config: Any = entry.get("config")
        self.layers: list[Entry] | None = None
        self.plan: Blueprint | None = None
        if isinstance(config, list) and self.name == "Sequential":  # before Keras 2.2.3
            config = {"layers": config}
        if not isinstance(config, dict):
            raise ModelFileError(file, f"config.{place}", "expected 'config' to be a dictionary")
        self.config: dict[str, Any] = dict(config)
        prefix = f"{place}." if place else ""
        self._inner: list[tuple[str, int | None, Entry]] = []       # argument, place in a list, the layer
        if self._is_model():
            self.layers = [self._below(inner, f"{prefix}layers[{i}]") for i, inner in enumerate(self._listed())]
        elif self._own_class() is None:
            for key in INNER:
                value: Any = config.get(key)
                if isinstance(value, dict):
                    self._inner.append((key, None, self._below(value, f"{prefix}{key}")))
                elif isinstance(value, list):
                    if len(value) > MAX_COUNT:
                        raise ModelFileError(file, self.place, f"expected at most {MAX_COUNT} {key}, got {len(value)}")
                    self._inner += [(key, i, self._below(one, f"{prefix}{key}[{i}]")) for i, one in enumerate(value)]

    def _below(self, entry: Any, place: str) -> Entry:
        return Entry(entry, place, self._source)

    def _own_class(self) -> Any:
        """The caller's class of this name."""
        for name in (self.name, self._registered):
            if isinstance(name, str) and name in self._custom:
                return self._custom[name]
        return None

    def _is_model(self) -> bool:
        own = self._own_class()
        if own is not None:
            return isinstance(own, type) and issubclass(own, Network) and blueprint.is_functional(self.config)
        return self.name in ("Sequential", "Functional", "Model")

    def is_own_model(self) -> bool:
        """Whether it is of a model with a `call` of the caller's own, whose class says what is in it."""
        own = self._own_class()
        return isinstance(own, type) and issubclass(own, Network) and self.layers is None

    def _listed(self) -> list[Any]:
        """The configurations of a model's layers."""
        if self.name != "Sequential" or self._own_class() is not None:
            if not blueprint.is_functional(self.config):
                raise ModelFileError(self.file, self.place, "expected a dictionary with 'layers', 'input_layers' and "
                                                            "'output_layers'; a subclass of Model is not among "
                                                            "fastrnn's: pass it by custom_objects")
            try:
                self.plan = blueprint.read(self.config)
                if self._source.version < 3:
                    self.plan = with_operations(self.plan)
            except ValueError as error:
                raise ModelFileError(self.file, self.place, str(error)) from None
            return [layer.entry for layer in self.plan.layers]
        listed = self.config.get("layers")
        if not isinstance(listed, list):
            raise ModelFileError(self.file, self.place, "expected a dictionary with a list of 'layers'")
        if len(listed) > MAX_COUNT:
            raise ModelFileError(self.file, self.place, f"expected at most {MAX_COUNT} layers, got {len(listed)}")
        return listed

    def _table(self) -> Registry:
        """The table that the class is in. Keras's older form names no module, but its operations cannot be trained."""
        if self._module is None and "trainable" not in self.config and self.name in table_of(OPERATIONS).objects:
            return table_of(OPERATIONS)
        return table_of(self._module)

    def check(self) -> None:
        """Refuse a class that fastrnn does not have, and names that are no names."""
        if self._own_class() is None and legacy_config.modern_name(self.name) not in self._table().objects:
            known = ", ".join(sorted(self._table().objects))
            raise ModelFileError(self.file, self.place, f"fastrnn has no {self._table().kind} of this name; it has "
                                                        f"{known}; pass a class of your own by custom_objects")
        if "name" in self.config:
            check_name(self.config["name"], self.file, f"{self.place}.name")
        if self.config.get("weights") is not None:
            raise ModelFileError(self.file, self.place, "a configuration has no weights")
        for entry in [*(self.layers or ()), *(entry for _, _, entry in self._inner)]:
            entry.check()

    def calls(self) -> int:
        """How many calls of layers one call of this layer is."""
        if self.layers is None:
            return max([1, *(entry.calls() for _, _, entry in self._inner)])
        times = [1] * len(self.layers) if self.plan is None else [len(plan.calls) for plan in self.plan.layers]
        return sum(count * entry.calls() for count, entry in zip(times, self.layers)) or 1

    # making --------------------------------------------------------------------------------------------------------

    def layer(self) -> Any:
        """The layer; a `Sequential` is not built."""
        if self.layers is not None:
            layers = [entry.layer() for entry in self.layers]
            return self._line(layers) if self.plan is None else self._graph(layers)
        config = self.config
        if self._own_class() is None:
            config = legacy_config.modern_config(self.name, config, self._source.version)
        config.update((key, list(config[key])) for key, index, _ in self._inner if index == 0)
        for key, index, entry in self._inner:
            inner = entry.layer()
            # Keras 3 writes the names that the layers have inside their wrapper.
            inner.name = inner.name.removeprefix("forward_") if key == "layer" else inner.name
            if index is None:
                config[key] = inner
            else:
                config[key][index] = inner
        own = self._own_class()
        layer = self.guarded(
            deserialize, {"module": self._table().module, "class_name": legacy_config.modern_name(self.name),
                          "registered_name": self._registered, "config": config},
            self._custom if own is None else {**self._custom, self.name: own})
        if not isinstance(layer, Layer):
            raise ModelFileError(self.file, self.place, "expected a layer")
        if layer._batch_input_shape is not None:
            _shape(layer._batch_input_shape, self.file)
        if not self._source.values:
            _hollow_out(layer)
        return layer

    def _line(self, layers: list[Layer]) -> Any:
        # Keras 2's input_length names the length of an embedding's input, and does not demand it.
        if self._source.version < 3 and len(layers) > 1 and isinstance(layers[0], InputLayer) \
                and layers[1].input_kind == "index":
            layers[1]._batch_input_shape = layers[0]._batch_input_shape
            del layers[0]
        make = table_of(None).objects["Sequential"].unbuilt
        return self.guarded(make, layers, self._trainable(), self.config.get("name", "sequential"))

    def _graph(self, layers: list[Layer]) -> Any:
        assert self.plan is not None
        inputs, outputs = self.guarded(blueprint.link, self.plan, layers)
        make = self._own_class() or table_of(None).objects["Functional"]
        model = self.guarded(make, inputs, outputs, name=self.config.get("name"), trainable=self._trainable())
        model.graph.layers[:] = layers      # in the order of the weights in the file
        return model

    def _trainable(self) -> bool:
        return bool(self.config.get("trainable", True))

    def guarded(self, make: Any, *args: Any, **kwargs: Any) -> Any:
        """What a function makes of values from the file."""
        try:
            return make(*args, **kwargs)
        except ModelFileError:
            raise
        except Exception as error:  # whatever the values of a file can provoke in what they are arguments of
            raise caused_by(error, self.file, self.place, str(error)[:1000] or type(error).__name__) from None
