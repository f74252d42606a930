# SPDX-License-Identifier: Apache-2.0
"""Keras 2's functions of arrays, where they differ from those of `fastrnn.ops` in name, arguments or defaults."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastrnn import ops
from fastrnn.config import floatx
from fastrnn.graph.symbol import Symbol, has_symbols
from fastrnn.ops.dispatch import Axis, floating, namespace, op, tensor

Pair = tuple[int, int]


# shapes and types --------------------------------------------------------------------------------------------------

def int_shape(x: Any) -> tuple[int | None, ...]:
    """The shape; None for the sizes of a symbol that may vary.

    >>> import fastrnn
    >>> int_shape(fastrnn.Input((None, 3)))
    (None, None, 3)
    """
    return ops.shape(x)


def count_params(x: Any) -> int:
    """How many elements x has.

    >>> count_params(np.zeros((2, 3)))
    6
    """
    return math.prod(size or 0 for size in ops.shape(x))


def cast_to_floatx(x: Any) -> Any:
    """x in the dtype of `floatx`.

    >>> cast_to_floatx(np.array([1, 2]))
    array([1., 2.], dtype=float32)
    """
    return ops.cast(x, floatx())


def reshape(x: Any, shape: Sequence[int]) -> Any:
    """x in another shape, in which one size may be -1.

    >>> reshape([[1, 2]], (2, 1)).shape
    (2, 1)
    """
    return ops.reshape(x, shape)


def permute_dimensions(x: Any, pattern: Sequence[int]) -> Any:
    """x with its axes in another order.

    >>> permute_dimensions([[1, 2]], (1, 0)).shape
    (2, 1)
    """
    return ops.transpose(x, tuple(pattern))


def expand_dims(x: Any, axis: int = -1) -> Any:
    """x with a new axis of length 1, by default the last.

    >>> expand_dims([1, 2]).shape
    (2, 1)
    """
    return ops.expand_dims(x, axis)


@op
def flatten(x: Any) -> Any:
    """x as one row.

    >>> flatten([[1, 2], [3, 4]])
    array([1, 2, 3, 4], dtype=int32)
    """
    return namespace().reshape(tensor(x), (-1,))


@op
def batch_flatten(x: Any) -> Any:
    """Each sample as one row.

    >>> batch_flatten(np.zeros((2, 3, 4))).shape
    (2, 12)
    """
    x = tensor(x)
    return namespace().reshape(x, (x.shape[0], math.prod(x.shape[1:])))


@op
def repeat(x: Any, n: int) -> Any:
    """Each row of a matrix n times, along a new second axis.

    >>> repeat([[1, 2]], 3).shape
    (1, 3, 2)
    """
    x = tensor(x)
    if x.ndim != 2:
        raise ValueError(f"backend.repeat x: expected two axes, got {x.shape}; repeat_elements takes others")
    return ops.repeat(namespace().expand_dims(x, 1), n, 1)


def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Each slice along an axis so many times.

    >>> repeat_elements([1, 2], 2, axis=0)
    array([1, 1, 2, 2], dtype=int32)
    """
    return ops.repeat(x, rep, axis)


def tile(x: Any, n: Any) -> Any:
    """x so many times in a row, along each axis.

    >>> tile([[1, 2]], (1, 2))
    array([[1, 2, 1, 2]], dtype=int32)
    """
    return ops.tile(x, n)


def reverse(x: Any, axes: Any) -> Any:
    """x in reverse along these axes.

    >>> reverse([1, 2, 3], 0)
    array([3, 2, 1], dtype=int32)
    """
    return ops.flip(x, axes)


def concatenate(tensors: Sequence[Any], axis: int = -1) -> Any:
    """Arrays joined along an axis, by default the last.

    >>> concatenate([[[1]], [[2]]])
    array([[1, 2]], dtype=int32)
    """
    return ops.concatenate(tensors, axis)


