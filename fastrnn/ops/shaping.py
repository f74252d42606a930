# SPDX-License-Identifier: Apache-2.0
"""Functions that move elements, join arrays and take parts of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn.ops.dispatch import Axis, axes, namespace, op, tensor, together, values
from fastrnn.ops.making import tri


@op
def reshape(x: Any, newshape: Any) -> Any:
    """x in another shape, in which one size may be -1.

    >>> reshape([1.0, 2.0, 3.0, 4.0], (2, -1))
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    return namespace().reshape(tensor(x), tuple(int(size) for size in newshape) if np.ndim(newshape) else (newshape,))


@op
def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """x with its axes in another order, reversed by default.

    >>> transpose([[1, 2]]).shape
    (2, 1)
    """
    return namespace().transpose(tensor(x), axes)


@op
def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """x with two axes swapped.

    >>> swapaxes([[1, 2]], 0, 1).shape
    (2, 1)
    """
    return namespace().swapaxes(tensor(x), axis1, axis2)


@op
def moveaxis(x: Any, source: Axis, destination: Axis) -> Any:
    """x with axes at other places.

    >>> moveaxis([[[1, 2, 3]]], -1, 0).shape
    (3, 1, 1)
    """
    return namespace().moveaxis(tensor(x), source, destination)


@op
def expand_dims(x: Any, axis: Any) -> Any:
    """x with a new axis of length 1.

    >>> expand_dims([1, 2], -1).shape
    (2, 1)
    """
    x = tensor(x)
    for one in sorted(axis) if isinstance(axis, (list, tuple)) else [axis]:
        x = namespace().expand_dims(x, one)
    return x


@op
def squeeze(x: Any, axis: Axis = None) -> Any:
    """x without its axes of length 1, or without those.

    >>> squeeze([[1, 2]]).shape
    (2,)
    """
    return namespace().squeeze(tensor(x), axis=axes(axis))


@op
def ravel(x: Any) -> Any:
    """x as one row.

    >>> ravel([[1, 2], [3, 4]])
    array([1, 2, 3, 4], dtype=int32)
    """
    return namespace().reshape(tensor(x), (-1,))


@op
def broadcast_to(x: Any, shape: Sequence[int]) -> Any:
    """x repeated to a shape.

    >>> broadcast_to([1, 2], (2, 2))
    array([[1, 2],
           [1, 2]], dtype=int32)
    """
    x = tensor(x)
    return x + np.zeros(tuple(shape), x.dtype) if x.dtype.kind != "b" else np.broadcast_to(x, tuple(shape)).copy()


@op
def concatenate(xs: Sequence[Any], axis: int = 0) -> Any:
    """Arrays joined along an axis.

    >>> concatenate([[1, 2], [3]])
    array([1, 2, 3], dtype=int32)
    """
    return namespace().concatenate(together(*map(tensor, xs)), axis=axis)


@op
def stack(x: Sequence[Any], axis: int = 0) -> Any:
    """Arrays joined along a new axis.

    >>> stack([[1, 2], [3, 4]], axis=1)
    array([[1, 3],
           [2, 4]], dtype=int32)
    """
    return namespace().stack(together(*map(tensor, x)), axis=axis)


@op
def hstack(xs: Sequence[Any]) -> Any:
    """Arrays joined along their second axis, vectors along their first.

    >>> hstack([[1, 2], [3]])
    array([1, 2, 3], dtype=int32)
    """
    return namespace().hstack(together(*map(tensor, xs)))


