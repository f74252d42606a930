# SPDX-License-Identifier: Apache-2.0
"""What layers share that are one activation function with its arguments."""

from __future__ import annotations

from typing import Any

from fastrnn.layers.base import Layer
from fastrnn.layers.core.activation import Activation


class ActivationWithArguments(Activation):
    """Base of the layers whose configuration has the arguments of their activation, and not its name."""

    def get_config(self) -> dict[str, Any]:
        return {**Layer.get_config(self), **self.activation.get_config()}


def at_least_zero(value: Any, what: str) -> float:
    """The number, or a ValueError.

    >>> at_least_zero(1, "slope")
    1.0
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ValueError(f"{what}: expected a number of 0 or more, got {value!r}")
    return float(value)