@op
def temporal_padding(x: Any, padding: Pair = (1, 1)) -> Any:
    """Zeros before and after the steps of (batch, time, features).

    >>> temporal_padding(np.ones((2, 3, 4)), (2, 0)).shape
    (2, 5, 4)
    """
    x = tensor(x)
    if x.ndim != 3:
        raise ValueError(f"backend.temporal_padding x: expected (batch, time, features), got {x.shape}")
    return ops.pad(x, ((0, 0), tuple(padding), (0, 0)))


@op
def spatial_2d_padding(x: Any, padding: tuple[Pair, Pair] = ((1, 1), (1, 1)), data_format: str | None = None) -> Any:
    """Zeros around (batch, rows, columns, channels).

    >>> spatial_2d_padding(np.ones((2, 3, 4, 1))).shape
    (2, 5, 6, 1)
    """
    around = (tuple(padding[0]), tuple(padding[1]))
    last = data_format in (None, "channels_last")
    return ops.pad(x, ((0, 0), *around, (0, 0)) if last else ((0, 0), (0, 0), *around))


def gather(reference: Any, indices: Any) -> Any:
    """The slices of the first axis at these indices.

    >>> gather([[1, 2], [3, 4]], [1])
    array([[3, 4]], dtype=int32)
    """
    return ops.take(reference, indices, 0)


def one_hot(indices: Any, num_classes: int) -> Any:
    """1 at the index of each class, along a new last axis.

    >>> one_hot([1], 3)
    array([[0., 1., 0.]], dtype=float32)
    """
    return ops.one_hot(indices, num_classes)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: str = "int32") -> Any:
    """Whole numbers from a start to below a stop.

    >>> arange(3)
    array([0, 1, 2], dtype=int32)
    """
    return ops.arange(start, stop, step, dtype) if stop is not None else ops.arange(0, start, step, dtype)


def eye(size: int, dtype: str | None = None, name: str | None = None) -> Any:
    """A square matrix with ones on its diagonal.

    >>> eye(2).shape
    (2, 2)
    """
    return ops.eye(size, dtype=dtype)


def zeros(shape: Any, dtype: str | None = None, name: str | None = None) -> Any:
    """Zeros.

    >>> zeros((2,))
    array([0., 0.], dtype=float32)
    """
    return ops.zeros(shape, dtype)


def ones(shape: Any, dtype: str | None = None, name: str | None = None) -> Any:
    """Ones.

    >>> ones((2,))
    array([1., 1.], dtype=float32)
    """
    return ops.ones(shape, dtype)


def zeros_like(x: Any, dtype: str | None = None, name: str | None = None) -> Any:
    """Zeros in the shape of x.

    >>> zeros_like([1.0])
    array([0.], dtype=float32)
    """
    return ops.zeros_like(x, dtype)


def ones_like(x: Any, dtype: str | None = None, name: str | None = None) -> Any:
    """Ones in the shape of x.

    >>> ones_like([2.0])
    array([1.], dtype=float32)
    """
    return ops.ones_like(x, dtype)


def constant(value: Any, dtype: str | None = None, shape: Any = None, name: str | None = None) -> Any:
    """An array of these values, or of one value in a shape.

    >>> constant(2.0, shape=(2,))
    array([2., 2.], dtype=float32)
    """
    made = np.asarray(value, dtype or floatx())
    if shape is None:
        return made
    return made.reshape(shape).copy() if made.size == math.prod(shape) else np.full(shape, made)


# numbers -----------------------------------------------------------------------------------------------------------

def pow(x: Any, a: Any) -> Any:
    """x to the power a.

    >>> pow([2.0], 3)
    array([8.], dtype=float32)
    """
    return ops.power(x, a)


def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    """x, at the bounds where it is beyond them; None for no bound.

    >>> clip([-3.0, 3.0], -1, 1)
    array([-1.,  1.], dtype=float32)
    """
    x = x if min_value is None else ops.maximum(x, min_value)
    return x if max_value is None else ops.minimum(x, max_value)


