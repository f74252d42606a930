# SPDX-License-Identifier: Apache-2.0
"""Random numbers that decide over the elements of an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.ops.dispatch import floating, op, tensor, values
from fastrnn.random.seeds import generator


@op
def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """So many classes for each row of logarithms of probabilities.

    Gumbel's trick: the class whose logit is the greatest after -log(-log(u)) is added, with u uniform.

    >>> categorical([[0.0, 50.0]], 3, seed=1)
    array([[1, 1, 1]], dtype=int32)
    """
    logits = values(floating(logits))
    if logits.ndim != 2:
        raise ValueError(f"random.categorical logits: expected (batch, classes), got {logits.shape}")
    drawn = generator(seed).gumbel(size=(len(logits), num_samples, logits.shape[1]))
    return np.argmax(logits[:, None, :] + drawn, axis=-1).astype(dtype)


@op
def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Zeros in the place of a share of the elements, the others over 1 - rate; whether in training or not.

    >>> sorted(set(dropout([1.0] * 100, 0.5, seed=1).tolist()))
    [0.0, 2.0]
    """
    if not 0 <= rate < 1:
        raise ValueError(f"random.dropout rate: expected a number from 0 to below 1, got {rate!r}")
    x = floating(inputs)
    if rate == 0:
        return x
    shape = x.shape if noise_shape is None else tuple(
        given if own is None else int(own) for own, given in zip(noise_shape, x.shape, strict=True))
    kept = generator(seed).random(shape, np.float32) >= rate
    return x * (kept / np.asarray(1 - rate, x.dtype)).astype(x.dtype)


@op
def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Any:
    """The slices along an axis in another order.

    >>> sorted(shuffle([1, 2, 3], seed=1).tolist())
    [1, 2, 3]
    """
    x = tensor(x)
    before = (slice(None),) * (axis % x.ndim)
    return x[(*before, generator(seed).permutation(x.shape[axis]))]
