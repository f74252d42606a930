# SPDX-License-Identifier: Apache-2.0
"""Ftrl."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn.optimizers.arguments import DecayArguments
from fastrnn.optimizers.base import Optimizer
from fastrnn.optimizers.parts import Part
from fastrnn.optimizers.plain import prepared


class Ftrl(Optimizer):
    """Follow the regularized leader, for sparse models (McMahan et al. 2013).

    With `p = -learning_rate_power`, `l2 = l2_regularization_strength + beta / (2 * learning_rate)` and `a` the sum of
    squared gradients so far, `b = a + g**2`,
    `z += g + 2 * l2_shrinkage_regularization_strength * w - (b**p - a**p) / learning_rate * w`, `w = (clip(z, -l1, l1)
    - z) / (b**p / learning_rate + 2 * l2)`, and b is the next `a`.

    Args:
        learning_rate: a number, a schedule, or a function without arguments.
        learning_rate_power: 0 or less; at 0 all updates have the same learning rate.
        initial_accumulator_value: what the sums of squares begin with, 0 or more.
        l1_regularization_strength, l2_regularization_strength: of the penalties on weights, 0 or more.
        l2_shrinkage_regularization_strength: 0 or more; unlike the other it changes with the loss alone.
        beta: the paper's, 0 or more.
        args, kwargs: as in `Optimizer`, from `weight_decay` on.

    Raises:
        ValueError: a number out of range; else as `Optimizer`.

    Example:

    >>> import fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((2,)), fastrnn.layers.Dense(1)])
    >>> model.compile(Ftrl(0.1, l1_regularization_strength=0.001), "mse")
    """

    def __init__(self, learning_rate: Any = 0.001, learning_rate_power: float = -0.5,
                 initial_accumulator_value: float = 0.1, l1_regularization_strength: float = 0.0,
                 l2_regularization_strength: float = 0.0, l2_shrinkage_regularization_strength: float = 0.0,
                 beta: float = 0.0, *args: Any, **kwargs: Unpack[DecayArguments]) -> None:
        super().__init__(learning_rate, *args, **kwargs)
        if not learning_rate_power <= 0:
            raise ValueError(f"{self} learning_rate_power: expected a number of 0 or less, got {learning_rate_power!r}")
        self.learning_rate_power = float(learning_rate_power)
        self.initial_accumulator_value = self._number("initial_accumulator_value", initial_accumulator_value)
        self.l1_regularization_strength = self._number("l1_regularization_strength", l1_regularization_strength)
        self.l2_regularization_strength = self._number("l2_regularization_strength", l2_regularization_strength)
        self.l2_shrinkage_regularization_strength = self._number(
            "l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength)
        self.beta = self._number("beta", beta)

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("accumulator", "linear")]

    def slot_start(self, name: str, variable: Any) -> float:
        return self.initial_accumulator_value if name == "accumulator" else 0.0

    def update(self, kernels: Any, parts: list[Part], clip: float, learning_rate: float) -> None:
        power, l1, shrinkage = -self.learning_rate_power, self.l1_regularization_strength, (
            2 * self.l2_shrinkage_regularization_strength)
        l2 = self.l2_regularization_strength + self.beta / (2 * learning_rate) if self.beta else (
            self.l2_regularization_strength)
        for w, g, slots in prepared(parts, clip):
            a, z = slots["accumulator"], slots["linear"]
            before = a**power
            a += g * g
            now = a**power
            z += g + shrinkage * w - (now - before) / learning_rate * w
            w[...] = (np.clip(z, -l1, l1) - z) / (now / learning_rate + 2 * l2)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self.initial_accumulator_value,
            "l1_regularization_strength": self.l1_regularization_strength,
            "l2_regularization_strength": self.l2_regularization_strength,
            "l2_shrinkage_regularization_strength": self.l2_shrinkage_regularization_strength,
            "beta": self.beta,
        }
