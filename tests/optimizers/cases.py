# SPDX-License-Identifier: Apache-2.0
"""Optimizers and the arguments they are tested with, and variables with gradients for them."""

from __future__ import annotations

import numpy as np

from fastrnn.layers.base import Variable

CASES = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01}),
    ("RMSprop", {}),
    ("RMSprop", {"rho": 0.8, "momentum": 0.5, "epsilon": 1e-3}),
    ("RMSprop", {"centered": True, "momentum": 0.3, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.02}),
    ("AdamW", {}),
    ("AdamW", {"amsgrad": True, "weight_decay": 0.5}),
]
CLIPS = [{}, {"clipnorm": 0.5}, {"clipvalue": 0.3}, {"global_clipnorm": 0.7}]
SHAPES = [(5, 7), (3,), (2, 3, 4), (1, 40)]


def variables(shapes=SHAPES, dtype: str = "float32", seed: int = 0) -> list[Variable]:
    rng = np.random.default_rng(seed)
    return [Variable(rng.standard_normal(s).astype(dtype), f"weight_{i}") for i, s in enumerate(shapes)]


def gradients(steps: int, shapes=SHAPES, dtype: str = "float32", seed: int = 1) -> list[list[np.ndarray]]:
    """For each step, one array a variable; some elements are zero."""
    rng = np.random.default_rng(seed)
    return [
        [(rng.standard_normal(s) * (rng.random(s) > 0.2) * 10 ** rng.uniform(-3, 0.5)).astype(dtype) for s in shapes]
        for _ in range(steps)
    ]


def train(optimizer, variables, gradients) -> list[np.ndarray]:
    """The values after a step for each list of gradients."""
    for step in gradients:
        for variable, gradient in zip(variables, step, strict=True):
            variable.gradient()[...] = gradient
        optimizer.apply(variables)
    return [variable.numpy() for variable in variables]