def sqrt(x: Any) -> Any:
    """The square root; 0 for what is below 0.

    >>> sqrt([4.0, -1.0])
    array([2., 0.], dtype=float32)
    """
    return ops.sqrt(ops.maximum(x, 0.0))


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The sum along axes, of all elements by default.

    >>> sum([1.0, 2.0])
    np.float32(3.0)
    """
    return ops.sum(x, axis, keepdims)


def argmax(x: Any, axis: int = -1) -> Any:
    """The index of the greatest element, by default along the last axis.

    >>> argmax([[1.0, 3.0], [5.0, 2.0]])
    array([1, 0], dtype=int32)
    """
    return ops.argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> Any:
    """The index of the smallest element, by default along the last axis.

    >>> argmin([[1.0, 3.0], [5.0, 2.0]])
    array([0, 1], dtype=int32)
    """
    return ops.argmin(x, axis)


def cumsum(x: Any, axis: int = 0) -> Any:
    """The sums of the elements up to each.

    >>> cumsum([1.0, 2.0])
    array([1., 3.], dtype=float32)
    """
    return ops.cumsum(x, axis)


def cumprod(x: Any, axis: int = 0) -> Any:
    """The products of the elements up to each.

    >>> cumprod([2.0, 3.0])
    array([2., 6.], dtype=float32)
    """
    return ops.cumprod(x, axis)


def in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    """Whether the class of each sample is among its k greatest predictions.

    >>> in_top_k([[0.1, 0.9]], [1], 1)
    array([ True])
    """
    return ops.in_top_k(targets, predictions, k)


@op
def batch_dot(x: Any, y: Any, axes: int | Sequence[int] | None = None) -> Any:
    """For each sample the sums of products over an axis of x and one of y; by default the last of x and the last but
    one of y.

    >>> batch_dot(np.ones((2, 3, 4)), np.ones((2, 4, 5))).shape
    (2, 3, 5)
    """
    xp = namespace()
    x, y = tensor(x), tensor(y)
    if x.ndim < 2 or y.ndim < 2:
        raise ValueError(f"backend.batch_dot: expected arrays of two axes or more, got {x.shape} and {y.shape}")
    if axes is None:
        axes = (x.ndim - 1, max(1, y.ndim - 2))
    of_x, of_y = (axes, axes) if isinstance(axes, int) else axes
    of_x, of_y = of_x % x.ndim, of_y % y.ndim
    if not of_x or not of_y or x.shape[of_x] != y.shape[of_y] or len(x) != len(y):
        raise ValueError(f"backend.batch_dot axes: expected axes of one size after the batch's, got {axes} for "
                         f"{x.shape} and {y.shape}")
    x, y = xp.moveaxis(x, of_x, -1), xp.moveaxis(y, of_y, 1)
    flat_x = xp.reshape(x, (x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1]))
    flat_y = xp.reshape(y, (y.shape[0], y.shape[1], math.prod(y.shape[2:])))
    found = xp.matmul(flat_x, flat_y)
    return xp.reshape(found, (x.shape[0], *x.shape[1:-1], *y.shape[2:]) if x.ndim + y.ndim > 4 else (x.shape[0], 1))


@op
def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Any:
    """x plus a vector along its last axis, or along the second for "channels_first".

    >>> bias_add([[1.0, 2.0]], [1.0, 1.0])
    array([[2., 3.]], dtype=float32)
    """
    x, bias = tensor(x), tensor(bias)
    if data_format == "channels_first" and bias.ndim == 1:
        bias = namespace().reshape(bias, (-1, *[1] * (x.ndim - 2)))
    return x + bias


@op
def l2_normalize(x: Any, axis: int | None = None) -> Any:
    """x over its length along an axis, by default over that of all.

    >>> l2_normalize([3.0, 4.0])
    array([0.6, 0.8], dtype=float32)
    """
    xp, x = namespace(), floating(x)
    squares = xp.sum(x * x, axis=axis, keepdims=True)
    return x / xp.sqrt(xp.maximum(squares, 1e-12))


@op
def relu(x: Any, alpha: Any = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """x above a threshold, alpha times the way below it, at most `max_value`.

    >>> relu([-2.0, 3.0], alpha=0.5)
    array([-1.,  3.], dtype=float32)
    """
    x = floating(x)
    found = ops.where(x >= threshold, x, alpha * (x - threshold))
    return found if max_value is None else ops.minimum(found, max_value)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x above zero, `alpha * (exp(x) - 1)` below it.

    >>> elu([1.0])
    array([1.], dtype=float32)
    """
    return ops.elu(x, alpha)


