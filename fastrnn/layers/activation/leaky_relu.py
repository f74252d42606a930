# SPDX-License-Identifier: Apache-2.0
"""LeakyReLU as a layer."""

from __future__ import annotations

from typing import Unpack

from fastrnn.activations.piecewise import LeakyRelu
from fastrnn.layers.activation.base import ActivationWithArguments, at_least_zero
from fastrnn.layers.arguments import LayerArguments


class LeakyReLU(ActivationWithArguments):
    """`x` where it is positive, `negative_slope * x` elsewhere.

    Args:
        negative_slope: of the part below 0.

    Raises:
        ValueError: the slope is below 0.

    Example:

    >>> import numpy as np
    >>> LeakyReLU(0.1)(np.array([-1.0, 2.0]))
    array([-0.1,  2. ], dtype=float32)
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__("leaky_relu", **kwargs)
        self.activation = LeakyRelu(at_least_zero(negative_slope, f"{self} negative_slope"))
