# SPDX-License-Identifier: Apache-2.0
"""Adadelta."""

from __future__ import annotations

from typing import Any, Unpack

from fastrnn import runtime
from fastrnn.optimizers.arguments import DecayArguments
from fastrnn.optimizers.base import Optimizer
from fastrnn.optimizers.parts import Part


class Adadelta(Optimizer):
    """Steps as long as those before them, in relation to the gradients (Zeiler 2012).

    `v = rho * v + (1 - rho) * g**2`, the step `d = sqrt(u + epsilon) / sqrt(v + epsilon) * g`,
    `u = rho * u + (1 - rho) * d**2` and `w -= learning_rate * d`. The paper's learning rate is 1.

    Args:
        learning_rate: a number, a schedule, or a function without arguments.
        rho: how much of the means stays from step to step, from 0 to 1.
        epsilon: keeps the divisor from zero, and the first steps, too.
        args, kwargs: as in `Optimizer`, from `weight_decay` on.

    Raises:
        ValueError: a number out of range; else as `Optimizer`.

    Example:

    >>> import fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((2,)), fastrnn.layers.Dense(1)])
    >>> model.compile(Adadelta(1.0), "mse")
    """

    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float | None = 1e-7, *args: Any,
                 **kwargs: Unpack[DecayArguments]) -> None:
        super().__init__(learning_rate, *args, **kwargs)
        self.rho = self._number("rho", rho, 1)
        self.epsilon = self._epsilon(epsilon)

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("accumulated_grad", "accumulated_delta_var")]

    def update(self, kernels: Any, parts: list[Part], clip: float, learning_rate: float) -> None:
        kernels.adadelta_update(parts, clip, learning_rate, self.rho, self.epsilon, runtime.get_num_threads())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}
