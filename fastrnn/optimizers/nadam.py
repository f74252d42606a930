# SPDX-License-Identifier: Apache-2.0
"""Nadam."""

from __future__ import annotations

import math
from typing import Any, Unpack

from fastrnn import runtime
from fastrnn.optimizers.arguments import DecayArguments
from fastrnn.optimizers.base import Optimizer
from fastrnn.optimizers.parts import Part


class Nadam(Optimizer):
    """`Adam` that looks ahead by its momentum, as Nesterov's does (Dozat 2016).

    `m += (1 - beta_1) * (g - m)` and `v += (1 - beta_2) * (g**2 - v)`. With `u(t) = beta_1 * (1 - 0.5 * 0.96**t)` and
    `p(t) = u(1) * ... * u(t)`, update t is
    `w -= learning_rate * (u(t + 1) / (1 - p(t + 1)) * m + (1 - u(t)) / (1 - p(t)) * g) / (sqrt(v / (1 - beta_2**t)) +
    epsilon)`.

    Args:
        learning_rate: a number, a schedule, or a function without arguments.
        beta_1, beta_2: how much of the means stays from step to step, from 0 to below 1.
        epsilon: keeps the divisor from zero.
        args: as in `Optimizer`, from `weight_decay` on.
        schedule_decay: of Keras 1 and 2, whose u(t) has `0.96**(t * schedule_decay)`.
        kwargs: as `args`.

    Raises:
        ValueError: a number out of range; else as `Optimizer`.

    Example:

    >>> import fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((2,)), fastrnn.layers.Dense(1)])
    >>> model.compile(Nadam(0.01), "mse")
    """

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
                 epsilon: float | None = 1e-7, *args: Any, schedule_decay: float = 1.0,
                 **kwargs: Unpack[DecayArguments]) -> None:
        super().__init__(learning_rate, *args, **kwargs)
        if self.decay:
            raise ValueError(f"{self} decay: Keras's Nadam has none of its own; for that of its momentum pass "
                             "schedule_decay, for that of its learning rate a schedule")
        self.beta_1 = self._below_one("beta_1", beta_1)
        self.beta_2 = self._below_one("beta_2", beta_2)
        self.epsilon = self._epsilon(epsilon)
        self.schedule_decay = self._number("schedule_decay", schedule_decay)
        self._products = (0, 1.0)   # t and p(t), as far as they were needed

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("momentum", "velocity")]

    def last_values(self) -> list[float]:
        return [self._product(self.updates)]

    def _momentum(self, t: int) -> float:
        return self.beta_1 * (1 - 0.5 * 0.96 ** (t * self.schedule_decay))

    def _product(self, t: int) -> float:
        """p(t); of a t that is one more than the last in one step."""
        reached, product = self._products if self._products[0] <= t else (0, 1.0)
        while reached < t and product:
            reached += 1
            product *= self._momentum(reached)
        self._products = (t, product)
        return product

    def update(self, kernels: Any, parts: list[Part], clip: float, learning_rate: float) -> None:
        t = self.updates + 1
        now, ahead, product = self._momentum(t), self._momentum(t + 1), self._product(t)
        # The root of 1 - beta_2**t is taken out of the divisor, so that it is that of Adam.
        root = math.sqrt(1 - self.beta_2**t)
        of_mean = learning_rate * root * ahead / (1 - product * ahead)
        of_gradient = learning_rate * root * (1 - now) / (1 - product)
        kernels.nadam_update(parts, clip, of_mean, of_gradient, self.beta_1, self.beta_2, self.epsilon * root,
                             runtime.get_num_threads())

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon,
            **({} if self.schedule_decay == 1 else {"schedule_decay": self.schedule_decay}),
        }
