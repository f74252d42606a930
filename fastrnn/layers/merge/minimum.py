# SPDX-License-Identifier: Apache-2.0
"""Minimum: the smallest of several arrays' elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.merge.maximum import Maximum


class Minimum(Maximum):
    """The smallest of a list of inputs, element by element. Equal ones share the gradient.

    A masked step does not count; where all inputs are masked, the output is the first.

    Raises:
        ValueError: at a call, if the shapes neither are equal nor broadcast, or batch sizes differ.

    Example:

    >>> Minimum()([np.array([[1, 20]]), np.array([[10, 2]])])
    array([[1., 2.]], dtype=float32)
    """

    choose = np.minimum
    last = np.inf


def minimum(inputs: Sequence[Any], **kwargs: Unpack[LayerArguments]) -> Any:
    """The smallest of arrays or symbols, element by element; see `Minimum`.

    >>> minimum([np.full((1, 2), 3), np.full((1, 2), 5)])
    array([[3., 3.]], dtype=float32)
    """
    return Minimum(**kwargs)(inputs)
