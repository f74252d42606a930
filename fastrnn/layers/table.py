# SPDX-License-Identifier: Apache-2.0
"""The one table of layers: a configuration is built from it and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastrnn.layers.base import Layer
from fastrnn.registry import Registry

registry = Registry("layer", [], module="keras.layers")


def register(cls: type[Layer], name: str | None = None) -> None:
    """Enter a layer under its class's name, or another."""
    registry.objects[name or cls.__name__] = cls


def serialize(layer: Layer) -> dict[str, Any]:
    """The configuration of a layer, in the format of Keras 3."""
    return registry.serialize(layer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The layer of a configuration, looked up in `custom_objects`, then in the table; a layer is given back as it is.

    Raises:
        ValueError: the class is unknown or does not take the configuration.
    """
    return config if isinstance(config, Layer) else registry.deserialize(config, custom_objects)
