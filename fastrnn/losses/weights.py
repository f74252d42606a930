# SPDX-License-Identifier: Apache-2.0
"""How sample weights and masks become one weight for each row of the predictions."""

from __future__ import annotations

from typing import Any

import numpy as np


def rowwise_weights(
    owner: str, shape: tuple[int, ...], sample_weight: Any, mask: Any, rescaled: bool, dtype: Any
) -> np.ndarray:
    """Weights that multiply an array of `shape`, from sample weights and a mask, of which one at least is given.

    Args:
        owner: what an error message names.
        shape: shape of the rows, (batch,) or (batch, time).
        sample_weight: a number, or an array of the first axes of `shape`; what it lacks, it is constant along.
        mask: bool, likewise: the rows that count.
        rescaled: the rows that count share the weight of those that do not, so that dividing by the number of all
            rows gives the mean over those that count: Keras 3's rule for a mean.
        dtype: dtype of the weights.

    Returns:
        An array with as many axes as `shape`, each as long as the one of `shape`, or 1 where the argument has 1 there.

    Raises:
        ValueError: a shape does not fit.

    Example:

    >>> rowwise_weights("loss", (2, 2), [1.0, 3.0], [[True, False], [True, True]], False, "float32")
    array([[1., 0.],
           [3., 3.]], dtype=float32)
    """
    weights = None
    if sample_weight is not None:
        weights = fitted(owner, "sample_weight", np.asarray(sample_weight), shape).astype(dtype, copy=False)
    if mask is None:
        assert weights is not None
        return weights
    mask = fitted(owner, "mask", np.asarray(mask), shape)
    if mask.dtype != np.bool_:
        mask = mask.astype(np.bool_)
    factors = mask.astype(dtype)
    if rescaled:
        factors *= mask.size / max(1, np.count_nonzero(mask))
    return factors if weights is None else weights * factors


def masked_weight(sample_weight: Any, mask: Any) -> Any:
    """The sample weights of a metric under a mask: 0 where the mask is False. None if neither is given.

    Args:
        sample_weight: a number, (batch,) or (batch, time), or None.
        mask: bool, (batch, time), or None.

    Example:

    >>> masked_weight([2.0, 3.0], [[True, False], [True, True]])
    array([[2., 0.],
           [3., 3.]], dtype=float32)
    """
    if mask is None:
        return sample_weight
    mask = np.asarray(mask)
    return rowwise_weights("metric", mask.shape, sample_weight, mask, rescaled=False, dtype=np.float32)


def fitted(owner: str, argument: str, a: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`a` with as many axes as `shape`: axes of length 1 are dropped from its end, and those it lacks repeat it."""
    if a.shape == shape:
        return a
    if a.dtype.kind not in "fiub":
        raise ValueError(f"{owner}: expected {argument} to hold numbers, got dtype {a.dtype}")
    given = a.shape
    while a.ndim > len(shape) and a.shape[-1] == 1:
        a = a[..., 0]
    lacking = len(shape) - a.ndim
    if lacking > 0:
        a = a.reshape(a.shape + (1,) * lacking)
    if a.ndim != len(shape) or any(n not in (1, size) for n, size in zip(a.shape, shape, strict=True)):
        expected = " or ".join(str(shape[:rank]) for rank in range(1, len(shape) + 1)) or "one number"
        raise ValueError(f"{owner}: expected {argument} of shape {expected}, got {given}")
    return np.broadcast_to(a, a.shape[:-lacking] + shape[-lacking:]) if lacking > 0 else a
