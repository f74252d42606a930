# SPDX-License-Identifier: Apache-2.0
"""Embedding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastrnn import _core, arrays, runtime
from fastrnn.graph.call import Call
from fastrnn.layers.base import Layer, Shape
from fastrnn.layers.variable import Variable


class Table(Variable):
    """The table of an `Embedding`: its gradient is zero but for the rows that the last batch named.

    Only these rows are cleared for the next gradient, and read by an optimizer. Whoever takes `grad` may write to any
    row of it, and keeps it: this update reads all rows, to the same bits, and the next backward pass fills another one.
    """

    def __init__(self, data: np.ndarray, name: str, trainable: bool = True, regularizer: Any = None,
                 constraint: Any = None) -> None:
        self._touched = np.zeros(len(data), np.uint8)
        self._taken = False
        super().__init__(data, name, trainable, regularizer, constraint)

    @property
    def grad(self) -> np.ndarray | None:
        self._taken = self._taken or self._grad is not None
        return self._grad

    @grad.setter
    def grad(self, value: np.ndarray | None) -> None:
        self._grad = value

    def gradient(self) -> np.ndarray:
        self._taken = True
        return super().gradient()

    def add_gradient(self, more: np.ndarray) -> None:
        if self._grad is not None:
            self._grad += more
            self._touched[:] = 1

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """The indices of the rows where the gradient is not zero, and copies of these rows."""
        if self._grad is None:
            return np.zeros(0, np.intp), self.data[:0].copy()
        touched = np.flatnonzero(self.touched_rows)
        return touched, self._grad[touched]

    def set_rows(self, parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
        """Let the gradient be the sum of parts as `rows` gives them, added in their order."""
        gradient, touched = self.sparse_gradient()
        gradient[touched != 0] = 0
        touched.fill(0)
        for indices, rows in parts:
            gradient[indices] += rows
            touched[indices] = 1

    def add_rows(self, other: Table) -> None:
        """Add the gradient that another call of this pass has, in the rows that it touched."""
        assert self._grad is not None
        rows = np.flatnonzero(other._touched)
        self._grad[rows] += other._gradient[rows]  # type: ignore[index]
        self._touched[rows] = 1

    @property
    def row_gradient(self) -> np.ndarray | None:
        """`grad`, for those that write nothing to it."""
        return self._grad

    @property
    def touched_rows(self) -> np.ndarray:
        """uint8 (rows,), 0 for each row where `row_gradient` is zero."""
        if self._taken or self._grad is not self._gradient:     # somebody may have written to it
            return np.ones(len(self.data), np.uint8)
        return self._touched

    def sparse_gradient(self) -> tuple[np.ndarray, np.ndarray]:
        """What a backward pass fills: the gradient, and its touched rows. They come as the last pass left them: the
        rows touched are to be cleared."""
        gradient = self._gradient
        if gradient is None or self._taken or not (gradient.flags.writeable and self._touched.flags.writeable):
            gradient = self._gradient = np.zeros(self.data.shape, self.data.dtype)
            self._touched = np.zeros(len(self.data), np.uint8)
            self._taken = False
        self._grad = gradient
        return gradient, self._touched


class Embedding(Layer):
    """Rows of a table by index: words, characters or categories as vectors.

    Args:
        input_dim: number of rows; indices are from 0 to input_dim - 1.
        output_dim: width of a row.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the table (input_dim, output_dim).
        mask_zero: index 0 is padding: later layers ignore it.
        weights: the table itself, as Keras's older versions take it.
        input_length: Keras's older keyword for the length of the input.

    Raises:
        ValueError: at a call, for an index that is below 0, at or over input_dim, NaN, or no whole number.

    Example:

    >>> Embedding(100, 4)([[1, 2, 3]]).shape
    (1, 3, 4)
    """

    input_kind = "index"
    gives_rows = True
    described = ("embeddings",)
    #: Whether a mask that comes with the indices goes on. In Keras it does not; a frozen model's lengths are one.
    passes_mask = False

    def __init__(self, input_dim: int, output_dim: int, embeddings_initializer: Any = "uniform",
                 embeddings_regularizer: Any = None, embeddings_constraint: Any = None, mask_zero: bool = False,
                 weights: Any = None, *, activity_regularizer: Any = None, **kwargs: Any) -> None:
        length = kwargs.pop("input_length", None)
        if length is not None and "input_shape" not in kwargs and "batch_input_shape" not in kwargs:
            kwargs["input_shape"] = tuple(length) if isinstance(length, (list, tuple)) else (length,)
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.input_dim = self.count_of("input_dim", input_dim)
        self.output_dim = self.count_of("output_dim", output_dim)
        self.input_length = length
        self.describe(locals())
        self.mask_zero = self.supports_masking = bool(mask_zero)
        if weights is not None:
            self.build((None,))
            self.set_weights(weights if isinstance(weights, (list, tuple)) else [weights])

    @property
    def masks(self) -> str:
        return "make" if self.mask_zero else "pass" if self.passes_mask else "drop"

    def weight_shapes(self, input_shape: Any) -> dict[str, tuple[int, ...]]:
        return {"embeddings": (self.input_dim, self.output_dim)}

    def build(self, *input_shapes: Any) -> None:
        if self.built:
            return
        table = self.described_weight("embeddings", (self.input_dim, self.output_dim), kind=Table)
        assert isinstance(table, Table)
        self.embeddings = table
        self.built = True

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        return (*input_shapes[0], self.output_dim)

    def compute_mask(self, x: Any, mask: np.ndarray | None = None) -> np.ndarray | None:
        made = x != 0 if self.mask_zero else None
        if mask is None or not self.passes_mask:
            return made
        return mask if made is None else made & mask

    def mask_rank(self, rank: int) -> int:
        return rank

    def check_input(self, x: Any) -> np.ndarray:
        return arrays.as_index(x, self.input_dim, f"{self} input")

    def forward(self, x: np.ndarray, *, call: Call) -> Any:
        """The rows, copied; or, with the call's `rows`, `arrays.Rows`, for indices (batch, time)."""
        if call.taped:
            call.kept = x
        if call.rows:
            return arrays.Rows(self.embeddings.data, x)
        return self._copied(x)

    def _copied(self, x: np.ndarray) -> np.ndarray:
        """The rows of these indices."""
        y = np.empty((x.size, self.output_dim), self.dtype)
        _core.kernels(self.dtype).gather_rows(self.embeddings.data, x.reshape(-1), y, runtime.get_num_threads())
        return y.reshape(*x.shape, self.output_dim)

    def backward(self, dy: Any, *, call: Call | None = None) -> None:
        call = self.taped(call)
        indices: np.ndarray = call.kept
        dy = np.ascontiguousarray(self.check_gradient(dy, (*indices.shape, self.output_dim)))
        if not self.trainable:
            return
        table: Table = self.embeddings
        if call.pass_ is not None and not call.pass_.first(table):
            table = call.of("more", lambda: Table(table.data, table.name))
        grad, touched = table.sparse_gradient()
        _core.kernels(self.dtype).scatter_rows(dy.reshape(-1, self.output_dim), indices.reshape(-1), grad, touched,
                                               runtime.get_num_threads())
        if table is not self.embeddings:
            self.embeddings.add_rows(table)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "input_dim": self.input_dim, "output_dim": self.output_dim,
                "mask_zero": self.mask_zero}
