# SPDX-License-Identifier: Apache-2.0
"""Configurations from files: from text to plain values, within bounds, without what stands for code.

A name in a file is looked up, and is an error if it is not there. Nothing is imported, evaluated or called by its name,
no value is taken for a path, and there is no switch that changes this.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from fastrnn.saving.errors import MAX_DEPTH, MAX_TEXT, ModelFileError, shown

#: Where Keras's own classes are from, in its versions, and fastrnn's.
_HOMES = ("keras", "tf_keras", "tensorflow", "builtins", "fastrnn")
#: Keras's forms of what is no plain value; all but these stand for code or types.
_ARRAYS = ("__numpy__", "__tensor__")
_PLAIN = (*_ARRAYS, "__keras_tensor__", "__slice__", "__ellipsis__")
_ARRAY_DTYPES = ("float16", "float32", "float64", "int32", "int64", "bool")


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


def check_names(value: Any, file: str, place: str, known: Collection[str] = ()) -> None:
    """Refuse what names code: a class from elsewhere than Keras, a Lambda, a function's bytes; and types of numbers
    that are more than a name, which NumPy would parse.

    known: names of classes that the caller has, be they from wherever a file says.
    """
    if isinstance(value, list):
        for inner in value:
            check_names(inner, file, place, known)
    if not isinstance(value, dict):
        return
    dtype = value.get("dtype")
    if isinstance(dtype, str) and not dtype.isidentifier():
        raise ModelFileError(file, place, f"expected the name of a dtype, got {shown(dtype)}")
    name = value.get("class_name")
    if name is not None and isinstance(value.get("config", {}), (dict, str, list)):
        if not isinstance(name, str):
            raise ModelFileError(file, place, f"expected a class's name, got {shown(name)}")
        if name == "Lambda" or name.endswith(">Lambda"):
            value = _without_function(value, file, place, known)
        elif "__lambda__" in name:
            raise ModelFileError(file, place, "a lambda is a program, which is never run")
        if name.startswith("__") and name not in _PLAIN:
            raise ModelFileError(file, place, f"{shown(name)} stands for code or a type, which is not loaded")
        if name in _ARRAYS:
            _check_array(value.get("config"), file, place)
        if name not in known and not (isinstance(value.get("registered_name"), str)
                                      and value["registered_name"] in known):
            _check_home(name, value, file, place)
    for key, inner in value.items():
        check_names(inner, file, f"{place}.{key}" if len(place) < 200 else place, known)


def _without_function(entry: dict[str, Any], file: str, place: str, known: Collection[str]) -> dict[str, Any]:
    """A Lambda's entry without its function, which the caller must have: by its name, or a lambda by the layer's."""
    config = entry.get("config")
    function = config.get("function") if isinstance(config, dict) else None
    if isinstance(function, dict) and function.get("class_name") == "function":
        function = function.get("config")
    layer = config.get("name") if isinstance(config, dict) else None
    needed = function if isinstance(function, str) else layer
    if not isinstance(needed, str) or needed not in known:
        raise ModelFileError(file, place, f"Lambda {shown(layer)} holds a program, which is never run; pass its "
                                          f"function by custom_objects, as {shown(needed)}")
    return {**entry, "config": {key: inner for key, inner in (config or {}).items() if key != "function"}}


def _check_array(config: Any, file: str, place: str) -> None:
    if not isinstance(config, dict) or config.get("dtype") not in _ARRAY_DTYPES:
        raise ModelFileError(file, place, f"expected an array with a dtype of {', '.join(_ARRAY_DTYPES)}")


def _check_home(name: str, entry: Mapping[str, Any], file: str, place: str) -> None:
    module = entry.get("module")
    if module is not None and (not isinstance(module, str) or module.split(".")[0] not in _HOMES):
        raise ModelFileError(file, place, f"class {shown(name)} of module {shown(module)} is not one of Keras's own, "
                                          "and nothing that a file names is imported; pass a class of your own by "
                                          "custom_objects")
    registered = entry.get("registered_name")
    if registered is not None and not isinstance(registered, str):
        raise ModelFileError(file, place, f"expected registered_name to be a text, got {shown(registered)}")
    if module is None and isinstance(registered, str) and ">" in registered and registered.split(">")[0] != "keras":
        raise ModelFileError(file, place, f"class {shown(registered)} is not one of Keras's own")
