# SPDX-License-Identifier: Apache-2.0
"""Adamax."""

from __future__ import annotations

from typing import Any, Unpack

from fastrnn import runtime
from fastrnn.optimizers.arguments import DecayArguments
from fastrnn.optimizers.base import Optimizer
from fastrnn.optimizers.parts import Part


class Adamax(Optimizer):
    """`Adam` by the largest gradient instead of the mean square (Kingma and Ba 2014, section 7.1).

    `m += (1 - beta_1) * (g - m)`, `u = max(beta_2 * u, |g|)` and, in update t,
    `w -= learning_rate / (1 - beta_1**t) * m / (u + epsilon)`.

    Args:
        learning_rate: a number, a schedule, or a function without arguments.
        beta_1: how much of the mean stays from step to step, from 0 to below 1.
        beta_2: how much of the largest gradient stays, from 0 to 1.
        epsilon: keeps the divisor from zero.
        args, kwargs: as in `Optimizer`, from `weight_decay` on.

    Raises:
        ValueError: a number out of range; else as `Optimizer`.

    Example:

    >>> import fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((2,)), fastrnn.layers.Dense(1)])
    >>> model.compile(Adamax(0.01), "mse")
    """

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
                 epsilon: float | None = 1e-7, *args: Any, **kwargs: Unpack[DecayArguments]) -> None:
        super().__init__(learning_rate, *args, **kwargs)
        self.beta_1 = self._below_one("beta_1", beta_1)
        self.beta_2 = self._number("beta_2", beta_2, 1)
        self.epsilon = self._epsilon(epsilon)

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("momentum", "norm")]

    def update(self, kernels: Any, parts: list[Part], clip: float, learning_rate: float) -> None:
        rate = learning_rate / (1 - self.beta_1 ** (self.updates + 1))
        kernels.adamax_update(parts, clip, rate, self.beta_1, self.beta_2, self.epsilon, runtime.get_num_threads())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
