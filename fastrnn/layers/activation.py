# SPDX-License-Identifier: Apache-2.0
"""Activation as a layer of its own."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn import activations
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Layer


class Activation(Layer):
    """Applies an activation function.

    Args:
        activation: a name, e.g. "relu", or an activation.

    Example:

    >>> Activation("relu")(np.array([-1.0, 2.0]))
    array([0., 2.], dtype=float32)
    """

    supports_masking = True

    def __init__(self, activation: Any, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def forget(self) -> None:
        super().forget()
        self._saved: tuple[np.ndarray, np.ndarray] | None = None

    def forward(self, x: np.ndarray, training: bool = False, mask: np.ndarray | None = None) -> np.ndarray:
        y = self.activation(x)
        if training:
            self._saved = (x, y)
        return y

    def backward(self, dy: Any, input_gradient: bool = True) -> np.ndarray | None:
        if self._saved is None:
            raise self.not_called()
        x, y = self._saved
        dy = self.check_gradient(dy, y.shape)
        return self.activation.backward(y, dy, x) if input_gradient else None

    def backward_logits(self, dz: np.ndarray, input_gradient: bool = True) -> np.ndarray | None:
        """As `backward`, from the gradient of what enters the activation."""
        if self._saved is None:
            raise self.not_called()
        dz = self.check_gradient(dz, self._saved[1].shape, "dz")
        return dz if input_gradient else None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}
