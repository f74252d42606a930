# SPDX-License-Identifier: Apache-2.0
"""ActivityRegularization: a penalty on what goes through."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn import regularizers
from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Layer


class ActivityRegularization(Layer):
    """Hands its input on, and adds `l1 * sum(abs(x)) + l2 * sum(x**2)` to the loss of the model.

    Args:
        l1: factor of the sum of absolute values, 0 or more.
        l2: factor of the sum of squares, 0 or more.

    Raises:
        ValueError: a factor is negative, infinite or no number.

    Example:

    >>> ActivityRegularization(l2=0.01)([[1.0, 2.0]])
    array([[1., 2.]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.activity_regularizer = regularizers.L1L2(l1, l2)
        self.l1, self.l2 = l1, l2

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        if call.taped:
            call.kept = x.shape
        return x

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        dy = self.check_gradient(dy, call.kept)
        return dy if call.wants() else None

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["activity_regularizer"]
        return {**config, "l1": self.l1, "l2": self.l2}
