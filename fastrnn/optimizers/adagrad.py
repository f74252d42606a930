# SPDX-License-Identifier: Apache-2.0
"""Adagrad."""

from __future__ import annotations

from typing import Any, Unpack

from fastrnn import runtime
from fastrnn.optimizers.arguments import DecayArguments
from fastrnn.optimizers.base import Optimizer
from fastrnn.optimizers.parts import Part


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squared gradients so far (Duchi et al. 2011).

    `a += g**2` and `w -= learning_rate * g / sqrt(a + epsilon)`. Rows of an embedding that a batch does not name keep
    their values and their sums.

    Args:
        learning_rate: a number, a schedule, or a function without arguments.
        initial_accumulator_value: what the sums begin with, 0 or more.
        epsilon: keeps the divisor from zero.
        args, kwargs: as in `Optimizer`, from `weight_decay` on.

    Raises:
        ValueError: a number out of range; else as `Optimizer`.

    Example:

    >>> import fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((2,)), fastrnn.layers.Dense(1)])
    >>> model.compile(Adagrad(0.1), "mse")
    """

    def __init__(self, learning_rate: Any = 0.001, initial_accumulator_value: float = 0.1,
                 epsilon: float | None = 1e-7, *args: Any, **kwargs: Unpack[DecayArguments]) -> None:
        super().__init__(learning_rate, *args, **kwargs)
        self.initial_accumulator_value = self._number("initial_accumulator_value", initial_accumulator_value)
        self.epsilon = self._epsilon(epsilon)

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("accumulator",)]

    def slot_start(self, name: str, variable: Any) -> float:
        return self.initial_accumulator_value

    def update(self, kernels: Any, parts: list[Part], clip: float, learning_rate: float) -> None:
        kernels.adagrad_update(parts, clip, learning_rate, self.epsilon, runtime.get_num_threads())

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }
