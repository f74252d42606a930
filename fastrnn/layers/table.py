# SPDX-License-Identifier: Apache-2.0
"""The one table of layers: a configuration is built from it and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastrnn.layers.base import Layer
from fastrnn.registry import Registry

registry = Registry("layer", [], module="keras.layers")
#: Operations on arrays, which are layers here. Some share a name with one, as Add, and their module tells them apart.
operations = Registry("operation", [], module="keras.src.ops.numpy")


def _table_of(module: Any) -> Registry:
    """The table in which the classes of a module of Keras are."""
    return operations if str(module).startswith("keras.src.ops") else registry


def register(cls: type[Layer]) -> None:
    """Enter a layer under its class's name."""
    _table_of(getattr(cls, "keras_module", None)).objects[cls.__name__] = cls


def serialize(layer: Layer) -> dict[str, Any]:
    """The configuration of a layer, in the format of Keras 3."""
    return _table_of(getattr(layer, "keras_module", None)).serialize(layer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The layer of a configuration, looked up in `custom_objects`, then in the table; a layer is given back as it is.

    Raises:
        ValueError: the class is unknown or does not take the configuration.
    """
    if isinstance(config, Layer):
        return config
    module = config.get("module") if isinstance(config, Mapping) else None
    return _table_of(module).deserialize(config, custom_objects)
