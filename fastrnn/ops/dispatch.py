# SPDX-License-Identifier: Apache-2.0
"""How one function serves arrays, traced arrays and symbols; and which dtype they meet in."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec

import numpy as np

from fastrnn import arrays
from fastrnn.config import floatx
from fastrnn.graph.eager import namespace, tape
from fastrnn.graph.symbol import OPERATIONS, has_symbols
from fastrnn.graph.tape import is_box, plain
from fastrnn.layers.variable import Variable
from fastrnn.ops.operations import call_on_symbols, operation

P = ParamSpec("P")
Axis = int | Sequence[int] | None


def op(function: Callable[P, Any], symbolic: str | None = None) -> Callable[P, Any]:
    """Make a function of arrays one of `fastrnn.ops`: for symbols among its arguments it gives the symbols of a layer
    that calls it. Its body computes with `namespace()`, so that it can be traced.

    Args:
        function: of arrays.
        symbolic: the operation of `graph.symbol.OPERATIONS` that stands for it on symbols, which has its own gradients
            and a form in files; None for a layer of its own class, see `operation`.
    """
    signature = inspect.signature(function)
    cls = operation(function) if symbolic is None else None

    @functools.wraps(function)
    def dispatched(*args: P.args, **kwargs: P.kwargs) -> Any:
        if has_symbols(args) or has_symbols(kwargs):
            bound = signature.bind(*args, **kwargs)
            return OPERATIONS[str(symbolic)](*bound.args) if cls is None else call_on_symbols(cls, bound)
        made = function(*args, **kwargs)
        running = tape()
        if running is not None and not is_box(made) and not isinstance(made, (list, tuple)) and any(map(is_box, args)):
            running.ends.append(function.__name__.strip("_"))
        return made

    return dispatched


def tensor(x: Any, dtype: Any = None) -> Any:
    """What a function computes with: an array; a traced array as it is. Numbers and lists of them become
    `config.floatx()`, int32 or bool, as in Keras.

    Args:
        x: an array, a traced one, a `Variable`, a number, or a list of these.
        dtype: of the result, None for that of x.
    """
    if isinstance(x, Variable):
        x = x._operand()
    if is_box(x):
        return x if dtype is None or x.dtype == dtype else x.astype(dtype)
    if isinstance(x, (list, tuple)) and any(is_box(one) or isinstance(one, Variable) for one in x):
        return namespace().stack([tensor(one, dtype) for one in x])
    if not isinstance(x, np.ndarray):
        numbers = isinstance(x, (bool, int, float, list, tuple)) and not isinstance(x, np.generic)
        x = np.asarray(x) if numbers or np.isscalar(x) else arrays.as_array(x)
        if numbers and x.dtype in (np.float64, np.int64):
            x = x.astype(floatx() if x.dtype == np.float64 else "int32")
    return x if dtype is None else np.asarray(x, dtype)


def floating(x: Any) -> Any:
    """As `tensor`, whole numbers and booleans as float32."""
    x = tensor(x)
    return x if x.dtype.kind in "fc" else x.astype(floatx())


def together(*xs: Any, floats: bool = False) -> list[Any]:
    """Operands in the dtype that they meet in: floats no wider than the arrays are, whatever meets them. Numbers take
    the dtype of the arrays.

    Args:
        xs: as `tensor` takes them.
        floats: whole numbers become float32.

    Example:

    >>> [x.dtype.name for x in together(np.ones(2, "int32"), np.ones(2, "float32"))]
    ['float32', 'float32']
    """
    made: list[Any] = [x.item() if isinstance(x, np.generic) else x if isinstance(x, (bool, int, float)) else tensor(x)
                       for x in xs]
    kinds = [x.dtype for x in made if hasattr(x, "dtype")]
    if not kinds:
        made = [tensor(x) for x in made]
        kinds = [x.dtype for x in made]
    wide = [kind for kind in kinds if kind.kind == "f"]
    if wide:
        target = max(wide, key=lambda kind: kind.itemsize)
    elif floats or any(isinstance(x, float) for x in made):
        target = np.dtype(floatx())
    else:
        return made
    return [x if not hasattr(x, "dtype") or x.dtype == target else x.astype(target) for x in made]


def axes(axis: Axis) -> Any:
    """Axes as NumPy takes them."""
    return tuple(axis) if isinstance(axis, (list, tuple)) else axis


def values(x: Any) -> Any:
    """The array of x without its trace."""
    return plain(tensor(x))
