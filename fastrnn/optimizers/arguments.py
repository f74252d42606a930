# SPDX-License-Identifier: Apache-2.0
"""The keywords that optimizers share, for type checkers. By position they follow an optimizer's own arguments, in the
order that `Optimizer` has them in, as in Keras."""

from __future__ import annotations

from typing import TypedDict


class OptimizerArguments(TypedDict, total=False):
    """What every optimizer takes; see `Optimizer`."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None
    lr: float
    decay: float


class DecayArguments(OptimizerArguments, total=False):
    """What all take but `AdamW`, which names it among its own."""

    weight_decay: float | None