@op
def hard_sigmoid(x: Any) -> Any:
    """`0.2 x + 0.5`, cut at 0 and 1: that of Keras 1 and 2, while `ops.hard_sigmoid` has the slope of Keras 3.

    >>> hard_sigmoid([0.0, 1.0, 9.0])
    array([0.5, 0.7, 1. ], dtype=float32)
    """
    return ops.clip(0.2 * floating(x) + 0.5, 0.0, 1.0)


def batch_normalization(x: Any, mean: Any, var: Any, beta: Any, gamma: Any, axis: int = -1, epsilon: float = 1e-3
                        ) -> Any:
    """`(x - mean) / sqrt(var + epsilon) * gamma + beta`, of vectors along an axis.

    >>> batch_normalization([[3.0]], [1.0], [4.0], [1.0], [1.0], epsilon=0.0)
    array([[2.]], dtype=float32)
    """
    return ops.batch_normalization(x, mean, var, axis, beta, gamma, epsilon)


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """One of two arrays, or of what two functions give: one for all by a single condition, element by element by an
    array of them, which broadcasts; one of two axes or more has the first axes of the arrays.

    >>> switch(np.array([True, False]), np.ones(2), np.zeros(2))
    array([1., 0.])
    """
    if not isinstance(condition, Symbol) and ops.ndim(condition) == 0 and not has_symbols((then_expression,
                                                                                          else_expression)):
        chosen = then_expression if bool(ops.convert_to_numpy(condition)) else else_expression
        return _given(chosen)
    return _switch(condition, _given(then_expression), _given(else_expression))


def _given(x: Any) -> Any:
    return x() if callable(x) else x


@op
def _switch(condition: Any, then_value: Any, else_value: Any) -> Any:
    condition, then_value = tensor(condition), tensor(then_value)
    apart = then_value.ndim - condition.ndim
    if apart > 0 and condition.ndim > 1:
        condition = namespace().reshape(condition, (*condition.shape, *[1] * apart))
    return ops.where(condition.astype(bool), then_value, else_value)


# functions over slices ---------------------------------------------------------------------------------------------

@op
def map_fn(fn: Callable[[Any], Any], elems: Any, name: str | None = None, dtype: Any = None) -> Any:
    """What a function gives for each slice, stacked.

    >>> map_fn(lambda x: 2 * x, np.array([1.0, 2.0]))
    array([2., 4.])
    """
    found = ops.map(fn, elems)
    return found if dtype is None else ops.cast(found, dtype)


@op
def foldl(fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """`fn(what it gave, slice)` over all slices, from the first; it begins with the first slice by default.

    >>> foldl(lambda total, x: total - x, np.array([1.0, 2.0, 3.0])).item()
    -4.0
    """
    return _folded(fn, ops.unstack(elems), initializer)


@op
def foldr(fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """`fn(what it gave, slice)` over all slices, from the last; it begins with the last slice by default.

    >>> foldr(lambda total, x: total - x, np.array([1.0, 2.0, 3.0])).item()
    0.0
    """
    return _folded(fn, ops.unstack(elems)[::-1], initializer)


def _folded(fn: Callable[[Any, Any], Any], slices: Sequence[Any], initializer: Any) -> Any:
    if initializer is None:
        initializer, slices = slices[0], slices[1:]
    for one in slices:
        initializer = fn(initializer, one)
    return initializer
