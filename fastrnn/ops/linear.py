# SPDX-License-Identifier: Apache-2.0
"""Products of matrices, and what is computed of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.ops.dispatch import Axis, axes, floating, namespace, op, tensor, together, values
from fastrnn.ops.shaping import diagonal


def _matmul(x1: Any, x2: Any) -> Any:
    """The product of matrices, over axes that broadcast.

    >>> matmul([[1.0, 2.0]], [[3.0], [4.0]])
    array([[11.]], dtype=float32)
    """
    return namespace().matmul(*together(x1, x2))


_matmul.__name__ = "matmul"
matmul = op(_matmul, "matmul")


@op
def dot(x1: Any, x2: Any) -> Any:
    """The sums of products over the last axis of x1 and the last but one of x2.

    >>> dot([1.0, 2.0], [3.0, 4.0])
    np.float32(11.0)
    """
    return namespace().dot(*together(x1, x2))


@op
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """The sums of products over axes of both.

    >>> tensordot([[1.0, 2.0]], [[3.0, 4.0]], axes=2).item()
    11.0
    """
    return namespace().tensordot(*together(x1, x2), axes=axes)


@op
def einsum(subscripts: str, *operands: Any) -> Any:
    """Sums of products as letters name the axes.

    >>> einsum("ij,ij->i", [[1.0, 2.0]], [[3.0, 4.0]])
    array([11.], dtype=float32)
    """
    return namespace().einsum(subscripts, *together(*map(tensor, operands)))


@op
def inner(x1: Any, x2: Any) -> Any:
    """The sums of products over the last axes.

    >>> inner([1.0, 2.0], [3.0, 4.0])
    np.float32(11.0)
    """
    return namespace().inner(*together(x1, x2))


@op
def outer(x1: Any, x2: Any) -> Any:
    """The product of each element of one with each of the other.

    >>> outer([1.0, 2.0], [3.0, 4.0])
    array([[3., 4.],
           [6., 8.]], dtype=float32)
    """
    return namespace().outer(*together(x1, x2))


@op
def cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """The vector product.

    >>> cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    array([0., 0., 1.], dtype=float32)
    """
    return namespace().cross(*together(x1, x2), axisa, axisb, axisc, axis)


@op
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of a diagonal.

    >>> trace([[1.0, 2.0], [3.0, 4.0]])
    np.float32(5.0)
    """
    return namespace().sum(diagonal(x, offset, axis1, axis2), axis=-1)


@op
def diag(x: Any, k: int = 0) -> Any:
    """A matrix with a vector on its diagonal, or the diagonal of a matrix.

    >>> diag([1.0, 2.0])
    array([[1., 0.],
           [0., 2.]], dtype=float32)
    """
    return namespace().diag(tensor(x), k)


@op
def norm(x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Any:
    """The length of vectors, the Frobenius norm of matrices, or another norm.

    >>> norm([3.0, 4.0])
    np.float32(5.0)
    """
    xp, x, along = namespace(), floating(x), axes(axis)
    if ord is None or (ord == "fro" and not isinstance(along, int)) or (ord == 2 and (isinstance(along, int) or (
            along is None and x.ndim == 1))):
        return xp.sqrt(xp.sum(x * x, axis=along, keepdims=keepdims))
    if ord in (1, np.inf) and (isinstance(along, int) or x.ndim == 1):
        return (xp.sum if ord == 1 else xp.max)(xp.abs(x), axis=along, keepdims=keepdims)
    length: Any = np.linalg.norm
    return length(values(x), ord, along, keepdims)


@op
def inv(x: Any) -> Any:
    """The inverse of matrices.

    >>> inv([[2.0]])
    array([[0.5]], dtype=float32)
    """
    return namespace().linalg.inv(floating(x))


@op
def det(x: Any) -> Any:
    """The determinant of matrices.

    >>> det([[2.0]])
    np.float32(2.0)
    """
    return namespace().linalg.det(floating(x))


@op
def cholesky(x: Any) -> Any:
    """The lower triangular matrix whose product with its transpose is x.

    >>> cholesky([[4.0]])
    array([[2.]], dtype=float32)
    """
    return namespace().linalg.cholesky(floating(x))


@op
def solve(a: Any, b: Any) -> Any:
    """The x of a x = b.

    >>> solve([[2.0]], [4.0])
    array([2.], dtype=float32)
    """
    return namespace().linalg.solve(*together(a, b, floats=True))


@op
def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """The singular value decomposition.

    >>> svd([[3.0, 0.0], [0.0, 4.0]])[1]
    array([4., 3.], dtype=float32)
    """
    parts: Any = np.linalg.svd
    found = parts(values(floating(x)), full_matrices=full_matrices, compute_uv=compute_uv)
    return tuple(found) if compute_uv else found


@op
def qr(x: Any, mode: str = "reduced") -> Any:
    """The decomposition in an orthogonal and an upper triangular matrix.

    >>> abs(qr([[2.0]])[1])
    array([[2.]], dtype=float32)
    """
    return tuple(np.linalg.qr(values(floating(x)), mode))  # type: ignore[call-overload]


@op
def cdist(x: Any, y: Any) -> Any:
    """The distances between the rows of two matrices.

    >>> cdist([[0.0, 0.0]], [[3.0, 4.0]])
    array([[5.]], dtype=float32)
    """
    x, y = together(x, y, floats=True)
    apart = x[..., :, None, :] - y[..., None, :, :]
    return namespace().sqrt(namespace().sum(apart * apart, axis=-1))
