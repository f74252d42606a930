# SPDX-License-Identifier: Apache-2.0
"""The user's own classes and functions that configurations may name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

T = TypeVar("T")

_registered: dict[str, Any] = {}


class _Scopes(threading.local):
    def __init__(self) -> None:
        self.open: list[Mapping[str, Any]] = []


_scopes = _Scopes()


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """Have files and configurations find a class or a function of your own by its name; a decorator.

    Args:
        package: stands before the name in a configuration's "registered_name".
        name: of the class or function by default.

    Raises:
        ValueError: another one is registered under that name.

    Example:

    >>> import fastrnn
    >>> @fastrnn.utils.register_keras_serializable("docs")
    ... def double(x):
    ...     return 2 * x
    >>> fastrnn.utils.get_registered_name(double)
    'docs>double'
    """
    def enter(thing: T) -> T:
        label = name or str(getattr(thing, "__name__", type(thing).__name__))
        full = f"{package}>{label}"
        _registered[full] = _registered[label] = thing
        return thing

    return enter


def get_registered_name(obj: Any) -> str:
    """The name under which a class or function is registered, with its package; else its own.

    Args:
        obj: the class or function.

    Example:

    >>> get_registered_name(dict)
    'dict'
    """
    return next((name for name, known in _registered.items() if known is obj and ">" in name),
                getattr(obj, "__name__", type(obj).__name__))


def get_registered_object(name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """What is registered under a name; None if nothing is.

    Args:
        name: with its package or without.
        custom_objects: further ones, which are looked up first.

    Example:

    >>> get_registered_object("nothing") is None
    True
    """
    return known_objects(custom_objects).get(name)


def get_custom_objects() -> dict[str, Any]:
    """The table of registered classes and functions, by name, to be changed in place."""
    return _registered


def known_objects(custom_objects: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """What a configuration may name beside the library's own: registered things, those of open scopes, and these.

    Args:
        custom_objects: of the call.

    Example:

    >>> known_objects({"Mine": int})["Mine"]
    <class 'int'>
    """
    if not (_registered or _scopes.open):
        return custom_objects or {}
    found = dict(_registered)
    for scope in _scopes.open:
        found.update(scope)
    return {**found, **(custom_objects or {})}


class CustomObjectScope:
    """While it is open, files and configurations find these classes and functions by name.

    Args:
        custom_objects: by name.

    Example:

    >>> import fastrnn
    >>> class Mine(fastrnn.layers.Dense):
    ...     pass
    >>> config = fastrnn.layers.serialize(Mine(3))
    >>> with fastrnn.utils.CustomObjectScope({"Mine": Mine}):
    ...     type(fastrnn.layers.deserialize(config)).__name__
    'Mine'
    """

    def __init__(self, custom_objects: Mapping[str, Any]) -> None:
        self.custom_objects = dict(custom_objects)

    def __enter__(self) -> Self:
        _scopes.open.append(self.custom_objects)
        return self

    def __exit__(self, *_: object) -> None:
        _scopes.open.remove(self.custom_objects)


custom_object_scope = CustomObjectScope
