# SPDX-License-Identifier: Apache-2.0
"""How one function serves arrays, traced arrays and symbols."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

import numpy as np

from fastrnn import arrays
from fastrnn.graph.eager import namespace
from fastrnn.graph.symbol import OPERATIONS, has_symbols
from fastrnn.graph.tape import is_box
from fastrnn.layers.core.function_call import FunctionCall
from fastrnn.layers.variable import Variable

P = ParamSpec("P")


def op(symbolic: str | None = None) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """Make a function of arrays one of `fastrnn.ops`: for symbols among its arguments it gives the symbols of a layer
    that calls it. Its body computes with `namespace()`, so that it can be traced.

    Args:
        symbolic: the operation of `graph.symbol.OPERATIONS` that stands for it on symbols, which has its own gradients
            and a form in files; None for a layer that calls the function.
    """
    def made(function: Callable[P, Any]) -> Callable[P, Any]:
        @functools.wraps(function)
        def dispatched(*args: P.args, **kwargs: P.kwargs) -> Any:
            if has_symbols(args) or has_symbols(kwargs):
                if symbolic is not None and not kwargs:
                    return OPERATIONS[symbolic](*args)
                return FunctionCall(dispatched)(*args, **kwargs)
            return function(*args, **kwargs)

        return dispatched

    return made


def tensor(x: Any, dtype: Any = None) -> Any:
    """What a function computes with: an array; a traced array as it is. Numbers and lists of them become float32, int32
    or bool, as in Keras.

    Args:
        x: an array, a traced one, a `Variable`, a number, or a list of these.
        dtype: of the result, None for that of x.
    """
    if isinstance(x, Variable):
        x = x._operand()
    if is_box(x):
        return x if dtype is None or x.dtype == dtype else x.astype(dtype)
    if isinstance(x, (list, tuple)) and any(is_box(one) or isinstance(one, Variable) for one in x):
        xp = namespace()
        return xp.stack([tensor(one, dtype) for one in x])
    if not isinstance(x, np.ndarray):
        plain = isinstance(x, (bool, int, float, list, tuple))
        x = np.asarray(x) if plain or np.isscalar(x) else arrays.as_array(x)
        if plain and x.dtype in (np.float64, np.int64):
            x = x.astype("float32" if x.dtype == np.float64 else "int32")
    return x if dtype is None else np.asarray(x, dtype)


def weak(x: Any) -> Any:
    """As `tensor`, but a number stays one, which takes the dtype of what it meets."""
    if isinstance(x, (bool, int, float)):
        return x
    if isinstance(x, np.generic):
        return x.item()
    return tensor(x)
