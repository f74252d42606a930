# SPDX-License-Identifier: Apache-2.0
"""Adafactor."""

from __future__ import annotations

import math
from typing import Any, Unpack

import numpy as np

from fastrnn.optimizers.arguments import DecayArguments
from fastrnn.optimizers.base import Optimizer
from fastrnn.optimizers.parts import Part
from fastrnn.optimizers.plain import prepared


class Adafactor(Optimizer):
    """Steps divided by the root of a mean square that is kept as row and column means (Shazeer and Stern 2018).

    In update t, `b = 1 - t**beta_2_decay`; of a matrix `r = b * r + (1 - b) * mean(g**2 + epsilon_1, axis=-1)`, `c` the
    same with `axis=-2`, and `v = r / mean(r) * c`; of a vector `v = b * v + (1 - b) * (g**2 + epsilon_1)`. The step
    `u = g / sqrt(v)` is cut to `u / max(1, rms(u) / clip_threshold)`, and
    `w -= max(epsilon_2, rms(w)) * min(learning_rate, 1 / sqrt(t)) * u`.

    Args:
        learning_rate: a number, a schedule, or a function without arguments.
        beta_2_decay: 0 or less; how fast the means slow down.
        epsilon_1: added to squared gradients.
        epsilon_2: least size of a variable that steps are in proportion to.
        clip_threshold: largest root mean square of a step, before the learning rate.
        relative_step: Keras's; the learning rate is limited by `1 / sqrt(t)` in either case.
        args, kwargs: as in `Optimizer`, from `weight_decay` on.

    Raises:
        ValueError: a number out of range; else as `Optimizer`.

    Example:

    >>> import fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((2,)), fastrnn.layers.Dense(1)])
    >>> model.compile(Adafactor(0.1), "mse")
    """

    def __init__(self, learning_rate: Any = 0.001, beta_2_decay: float = -0.8, epsilon_1: float = 1e-30,
                 epsilon_2: float = 1e-3, clip_threshold: float = 1.0, relative_step: bool = True, *args: Any,
                 **kwargs: Unpack[DecayArguments]) -> None:
        super().__init__(learning_rate, *args, **kwargs)
        if not beta_2_decay <= 0:
            raise ValueError(f"{self} beta_2_decay: expected a number of 0 or less, got {beta_2_decay!r}")
        self.beta_2_decay = float(beta_2_decay)
        self.epsilon_1 = self._number("epsilon_1", epsilon_1)
        self.epsilon_2 = self._number("epsilon_2", epsilon_2)
        self.clip_threshold = self._number("clip_threshold", clip_threshold)
        self.relative_step = bool(relative_step)

    def slot_groups(self) -> list[tuple[str, ...]]:
        return [("r", "c", "velocity")]

    def slot_shape(self, name: str, variable: Any) -> tuple[int, ...]:
        shape = variable.shape
        if name == "velocity":
            return shape
        if len(shape) < 2:      # Keras keeps two zeros
            return ()
        return shape[:-1] if name == "r" else (*shape[:-2], shape[-1])

    def update(self, kernels: Any, parts: list[Part], clip: float, learning_rate: float) -> None:
        t = self.updates + 1
        rate, keep = min(learning_rate, 1 / math.sqrt(t)), 1 - t**self.beta_2_decay
        for w, g, slots in prepared(parts, clip):
            v, squares = slots["velocity"], g * g + self.epsilon_1
            if w.ndim >= 2:
                r, c = slots["r"], slots["c"]
                r[...] = keep * r + (1 - keep) * squares.mean(axis=-1)
                c[...] = keep * c + (1 - keep) * squares.mean(axis=-2)
                np.multiply((r / r.mean(axis=-1, keepdims=True))[..., None], c[..., None, :], out=v)
            else:
                v[...] = keep * v + (1 - keep) * squares
            step = g / np.sqrt(v)
            step /= max(1.0, _rms(step) / self.clip_threshold)
            w -= max(self.epsilon_2, _rms(w)) * rate * step

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_2_decay": self.beta_2_decay,
            "epsilon_1": self.epsilon_1,
            "epsilon_2": self.epsilon_2,
            "clip_threshold": self.clip_threshold,
            "relative_step": self.relative_step,
        }


def _rms(x: np.ndarray) -> float:
    return math.sqrt(np.mean(x * x))
