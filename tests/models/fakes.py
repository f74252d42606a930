# SPDX-License-Identifier: Apache-2.0
"""A tiny layer that keeps a record of how a model uses it."""

from __future__ import annotations

import numpy as np

from fastrnn.layers.base import Layer


class Scale(Layer):
    """`y = x * w` with one weight for each feature. `calls` records every use, in the list that several may share."""

    supports_masking = True

    def __init__(self, calls: list | None = None, start: float = 1.0, regularizer=None, fails: Exception | None = None,
                 **kwargs) -> None:
        super().__init__(**kwargs)
        self.calls = [] if calls is None else calls
        self.start = start
        self.regularizer = regularizer
        self.fails = fails

    def build(self, input_shape):
        self.w = self.add_weight("w", (input_shape[-1],), "ones", self.regularizer)
        self.w.assign(np.full(input_shape[-1], self.start))
        self.built = True

    def forward(self, x, *, call):
        if self.fails is not None:
            raise self.fails
        self.calls.append((self.name, "forward", call.training, None if call.mask is None else call.mask.copy()))
        call.kept = x if call.taped else None
        return x * self.w.data

    def backward(self, dy, *, call=None):
        call = self.taped(call)
        self.calls.append((self.name, "backward", call.wants()))
        if self.trainable:
            call.gradient(self.w)[...] = (dy * call.kept).reshape(-1, len(self.w.data)).sum(axis=0)
        return dy * self.w.data if call.wants() else None


class MarkZeros(Layer):
    """Passes its input on, with a mask that leaves the time steps out whose first feature is zero."""

    masks = "make"

    def forward(self, x, *, call):
        return x

    def backward(self, dy, *, call=None):
        return dy

    def compute_mask(self, x, mask=None):
        return x[:, :, 0] != 0
