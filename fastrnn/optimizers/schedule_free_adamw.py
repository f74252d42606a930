# SPDX-License-Identifier: Apache-2.0
"""ScheduleFreeAdamW."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn.optimizers.arguments import DecayArguments
from fastrnn.optimizers.base import Optimizer
from fastrnn.optimizers.parts import Part
from fastrnn.optimizers.plain import prepared


class ScheduleFreeAdamW(Optimizer):
    """`AdamW` that needs no schedule: steps of z, a mean x of all z so far, and weights between the two (Defazio et al.
    2024).

    `v += (1 - beta_2) * (g**2 - v)` and, in update t, `z -= learning_rate * g / (sqrt(v / (1 - beta_2**t)) + epsilon)`,
    `x += (z - x) / t`, `w = (1 - beta_1) * z + beta_1 * x`. It keeps z and v; x follows from w.

    Args:
        learning_rate: a number, a schedule, or a function without arguments.
        beta_1: how near the weights are to the mean, above 0 and below 1.
        beta_2: how much of the mean square stays from step to step, from 0 to below 1.
        epsilon: keeps the divisor from zero.
        warmup_steps: updates in which the learning rate grows to its value.
        args, kwargs: as in `Optimizer`, from `weight_decay` on.

    Raises:
        ValueError: a number out of range; else as `Optimizer`.

    Example:

    >>> import fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((2,)), fastrnn.layers.Dense(1)])
    >>> model.compile(ScheduleFreeAdamW(0.01, warmup_steps=10), "mse")
    """

    def __init__(self, learning_rate: Any = 0.0025, beta_1: float = 0.9, beta_2: float = 0.999,
                 epsilon: float | None = 1e-8, warmup_steps: int = 0, *args: Any,
                 **kwargs: Unpack[DecayArguments]) -> None:
        super().__init__(learning_rate, *args, **kwargs)
        self.beta_1 = self._below_one("beta_1", beta_1)
        if not self.beta_1:
            raise ValueError(f"{self} beta_1: expected a number above 0, got {beta_1!r}")
        self.beta_2 = self._below_one("beta_2", beta_2)
        self.epsilon = self._epsilon(epsilon)
        self.warmup_steps = int(self._number("warmup_steps", warmup_steps))

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("momentum", "velocity")]

    def slot_start(self, name: str, variable: Any) -> Any:
        return variable.data if name == "momentum" else 0

    def update(self, kernels: Any, parts: list[Part], clip: float, learning_rate: float) -> None:
        t = self.updates + 1
        rate = learning_rate * min(t / self.warmup_steps, 1.0) if self.warmup_steps else learning_rate
        for w, g, slots in prepared(parts, clip):
            z, v = slots["momentum"], slots["velocity"]
            x = (w - (1 - self.beta_1) * z) / self.beta_1
            v += (g * g - v) * (1 - self.beta_2)
            z -= rate * g / (np.sqrt(v / (1 - self.beta_2**t)) + self.epsilon)
            x += (z - x) / t
            w[...] = (1 - self.beta_1) * z + self.beta_1 * x

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon,
                "warmup_steps": self.warmup_steps}
