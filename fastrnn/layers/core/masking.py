# SPDX-License-Identifier: Apache-2.0
"""Masking: the steps that hold one value are to be ignored."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn import arrays
from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Layer
from fastrnn.registry import value_of_plain


class Masking(Layer):
    """Masks the steps all of whose features are a value, as padding is: later layers ignore them.

    The steps are set to zero, and the mask (batch, time) goes on.

    Args:
        mask_value: of padded steps.

    Example:

    >>> import fastrnn
    >>> from fastrnn.layers import LSTM
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), Masking(-1.0), LSTM(4)])
    >>> x = np.zeros((1, 5, 3))
    >>> padded = np.concatenate([x, np.full((1, 2, 3), -1.0)], axis=1)
    >>> bool((model.predict(padded, verbose=0) == model.predict(x, verbose=0)).all())
    True
    """

    supports_masking = True
    input_kind = "any"
    masks = "make"

    def __init__(self, mask_value: float = 0.0, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        value = value_of_plain(mask_value)
        if np.ndim(value) or isinstance(value, str) or value is None:
            raise ValueError(f"{self} mask_value: expected a number, got {mask_value!r}")
        self.mask_value = value.item() if isinstance(value, (np.ndarray, np.generic)) else value

    def check_input(self, x: Any) -> np.ndarray:
        x = arrays.as_float_or_whole(x, self.dtype, f"{self} input")
        if x.ndim < 2:
            raise ValueError(f"{self}: expected input (batch, ..., features), got {x.shape}")
        return x

    def compute_mask(self, x: Any, mask: Any = None) -> np.ndarray:
        """False where all features are the value, (batch, time) for an input (batch, time, features)."""
        found: np.ndarray = (x != self.mask_value).any(axis=-1)
        return found

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        mask = self.compute_mask(x)[..., None]
        if call.taped:
            call.kept = mask, x.shape, x.dtype.kind == "f"
        return np.where(mask, x, x.dtype.type(0))

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        mask, shape, floats = call.kept
        dy = self.check_gradient(dy, shape)
        return dy * mask if floats and call.wants() else None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mask_value": self.mask_value}
