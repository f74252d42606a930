# SPDX-License-Identifier: Apache-2.0
"""Arithmetic, comparisons and NumPy's functions on an object that holds an array."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np


def _left(apply: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The method of an operator whose left operand is the object."""
    return lambda self, other: apply(self._operand(), other)


def _right(apply: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The method of an operator whose right operand is the object."""
    return lambda self, other: apply(other, self._operand())


class ArrayOperators:
    """Lets an object stand for its `value`, an array, as Keras's Variable does.

    Whatever comes out is an array by itself: it stays as it is when the value changes, and may be written to. `==`
    compares element by element; two objects are the same one where `is` says so, and in sets and dictionaries.

    Example:

    >>> from fastrnn.layers import Variable
    >>> v = Variable(np.array([1.0, 2.0], "float32"), "bias")
    >>> v + 1, 3 - v, v == 2
    (array([2., 3.], dtype=float32), array([2., 1.], dtype=float32), array([False,  True]))
    >>> np.exp(v).dtype, v[0], len(v)
    (dtype('float32'), np.float32(1.0), 2)
    """

    @property
    def value(self) -> np.ndarray:
        """The array that the object stands for."""
        raise NotImplementedError(f"{type(self).__name__} must define value")

    def _operand(self) -> Any:
        """What computes in its place: its values; in a user's own code that is traced, a box of them."""
        return self.value

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        inputs = tuple(x._operand() if isinstance(x, ArrayOperators) else x for x in inputs)
        return getattr(ufunc, method)(*inputs, **options)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        # A view only for those who refuse a copy: another one would change under its holder's eyes.
        return np.array(self.value, dtype, copy=copy is not False)

    def __getitem__(self, index: Any) -> Any:
        found = self._operand()[index]
        return found.copy() if isinstance(found, np.ndarray) else found

    def __len__(self) -> int:
        return len(self.value)

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} has no truth value; compare it with None by `is`, or its elements by .any() of a "
                        "comparison")

    __hash__ = object.__hash__

    __eq__, __ne__ = _left(operator.eq), _left(operator.ne)
    __lt__, __le__ = _left(operator.lt), _left(operator.le)
    __gt__, __ge__ = _left(operator.gt), _left(operator.ge)
    __add__, __radd__ = _left(operator.add), _right(operator.add)
    __sub__, __rsub__ = _left(operator.sub), _right(operator.sub)
    __mul__, __rmul__ = _left(operator.mul), _right(operator.mul)
    __truediv__, __rtruediv__ = _left(operator.truediv), _right(operator.truediv)
    __floordiv__, __rfloordiv__ = _left(operator.floordiv), _right(operator.floordiv)
    __mod__, __rmod__ = _left(operator.mod), _right(operator.mod)
    __pow__, __rpow__ = _left(operator.pow), _right(operator.pow)
    __matmul__, __rmatmul__ = _left(operator.matmul), _right(operator.matmul)

    def __neg__(self) -> Any:
        return -self._operand()

    def __pos__(self) -> Any:
        return 1 * self._operand()

    def __abs__(self) -> Any:
        return abs(self._operand())

    def __round__(self, digits: int | None = None) -> np.ndarray:
        return self.value.round(digits or 0)
