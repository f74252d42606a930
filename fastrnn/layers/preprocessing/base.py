# SPDX-License-Identifier: Apache-2.0
"""What the layers share that turn data of other kinds into numbers: no mask goes on, and no gradient goes back."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.graph.call import Call
from fastrnn.graph.symbol import Symbol
from fastrnn.layers.base import Layer
from fastrnn.layers.preprocessing.pipelines import is_tensor_of_a_pipeline, within_pipeline


class Preparing(Layer):
    """Base of these layers. A subclass defines `prepared`, and what `output_dtype` is.

    Called on a tensor that has no values yet, as functions given to tf.data's `map` are, such a layer becomes a step of
    that pipeline.
    """

    masks = "drop"

    @property
    def output_dtype(self) -> str:
        """The dtype of the output."""
        return self.dtype

    def prepared(self, x: np.ndarray) -> np.ndarray:
        """The output for a checked input."""
        raise NotImplementedError(f"{type(self).__name__} must define prepared(x)")

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        if is_tensor_of_a_pipeline(x):
            return within_pipeline(self, x, self.output_dtype)
        return super().__call__(x, training, mask)

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        y = self.prepared(x)
        if call.taped:
            call.kept = y.shape
        return y

    def backward(self, dy: Any, *, call: Call | None = None) -> None:
        call = self.taped(call)
        self.check_gradient(dy, call.kept)

    def compute_mask(self, x: Any, mask: Any = None) -> None:
        return None

    def output_dtypes(self, inputs: list[Symbol], count: int) -> list[str]:
        return [self.output_dtype] * count
