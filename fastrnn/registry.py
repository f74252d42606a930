# SPDX-License-Identifier: Apache-2.0
"""Closed tables of named objects: how a module turns "mse", a configuration or an instance into an object, and what it
says of a name that it does not have."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

import numpy as np

from fastrnn import spellings
from fastrnn.registered import get_registered_name, known_objects
from fastrnn.spellings import near


@functools.cache
def snake_case(name: str) -> str:
    """The name of a class in small letters, words joined by underscores, as Keras spells it.

    >>> snake_case("MeanSquaredError")
    'mean_squared_error'
    """
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def did_you_mean(name: str, cls: type, more: Iterable[str] = ()) -> str:
    """What an error about an unknown keyword adds to its name: the nearest that a class takes, if one is near.

    Args:
        name: the keyword.
        cls: the class; what its `__init__` does not name goes on to those of its bases.
        more: further keywords that it takes.

    Example:

    >>> did_you_mean("modul", Registry), did_you_mean("colour", Registry)
    (" (did you mean 'module'?)", '')
    """
    known = list(more)
    for base in cls.__mro__:
        init = vars(base).get("__init__")
        code = getattr(getattr(init, "__wrapped__", init), "__code__", None)
        if code is not None:
            known += code.co_varnames[1:code.co_argcount + code.co_kwonlyargcount]
    return near(name, known)


def check_keywords(cls: type, keywords: Iterable[str]) -> None:
    """Refuse keywords that a class's `__init__` cannot take; one that has `**kwargs` sees to them itself.

    Raises:
        TypeError: one is not there; it names the nearest that is.
    """
    init: Any = cls.__init__  # type: ignore[misc]
    code = getattr(init, "__code__", None)
    open_ended = init is not object.__init__ if code is None else code.co_flags & 0x08
    if open_ended:
        return
    known = () if code is None else code.co_varnames[1:code.co_argcount + code.co_kwonlyargcount]
    unknown = [f"{name!r}{did_you_mean(name, cls)}" for name in keywords if name not in known]
    if unknown:
        raise TypeError(f"{cls.__name__}: unknown keyword {', '.join(unknown)}")


def absent(module: str, name: str, names: Iterable[str]) -> AttributeError:
    """The error for a name that a module of the package does not have: what there is, and what is spelled nearly so."""
    problem = f"module {module!r} has no attribute {name!r}"
    if not name.startswith("__"):   # as those begin that Python itself asks for
        names = sorted(known for known in names if not known.startswith("_"))
        problem += f"{near(name, names)}; it has {', '.join(names)}"
    return AttributeError(problem)


def absent_from(module: str, names: Iterable[str]) -> Callable[[str], Any]:
    """The `__getattr__` of a module that has these names, and those of older Keras; it raises the error of `absent`.

    >>> absent_from("fastrnn.layers", ["GRU", "LSTM"])("LTSM")
    Traceback (most recent call last):
        ...
    AttributeError: module 'fastrnn.layers' has no attribute 'LTSM' (did you mean 'LSTM'?); it has GRU, LSTM
    """
    def __getattr__(name: str) -> Any:
        found = spellings.find(module, name)
        if found is not spellings.NOTHING:
            return found
        raise absent(module, name, names)
    return __getattr__


class Configurable:
    """What can be written as a dictionary of plain values and built again from it."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        check_keywords(cls, kwargs)
        if args and cls.__init__ is object.__init__:
            raise TypeError(f"{cls.__name__}: expected no arguments, got {len(args)}")
        return super().__new__(cls)

    def get_config(self) -> dict[str, Any]:
        """The arguments that build this object again."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Build the object from what `get_config` gave."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"


class Registry:
    """The objects of one kind by name, and the look-ups that every such module shares.

    Nothing that a configuration names is imported or evaluated: a name is looked up in the table, among what the user
    has registered, and in the `custom_objects` of the call, and is an error if it is in none of them.

    Args:
        kind: what the objects are, in the words of an error message: "initializer".
        classes: the classes, entered under their name and its snake_case form.
        aliases: further names. A value may be a class, an instance or a function.
        module: the module named in serialized configurations, whose format is that of Keras 3.

    Example:

    >>> class Zeros(Configurable):
    ...     pass
    >>> registry = Registry("initializer", [Zeros], {"zero": Zeros}, module="keras.initializers")
    >>> registry.get("zero")
    Zeros()
    >>> registry.get("one")
    Traceback (most recent call last):
        ...
    ValueError: unknown initializer 'one': expected one of Zeros, zero, zeros, an instance or its configuration
    """

    def __init__(
        self, kind: str, classes: Iterable[type], aliases: Mapping[str, Any] | None = None, module: str | None = None
    ) -> None:
        self.kind = kind
        self.module = module
        self.objects: dict[str, Any] = {}
        for cls in classes:
            self.objects[cls.__name__] = self.objects[snake_case(cls.__name__)] = cls
        self.objects.update(aliases or {})

    def get(self, identifier: Any) -> Any:
        """The object that `identifier` stands for: a name, a configuration, a class (built with its defaults), or an
        instance or callable (given back as it is). None stays None.

        Raises:
            ValueError: the name is not in the table, or the configuration does not fit its class.
        """
        if identifier is None:
            return None
        if isinstance(identifier, str):
            return self._built(self._find(identifier, None))
        if isinstance(identifier, Mapping):
            return self.deserialize(identifier)
        if callable(identifier) or hasattr(identifier, "get_config"):
            return self._built(identifier)
        raise ValueError(f"cannot read {identifier!r} as {self._a_kind}: expected {self._expected()}")

    def deserialize(self, config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The object of a configuration: {"class_name": ..., "config": ...}, with or without Keras 3's "module" and
        "registered_name", or a name alone.

        Args:
            config: the configuration.
            custom_objects: the caller's own classes and functions by name, looked up before the table.

        Raises:
            ValueError: the name is not known, or the configuration does not fit its class.
        """
        if config is None:
            return None
        if isinstance(config, str):
            return self._built(self._find(config, custom_objects))
        if not isinstance(config, Mapping) or not isinstance(config.get("class_name"), str):
            raise ValueError(
                f"cannot read {config!r} as {self._a_kind}: expected a dictionary with 'class_name' and 'config'"
            )
        name, inner = config["class_name"], config.get("config")
        if name == "function":  # Keras 3's form of a function, whose name is its configuration
            name, inner = (inner if isinstance(inner, str) else str(config.get("registered_name"))), None
        found = self._find(name, custom_objects)
        if not isinstance(found, type):
            return found
        if inner is None:
            inner = {}
        if not isinstance(inner, Mapping):
            raise ValueError(f"{self.kind} '{name}': expected 'config' to be a dictionary, got {inner!r}")
        # What holds others, and says so, looks theirs up in the same tables.
        more = (custom_objects,) if getattr(found, "takes_custom_objects", False) else ()
        try:
            return found.from_config(dict(inner), *more) if hasattr(found, "from_config") else found(**inner)
        except TypeError as error:
            raise ValueError(
                f"{self.kind} '{name}': its class does not take config {dict(inner)!r}: {error}"
            ) from error

    def serialize(self, obj: Any) -> Any:
        """The configuration of an object, in the format of Keras 3; the name of a function; None for None."""
        if obj is None or isinstance(obj, str):
            return obj
        cls = type(obj)
        if not hasattr(obj, "get_config"):
            if hasattr(obj, "__name__"):
                return get_registered_name(obj)
            raise ValueError(f"cannot serialize {obj!r} as {self._a_kind}: it has no get_config()")
        known = self.objects.get(cls.__name__) is cls
        return {
            "module": getattr(cls, "keras_module", self.module) if known else cls.__module__,
            "class_name": getattr(cls, "keras_name", cls.__name__) if known else cls.__name__,
            "config": obj.get_config(),
            "registered_name": None if known else get_registered_name(cls),
        }

    def _find(self, name: str, custom_objects: Mapping[str, Any] | None) -> Any:
        own = known_objects(custom_objects)
        if name in own:
            return own[name]
        try:
            return self.objects[name]
        except KeyError:
            raise ValueError(f"unknown {self.kind} {name!r}{near(name, self.objects)}: expected "
                             f"{self._expected()}") from None

    def _built(self, obj: Any) -> Any:
        return obj() if isinstance(obj, type) else obj

    def _expected(self) -> str:
        return f"one of {', '.join(sorted(self.objects))}, an instance or its configuration"

    @property
    def _a_kind(self) -> str:
        return f"{'an' if self.kind[0] in 'aeiou' else 'a'} {self.kind}"


def plain_value(value: Any) -> Any:
    """A number or array as a configuration holds it: arrays in the format of Keras 3, NumPy scalars as Python's."""
    if isinstance(value, np.ndarray) and value.ndim:
        return {"class_name": "__numpy__", "config": {"value": value.tolist(), "dtype": value.dtype.name}}
    return value.item() if isinstance(value, np.ndarray | np.generic) else value


def value_of_plain(value: Any) -> Any:
    """What `plain_value` was given."""
    if isinstance(value, Mapping):
        if value.get("class_name") not in ("__numpy__", "__tensor__"):
            raise ValueError(f"expected a number or an array, got {dict(value)!r}")
        return np.array(value["config"]["value"], dtype=value["config"]["dtype"])
    return value
