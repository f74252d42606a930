# SPDX-License-Identifier: Apache-2.0
"""RMSprop."""

from __future__ import annotations

from typing import Any, Unpack

from fastrnn import runtime
from fastrnn.optimizers.arguments import DecayArguments
from fastrnn.optimizers.base import Optimizer
from fastrnn.optimizers.parts import Part


class RMSprop(Optimizer):
    """Steps divided by the root of a running mean of squared gradients (Hinton 2012).

    `v = rho * v + (1 - rho) * g**2` and `w -= learning_rate * g / sqrt(v + epsilon)`. If `centered`, the square of a
    running mean of `g` is taken off `v` in the step; with momentum, `m = momentum * m + step` and `w -= m`.

    Args:
        learning_rate: a number, a schedule, or a function without arguments.
        rho: how much of the mean stays from step to step, from 0 to 1.
        momentum: from 0 to 1.
        epsilon: keeps the divisor from zero.
        centered: divide by the standard deviation instead.
        args, kwargs: as in `Optimizer`, from `weight_decay` on.

    Raises:
        ValueError: a number out of range; else as `Optimizer`.

    Example:

    >>> import fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((2,)), fastrnn.layers.Dense(1)])
    >>> model.compile(RMSprop(0.01), "mse")
    """

    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.9, momentum: float = 0.0,
                 epsilon: float | None = 1e-7, centered: bool = False, *args: Any,
                 **kwargs: Unpack[DecayArguments]) -> None:
        super().__init__(learning_rate, *args, **kwargs)
        self.rho = self._number("rho", rho, 1)
        self.momentum = self._number("momentum", momentum, 1)
        self.epsilon = self._epsilon(epsilon)
        self.centered = bool(centered)

    def slot_groups(self) -> list[tuple[str, ...]]:
        groups: list[tuple[str, ...]] = [("velocity",)]
        if self.momentum:
            groups.append(("momentum",))
        if self.centered:
            groups.append(("average_gradient",))
        return groups

    def update(self, kernels: Any, parts: list[Part], clip: float, learning_rate: float) -> None:
        kernels.rmsprop_update(parts, clip, learning_rate, self.rho, self.momentum, self.epsilon,
                               runtime.get_num_threads())  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }
