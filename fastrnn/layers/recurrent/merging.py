# SPDX-License-Identifier: Apache-2.0
"""A Bidirectional's two directions as calls of their own, where a training needs what each of them gives."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.graph.call import Call
from fastrnn.layers.base import Layer


class Merging(Layer):
    """What a `Bidirectional` makes of the outputs of its two layers, which the second one gives in its own order."""

    takes_many = True

    def __init__(self, both: Any) -> None:
        super().__init__(name=f"{both.name}_merging", dtype=both.dtype)
        self._both = both
        self.built = True

    @property
    def masks(self) -> str:
        return str(self._both.masks)

    def most_inputs(self) -> int:
        return 2

    def compute_output_shape(self, *input_shapes: Any) -> Any:
        return self._both.merged_shape(input_shapes[0][:-1])

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return [mask, mask] if self._both.merge_mode is None else mask

    def masked_outputs(self, masked: list[bool], count: int) -> list[bool]:
        return [any(masked) and self._both.return_sequences] * count

    def forward(self, one: np.ndarray, two: np.ndarray, *, call: Call) -> Any:
        outputs = one.copy(), self._turned(two)
        if call.taped:
            call.kept = one.shape[:-1], outputs
        return self._both.merge(None, outputs if self._both.merge_mode != "mul" else (one, outputs[1]))

    def backward(self, dy: Any, *more: Any, call: Call | None = None) -> list[Any]:
        shape, outputs = self.taped(call).kept
        one, two = self._both.split([dy, *more] if self._both.merge_mode is None else dy, shape, outputs)
        return [one, None if two is None else self._turned(two)]

    def _turned(self, y: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(y[:, ::-1] if self._both.return_sequences else y)
