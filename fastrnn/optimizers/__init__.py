# SPDX-License-Identifier: Apache-2.0
"""How weights follow their gradients: Keras's optimizers, with Keras's names, defaults and formulas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastrnn import spellings
from fastrnn.optimizers import legacy, schedules
from fastrnn.optimizers.adadelta import Adadelta
from fastrnn.optimizers.adafactor import Adafactor
from fastrnn.optimizers.adagrad import Adagrad
from fastrnn.optimizers.adam import Adam, AdamW
from fastrnn.optimizers.adamax import Adamax
from fastrnn.optimizers.base import Optimizer
from fastrnn.optimizers.ftrl import Ftrl
from fastrnn.optimizers.lamb import Lamb
from fastrnn.optimizers.lion import Lion
from fastrnn.optimizers.muon import Muon
from fastrnn.optimizers.nadam import Nadam
from fastrnn.optimizers.rmsprop import RMSprop
from fastrnn.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from fastrnn.optimizers.sgd import SGD
from fastrnn.registry import Registry, absent_from

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "ScheduleFreeAdamW",
    "deserialize",
    "get",
    "legacy",
    "schedules",
    "serialize",
]

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    __getattr__ = absent_from(__name__, __all__)

_classes = [SGD, RMSprop, Adam, AdamW, Adadelta, Adafactor, Adagrad, Adamax, Ftrl, Lamb, Lion, Muon, Nadam,
            ScheduleFreeAdamW]
_registry = Registry("optimizer", [], {cls.__name__.lower(): cls for cls in _classes}, module="keras.optimizers")
_registry.objects.update({cls.__name__: cls for cls in _classes})
for _cls in _classes:
    if _cls.__module__.endswith(f".{_cls.__name__.lower()}"):
        spellings.let_call(_cls.__module__, _cls)       # as Keras 2's functions adam() and so on


def get(identifier: Any) -> Any:
    """The optimizer of a name in small or capital letters, a configuration, a class (with its defaults) or an instance;
    None for None.

    Raises:
        ValueError: the name is not known, the configuration does not fit its class, or it is no optimizer.

    Example:

    >>> get("adam").learning_rate
    0.001
    """
    if identifier is None or isinstance(identifier, Optimizer):
        return identifier
    optimizer = (
        deserialize(identifier) if isinstance(identifier, Mapping) else _registry.get(_known_spelling(identifier))
    )
    if not isinstance(optimizer, Optimizer):
        raise ValueError(
            f"cannot read {identifier!r} as an optimizer: expected a name, a configuration or an Optimizer"
        )
    return optimizer


def serialize(optimizer: Any) -> Any:
    """The configuration of an optimizer, in the format of Keras 3. The state is not in it."""
    return _registry.serialize(optimizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The optimizer of a configuration; its name is looked up in `custom_objects`, then among the known ones.

    Raises:
        ValueError: the name is not known, or the configuration does not fit its class.
    """
    if isinstance(config, Mapping):
        config = {**config, "class_name": _known_spelling(config.get("class_name"))}
    return _registry.deserialize(config, custom_objects)


def _known_spelling(name: Any) -> Any:
    """Keras takes its optimizers' names in small and capital letters alike: "ADAM"."""
    return name.lower() if isinstance(name, str) and name.lower() in _registry.objects else name
