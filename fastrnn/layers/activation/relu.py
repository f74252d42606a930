# SPDX-License-Identifier: Apache-2.0
"""ReLU as a layer."""

from __future__ import annotations

from typing import Unpack

from fastrnn.activations.piecewise import Relu
from fastrnn.layers.activation.base import ActivationWithArguments, at_least_zero
from fastrnn.layers.arguments import LayerArguments


class ReLU(ActivationWithArguments):
    """`x` above the threshold, at most `max_value`; `negative_slope * (x - threshold)` below.

    Args:
        max_value: the largest output, None for any.
        negative_slope: of the part below the threshold.
        threshold: below which an input is damped.

    Raises:
        ValueError: an argument is below 0.

    Example:

    >>> import numpy as np
    >>> ReLU(max_value=6)(np.array([-1.0, 2.0, 9.0]))
    array([0., 2., 6.], dtype=float32)
    """

    def __init__(self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__("relu", **kwargs)
        self.activation = Relu(
            at_least_zero(negative_slope, f"{self} negative_slope"),
            None if max_value is None else at_least_zero(max_value, f"{self} max_value"),
            at_least_zero(threshold, f"{self} threshold"))
