# SPDX-License-Identifier: Apache-2.0
"""Functions along axes that leave fewer elements, sums on the way, and sorting."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.ops.dispatch import Axis, axes, floating, namespace, op, tensor, values


@op
def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The sum along axes, of all elements by default.

    >>> sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([4., 6.], dtype=float32)
    """
    x = tensor(x)
    if x.dtype.kind == "b":
        x = x.astype("int32")
    total = namespace().sum(x, axis=axes(axis), keepdims=keepdims)
    return total if x.dtype.kind == "f" else np.asarray(total, x.dtype)


@op
def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The mean along axes, of all elements by default.

    >>> mean([[1.0, 2.0], [3.0, 4.0]])
    np.float32(2.5)
    """
    return namespace().mean(floating(x), axis=axes(axis), keepdims=keepdims)


@op
def max(x: Any, axis: Axis = None, keepdims: bool = False, initial: Any = None) -> Any:
    """The greatest along axes, of all elements by default; at least `initial`.

    >>> max([[1.0, 2.0], [3.0, 4.0]], axis=1)
    array([2., 4.], dtype=float32)
    """
    found = namespace().max(tensor(x), axis=axes(axis), keepdims=keepdims)
    return found if initial is None else namespace().maximum(found, initial)


@op
def min(x: Any, axis: Axis = None, keepdims: bool = False, initial: Any = None) -> Any:
    """The smallest along axes, of all elements by default; at most `initial`.

    >>> min([[1.0, 2.0], [3.0, 4.0]], axis=1)
    array([1., 3.], dtype=float32)
    """
    found = namespace().min(tensor(x), axis=axes(axis), keepdims=keepdims)
    return found if initial is None else namespace().minimum(found, initial)


amax, amin = max, min


@op
def prod(x: Any, axis: Axis = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """The product along axes, of all elements by default.

    >>> prod([2.0, 3.0])
    np.float32(6.0)
    """
    x = tensor(x, dtype)
    total = namespace().prod(x, axis=axes(axis), keepdims=keepdims)
    return total if x.dtype.kind == "f" else np.asarray(total, x.dtype)


@op
def var(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The mean square of the distances from the mean.

    >>> var([1.0, 3.0])
    np.float32(1.0)
    """
    return namespace().var(floating(x), axis=axes(axis), keepdims=keepdims)


