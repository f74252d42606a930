# SPDX-License-Identifier: Apache-2.0
"""Indices as vectors with an element for each index there is: one vector for each index, or for each row of them."""

from __future__ import annotations

from typing import Any

import numpy as np

Shape = tuple[int | None, ...]

#: Older names of modes.
_OLD = {"binary": "multi_hot", "tf-idf": "tf_idf"}


def check_mode(mode: Any, modes: tuple[str, ...], what: str) -> str:
    """An `output_mode`, one of `modes`.

    Raises:
        ValueError: it is none of them.

    >>> check_mode("binary", ("int", "multi_hot"), "StringLookup")
    'multi_hot'
    """
    mode = _OLD.get(mode, mode) if isinstance(mode, str) else mode
    if mode not in modes:
        raise ValueError(f"{what} output_mode: expected {', '.join(map(repr, modes))}, got {mode!r}")
    return str(mode)


def refuse_sparse(sparse: Any, what: str) -> None:
    """Raise a ValueError if `sparse`, which layers take as in Keras, is given."""
    if sparse:
        raise ValueError(f"{what} sparse: expected False, as outputs are arrays, got {sparse!r}")


def encoded_shape(shape: Shape, mode: str, depth: int | None) -> Shape:
    """The shape of `encoded` for indices of a shape.

    >>> encoded_shape((None, 5), "count", 3), encoded_shape((None, 1), "one_hot", 3)
    ((None, 3), (None, 3))
    """
    if mode == "int":
        return shape
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape or (1,)), depth)
    return (*shape[:1], *shape[2:], depth) if len(shape) > 1 else (depth,)


def encoded(indices: np.ndarray, mode: str, depth: int, dtype: str, weights: np.ndarray | None = None) -> np.ndarray:
    """Indices as vectors of `depth` elements; those outside are left out.

    Args:
        indices: whole numbers (N, M), of which each row is a vector; or (M,), one vector; or of three axes, whose
            second one is summed over.
        mode: "one_hot": one vector for each index. "multi_hot": 1 for each index in the row. "count": how often it is
            there.
        depth: length of the vectors.
        dtype: of the result.
        weights: what each index counts, of their shape, in place of 1.

    >>> encoded(np.array([[1, 1, 2], [0, 0, 9]]), "count", 3, "int64")
    array([[0, 2, 1],
           [2, 0, 0]])
    """
    if mode == "one_hot":
        if indices.ndim > 1 and indices.shape[-1] == 1:
            indices = indices[..., 0]
        return (np.atleast_1d(indices)[..., None] == np.arange(depth)).astype(dtype)
    if indices.ndim < 2:
        return encoded_rows(indices.reshape(-1), np.zeros(indices.size, np.intp), 1, mode, depth, dtype,
                            None if weights is None else weights.reshape(-1))[0]
    shape = (indices.shape[0], *indices.shape[2:], depth)
    flat = np.moveaxis(indices, 1, -1).reshape(-1)
    if weights is not None:
        weights = np.moveaxis(weights, 1, -1).reshape(-1)
    rows = flat.size // indices.shape[1] if indices.shape[1] else int(np.prod(shape[:-1]))
    return encoded_rows(flat, np.repeat(np.arange(rows), indices.shape[1]), rows, mode, depth, dtype,
                        weights).reshape(shape)


def encoded_rows(indices: np.ndarray, rows: np.ndarray, count: int, mode: str, depth: int, dtype: str,
                 weights: np.ndarray | None = None) -> np.ndarray:
    """`encoded` for rows of any lengths.

    Args:
        indices: of all rows, one after the other.
        rows: of each index, the number of its row.
        count: of the rows.
        mode, depth, dtype, weights: as there.
    """
    inside = (indices >= 0) & (indices < depth)
    places = rows[inside] * depth + indices[inside]
    sums = np.bincount(places, None if weights is None else weights[inside], count * depth).reshape(count, depth)
    return (sums > 0).astype(dtype) if mode == "multi_hot" else sums.astype(dtype)
