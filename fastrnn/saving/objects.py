# SPDX-License-Identifier: Apache-2.0
"""Layers, losses and other objects as dictionaries of plain values, in Keras 3's form, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastrnn import activations, constraints, initializers, losses, metrics, optimizers, regularizers
from fastrnn.layers import table
from fastrnn.layers.base import Layer
from fastrnn.optimizers import schedules
from fastrnn.registered import CustomObjectScope, get_registered_name, known_objects
from fastrnn.registry import plain_value, value_of_plain
from fastrnn.saving.entries import read_model

_KINDS: list[tuple[type, Any]] = [
    (Layer, table), (losses.Loss, losses), (metrics.Metric, metrics), (optimizers.Optimizer, optimizers),
    (schedules.LearningRateSchedule, schedules), (initializers.Initializer, initializers),
    (regularizers.Regularizer, regularizers), (constraints.Constraint, constraints),
    (activations.Activation, activations),
]  # fmt: skip

_MODULES: dict[str, Any] = {
    "keras.layers": table, "keras.losses": losses, "keras.metrics": metrics, "keras.optimizers": optimizers,
    "keras.optimizers.schedules": schedules, "keras.initializers": initializers,
    "keras.regularizers": regularizers, "keras.constraints": constraints, "keras.activations": activations,
}  # fmt: skip


def serialize_keras_object(obj: Any) -> Any:
    """An object as plain values, which JSON can hold.

    Args:
        obj: a layer, a model, a loss, a metric, an optimizer, an initializer and the like; an object of your own with
            `get_config`; a function; an array; or lists, tuples and dictionaries of these and of plain values.

    Raises:
        ValueError: it has no such form; a lambda has none, as a file holds no code.

    Example:

    >>> import fastrnn
    >>> serialize_keras_object(fastrnn.regularizers.L2(0.5))["config"]
    {'l2': 0.5}
    """
    if obj is None or isinstance(obj, (bool, int, float, str)):
        return obj
    if isinstance(obj, (list, tuple)):
        return [serialize_keras_object(one) for one in obj]
    if isinstance(obj, Mapping):
        return {key: serialize_keras_object(one) for key, one in obj.items()}
    if isinstance(obj, slice):
        return {"class_name": "__slice__", "config": {"start": obj.start, "stop": obj.stop, "step": obj.step}}
    if isinstance(obj, (np.ndarray, np.generic)):
        return plain_value(obj)
    for kind, module in _KINDS:
        if isinstance(obj, kind):
            return module.serialize(obj)
    name = getattr(obj, "__name__", type(obj).__name__)
    if not isinstance(obj, type) and hasattr(obj, "get_config"):
        cls = type(obj)
        return {"module": cls.__module__, "class_name": cls.__name__, "config": obj.get_config(),
                "registered_name": get_registered_name(cls)}
    if callable(obj) and name != "<lambda>":
        return {"module": obj.__module__, "class_name": "function", "config": get_registered_name(obj),
                "registered_name": get_registered_name(obj)}
    raise ValueError(f"serialize_keras_object: {obj!r} has no form of plain values; "
                     + ("define it by def, with a name" if name == "<lambda>" else "give its class a get_config"))


def deserialize_keras_object(config: Any, custom_objects: Mapping[str, Any] | None = None, safe_mode: bool = True
                             ) -> Any:
    """The object of what `serialize_keras_object` gave, or Keras's. Nothing is imported or evaluated: names are
    looked up in fastrnn's tables and among your own.

    Args:
        config: plain values.
        custom_objects: your own classes and functions by name; registered ones are known without.
        safe_mode: without effect; code in a configuration is never run.

    Raises:
        ValueError: a name is not known, or a configuration does not fit its class.

    Example:

    >>> import fastrnn
    >>> deserialize_keras_object(serialize_keras_object(fastrnn.losses.Huber(2.0))).get_config()["delta"]
    2.0
    """
    if isinstance(config, (list, tuple)):
        return [deserialize_keras_object(one, custom_objects) for one in config]
    if not isinstance(config, Mapping):
        return config
    name, inner = config.get("class_name"), config.get("config")
    if not isinstance(name, str) or "config" not in config:
        return {key: deserialize_keras_object(one, custom_objects) for key, one in config.items()}
    if name in ("__tensor__", "__numpy__"):
        return value_of_plain(config)
    if name == "__slice__" and isinstance(inner, Mapping):
        return slice(inner.get("start"), inner.get("stop"), inner.get("step"))
    own, module = known_objects(custom_objects), str(config.get("module"))
    if name == "function":
        return _function(str(inner), str(config.get("registered_name")), own)
    if module in _MODULES:
        return _MODULES[module].deserialize(dict(config), own)
    if name in ("Sequential", "Functional", "Model") and module.startswith("keras"):
        return read_model(dict(config), "deserialize_keras_object", 3, own, values=True)
    found = own.get(str(config.get("registered_name")), own.get(name))
    if found is None:
        raise ValueError(f"deserialize_keras_object: unknown class {name!r} of module {module!r}; pass it in "
                         "custom_objects, or register it by register_keras_serializable")
    if not isinstance(found, type):
        return found
    if not isinstance(inner, Mapping):
        raise ValueError(f"deserialize_keras_object: expected a dictionary as 'config' of {name!r}, got {inner!r}")
    with CustomObjectScope(custom_objects or {}):
        return getattr(found, "from_config", lambda values: found(**values))(dict(inner))


def _function(name: str, registered: str, own: Mapping[str, Any]) -> Any:
    for key in (registered, name):
        if key in own:
            return own[key]
    if name in activations.__all__:
        return getattr(activations, name)
    if name in losses.__all__:
        return getattr(losses, name)
    raise ValueError(f"deserialize_keras_object: unknown function {name!r}; pass it in custom_objects, or register it "
                     "by register_keras_serializable")
