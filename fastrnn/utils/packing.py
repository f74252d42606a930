# SPDX-License-Identifier: Apache-2.0
"""Inputs, targets and weights as one item of data, and back."""

from __future__ import annotations

from typing import Any

from fastrnn.training.data import unpack


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """The inputs, targets and sample weights of an item, as `fit` understands it.

    Args:
        data: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`, in a tuple or a list.

    Returns:
        All three, None for what is not there.

    Raises:
        ValueError: there are more than three.

    >>> unpack_x_y_sample_weight(([1, 2], [0, 1]))
    ([1, 2], [0, 1], None)
    """
    return unpack(data, "unpack_x_y_sample_weight")


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """One item of data of inputs, targets and sample weights.

    Args:
        x: inputs.
        y: targets, or None.
        sample_weight: weights of the samples, or None.

    Returns:
        `(x, y, sample_weight)` without what is None at the end; `x` alone as it is, in a tuple if it is a list or a
        tuple itself.

    >>> pack_x_y_sample_weight([1, 2], [0, 1])
    ([1, 2], [0, 1])
    """
    if y is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)