@op
def vstack(xs: Sequence[Any]) -> Any:
    """Arrays joined along their first axis, vectors as rows.

    >>> vstack([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    return namespace().vstack(together(*map(tensor, xs)))


@op
def append(x1: Any, x2: Any, axis: int | None = None) -> Any:
    """x2 behind x1, along an axis or as rows.

    >>> append([1, 2], [3])
    array([1, 2, 3], dtype=int32)
    """
    x1, x2 = together(tensor(x1), tensor(x2))
    if axis is None:
        x1, x2, axis = ravel(x1), ravel(x2), 0
    return namespace().concatenate([x1, x2], axis=axis)


@op
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """x in so many equal parts, or cut at these indices.

    >>> [part.tolist() for part in split([1, 2, 3, 4], 2)]
    [[1, 2], [3, 4]]
    """
    x = tensor(x)
    axis %= x.ndim
    if isinstance(indices_or_sections, (int, np.integer)):
        if x.shape[axis] % indices_or_sections:
            raise ValueError(f"split: expected a size that {indices_or_sections} divides, got {x.shape[axis]}")
        width = x.shape[axis] // indices_or_sections
        cuts = list(range(width, x.shape[axis], width))
    else:
        cuts = [int(cut) for cut in indices_or_sections]
    ends = [0, *cuts, x.shape[axis]]
    before = (slice(None),) * axis
    return [x[(*before, slice(start, stop))] for start, stop in itertools.pairwise(ends)]


@op
def unstack(x: Any, num: int | None = None, axis: int = 0) -> Any:
    """The slices of x along an axis, as a list.

    >>> unstack([[1, 2], [3, 4]])
    [array([1, 2], dtype=int32), array([3, 4], dtype=int32)]
    """
    x = tensor(x)
    before = (slice(None),) * (axis % x.ndim)
    return [x[(*before, step)] for step in range(x.shape[axis] if num is None else num)]


@op
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Each element, or each slice along an axis, so many times.

    >>> repeat([1, 2], 2)
    array([1, 1, 2, 2], dtype=int32)
    """
    x = tensor(x)
    if axis is None:
        x, axis = ravel(x), 0
    counts = np.broadcast_to(values(repeats), (x.shape[axis],))
    return take(x, np.repeat(np.arange(x.shape[axis]), counts), axis)


@op
def tile(x: Any, repeats: Any) -> Any:
    """x so many times in a row, along each axis.

    >>> tile([1, 2], 2)
    array([1, 2, 1, 2], dtype=int32)
    """
    x = tensor(x)
    counts = [int(n) for n in repeats] if np.ndim(repeats) else [int(repeats)]
    counts = [1] * (x.ndim - len(counts)) + counts
    x = namespace().reshape(x, (1,) * (len(counts) - x.ndim) + tuple(x.shape))
    for axis, count in enumerate(counts):
        x = x if count == 1 else namespace().concatenate([x] * count, axis=axis)
    return x


@op
def flip(x: Any, axis: Axis = None) -> Any:
    """x in reverse, along axes or along all.

    >>> flip([1, 2, 3])
    array([3, 2, 1], dtype=int32)
    """
    x = tensor(x)
    every = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    turned = {one % x.ndim for one in every}
    return x[tuple(slice(None, None, -1) if one in turned else slice(None) for one in range(x.ndim))]


@op
def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """x moved along axes; what leaves at one end comes in at the other.

    >>> roll([1, 2, 3], 1)
    array([3, 1, 2], dtype=int32)
    """
    return namespace().roll(tensor(x), shift, axis)


@op
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """x with more elements around it.

    >>> pad([1.0, 2.0], (1, 0))
    array([0., 1., 2.], dtype=float32)
    """
    x = tensor(x)
    widths = [tuple(int(n) for n in pair) for pair in np.broadcast_to(np.asarray(pad_width), (x.ndim, 2))]
    if mode == "constant":
        return namespace().pad(x, widths, mode, constant_values=constant_values or 0)
    for axis, (before, after) in enumerate(widths):
        x = take(x, np.pad(np.arange(x.shape[axis]), (before, after), mode=mode), axis)  # type: ignore[call-overload]
    return x


