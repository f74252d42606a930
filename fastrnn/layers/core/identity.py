# SPDX-License-Identifier: Apache-2.0
"""Identity."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn import _core, arrays
from fastrnn.graph.call import Call
from fastrnn.layers.base import Layer


class Identity(Layer):
    """Gives its input, of any numbers.

    Example:

    >>> Identity()(np.array([1.0, 2.0]))
    array([1., 2.], dtype=float32)
    """

    supports_masking = True
    input_kind = "any"

    def check_input(self, x: Any) -> np.ndarray:
        return arrays.as_float_or_whole(x, self.dtype, f"{self} input")

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        if call.taped:
            call.kept = x.shape, x.dtype.kind == "f"
        return x

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        shape, floats = call.kept
        dy = self.check_gradient(dy, shape)
        return dy if floats and call.wants() else None

    def runner(self) -> Any:
        return _core.kernels(self.dtype).LineRunner([])
