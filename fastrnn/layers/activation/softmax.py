# SPDX-License-Identifier: Apache-2.0
"""Softmax as a layer, which a mask can leave elements out of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn.activations.smooth import Softmax as SoftmaxFunction
from fastrnn.graph.call import Call
from fastrnn.layers.activation.base import ActivationWithArguments
from fastrnn.layers.arguments import LayerArguments

# As Keras: so small that its exponential is 0 beside that of any element, and no infinity, of which NaN would come.
_LOWEST = -1e9


class Softmax(ActivationWithArguments):
    """`exp(x) / sum(exp(x))` along an axis.

    A mask of as many axes as the input leaves elements out of the sum, as an attention leaves out steps; their output
    is 0. One of the input's first axes does so with all that these hold.

    Args:
        axis: of the sum, or several.

    Raises:
        ValueError: at a call, if the input lacks an axis.

    Example:

    >>> Softmax()(np.zeros((1, 3)), mask=np.array([[True, True, False]]))
    array([[0.5, 0.5, 0. ]], dtype=float32)
    """

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__("softmax", **kwargs)
        axes: Sequence[Any] = axis if isinstance(axis, (list, tuple)) else [axis]
        if not axes or not all(isinstance(one, (int, np.integer)) and not isinstance(one, bool) for one in axes):
            raise ValueError(f"{self} axis: expected a whole number or several, got {axis!r}")
        self.axis = axis if isinstance(axis, (list, tuple)) else int(axes[0])
        self.activation = SoftmaxFunction(tuple(axes) if len(axes) > 1 else axes[0])  # type: ignore[arg-type]

    @property
    def output_activation(self) -> str | None:  # type: ignore[override]
        return "softmax" if self.axis in (-1, [-1], (-1,)) else None

    def check_input(self, x: Any) -> np.ndarray:
        x = super().check_input(x)
        axes = self.axis if isinstance(self.axis, (list, tuple)) else [self.axis]
        if not all(-x.ndim <= axis < x.ndim for axis in axes):
            raise ValueError(f"{self}: expected an input with axis {self.axis}, got {x.shape}")
        return x

    def mask_rank(self, rank: int) -> int:
        return rank

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """The mask that came, where it can be one of steps."""
        return None if mask is None or mask.ndim == x.ndim else mask

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        if call.mask is None:
            return super().forward(x, call=call)
        mask = call.mask.reshape(*call.mask.shape, *[1] * (x.ndim - call.mask.ndim))
        return super().forward(np.where(mask, x, x.dtype.type(_LOWEST)), call=call) * mask

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        if call.mask is None:
            return super().backward(dy, call=call)
        dy = self.check_gradient(dy, call.kept[1].shape, "dz" if call.logits else "dy")
        mask = call.mask.reshape(*call.mask.shape, *[1] * (dy.ndim - call.mask.ndim))
        dx = super().backward(dy * mask, call=call)
        return None if dx is None else dx * mask

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