@op
def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The elements, or the slices along an axis, at these indices.

    >>> take([10, 20, 30], [2, 0])
    array([30, 10], dtype=int32)
    """
    x, indices = tensor(x), values(indices)
    if axis is None:
        x, axis = ravel(x), 0
    return x[(*(slice(None),) * (axis % x.ndim), indices.astype(int))]


def _get_item(x: Any, key: Any) -> Any:
    """`x[key]`.

    >>> get_item([1, 2, 3], slice(1, None))
    array([2, 3], dtype=int32)
    """
    return tensor(x)[key]


_get_item.__name__ = "get_item"
get_item = op(_get_item, "getitem")


@op
def slice_(inputs: Any, start_indices: Any, shape: Any) -> Any:
    """The part of a shape that begins at these indices.

    >>> slice_([[1, 2], [3, 4]], (0, 1), (2, 1))
    array([[2],
           [4]], dtype=int32)
    """
    return tensor(inputs)[tuple(slice(int(start), int(start) + int(size)) for start, size in zip(start_indices, shape))]


@op
def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """`inputs`, with `updates` in the place of the part that begins at these indices.

    >>> slice_update([1, 2, 3], [1], [9])
    array([1, 9, 3], dtype=int32)
    """
    inputs, updates = tensor(inputs), tensor(updates)
    place = tuple(slice(int(start), int(start) + size) for start, size in zip(start_indices, updates.shape))
    if namespace() is np:
        found: np.ndarray = inputs.copy()
        found[place] = updates
        return found
    inside = np.zeros(inputs.shape, bool)
    inside[place] = True
    widths = [(part.start, size - part.stop) for part, size in zip(place, inputs.shape)]
    return namespace().where(inside, namespace().pad(updates, widths, "constant"), inputs)


@op
def scatter_update(inputs: Any, indices: Any, updates: Any) -> Any:
    """`inputs`, with `updates` at these indices.

    >>> scatter_update([0.0, 0.0, 0.0], [[1]], [5.0])
    array([0., 5., 0.], dtype=float32)
    """
    inputs, indices = tensor(inputs), values(indices)
    place = tuple(indices[..., axis] for axis in range(indices.shape[-1]))
    if namespace() is np:
        found: np.ndarray = inputs.copy()
        found[place] = values(updates)
        return found
    chosen = np.full(inputs.shape, -1)
    flat = tensor(updates)
    rest = inputs.shape[indices.shape[-1]:]
    chosen[place] = np.arange(int(np.prod(flat.shape))).reshape(*indices.shape[:-1], *rest)
    taken = namespace().reshape(flat, (-1,))[np.maximum(chosen, 0)]
    return namespace().where(chosen >= 0, taken, inputs)


@op
def scatter(indices: Any, values: Any, shape: Any) -> Any:
    """Zeros of a shape, to which values are added at these indices.

    >>> scatter([[0], [0]], [1.0, 2.0], (2,))
    array([3., 0.], dtype=float32)
    """
    places, given = tensor(indices), tensor(values)
    found = np.zeros(tuple(shape), given.dtype)
    np.add.at(found, tuple(places[..., axis] for axis in range(places.shape[-1])), given)
    return found


@op
def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """The differences of neighbours along an axis, n times.

    >>> diff([1.0, 4.0, 9.0])
    array([3., 5.], dtype=float32)
    """
    a = tensor(a)
    before = (slice(None),) * (axis % a.ndim)
    for _ in range(n):
        a = a[(*before, slice(1, None))] - a[(*before, slice(None, -1))]
    return a


@op
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal of the matrices of two axes, as the last axis.

    >>> diagonal([[1, 2], [3, 4]])
    array([1, 4], dtype=int32)
    """
    x = namespace().moveaxis(tensor(x), (axis1, axis2), (-2, -1))
    rows, columns = x.shape[-2:]
    steps = np.arange(max(0, min(rows + min(offset, 0), columns - max(offset, 0))))
    return x[(..., steps - min(offset, 0), steps + max(offset, 0))]


@op
def tril(x: Any, k: int = 0) -> Any:
    """Matrices with zeros above the k-th diagonal.

    >>> tril([[1, 2], [3, 4]])
    array([[1, 0],
           [3, 4]], dtype=int32)
    """
    x = tensor(x)
    return x * tri(x.shape[-2], x.shape[-1], k, x.dtype)


@op
def triu(x: Any, k: int = 0) -> Any:
    """Matrices with zeros below the k-th diagonal.

    >>> triu([[1, 2], [3, 4]])
    array([[1, 2],
           [0, 4]], dtype=int32)
    """
    x = tensor(x)
    return x * (1 - tri(x.shape[-2], x.shape[-1], k - 1, x.dtype))


@op
def meshgrid(*x: Any, indexing: str = "xy") -> Any:
    """The coordinates of a grid of vectors.

    >>> meshgrid([1, 2], [3])[1]
    array([[3, 3]], dtype=int32)
    """
    grid: Any = np.meshgrid
    return list(grid(*map(values, x), indexing=indexing))
