# SPDX-License-Identifier: Apache-2.0
"""Adam and AdamW."""

from __future__ import annotations

import math
from typing import Any, Unpack

from fastrnn import runtime
from fastrnn.optimizers.arguments import DecayArguments, OptimizerArguments
from fastrnn.optimizers.base import Optimizer
from fastrnn.optimizers.parts import Part


class Adam(Optimizer):
    """Steps by running means of the gradient and of its square (Kingma and Ba 2014).

    `m += (1 - beta_1) * (g - m)`, `v += (1 - beta_2) * (g**2 - v)` and, in update t,
    `w -= learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) + epsilon)`; with `amsgrad` (Reddi et
    al. 2018), v is the largest one so far. The means of all rows of an embedding move on in each update, those of rows
    that the batch did not name too.

    Args:
        learning_rate: a number, a schedule, or a function without arguments.
        beta_1, beta_2: how much of the means stays from step to step, from 0 to 1 (beta_1 below 1).
        epsilon: keeps the divisor from zero.
        amsgrad: divide by the largest mean square so far.
        args, kwargs: as in `Optimizer`, from `weight_decay` on.

    Raises:
        ValueError: a number out of range; else as `Optimizer`.

    Example:

    >>> import fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((2,)), fastrnn.layers.Dense(1)])
    >>> model.compile(Adam(0.01, clipnorm=1.0), "mse")
    """

    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.999,
                 epsilon: float | None = 1e-7, amsgrad: bool = False, *args: Any,
                 **kwargs: Unpack[DecayArguments]) -> None:
        super().__init__(learning_rate, *args, **kwargs)
        self.beta_1 = self._below_one("beta_1", beta_1)
        self.beta_2 = self._number("beta_2", beta_2, 1)
        self.epsilon = self._epsilon(epsilon)
        self.amsgrad = bool(amsgrad)

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("momentum", "velocity"), *([("velocity_hat",)] if self.amsgrad else [])]

    def update(self, kernels: Any, parts: list[Part], clip: float, learning_rate: float) -> None:
        t = self.updates + 1
        rate = learning_rate * math.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        kernels.adam_update(parts, clip, rate, self.beta_1, self.beta_2, self.epsilon, runtime.get_num_threads())

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }


class AdamW(Adam):
    """`Adam` with weight decay: each update takes `weight_decay * learning_rate` of a weight off it, apart from the
    gradient's step (Loshchilov and Hutter 2017).

    Args:
        weight_decay: at least 0; see `exclude_from_weight_decay`.
        learning_rate, beta_1, beta_2, epsilon, amsgrad: as in `Adam`.
        args, kwargs: as in `Optimizer`, from `clipnorm` on.

    Raises:
        ValueError: `weight_decay` is None; else as `Adam`.

    Example:

    >>> optimizer = AdamW(0.001, weight_decay=0.01)
    >>> optimizer.exclude_from_weight_decay(var_names=["bias"])
    """

    def __init__(self, learning_rate: Any = 0.001, weight_decay: float = 0.004, beta_1: float = 0.9,
                 beta_2: float = 0.999, epsilon: float | None = 1e-7, amsgrad: bool = False, *args: Any,
                 **kwargs: Unpack[OptimizerArguments]) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, *args, **kwargs)
        if weight_decay is None:
            raise ValueError(f"{self} weight_decay: expected a number of 0 or more, got None; use Adam for no decay")
