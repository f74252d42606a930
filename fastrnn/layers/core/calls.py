# SPDX-License-Identifier: Apache-2.0
"""Calls: any function as a node of a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastrnn.layers.base import Layer


class Calls(Layer):
    """Calls a function, a loss for instance, with what stands for its arguments.

    It has no weights, hands no mask on, and has no form in files.

    Args:
        function: of arrays, which can be traced.
        name: of the layer.

    Example:

    >>> import fastrnn
    >>> x, y = fastrnn.Input((3,)), fastrnn.Input((3,))
    >>> fastrnn.losses.mean_squared_error(x, y).shape
    (None,)
    """

    def __init__(self, function: Callable[..., Any], *, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.function = function
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """What the function gives for arrays."""
        return self.function(*args, **kwargs)
