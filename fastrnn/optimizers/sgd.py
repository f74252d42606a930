# SPDX-License-Identifier: Apache-2.0
"""SGD."""

from __future__ import annotations

from typing import Any, Unpack

from fastrnn import runtime
from fastrnn.optimizers.arguments import DecayArguments
from fastrnn.optimizers.base import Optimizer
from fastrnn.optimizers.parts import Part


class SGD(Optimizer):
    """Gradient descent: `w -= learning_rate * g`.

    With momentum, `m = momentum * m - learning_rate * g` and `w += m`; with `nesterov` (Sutskever et al. 2013),
    `w += momentum * m - learning_rate * g`.

    Args:
        learning_rate: a number, a schedule, or a function without arguments.
        momentum: from 0 to 1.
        nesterov: look ahead by the momentum.
        args, kwargs: as in `Optimizer`, from `weight_decay` on.

    Raises:
        ValueError: `momentum` is not from 0 to 1; else as `Optimizer`.

    Example:

    >>> import fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((2,)), fastrnn.layers.Dense(1)])
    >>> model.compile(SGD(0.1, momentum=0.9, nesterov=True), "mse")
    """

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, *args: Any,
                 **kwargs: Unpack[DecayArguments]) -> None:
        super().__init__(learning_rate, *args, **kwargs)
        self.momentum = self._number("momentum", momentum, 1)
        self.nesterov = bool(nesterov)

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("momentum",)] if self.momentum else []

    def update(self, kernels: Any, parts: list[Part], clip: float, learning_rate: float) -> None:
        kernels.sgd_update(parts, clip, learning_rate, self.momentum, self.nesterov, runtime.get_num_threads())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}
