# SPDX-License-Identifier: Apache-2.0
"""The recipes of the cells, and of what runs them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fastrnn.layers import RNN, GRUCell, Layer, LSTMCell, SimpleRNNCell
from tests.layers.recipes.recipe import Recipe


class OwnCell(Layer):
    """``h' = tanh(x W + s h)``, ``y = h' s``, with its own forward and backward."""

    state_size = 3
    output_size = 3

    def build(self, *shapes: Any) -> None:
        self.kernel = self.add_weight("kernel", (shapes[0][-1], 3), "glorot_uniform")
        self.scale = self.add_weight("scale", (3,), "ones")
        self.built = True

    def forward(self, x: np.ndarray, h: np.ndarray, *, call: Any) -> list[np.ndarray]:
        new = np.tanh(x @ self.kernel.data + h * self.scale.data)
        if call.taped:
            call.kept = x, h, new
        return [new * self.scale.data, new]

    def backward(self, dy: Any, dh: Any = None, *, call: Any = None) -> list[Any]:
        x, h, new = self.taped(call).kept
        dz = (dy * self.scale.data + dh) * (1 - new * new)
        call.gradient(self.kernel)[...] = x.T @ dz
        call.gradient(self.scale)[...] = (dy * new + dz * h).sum(0)
        return [dz @ self.kernel.data.T if call.wants() else None, dz * self.scale.data]


def running(*cells: Any, **options: Any) -> Any:
    """An RNN of cells, each a class and its units."""
    return lambda dtype="float32", **keywords: RNN(
        [cell(units, dtype=dtype) for cell, units in cells] if len(cells) > 1
        else cells[0][0](cells[0][1], dtype=dtype), **options, dtype=dtype, **keywords)


RECIPES: dict[str, dict[str, Recipe]] = {
    "RNN": {
        "LSTM": Recipe(running((LSTMCell, 3))),
        "GRU sequences": Recipe(running((GRUCell, 3), return_sequences=True)),
        "simple reversed": Recipe(running((SimpleRNNCell, 3), go_backwards=True, return_sequences=True,
                                          zero_output_for_mask=True)),
        "gelu": Recipe(running((functools.partial(LSTMCell, activation="gelu"), 3), return_sequences=True)),
        "softplus": Recipe(running((functools.partial(GRUCell, recurrent_activation="softplus"), 3))),
        "stacked": Recipe(running((LSTMCell, 3), (GRUCell, 2))),
        "stacked reversed": Recipe(running((GRUCell, 3), (LSTMCell, 2), go_backwards=True, return_sequences=True)),
    },
}
