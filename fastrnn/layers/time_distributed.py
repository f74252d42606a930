# SPDX-License-Identifier: Apache-2.0
"""TimeDistributed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.layers.base import Layer, Shape
from fastrnn.layers.table import deserialize, serialize


class TimeDistributed(Layer):
    """Applies a layer to every step of a sequence alike: all steps of a batch are one batch to the layer inside.

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

    supports_masking = True

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        if isinstance(layer, Mapping):
            layer = deserialize(layer)
        if not isinstance(layer, Layer):
            raise ValueError(f"TimeDistributed layer: expected a layer, got {layer!r}")
        kwargs.setdefault("dtype", layer.dtype)
        super().__init__(**kwargs)
        self.layer = layer

    def forget(self) -> None:
        super().forget()
        self._shape: tuple[int, ...] | None = None      # of the last training call's output

    @property
    def input_kind(self) -> str:  # type: ignore[override]
        return self.layer.input_kind

    @property
    def activation(self) -> Any:
        """That of the layer inside, if it has one."""
        return self.layer.activation  # type: ignore[attr-defined]

    def sublayers(self) -> Sequence[Layer]:
        return (self.layer,)

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 3:
            raise ValueError(f"{self}: expected input (batch, time, ...), got {tuple(input_shape)}")
        if not self.layer.built:
            self.layer.build((None, *input_shape[2:]))
        self.built = True

    def compute_output_shape(self, input_shape: Any) -> Shape:
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

    def forward(self, x: np.ndarray, training: bool = False, mask: np.ndarray | None = None) -> np.ndarray:
        inner_mask = None if mask is None or mask.ndim == 2 else _folded(mask)
        y = self.layer.forward(_folded(x), training=training, mask=inner_mask)
        if isinstance(y, list):
            raise ValueError(f"{self}: {self.layer} has several outputs; expected one (return_state=False, and no "
                             "merge_mode=None)")
        y = y.reshape(*x.shape[:2], *y.shape[1:])
        if training:
            self._shape = y.shape
        return y

    def backward(self, dy: Any, input_gradient: bool = True) -> np.ndarray | None:
        return self._steps_back(self.layer.backward, dy, "dy", input_gradient)

    def _steps_back(self, backward: Any, dy: Any, what: str, input_gradient: bool) -> np.ndarray | None:
        """The input's gradient by the inner layer's `backward` or `backward_logits`."""
        if self._shape is None:
            raise self.not_called()
        dy = self.check_gradient(dy, self._shape, what)
        dx = backward(_folded(dy), input_gradient)
        return None if dx is None else dx.reshape(*dy.shape[:2], *dx.shape[1:])

    def __getattr__(self, name: str) -> Any:
        # Offered where the layer inside offers it: losses that are fused with the last activation look for it.
        if name == "backward_logits" and hasattr(self.layer, name):
            return self._backward_logits
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def _backward_logits(self, dz: np.ndarray, input_gradient: bool = True) -> np.ndarray | None:
        inner: Any = self.layer
        return self._steps_back(inner.backward_logits, dz, "dz", input_gradient)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": serialize(self.layer)}


def _folded(x: np.ndarray) -> np.ndarray:
    """An array (batch, time, ...) as (batch * time, ...)."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])
