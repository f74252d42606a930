# SPDX-License-Identifier: Apache-2.0
"""FunctionCall: a function of `fastrnn.ops` as a node of a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastrnn.graph.symbol import Symbol, flatten
from fastrnn.layers.base import Layer, unique_name


class FunctionCall(Layer):
    """Calls a function with what stands for its arguments; it has no weights, and hands no mask on.

    Args:
        function: of arrays, which can be traced.
        name: of the layer; made of the function's by default.

    Example:

    >>> import fastrnn
    >>> x = fastrnn.Input((None, 3))
    >>> fastrnn.ops.mean(x, axis=1).shape
    (None, 3)
    """

    def __init__(self, function: Callable[..., Any], *, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name or unique_name(function.__name__.strip("_")), **kwargs)
        self.function = function
        self.built = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The symbols of what the function gives, for symbols among its arguments."""
        floats = [leaf.dtype for leaf in flatten((args, kwargs))
                  if isinstance(leaf, Symbol) and leaf.dtype.startswith("float")]
        self.dtype = floats[0] if floats else self.dtype
        return self.connect([], args, kwargs)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """What the function gives for arrays."""
        return self.function(*args, **kwargs)
