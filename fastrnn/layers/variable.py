# SPDX-License-Identifier: Apache-2.0
"""A weight of a layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.config import floatx
from fastrnn.graph import eager
from fastrnn.graph.tape import plain, stands_for_an_array
from fastrnn.layers.array_operators import ArrayOperators


class Variable(ArrayOperators):
    """One weight of a layer: its values, its gradient after a backward pass, and what the optimizer must know of it.

    NumPy's functions and operators take it as an array: `v + 1`, `v[0]`, `np.asarray(v)` are arrays of their own.

    Args:
        data: the values; the variable keeps the array and writes to it. If it is read-only, as a mapped file may be,
            the first change makes a copy. A number, a list, or a function of the shape and the dtype also does.
        name: "kernel", "bias", ...
        trainable: whether an optimizer changes it.
        regularizer: penalty on it, or None.
        constraint: applied after each update, or None.
        shape: of what a function gives.
        dtype: of the values; by default that of an array, and `fastrnn.config.floatx()` otherwise.

    Example:

    >>> v = Variable(np.zeros((2, 2), "float32"), "kernel")
    >>> v.assign([[1, 2], [3, 4]])
    >>> v.value[1]
    array([3., 4.], dtype=float32)
    """

    #: Of a table whose rows a batch names: which rows of the gradient may differ from zero; None for all of them.
    touched_rows: Any = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        stands_for_an_array(cls)

    def __init__(self, data: Any, name: str = "variable", trainable: bool = True, regularizer: Any = None,
                 constraint: Any = None, *, shape: Any = None, dtype: Any = None) -> None:
        if dtype is not None or not isinstance(data, np.ndarray):
            dtype = dtype or floatx()
            data = np.array(data(tuple(shape or ()), dtype) if callable(data) else data, dtype)
        self.data = _plain(data)
        self.name = name
        self.path = name
        self.trainable = trainable
        self.regularizer = regularizer
        self.constraint = constraint
        self.version = 0
        self._gradient: np.ndarray | None = None
        self.grad: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def dtype(self) -> str:
        return self.data.dtype.name

    @property
    def value(self) -> np.ndarray:
        """A read-only view of the values; change them by `assign`."""
        view = self.data.view()
        view.flags.writeable = False
        return view

    def numpy(self) -> np.ndarray:
        """A copy of the values."""
        return self.data.copy()

    def assign(self, value: Any) -> None:
        """Set the values.

        Raises:
            ValueError: the shape differs, or the values are no numbers.
        """
        new = arrays.as_dtype(plain(value), self.dtype, f"weight '{self.path}'")
        if new.shape != self.shape:
            raise ValueError(f"weight '{self.path}': expected shape {self.shape}, got {new.shape}")
        self.writable()[...] = new
        self.touch()

    def assign_add(self, value: Any) -> None:
        """Add to the values; see `assign`."""
        self.assign(self.data + np.asarray(plain(value), self.data.dtype))

    def assign_sub(self, value: Any) -> None:
        """Subtract from the values; see `assign`."""
        self.assign(self.data - np.asarray(plain(value), self.data.dtype))

    def fill(self, data: np.ndarray) -> None:
        """Take an array of the same shape and dtype as the values, and keep it."""
        self.data = _plain(data)
        self.touch()

    def writable(self) -> np.ndarray:
        """`data` for a change in place at once; where its memory is read-only, a copy of it takes its place. After a
        change that comes later than a call of the layer, call `touch`."""
        if not self.data.flags.writeable:
            self.data = self.data.copy()
        self.touch()
        return self.data

    def touch(self) -> None:
        """Tell the layer that `data` was changed in place, so that it packs the weight anew."""
        self.version += 1

    def gradient(self) -> np.ndarray:
        """The array that a backward pass fills, made `grad` by asking for it."""
        gradient = self._gradient
        if gradient is None or not gradient.flags.writeable:
            gradient = self._gradient = np.zeros(self.data.shape, self.data.dtype)
        self.grad = gradient
        return gradient

    def keep_gradient_in(self, memory: np.ndarray) -> None:
        """Have backward passes fill this array, of the values' shape and dtype, from now on; there is no gradient
        yet."""
        self._gradient = memory
        self.grad = None

    def add_gradient(self, more: np.ndarray) -> None:
        """Add to `grad`, if a backward pass has made one."""
        if self.grad is not None:
            self.grad += more

    # in a user's own code that is traced ----------------------------------------------------------------------------

    @property
    def _trace(self) -> int:
        tape = eager.tape() if self.trainable else None
        return -2 if tape is None else tape.trace

    @property
    def _node(self) -> Any:
        tape = eager.tape()
        return None if tape is None else tape.leaf(self)

    @property
    def _value(self) -> np.ndarray:
        return self.data

    def _operand(self) -> Any:
        tape = eager.tape() if self.trainable else None
        return self.value if tape is None else tape.leaf_box(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy, from `copy.deepcopy`, a pickle, or joblib, which may map the arrays of a file."""
        self.__dict__.update(state)
        self.data = _plain(self.data)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}>"


stands_for_an_array(Variable)


class Hollow(np.ndarray):
    """The shape and dtype of values that are not there yet; it takes no memory."""


def hollow(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """What stands for the values of a weight until `Variable.fill`.

    >>> hollow((10**9, 10**6), "float32").shape
    (1000000000, 1000000)
    """
    return np.broadcast_to(np.zeros((), dtype), shape).view(Hollow)


def _plain(data: np.ndarray) -> np.ndarray:
    """`data` as the kernels take it, the same memory if that is aligned and in the order of C."""
    return data if isinstance(data, Hollow) else np.require(np.asarray(data), requirements=("C", "A"))
