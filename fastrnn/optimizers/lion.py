# SPDX-License-Identifier: Apache-2.0
"""Lion."""

from __future__ import annotations

from typing import Any, Unpack

from fastrnn import runtime
from fastrnn.optimizers.arguments import DecayArguments
from fastrnn.optimizers.base import Optimizer
from fastrnn.optimizers.parts import Part


class Lion(Optimizer):
    """Steps of one length, by the sign of a momentum (Chen et al. 2023).

    `w -= learning_rate * sign(beta_1 * m + (1 - beta_1) * g)`, then `m = beta_2 * m + (1 - beta_2) * g`. It wants a
    learning rate three to ten times below that of `Adam`.

    Args:
        learning_rate: a number, a schedule, or a function without arguments.
        beta_1: weight of the momentum in the step, above 0 and up to 1.
        beta_2: how much of the momentum stays from step to step, from 0 to 1.
        args, kwargs: as in `Optimizer`, from `weight_decay` on.

    Raises:
        ValueError: a number out of range; else as `Optimizer`.

    Example:

    >>> import fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((2,)), fastrnn.layers.Dense(1)])
    >>> model.compile(Lion(1e-4, weight_decay=0.1), "mse")
    """

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, *args: Any,
                 **kwargs: Unpack[DecayArguments]) -> None:
        super().__init__(learning_rate, *args, **kwargs)
        self.beta_1 = self._number("beta_1", beta_1, 1)
        self.beta_2 = self._number("beta_2", beta_2, 1)
        if not self.beta_1:
            raise ValueError(f"{self} beta_1: expected a number above 0, got {beta_1!r}: the momentum has no effect")

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("momentum",)]

    def update(self, kernels: Any, parts: list[Part], clip: float, learning_rate: float) -> None:
        kernels.lion_update(parts, clip, learning_rate, self.beta_1, self.beta_2, runtime.get_num_threads())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}
