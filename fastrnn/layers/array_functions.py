# SPDX-License-Identifier: Apache-2.0
"""What an operation on arrays is: its value, its gradients, its result's shape. One table of them."""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType
from typing import Any, NamedTuple

import numpy as np

from fastrnn.layers.broadcasting import Shape, broadcast_shapes


def _broadcast(*shapes: Shape) -> Shape:
    found = broadcast_shapes(*shapes)
    if found is None:
        raise ValueError(f"expected shapes that broadcast, got {' and '.join(map(str, shapes))}")
    return found


class Function(NamedTuple):
    """An operation on arrays.

    Attributes:
        name: Keras's name of its class.
        value: the result for the operands: arrays, and then `options`.
        gradients: for each array operand the gradient that the loss has by it, before the sum over what it was
            broadcast to; of that of the result `dy`, the result `y` and the operands. None if there is none.
        shape: the result's shape for the operands' shapes, and the options; or a ValueError.
        result: of which kind the result is: as the operands are ("same"), "float" or "bool".
        booleans: whether there is a result for booleans alone.
        options: what comes behind the arrays, by name.
    """

    name: str
    value: Callable[..., np.ndarray]
    gradients: tuple[Callable[..., np.ndarray] | None, ...]
    shape: Callable[..., Shape] = _broadcast
    result: str = "same"
    booleans: bool = True
    options: tuple[str, ...] = ()


# powers ------------------------------------------------------------------------------------------------------------

def _power_by_base(dy: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`b a^(b - 1)`, which is 0 for b = 0, for a = 0 too."""
    zero = b == 0
    return dy * np.where(zero, 0, b * np.power(a, np.where(zero, 1, b - 1)))


def _power_by_exponent(dy: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`a^b log(a)`, which is 0 for a = 0, and NaN below."""
    with np.errstate(invalid="ignore"):
        return dy * (y * np.log(np.where(a == 0, 1, a)))


# matrices ----------------------------------------------------------------------------------------------------------

def _matmul_shape(a: Shape, b: Shape) -> Shape:
    if not a or not b:
        raise ValueError(f"expected operands of at least one axis, got {a} and {b}")
    left, right = a if len(a) > 1 else (1, *a), b if len(b) > 1 else (*b, 1)
    outer = broadcast_shapes(left[:-2], right[:-2])
    if outer is None or (None not in (left[-1], right[-2]) and left[-1] != right[-2]):
        raise ValueError(f"expected matrices of which the first has as many columns as the second has rows, got {a} "
                         f"and {b}")
    return outer + left[-2:-1] * (len(a) > 1) + right[-1:] * (len(b) > 1)


def _as_matrices(dy: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """With the axes of length 1 that a product of vectors is without."""
    if b.ndim == 1:
        dy, b = dy[..., None], b[:, None]
    return (dy[..., None, :], a[None], b) if a.ndim == 1 else (dy, a, b)


def _matmul_by_left(dy: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    dy, _, right = _as_matrices(dy, a, b)
    da = np.matmul(dy, right.swapaxes(-1, -2))
    return da[..., 0, :] if a.ndim == 1 else da


def _matmul_by_right(dy: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    dy, left, _ = _as_matrices(dy, a, b)
    db = np.matmul(left.swapaxes(-1, -2), dy)
    return db[..., 0] if b.ndim == 1 else db


# parts -------------------------------------------------------------------------------------------------------------

Key = tuple[int | slice | EllipsisType | None, ...]


def as_key(key: Any) -> Key:
    """What stands in the brackets of `x[...]`, as a tuple.

    Raises:
        TypeError: something else than whole numbers, slices of them, None and one Ellipsis.

    Example:

    >>> as_key(np.int64(-1)), as_key((slice(None), None))
    ((-1,), (slice(None, None, None), None))
    """
    parts = key if isinstance(key, tuple) else (key,)
    if sum(part is Ellipsis for part in parts) > 1:
        raise TypeError(f"expected at most one Ellipsis, got {key!r}")
    return tuple(slice(*(_whole(one, key) for one in (part.start, part.stop, part.step)))
                 if isinstance(part, slice) else part if part is Ellipsis else _whole(part, key) for part in parts)


def _whole(part: Any, key: Any) -> int | None:
    if part is None or (isinstance(part, (int, np.integer)) and not isinstance(part, bool)):
        return None if part is None else int(part)
    raise TypeError(f"expected whole numbers, slices of them, None and an Ellipsis in the brackets, got {key!r}")


def _item(x: np.ndarray, key: Key) -> np.ndarray:
    y = np.asarray(x[key])
    return y if y.flags.c_contiguous else y.copy()


def _item_shape(shape: Shape, key: Key) -> Shape:
    left, found = list(shape), list[int | None]()
    taken = sum(part is not None and part is not Ellipsis for part in key)
    if taken > len(left):
        raise ValueError(f"expected at most {len(left)} indices for an array of shape {shape}, got {taken}")
    for part in key if Ellipsis in key else (*key, Ellipsis):
        if part is None:
            found.append(1)
        elif part is Ellipsis:
            rest = len(left) - taken
            found += left[:rest]
            del left[:rest]
        else:
            size, taken = left.pop(0), taken - 1
            if isinstance(part, slice):
                found.append(None if size is None else len(range(*part.indices(size))))
            elif size is not None and not -size <= part < size:
                raise ValueError(f"index {part} is out of range for an array of shape {shape}")
    return tuple(found)


def _item_gradient(dy: np.ndarray, y: np.ndarray, x: np.ndarray, key: Key) -> np.ndarray:
    dx = np.zeros(x.shape, dy.dtype)
    dx[key] = dy
    return dx


# the table ---------------------------------------------------------------------------------------------------------

_NONE = (None, None)

#: By the name of the operator, or of the function that Keras has for it.
FUNCTIONS: dict[str, Function] = {
    "add": Function("Add", np.add, (lambda dy, y, a, b: dy, lambda dy, y, a, b: dy)),
    "sub": Function("Subtract", np.subtract, (lambda dy, y, a, b: dy, lambda dy, y, a, b: -dy), booleans=False),
    "mul": Function("Multiply", np.multiply, (lambda dy, y, a, b: dy * b, lambda dy, y, a, b: dy * a)),
    "truediv": Function("TrueDivide", np.true_divide, (lambda dy, y, a, b: dy / b, lambda dy, y, a, b: -dy * y / b),
                        result="float"),
    "pow": Function("Power", np.power, (_power_by_base, _power_by_exponent), booleans=False),
    "matmul": Function("Matmul", np.matmul, (_matmul_by_left, _matmul_by_right), _matmul_shape),
    "neg": Function("Negative", np.negative, (lambda dy, y, a: -dy,), booleans=False),
    "abs": Function("Absolute", np.absolute, (lambda dy, y, a: dy * np.sign(a),)),
    "lt": Function("Less", np.less, _NONE, result="bool"),
    "le": Function("LessEqual", np.less_equal, _NONE, result="bool"),
    "gt": Function("Greater", np.greater, _NONE, result="bool"),
    "ge": Function("GreaterEqual", np.greater_equal, _NONE, result="bool"),
    "equal": Function("Equal", np.equal, _NONE, result="bool"),
    "not_equal": Function("NotEqual", np.not_equal, _NONE, result="bool"),
    "getitem": Function("GetItem", _item, (_item_gradient,), _item_shape, options=("key",)),
}