@op
def std(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The square root of `var`.

    >>> std([1.0, 3.0])
    np.float32(1.0)
    """
    return namespace().std(floating(x), axis=axes(axis), keepdims=keepdims)


@op
def median(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The middle one of the sorted elements, or the mean of the two in the middle. It has no gradient.

    >>> median([1.0, 5.0, 2.0])
    np.float32(2.0)
    """
    return namespace().median(floating(x), axis=axes(axis), keepdims=keepdims)


@op
def quantile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The value below which a share q of the elements lies. It has no gradient.

    >>> quantile([0.0, 1.0, 2.0], 0.5).item()
    1.0
    """
    x = values(x)
    share: Any = np.quantile
    found = share(x, np.asarray(q, "float64"), axis=axes(axis), method=method, keepdims=keepdims)
    return np.asarray(found, x.dtype if x.dtype.kind == "f" else "float32")


@op
def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """log of the sum of exp, without overflow.

    >>> logsumexp([0.0, 0.0]).round(4)
    np.float32(0.6931)
    """
    xp, x = namespace(), floating(x)
    most = values(xp.max(x, axis=axes(axis), keepdims=True))
    most = np.where(np.isfinite(most), most, 0).astype(x.dtype)
    with np.errstate(divide="ignore"):
        found = xp.log(xp.sum(xp.exp(x - most), axis=axes(axis), keepdims=True)) + most
    return found if keepdims else xp.squeeze(found, axis=axes(axis))


@op
def all(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Whether all elements along axes are true.

    >>> all([[True, False], [True, True]], axis=1)
    array([False,  True])
    """
    return np.all(values(x), axis=axes(axis), keepdims=keepdims)


@op
def any(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Whether an element along axes is true.

    >>> any([[True, False], [False, False]], axis=1)
    array([ True, False])
    """
    return np.any(values(x), axis=axes(axis), keepdims=keepdims)


@op
def count_nonzero(x: Any, axis: Axis = None) -> Any:
    """How many elements are not 0.

    >>> count_nonzero([0, 1, 2]).item()
    2
    """
    return np.asarray(np.count_nonzero(values(x), axis=axes(axis)), "int32")


@op
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The index of the first greatest element.

    >>> argmax([[1.0, 3.0], [5.0, 2.0]], axis=-1)
    array([1, 0], dtype=int32)
    """
    return np.asarray(np.argmax(values(x), axis=axis, keepdims=keepdims), "int32")


@op
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """The index of the first smallest element.

    >>> argmin([[1.0, 3.0], [5.0, 2.0]], axis=-1)
    array([0, 1], dtype=int32)
    """
    return np.asarray(np.argmin(values(x), axis=axis, keepdims=keepdims), "int32")


@op
def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The sums of the elements up to each.

    >>> cumsum([1.0, 2.0, 3.0])
    array([1., 3., 6.], dtype=float32)
    """
    x = tensor(x, dtype)
    found = namespace().cumsum(x, axis=axis)
    return found if x.dtype.kind == "f" else np.asarray(found, x.dtype)


@op
def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The products of the elements up to each.

    >>> cumprod([1.0, 2.0, 3.0])
    array([1., 2., 6.], dtype=float32)
    """
    xp, x = namespace(), tensor(x, dtype)
    if xp is np:
        return np.cumprod(x, axis=axis, dtype=x.dtype)
    if axis is None:
        x, axis = xp.reshape(x, (-1,)), 0
    moved = xp.moveaxis(x, axis, 0)
    found = [moved[0]]
    for step in range(1, moved.shape[0]):
        found.append(found[-1] * moved[step])
    return xp.moveaxis(xp.stack(found), 0, axis)


@op
def sort(x: Any, axis: int = -1) -> Any:
    """The elements along an axis, the smallest first.

    >>> sort([3.0, 1.0, 2.0])
    array([1., 2., 3.], dtype=float32)
    """
    x = tensor(x)
    return _along(x, np.argsort(values(x), axis=axis), axis)


@op
def argsort(x: Any, axis: int = -1) -> Any:
    """The indices that sort the elements along an axis.

    >>> argsort([3.0, 1.0, 2.0])
    array([1, 2, 0], dtype=int32)
    """
    return np.argsort(values(x), axis=axis, kind="stable").astype("int32")


@op
def top_k(x: Any, k: int, sorted: bool = True) -> Any:
    """The k greatest elements along the last axis, the greatest first, and their indices.

    >>> top_k([1.0, 3.0, 2.0], 2)
    (array([3., 2.], dtype=float32), array([1, 2], dtype=int32))
    """
    x = tensor(x)
    indices = np.argsort(-values(x), axis=-1, kind="stable")[..., :k]
    return _along(x, indices, -1), indices.astype("int32")


@op
def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The elements at indices along an axis, row by row.

    >>> take_along_axis([[1.0, 2.0], [3.0, 4.0]], [[1], [0]], axis=1)
    array([[2.],
           [3.]], dtype=float32)
    """
    x, indices = tensor(x), values(indices)
    return namespace().reshape(x, (-1,))[indices.reshape(-1)] if axis is None else _along(x, indices, axis)


def _along(x: Any, indices: np.ndarray, axis: int) -> Any:
    """`numpy.take_along_axis` by an index, which can be traced."""
    axis %= x.ndim
    places = np.ogrid[tuple(slice(size) for size in indices.shape)]
    return x[tuple(indices if number == axis else place for number, place in enumerate(places))]


@op
def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """Whether the class of each sample is among its k greatest predictions.

    >>> in_top_k([1, 0], [[0.1, 0.9], [0.2, 0.8]], k=1)
    array([ True, False])
    """
    targets, predictions = values(targets), values(predictions)
    own = np.take_along_axis(predictions, targets[:, None].astype(int), 1)
    return ((predictions > own).sum(axis=1) < k) & np.isfinite(own[:, 0])
