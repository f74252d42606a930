# SPDX-License-Identifier: Apache-2.0
"""Conversions, shapes, and Python's control flow under Keras's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastrnn.graph.symbol import Symbol, flatten, rebuild
from fastrnn.graph.tape import is_box
from fastrnn.layers.variable import Variable
from fastrnn.ops.dispatch import namespace, op, tensor, values
from fastrnn.ops.operations import operation


@op
def cast(x: Any, dtype: Any) -> Any:
    """x in another dtype.

    >>> cast([1.5, 2.5], "int32")
    array([1, 2], dtype=int32)
    """
    x = tensor(x)
    return tensor(x, dtype) if np.dtype(dtype).kind == "f" else values(x).astype(dtype)


@op
def saturate_cast(x: Any, dtype: Any) -> Any:
    """x in another dtype, at the ends of its range where it is beyond them.

    >>> saturate_cast([300.0], "uint8")
    array([255], dtype=uint8)
    """
    if np.dtype(dtype).kind == "f":
        return cast(x, dtype)
    limits = np.iinfo(dtype)
    return np.clip(values(x), limits.min, limits.max).astype(dtype)


def convert_to_tensor(x: Any, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None) -> Any:
    """x as an array; traced arrays and symbols as they are.

    >>> convert_to_tensor([1.0])
    array([1.], dtype=float32)
    """
    return x if isinstance(x, Symbol) else tensor(x, dtype)


operation(convert_to_tensor)        # which Keras's files have of masks


def convert_to_numpy(x: Any) -> np.ndarray:
    """x as an array.

    >>> convert_to_numpy([1, 2])
    array([1, 2], dtype=int32)
    """
    return np.asarray(values(x))


def is_tensor(x: Any) -> bool:
    """Whether x is an array, traced or not.

    >>> is_tensor([1.0]), is_tensor(np.ones(1))
    (False, True)
    """
    return isinstance(x, (np.ndarray, np.generic, Variable)) or is_box(x)


def shape(x: Any) -> tuple[int | None, ...]:
    """The shape of x; None for the sizes of a symbol that may vary.

    >>> shape([[1, 2]])
    (1, 2)
    """
    return tuple(x.shape) if isinstance(x, Symbol) else tuple(tensor(x).shape)


def ndim(x: Any) -> int:
    """How many axes x has.

    >>> ndim([[1, 2]])
    2
    """
    return len(shape(x))


def size(x: Any) -> int | None:
    """How many elements x has; None where a size of a symbol may vary.

    >>> size([[1, 2]])
    2
    """
    sizes = shape(x)
    return None if None in sizes else int(np.prod([one or 0 for one in sizes]))


def dtype(x: Any) -> str:
    """The name of x's dtype.

    >>> dtype([1.0])
    'float32'
    """
    return x.dtype if isinstance(x, Symbol) else tensor(x).dtype.name


@op
def copy(x: Any) -> Any:
    """Another array like x.

    >>> copy([1.0])
    array([1.], dtype=float32)
    """
    x = tensor(x)
    return x if is_box(x) else x.copy()


@op
def stop_gradient(variable: Any) -> Any:
    """x, whose gradient is not asked for.

    >>> stop_gradient([1.0])
    array([1.], dtype=float32)
    """
    return values(variable)


# control flow ------------------------------------------------------------------------------------------------------

def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """What one of two functions gives.

    >>> cond(True, lambda: 1, lambda: 2)
    1
    """
    return true_fn() if bool(values(pred)) else false_fn()


def switch(index: Any, branches: list[Callable[..., Any]], *operands: Any) -> Any:
    """What the function of an index gives.

    >>> switch(1, [lambda x: x, lambda x: 2 * x], 3)
    6
    """
    return branches[int(np.clip(values(index), 0, len(branches) - 1))](*operands)


def while_loop(cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any,
               maximum_iterations: int | None = None) -> Any:
    """Call `body` on what it gave, as long as the condition holds.

    >>> while_loop(lambda n: n < 10, lambda n: (2 * n,), (3,))
    (12,)
    """
    single = not isinstance(loop_vars, (list, tuple))
    state = (loop_vars,) if single else tuple(loop_vars)
    steps = 0
    while (maximum_iterations is None or steps < maximum_iterations) and bool(values(cond(*state))):
        found = body(*state)
        state = tuple(found) if isinstance(found, (list, tuple)) else (found,)
        steps += 1
    return state[0] if single else state


def fori_loop(lower: int, upper: int, body_fun: Callable[[int, Any], Any], init_val: Any) -> Any:
    """Call `body_fun(i, what it gave)` for each i from `lower` to below `upper`.

    >>> fori_loop(0, 4, lambda i, total: total + i, 0)
    6
    """
    for index in range(int(values(lower)), int(values(upper))):
        init_val = body_fun(index, init_val)
    return init_val


def scan(f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any = None, length: int | None = None,
         reverse: bool = False, unroll: int = 1) -> tuple[Any, Any]:
    """Call `f(carry, x)`, which gives the next carry and an output, for each slice of `xs`; the last carry and the
    stacked outputs.

    >>> scan(lambda total, x: (total + x, total + x), 0.0, np.array([1.0, 2.0]))
    (np.float64(3.0), array([1., 3.]))
    """
    count = length if xs is None else len(tensor(flatten(xs)[0]))
    order = range(count or 0)
    given = [tensor(leaf) for leaf in flatten(xs)] if xs is not None else []
    outputs = []
    for step in reversed(order) if reverse else order:
        init, y = f(init, None if xs is None else rebuild(xs, [leaf[step] for leaf in given]))
        outputs.append(y)
    if reverse:
        outputs.reverse()
    if not outputs or outputs[0] is None:
        return init, None
    flat = [flatten(one) for one in outputs]
    return init, rebuild(outputs[0], [namespace().stack([tensor(one[index]) for one in flat])
                                      for index in range(len(flat[0]))])


def map_(f: Callable[[Any], Any], xs: Any) -> Any:
    """What a function gives for each slice of `xs`, stacked.

    >>> map_(lambda x: 2 * x, np.array([1.0, 2.0]))
    array([2., 4.])
    """
    return scan(lambda _, x: (None, f(x)), None, xs)[1]


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """What a function gives for each slice, stacked.

    >>> vectorized_map(lambda x: x + 1, np.array([1.0]))
    array([2.])
    """
    return map_(function, elements)
