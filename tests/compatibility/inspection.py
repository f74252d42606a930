# SPDX-License-Identifier: Apache-2.0
"""The public names of Keras and of fastrnn, and the arguments of what they stand for."""

from __future__ import annotations

import importlib
import inspect
import typing
from types import ModuleType
from typing import Any

from fastrnn import activations
from fastrnn.activations import Activation
from fastrnn.optimizers import Optimizer

#: The modules that the page is about, "" for the packages themselves.
MODULES = ("", "layers", "losses", "metrics", "optimizers", "optimizers.schedules", "callbacks", "utils", "ops",
           "initializers", "regularizers", "constraints", "activations", "random", "datasets", "preprocessing",
           "preprocessing.sequence", "saving", "models")

#: Stands for what is not there.
NOTHING = object()


def find(package: str, module: str, name: str = "") -> Any:
    """What a package has by a name in a module, or the module; NOTHING where it has not."""
    try:
        found: Any = importlib.import_module(f"{package}.{module}".rstrip("."))
    except ImportError:
        return NOTHING
    return getattr(found, name, NOTHING) if name else found


def public(module: str) -> list[str]:
    """Keras's public names in a module; "src" is its code."""
    return sorted(name for name in dir(find("keras", module)) if not name.startswith("_") and name != "src")


def arguments(thing: Any) -> tuple[list[str], list[str]]:
    """The names of a function's or class's arguments: those in order, and those that are taken as keywords alone."""
    if isinstance(thing, Activation):
        return ["x", *thing.get_config()], []
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return [], []
    ordered, keywords, rest = [], [], False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            if parameter.name == "parameters":   # an activation's, among the functions of `ops`
                return arguments(getattr(activations, thing.__name__))
            rest = isinstance(thing, type) and issubclass(thing, Optimizer)   # whose arguments follow
        elif parameter.kind is parameter.VAR_KEYWORD:
            keywords += typed_keywords(thing, parameter.annotation)
        elif parameter.kind is parameter.KEYWORD_ONLY:
            keywords.append(parameter.name)
        else:
            ordered.append(parameter.name)
    if rest:
        ordered += [name for name in arguments(Optimizer)[0] if name not in ordered]
    return ordered, keywords


def typed_keywords(thing: Any, annotation: Any) -> list[str]:
    """The names in `**kwargs: Unpack[Some]`."""
    if isinstance(annotation, str) and annotation.startswith("Unpack["):
        function = inspect.unwrap(thing.__init__ if isinstance(thing, type) else thing)
        annotation = eval(annotation, vars(typing) | function.__globals__)
    return list(annotation.__args__[0].__annotations__) if hasattr(annotation, "__args__") else []


def differences(theirs: Any, ours: Any) -> tuple[list[str], list[str], bool]:
    """Keras's arguments that ours lacks, those that ours has beside, and whether the others are in Keras's order."""
    if isinstance(theirs, ModuleType) or not callable(theirs):
        return [], [], True
    wanted, wanted_keywords = arguments(theirs)
    ordered, keywords = arguments(ours)
    lacks = [name for name in wanted + wanted_keywords if name not in ordered + keywords]
    extra = [name for name in ordered if wanted and name not in wanted + wanted_keywords]
    shared = [name for name in wanted if name in ordered]
    return lacks, extra, [name for name in ordered if name in wanted] == shared
