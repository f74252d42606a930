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
    ("Adagrad", {}),
    ("Adagrad", {"initial_accumulator_value": 0.5, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("Adadelta", {}),
    ("Adadelta", {"rho": 0.8, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("Adamax", {}),
    ("Adamax", {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("Nadam", {}),
    ("Nadam", {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("Ftrl", {}),
    ("Ftrl", {"learning_rate_power": -0.7, "initial_accumulator_value": 0.3, "l1_regularization_strength": 0.01,
              "l2_regularization_strength": 0.02, "l2_shrinkage_regularization_strength": 0.03, "beta": 0.1,
              "weight_decay": 0.1}),
    ("Lion", {}),
    ("Lion", {"beta_1": 0.8, "beta_2": 0.7, "weight_decay": 0.1}),
    ("Lamb", {}),
    ("Lamb", {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3, "weight_decay": 0.1}),
    ("ScheduleFreeAdamW", {}),
    ("ScheduleFreeAdamW", {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3, "warmup_steps": 3, "weight_decay": 0.1}),
    ("Adafactor", {}),
    ("Adafactor", {"beta_2_decay": -0.6, "epsilon_1": 1e-3, "epsilon_2": 0.1, "clip_threshold": 0.5,
                   "relative_step": False, "weight_decay": 0.1}),
    ("Muon", {}),
    ("Muon", {"exclude_layers": ["_0"], "adam_beta_1": 0.8, "adam_beta_2": 0.95, "adam_weight_decay": 0.1,
              "epsilon": 1e-3, "adam_lr_ratio": 0.5, "momentum": 0.8, "ns_steps": 3, "nesterov": False,
              "rms_rate": None, "weight_decay": 0.2, "muon_a": 3.0, "muon_b": -4.0, "muon_c": 2.0}),
]
CLIPS = [{}, {"clipnorm": 0.5}, {"clipvalue": 0.3}, {"global_clipnorm": 0.7}]
#: What any optimizer may be asked for, alone and together.
OPTIONS = [
    {"use_ema": True, "ema_momentum": 0.7},
    {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 2},
    {"gradient_accumulation_steps": 2},
    {"gradient_accumulation_steps": 3, "use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2,
     "clipnorm": 0.5, "weight_decay": 0.1},
    {"gradient_accumulation_steps": 2, "global_clipnorm": 0.7, "weight_decay": 0.2},
]
#: Every class by its name.
NAMES = sorted({name for name, _ in CASES})
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
