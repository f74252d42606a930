# SPDX-License-Identifier: Apache-2.0
"""Lamb."""

from __future__ import annotations

import math
from typing import Any, Unpack

import numpy as np

from fastrnn import runtime
from fastrnn.optimizers.arguments import DecayArguments
from fastrnn.optimizers.base import Optimizer
from fastrnn.optimizers.parts import Part
from fastrnn.optimizers.plain import prepared


class Lamb(Optimizer):
    """`Adam` whose step is as long, of each variable, as the variable itself, for large batches (You et al. 2019).

    `m += (1 - beta_1) * (g - m)`, `v += (1 - beta_2) * (g**2 - v)`; in update t the step is
    `s = m / (1 - beta_1**t) / (sqrt(v / (1 - beta_2**t)) + epsilon)`, and `w -= learning_rate * |w| / |s| * s`, where a
    norm of 0 stands for no scaling.

    Args:
        learning_rate: a number, a schedule, or a function without arguments.
        beta_1, beta_2: how much of the means stays from step to step, from 0 to below 1.
        epsilon: keeps the divisor from zero.
        args, kwargs: as in `Optimizer`, from `weight_decay` on.

    Raises:
        ValueError: a number out of range; else as `Optimizer`.

    Example:

    >>> import fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((2,)), fastrnn.layers.Dense(1)])
    >>> model.compile(Lamb(0.01), "mse")
    """

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
                 epsilon: float | None = 1e-7, *args: Any, **kwargs: Unpack[DecayArguments]) -> None:
        super().__init__(learning_rate, *args, **kwargs)
        self.beta_1 = self._below_one("beta_1", beta_1)
        self.beta_2 = self._below_one("beta_2", beta_2)
        self.epsilon = self._epsilon(epsilon)

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("momentum", "velocity")]

    def update(self, kernels: Any, parts: list[Part], clip: float, learning_rate: float) -> None:
        t, threads = self.updates + 1, runtime.get_num_threads()
        for w, g, slots in prepared(parts, clip):
            m, v = slots["momentum"], slots["velocity"]
            m += (g - m) * (1 - self.beta_1)
            v += (g * g - v) * (1 - self.beta_2)
            step = m / (1 - self.beta_1**t) / (np.sqrt(v / (1 - self.beta_2**t)) + self.epsilon)
            size, length = (math.sqrt(kernels.sum_of_squares(x, None, threads)) for x in (w, step))
            w -= learning_rate * (size / length if size > 0 and length > 0 else 1.0) * step

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
