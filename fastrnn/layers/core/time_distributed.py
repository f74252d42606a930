# SPDX-License-Identifier: Apache-2.0
"""TimeDistributed."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.graph.call import Call, Pass
from fastrnn.layers.base import Shape
from fastrnn.layers.core.wrapper import Wrapper


class TimeDistributed(Wrapper):
    """Applies a layer to every step of a sequence alike: all steps of a batch are one batch to the layer inside. Only a
    layer to which it matters in training what is in its batch, as `BatchNormalization`, then gets step by step.

    A mask (batch, time) says which steps count, and goes on to the layers above. One with further axes goes step by
    step to the layer inside: where that takes (batch, steps), this one takes (batch, time, steps), as an `Embedding`
    with mask_zero gives it for indices (batch, time, steps). If the layer inside uses it up, as an ``LSTM(8)`` does,
    the layers above get the mask (batch, time) of the steps that have anything unmasked.

    Args:
        layer: the layer, e.g. ``Dense(10)``, or its configuration.

    Raises:
        ValueError: at a call, for an input without a time axis, or a mask that does not fit.

    Example:

    >>> from fastrnn.layers import Dense
    >>> TimeDistributed(Dense(4))(np.zeros((2, 3, 8))).shape
    (2, 3, 4)
    """

    reads_mask = True

    supports_masking = True

    @property
    def input_kind(self) -> str:
        return self.layer.input_kind

    @property
    def output_activation(self) -> str | None:
        return self.layer.output_activation

    def build(self, *input_shapes: Any) -> None:
        input_shape = input_shapes[0]
        if len(input_shape) < 3:
            raise ValueError(f"{self}: expected input (batch, time, ...), got {tuple(input_shape)}")
        if not self.layer.built:
            self.layer.build((None, *input_shape[2:]))
        self.built = True

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        input_shape = input_shapes[0]
        inner = self.layer.compute_output_shape((input_shape[0], *input_shape[2:]))
        return (input_shape[0], input_shape[1], *inner[1:])

    def check_input(self, x: Any) -> np.ndarray:
        x = arrays.as_array(x, f"{self} input")
        if x.ndim < 3:
            raise ValueError(f"{self}: expected input (batch, time, ...), got {x.shape}; for one sample pass x[None]")
        return self.layer.check_input(_folded(x)).reshape(x.shape)

    def mask_rank(self, rank: int) -> int:
        return 1 + self.layer.mask_rank(rank - 1)

    def compute_mask(self, x: Any, mask: np.ndarray | None = None) -> np.ndarray | None:
        if mask is None or mask.ndim == 2:
            return mask
        inner = self.layer.compute_mask(_folded(x), _folded(mask))
        if inner is None:
            return np.logical_or.reduce(mask, axis=tuple(range(2, mask.ndim)))
        return inner.reshape(*mask.shape[:2], *inner.shape[1:])

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        mask = call.mask
        by_steps = call.training and x.shape[1] > 0 and any(layer.reads_batch for layer in self.layer.walk())
        if by_steps:
            y = np.stack(self._steps(x, call), axis=1)
            call.kept = y.shape, True
            return y
        inner = call.inner("layer", None if mask is None or mask.ndim == 2 else _folded(mask))
        y = self.layer.forward(_folded(x), call=inner)
        if isinstance(y, list):
            raise ValueError(f"{self}: {self.layer} has several outputs; expected one (return_state=False, and no "
                             "merge_mode=None)")
        y = y.reshape(*x.shape[:2], *y.shape[1:])
        if call.taped:
            call.kept = y.shape, False
        return y

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        shape, by_steps = call.kept
        dy = self.check_gradient(dy, shape, "dz" if call.logits else "dy")
        if by_steps:
            return self._steps_back(dy, call)
        inner = call.of("layer")
        inner.spared, inner.logits, inner.pass_ = call.spared, call.logits, call.pass_
        dx = self.layer.backward(_folded(dy), call=inner)
        return None if dx is None else dx.reshape(*dy.shape[:2], *dx.shape[1:])

    def _steps(self, x: np.ndarray, call: Call) -> list[np.ndarray]:
        """The outputs of all steps, each of which is a batch of its own."""
        mask = call.mask
        if mask is not None and mask.ndim == 2 and x.ndim > 3:      # which says nothing of the axes inside
            mask = None
        return [self.layer.forward(np.ascontiguousarray(x[:, step]),
                                   call=call.inner(("step", step), None if mask is None else mask[:, step]))
                for step in range(x.shape[1])]

    def _steps_back(self, dy: np.ndarray, call: Call) -> np.ndarray | None:
        own = call.pass_
        if own is None:
            own = call.of("pass", Pass)
            own.begin()
        found = []
        for step in range(dy.shape[1]):
            inner = call.of(("step", step))
            inner.spared, inner.logits, inner.pass_ = call.spared, call.logits, own
            found.append(self.layer.backward(np.ascontiguousarray(dy[:, step]), call=inner))
            own.done()
        return np.stack(found, axis=1) if found[0] is not None else None


def _folded(x: np.ndarray) -> np.ndarray:
    """An array (batch, time, ...) as (batch * time, ...)."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])
