# SPDX-License-Identifier: Apache-2.0
"""Targets and predictions as arrays that fit each other, and errors that say how to make them fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn import arrays

Shape = tuple[int, ...]


def prediction_array(owner: str, y_pred: Any) -> np.ndarray:
    """Predictions as a C-contiguous array of float32 or float64; anything but those two becomes float32.

    Raises:
        ValueError: they are no numbers.
    """
    if isinstance(y_pred, np.ndarray) and y_pred.dtype.char in "fd":
        dtype = y_pred.dtype.newbyteorder("=")
    else:
        y_pred, dtype = arrays.as_array(y_pred, f"{owner}: y_pred"), np.dtype(np.float32)
        if y_pred.dtype.kind not in "fiub":
            raise ValueError(f"{owner}: expected y_pred to hold numbers, got dtype {y_pred.dtype}")
    return np.asarray(y_pred, dtype, order="C")


def target_array(owner: str, y_true: Any, dtype: np.dtype) -> np.ndarray:
    """Targets as an array of the predictions' dtype.

    Raises:
        ValueError: they are no numbers.
    """
    y_true = arrays.as_array(y_true, f"{owner}: y_true")
    if y_true.dtype == dtype:
        return y_true
    if y_true.dtype.kind not in "fiub":
        raise ValueError(f"{owner}: expected y_true to hold numbers, got dtype {y_true.dtype}")
    return y_true.astype(dtype)


def align(owner: str, t: np.ndarray, p: np.ndarray, weight_rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions of one shape, where an axis of length 1 at the end of one is all that keeps them apart.

    Keras drops that axis, except beside an array of one axis, which gains it. It is gained too where there is a weight
    (of `weight_rank` axes) for each element, so that there is a row for each weight.

    Raises:
        ValueError: the shapes differ in more than that.
    """
    if t.shape == p.shape:
        return (t, p) if p.ndim != 1 or weight_rank == 0 else (t[:, None], p[:, None])
    gained = min(t.ndim, p.ndim) == 1 or weight_rank >= max(t.ndim, p.ndim) - 1
    if t.shape == (*p.shape, 1):
        return (t, p[..., None]) if gained else (t[..., 0], p)
    if p.shape == (*t.shape, 1):
        return (t[..., None], p) if gained else (t, p[..., 0])
    raise ValueError(f"{owner}: expected y_true of shape {p.shape}, got {t.shape}; {_way_out(owner, t.shape, p.shape)}")


def class_indices(owner: str, y_true: Any, p_shape: Shape, ignore_class: int | None) -> np.ndarray:
    """Class indices as an integer array of `p_shape` without its last axis, each checked to be a class or
    `ignore_class`.

    Raises:
        ValueError: the shape does not fit, or an index is not whole, or is outside the classes.
    """
    y_true = arrays.as_array(y_true, f"{owner}: y_true")
    if y_true.dtype.kind not in "fiub":
        raise ValueError(f"{owner}: expected y_true to hold class indices, got dtype {y_true.dtype}")
    if y_true.shape != p_shape[:-1]:
        if y_true.shape != (*p_shape[:-1], 1):
            raise ValueError(
                f"{owner}: expected class indices of shape {p_shape[:-1]}, got {y_true.shape}; "
                f"{_way_out_sparse(y_true.shape, p_shape)}"
            )
        y_true = y_true[..., 0]
    if y_true.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            indices = y_true.astype(np.intp)
        if not np.array_equal(indices, y_true):
            wrong = y_true[indices != y_true].flat[0]
            raise ValueError(f"{owner}: expected class indices in y_true to be whole numbers, got {wrong}")
    else:
        indices = y_true.astype(np.intp, copy=False)
    if indices.size:
        counted = indices if ignore_class is None else np.where(indices == ignore_class, 0, indices)
        low, high, classes = counted.min(), counted.max(), p_shape[-1]
        if low < 0 or high >= classes:
            wrong = low if low < 0 else high
            raise ValueError(
                f"{owner}: expected class indices in y_true from 0 to {classes - 1}, got {wrong}; the last layer has "
                f"{classes} units"
            )
    return indices


def _way_out(owner: str, t: Shape, p: Shape) -> str:
    """What most likely mends targets of shape `t` beside predictions of shape `p`."""
    if t and p and t[0] != p[0]:
        return f"there are {t[0]} targets for {p[0]} predictions"
    if len(p) == 2 and len(t) == 2 and p[1] == 1:
        return f"give the last layer {t[1]} units, or, {_SEQUENCES_WANTED}"
    if len(p) == 2 and len(t) > 2:
        return _SEQUENCES_WANTED
    if len(p) == 3 and len(t) < 3 and t != p[:2] and t[1:] in ((), (1,), p[2:]):
        return _ONE_OUTPUT_WANTED
    if owner == "categorical_crossentropy" and t in (p[:-1], (*p[:-1], 1)):
        return "for class indices use sparse_categorical_crossentropy, or fastrnn.utils.to_categorical"
    if owner == "binary_crossentropy" and t in (p[:-1], (*p[:-1], 1)):
        return "for class indices use sparse_categorical_crossentropy; for one yes or no give the last layer 1 unit"
    if len(t) == len(p):
        return f"give the last layer {t[-1]} units, or targets with {p[-1]} values"
    return "targets and predictions must have the same number of axes"


def _way_out_sparse(t: Shape, p: Shape) -> str:
    if t == p:
        return "for one-hot targets use categorical_crossentropy"
    if t and p and t[0] != p[0]:
        return f"there are {t[0]} targets for {p[0]} predictions"
    if len(p) == 2 and len(t) >= 2:
        return _SEQUENCES_WANTED
    if len(p) == 3 and (len(t) == 1 or t[1:] == (1,)):
        return _ONE_OUTPUT_WANTED
    return "targets need one class index a prediction"


_SEQUENCES_WANTED = (
    "where the targets hold a value for each time step, set return_sequences=True on the last recurrent layer"
)
_ONE_OUTPUT_WANTED = "for one target a sequence, set return_sequences=False on the last recurrent layer"
