# SPDX-License-Identifier: Apache-2.0
"""Muon."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn import runtime
from fastrnn._core import blas_threads
from fastrnn.optimizers.base import Optimizer
from fastrnn.optimizers.parts import Part
from fastrnn.optimizers.plain import prepared


class Muon(Optimizer):
    """Steps of matrices by the nearest orthogonal matrix to their momentum (Jordan et al. 2024), and those of all other
    variables by `AdamW`.

    `m = momentum * m + g`, `n = g + momentum * m` (without `nesterov`: m), and
    `w -= learning_rate * rms_rate * sqrt(max(rows, columns)) * orthogonal(n)` (Liu et al. 2025), where `orthogonal`
    makes `ns_steps` of the iteration `x = a x + (b y + c y y) x`, `y = x x^T`, from `x = n / |n|`.

    Args:
        learning_rate: a number, a schedule, or a function without arguments.
        adam_beta_1, adam_beta_2: of `AdamW`.
        adam_weight_decay: of the variables that it updates; None for none.
        epsilon: of `AdamW`.
        weight_decay: of the others; None for none.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name: as in `Optimizer`.
        exclude_layers: regular expressions; a variable in whose path one is found, as "dense_1/kernel", goes by
            `AdamW`. The last layer should.
        exclude_embeddings: so do tables of embeddings.
        muon_a, muon_b, muon_c: of the iteration.
        adam_lr_ratio: factor of the learning rate for `AdamW`.
        momentum: from 0 to 1.
        ns_steps: number of iterations.
        nesterov: look ahead by the momentum.
        rms_rate: makes the steps as large as those of Adam; None leaves the factor with `sqrt` out.
        kwargs: as in `Optimizer`.

    Raises:
        ValueError: a number out of range; else as `Optimizer`.

    Example:

    >>> import fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((2,)), fastrnn.layers.Dense(4), fastrnn.layers.Dense(1)])
    >>> model.compile(Muon(0.01, exclude_layers=["dense_1"]), "mse")
    """

    def __init__(self, learning_rate: Any = 0.001, adam_beta_1: float = 0.9, adam_beta_2: float = 0.999,
                 adam_weight_decay: float | None = 0.004, epsilon: float | None = 1e-7,
                 weight_decay: float | None = 0.004, clipnorm: float | None = None, clipvalue: float | None = None,
                 global_clipnorm: float | None = None, use_ema: bool = False, ema_momentum: float = 0.99,
                 ema_overwrite_frequency: int | None = None, loss_scale_factor: float | None = None,
                 gradient_accumulation_steps: int | None = None, name: str | None = None,
                 exclude_layers: Sequence[str] | None = None, exclude_embeddings: bool = True,
                 muon_a: float = 3.4445, muon_b: float = -4.7750, muon_c: float = 2.0315, adam_lr_ratio: float = 1,
                 momentum: float = 0.95, ns_steps: int = 5, nesterov: bool = True, rms_rate: float | None = 0.2,
                 **kwargs: Any) -> None:
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
                         ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)
        self.adam_beta_1 = self._below_one("adam_beta_1", adam_beta_1)
        self.adam_beta_2 = self._below_one("adam_beta_2", adam_beta_2)
        self.adam_weight_decay = (
            None if adam_weight_decay is None else self._number("adam_weight_decay", adam_weight_decay))
        self.epsilon = self._epsilon(epsilon)
        self.exclude_layers = list(exclude_layers or ())
        self.exclude_embeddings = bool(exclude_embeddings)
        self.muon_a, self.muon_b, self.muon_c = float(muon_a), float(muon_b), float(muon_c)
        self.adam_lr_ratio = self._number("adam_lr_ratio", adam_lr_ratio)
        self.momentum = self._number("momentum", momentum, 1)
        self.ns_steps = int(self._number("ns_steps", ns_steps))
        self.nesterov = bool(nesterov)
        self.rms_rate = None if rms_rate is None else self._number("rms_rate", rms_rate)

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("momentum", "velocity")]

    def slot_shape(self, name: str, variable: Any) -> tuple[int, ...] | None:
        return variable.shape if name == "momentum" or self._goes_by_adam(variable) else None

    def _goes_by_adam(self, variable: Any) -> bool:
        return (len(variable.shape) != 2 or (self.exclude_embeddings and "embedding" in variable.path.lower())
                or any(re.search(pattern, variable.path) for pattern in self.exclude_layers))

    def weight_decay_of(self, slots: dict[str, np.ndarray]) -> float | None:
        return self.adam_weight_decay if "velocity" in slots else self.weight_decay

    def update(self, kernels: Any, parts: list[Part], clip: float, learning_rate: float) -> None:
        by_adam = [part for part in parts if "velocity" in part[5]]
        if by_adam:
            t = self.updates + 1
            rate = learning_rate * self.adam_lr_ratio * math.sqrt(1 - self.adam_beta_2**t) / (1 - self.adam_beta_1**t)
            kernels.adam_update(by_adam, clip, rate, self.adam_beta_1, self.adam_beta_2, self.epsilon,
                                runtime.get_num_threads())
        with blas_threads.NUMPY:    # one thread: the same bits for any number of them
            for w, g, slots in prepared([part for part in parts if "velocity" not in part[5]], clip):
                m = slots["momentum"]
                m += g + m * (self.momentum - 1)
                step = self._orthogonal(g + self.momentum * m if self.nesterov else m)
                scale = 1.0 if self.rms_rate is None else math.sqrt(max(w.shape)) * self.rms_rate
                w -= learning_rate * scale * step

    def _orthogonal(self, x: np.ndarray) -> np.ndarray:
        """Nearly the orthogonal matrix that is nearest to one."""
        upright = x.shape[0] > x.shape[1]
        x = x.T if upright else x
        x = x / (math.sqrt(np.sum(x * x)) + 1e-7)
        for _ in range(self.ns_steps):
            square = x @ x.T
            x = self.muon_a * x + (self.muon_b * square + self.muon_c * square @ square) @ x
        return x.T if upright else x

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "adam_beta_1": self.adam_beta_1,
            "adam_beta_2": self.adam_beta_2,
            "epsilon": self.epsilon,
            "exclude_layers": self.exclude_layers,
            "muon_a": self.muon_a,
            "muon_b": self.muon_b,
            "muon_c": self.muon_c,
            "adam_lr_ratio": self.adam_lr_ratio,
            "momentum": self.momentum,
            "ns_steps": self.ns_steps,
            "nesterov": self.nesterov,
            "exclude_embeddings": self.exclude_embeddings,
            "adam_weight_decay": self.adam_weight_decay,
            "rms_rate": self.rms_rate,
        }
