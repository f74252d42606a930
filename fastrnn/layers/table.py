# SPDX-License-Identifier: Apache-2.0
"""The one table of layers: a configuration is built from it and from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastrnn.layers.base import Layer
from fastrnn.registered import known_objects
from fastrnn.registry import Registry

registry = Registry("layer", [], module="keras.layers")
#: Operations on arrays, which are layers here. Some share a name with one, as Add, and their module tells them apart.
operations = Registry("operation", [], module="keras.src.ops.numpy")


def table_of(module: Any) -> Registry:
    """The table in which the classes of a module of Keras are."""
    return operations if str(module).startswith("keras.src.ops") else registry


def register(cls: type[Layer], name: str | None = None) -> None:
    """Enter a layer under its class's name, or another."""
    table_of(getattr(cls, "keras_module", None)).objects[name or cls.__name__] = cls


def serialize(layer: Layer) -> dict[str, Any]:
    """The configuration of a layer, in the format of Keras 3."""
    return table_of(getattr(layer, "keras_module", None)).serialize(layer)


#: The arguments that are layers themselves, or lists of them.
INNER = ("layer", "backward_layer", "cell", "cells")


def with_inner(config: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """A layer's configuration with the configurations of the layers in it changed.

    >>> with_inner({"units": 3, "layer": {}, "cells": [{}, {}]}, lambda inner: 7)
    {'units': 3, 'layer': 7, 'cells': [7, 7]}
    """
    found = dict(config)
    for key in INNER:
        value = config.get(key)
        if isinstance(value, Mapping):
            found[key] = change(value)
        elif isinstance(value, list):
            found[key] = [change(one) if isinstance(one, Mapping) else one for one in value]
    return found


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The layer of a configuration, looked up in `custom_objects`, then in the table; a layer is given back as it is.

    Raises:
        ValueError: the class is unknown or does not take the configuration.
    """
    if isinstance(config, Layer):
        return config
    custom_objects = known_objects(custom_objects)
    module = config.get("module") if isinstance(config, Mapping) else None
    if custom_objects and isinstance(config, Mapping) and isinstance(config.get("config"), Mapping):
        if config.get("class_name") not in custom_objects:
            inner = with_inner(config["config"], lambda one: deserialize(one, custom_objects))
            config = {**config, "config": inner}
    return table_of(module).deserialize(config, custom_objects)


def is_known(layer: Layer) -> bool:
    """Whether the layer's class is in the table, and not the user's own."""
    return table_of(getattr(layer, "keras_module", None)).objects.get(type(layer).__name__) is type(layer)


def is_operation(layer: Layer) -> bool:
    """Whether it is an operation on arrays, which is no layer to Keras."""
    return table_of(getattr(layer, "keras_module", None)) is operations


def own_classes(layer: Layer) -> dict[str, Any]:
    """The user's own classes among the layers in a layer, and functions that these hold, by name: what `custom_objects`
    has for them."""
    found: dict[str, Any] = {type(inner).__name__: type(inner) for inner in layer.walk() if not is_known(inner)}
    for inner in layer.walk():
        found.update(inner.own_functions())
    return found
