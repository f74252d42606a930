# SPDX-License-Identifier: Apache-2.0
"""ELU as a layer."""

from __future__ import annotations

from typing import Unpack

from fastrnn.activations.smooth import Elu
from fastrnn.layers.activation.base import ActivationWithArguments
from fastrnn.layers.arguments import LayerArguments


class ELU(ActivationWithArguments):
    """`x` where it is positive, `alpha * (exp(x) - 1)` elsewhere (Clevert et al. 2015).

    Args:
        alpha: what the output tends to below, but for the sign.

    Example:

    >>> import numpy as np
    >>> ELU()(np.array([-1.0, 2.0])).round(3)
    array([-0.632,  2.   ], dtype=float32)
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__("elu", **kwargs)
        if isinstance(alpha, bool) or not isinstance(alpha, (int, float)):
            raise ValueError(f"{self} alpha: expected a number, got {alpha!r}")
        self.activation = Elu(float(alpha))
