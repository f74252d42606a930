# SPDX-License-Identifier: Apache-2.0
"""Lambda: a function as a layer."""

from __future__ import annotations

import base64
import inspect
import marshal
from collections.abc import Callable, Mapping
from typing import Any, Unpack

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Layer
from fastrnn.registered import get_registered_name, known_objects


class Lambda(Layer):
    """A function of arrays as a layer. In training it is differentiated by the package autograd, so it is made of
    `fastrnn.ops`, of operators, or of NumPy's element-wise functions.

    Args:
        function: called with the input, or the list of inputs; and with `mask` and `training` if it has such arguments.
        output_shape: accepted for Keras's sake; shapes are known from a run on zeros.
        mask: the output's mask, or a function of the input and its mask that gives it; None for none.
        arguments: further keyword arguments of the function.

    Raises:
        TypeError: `function` cannot be called.

    Example:

    >>> from fastrnn.layers import Lambda
    >>> Lambda(lambda x: x ** 2)([[1.0, 2.0]])
    array([[1., 4.]], dtype=float32)
    """

    takes_custom_objects = True

    def __init__(self, function: Callable[..., Any], output_shape: Any = None, mask: Any = None,
                 arguments: Mapping[str, Any] | None = None, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError(f"{self} function: expected a function, got {function!r}; a file holds no code, pass the "
                            "function by its name in custom_objects")
        self.function, self.mask = function, mask
        self.arguments = dict(arguments or {})
        self._output_shape = output_shape
        try:
            self._takes = {"mask", "training"} & set(inspect.signature(function).parameters)
        except (TypeError, ValueError):         # of a function that says nothing of itself
            self._takes = set()
        self.supports_masking = mask is not None
        self.built = True

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """What the function gives for arrays."""
        given = {"mask": mask, "training": training}
        return self.function(inputs, **self.arguments, **{name: given[name] for name in self._takes})

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        """What builds the layer again, with the function's name, for which `custom_objects` has the function. A lambda
        has none: in its place stands its code, as Keras has it, which fastrnn never runs."""
        name = get_registered_name(self.function)
        function = _code_of(self.function) if name == "<lambda>" else name
        return {**super().get_config(), "function": function, "arguments": self.arguments}

    def own_functions(self) -> dict[str, Any]:
        """The function by its name, a lambda by the layer's."""
        name = get_registered_name(self.function)
        return {self.name if name == "<lambda>" else name: self.function}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Lambda:
        """Build the layer from what `get_config` gave.

        Args:
            config: the dictionary, or Keras's.
            custom_objects: functions by name; in the place of a lambda by the layer's name.

        Raises:
            ValueError: the function is not known by its name, or there is code in its place, which is never run.
        """
        function = config["function"]
        if isinstance(function, Mapping):       # Keras 3's form
            function = function.get("config") if function.get("class_name") == "function" else None
        known, layer = known_objects(custom_objects), config.get("name")
        if not callable(function):
            name = str(function if isinstance(function, str) else layer)
            if name not in known:
                got = repr(function) if isinstance(function, str) else "the code of a lambda, which is never run"
                raise ValueError(f"Lambda '{layer}' function: expected the name of a function of custom_objects, got "
                                 f"{got}; pass custom_objects={{{name!r}: the function}}, or define it by def and "
                                 "register it by utils.register_keras_serializable")
            function = known[name]
        rest = {key: value for key, value in config.items() if key not in ("function", "output_shape", "mask")}
        return cls(function, **rest)


def _code_of(function: Callable[..., Any]) -> dict[str, Any]:
    """A lambda as Keras 3 writes it, who reads it with safe_mode=False."""
    cells: Any = getattr(function, "__closure__", None) or ()
    code = base64.encodebytes(marshal.dumps(function.__code__)).decode()
    return {"class_name": "__lambda__", "config": {
        "code": code, "defaults": list(function.__defaults__ or ()) or None,
        "closure": [cell.cell_contents for cell in cells] or None}}
