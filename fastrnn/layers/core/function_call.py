# SPDX-License-Identifier: Apache-2.0
"""FunctionCall: a function of `fastrnn.ops` as a node of a graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from fastrnn.graph.symbol import Symbol, flatten, has_symbols
from fastrnn.layers.base import Layer, unique_name
from fastrnn.layers.table import operations

#: Elements that a result may have for a few samples, texts' characters, lists inside each other and their lengths.
MAX_ELEMENTS, _MAX_TEXT, _MAX_DEPTH, _MAX_LENGTH = 1 << 28, 255, 4, 10_000
#: Sizes that stand for axes that may vary: the batch's, others.
_TRIAL = 3, 31


class FunctionCall(Layer):
    """Calls a function with what stands for its arguments; it has no weights, and hands no mask on.

    There is a class for each function, under the name that Keras's class of it has, as its files hold them. As there,
    the layer is made with the function's options, and is called on its operands.

    Args:
        name: of the layer; made of the class's by default.
        options: the function's arguments that are no operands: None, booleans, numbers, texts, and lists of them.

    Raises:
        TypeError: the function has no such option, or the value is none of these.

    Example:

    >>> import fastrnn
    >>> x = fastrnn.Input((None, 3))
    >>> y = fastrnn.ops.mean(x, axis=1)
    >>> y.shape, type(y.node.layer).__name__
    ((None, 3), 'Mean')
    """

    #: The function of arrays, which can be traced; how many elements it makes for shapes and options.
    function: ClassVar[Callable[..., Any]]
    elements: ClassVar[Callable[[list[tuple[int, ...]], Mapping[str, Any]], int] | None] = None
    #: Names of the operands, of which the last may stand for any number; and of the options, of which the first may
    #: stand before the operands.
    operands: ClassVar[tuple[str, ...]] = ()
    many: ClassVar[bool] = False
    leading: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[tuple[str, ...]] = ()
    keras_module: ClassVar[str] = "keras.src.ops.numpy"

    def __init__(self, *, name: str | None = None, **options: Any) -> None:
        cls = type(self)
        super().__init__(name=name or unique_name(cls.function.__name__.strip("_")))
        # Keras writes all of them, those that only its own functions have as what they are if nobody gives them.
        given = {key: value for key, value in options.items() if key in cls.options or value}
        for key, value in given.items():
            if key not in cls.options:
                raise TypeError(f"{self}: unknown option {key!r}; there are {', '.join(cls.options) or 'none'}")
            if not is_plain(value):
                raise TypeError(f"{self} {key}: expected None, a number, a text or a list of them, got "
                                f"{str(value)[:80]}")
        self.given = given
        self.built = True

    def __call__(self, *operands: Any, **more: Any) -> Any:
        """The symbols of what the function gives, for symbols among its arguments.

        Args:
            operands: symbols, arrays and numbers.
            more: options that are symbols or arrays.

        Raises:
            TypeError: there are too many of them, or none is a symbol.
            ValueError: they do not fit the function, or it would make too many elements of them.
        """
        if not (self.many or len(operands) <= len(self.operands)):
            raise TypeError(f"{self}: expected at most {len(self.operands)} operands, got {len(operands)}")
        if not has_symbols((operands, more)):
            raise TypeError(f"{self}: expected symbols among the operands; call fastrnn.ops with arrays")
        self._check_size(operands)
        floats = [leaf.dtype for leaf in flatten((operands, more))
                  if isinstance(leaf, Symbol) and leaf.dtype.startswith("float")]
        self.dtype = floats[0] if floats else self.dtype
        return self.connect([], operands, more)

    def call(self, *operands: Any, **more: Any) -> Any:
        """What the function gives for arrays."""
        options = {**self.given, **more} if more else self.given
        function = type(self).function
        if not self.many:
            return function(**dict(zip(self.operands, operands)), **options)
        first = [options[name] for name in self.leading]
        return function(*first, *operands, **{key: value for key, value in options.items() if key not in self.leading})

    def _check_size(self, operands: tuple[Any, ...]) -> None:
        """Refuse what would take more memory than there may be, before the function runs on zeros."""
        shapes = [tuple(size if size is not None else _TRIAL[axis > 0] for axis, size in enumerate(np.shape(leaf)))
                  for leaf in flatten(operands) if leaf is not None and not isinstance(leaf, (str, slice))]
        try:
            made = type(self).elements(shapes, self.given) if type(self).elements else 0    # type: ignore[misc]
        except (LookupError, TypeError, ValueError):    # of which the function says more
            made = 0
        made = max([made, *map(math.prod, shapes)])
        if made > MAX_ELEMENTS:
            raise ValueError(f"{self}: for operands of shapes {', '.join(map(str, shapes))} it would take {made} "
                             f"elements; there may be {MAX_ELEMENTS}")

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, **self.given}

    def __reduce__(self) -> Any:
        """Pickles find the class in the table: as names of a module, some would hide functions."""
        return _blank, (type(self).__name__,), self.__getstate__()


def _blank(name: str) -> Any:
    return object.__new__(operations.objects[name])


def is_plain(value: Any, depth: int = 0) -> bool:
    """Whether a configuration can hold it as it is.

    >>> is_plain([1, None, "float32"]), is_plain(len)
    (True, False)
    """
    if isinstance(value, str):
        return len(value) <= _MAX_TEXT
    if isinstance(value, Sequence):
        return depth < _MAX_DEPTH and len(value) <= _MAX_LENGTH and all(is_plain(part, depth + 1) for part in value)
    return value is None or type(value) in (bool, int, float)


def function_class(name: str, function: Callable[..., Any], **attributes: Any) -> type[FunctionCall]:
    """A class of the table for a function.

    Args:
        name: of the class.
        function: of arrays.
        attributes: of the class.
    """
    return type(name, (FunctionCall,), {
        "function": staticmethod(function), "__module__": __name__, **attributes,
        "__doc__": f"The function {function.__name__.strip('_')} as a layer; see `FunctionCall`."})
