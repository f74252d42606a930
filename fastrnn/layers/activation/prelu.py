# SPDX-License-Identifier: Apache-2.0
"""PReLU: a leaky ReLU whose slope is learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from fastrnn import arrays, constraints, initializers, regularizers
from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Layer
from fastrnn.layers.broadcasting import summed_to


class PReLU(Layer):
    """`x` where it is positive, `alpha * x` elsewhere, with an alpha for each element of a sample (He et al. 2015).

    Args:
        alpha_initializer, alpha_regularizer, alpha_constraint: of the slopes.
        shared_axes: axes along which the elements share theirs, counted with the batch: ``[1]`` for the steps of
            sequences, whose number may vary then.

    Raises:
        ValueError: `shared_axes` are none of the input's axes; at a call, if the input has another shape than before.

    Example:

    >>> PReLU("ones", shared_axes=[1])(np.array([[[-1.0, 2.0]]]))
    array([[[-1.,  2.]]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, alpha_initializer: Any = "Zeros", alpha_regularizer: Any = None, alpha_constraint: Any = None,
                 shared_axes: int | Sequence[int] | None = None, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        axes: Any = shared_axes if isinstance(shared_axes, (list, tuple)) or shared_axes is None else [shared_axes]
        if axes is not None and not all(isinstance(axis, (int, np.integer)) and axis >= 1 for axis in axes):
            raise ValueError(f"{self} shared_axes: expected axes from 1 on, got {shared_axes!r}")
        self.shared_axes = None if axes is None else [int(axis) for axis in axes]

    def weight_shapes(self, input_shape: Any) -> dict[str, tuple[int, ...]]:
        shared = self.shared_axes or []
        if any(axis >= len(input_shape) for axis in shared):
            raise ValueError(f"{self} shared_axes: expected axes of the input {tuple(input_shape)}, got {shared}")
        shape = tuple(1 if axis in shared else size for axis, size in enumerate(input_shape))[1:]
        if None in shape:
            raise ValueError(f"{self}: expected an input with known sizes, got {tuple(input_shape)}; share the slopes "
                             f"along the other axes, e.g. shared_axes=[{1 + shape.index(None)}]")
        return {"alpha": shape}

    def build(self, *input_shapes: Any) -> None:
        self.alpha = self.add_weight("alpha", self.weight_shapes(input_shapes[0])["alpha"], self.alpha_initializer,
                                     self.alpha_regularizer, self.alpha_constraint)
        self.built = True

    def check_input(self, x: Any) -> np.ndarray:
        x = arrays.as_float(x, self.dtype, f"{self} input")
        if self.built:
            own = self.alpha.shape
            shared = self.shared_axes or []
            if x.ndim != len(own) + 1 or any(axis not in shared and size != own[axis - 1]
                                             for axis, size in enumerate(x.shape) if axis):
                raise ValueError(f"{self}: expected an input for slopes {own}, got {x.shape}")
        return x

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        if call.taped:
            call.kept = x
        return np.where(x > 0, x, self.alpha.data * x)

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        x = call.kept
        dy = self.check_gradient(dy, x.shape)
        if self.trainable:
            call.gradient(self.alpha)[...] = summed_to(dy * np.minimum(x, 0), (1, *self.alpha.shape))[0]
        return np.where(x > 0, dy, self.alpha.data * dy) if call.wants() else None

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": constraints.serialize(self.alpha_constraint), "shared_axes": self.shared_axes,
        }
