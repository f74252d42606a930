# SPDX-License-Identifier: Apache-2.0
"""Learning rates that change from update to update: Keras's schedules, with Keras's arguments and defaults."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastrnn.registry import Configurable, Registry, absent_from

__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule",
    "PiecewiseConstantDecay", "PolynomialDecay", "deserialize", "serialize",
]  # fmt: skip

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    __getattr__ = absent_from(__name__, __all__)


class LearningRateSchedule(Configurable):
    """The learning rate as a function of the number of updates made. A subclass defines `__call__`.

    Example:

    >>> class Halving(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 / 2**step
    >>> from fastrnn.optimizers import SGD
    >>> optimizer = SGD(Halving())
    >>> optimizer.iterations = 1
    >>> optimizer.learning_rate
    0.05
    """

    def __call__(self, step: int) -> float:
        """The learning rate of the update that follows `step` others."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(step)")


def _positive(schedule: LearningRateSchedule, argument: str, value: Any) -> Any:
    if not value > 0:
        raise ValueError(f"{type(schedule).__name__} {argument}: expected a number above 0, got {value!r}")
    return value


class ExponentialDecay(LearningRateSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`

    Args:
        initial_learning_rate: the first learning rate.
        decay_steps: updates in which it falls by `decay_rate`.
        decay_rate: factor.
        staircase: falls in steps: `step / decay_steps` is rounded down.
        name: without effect.

    Raises:
        ValueError: `decay_steps` is not above 0.

    Example:

    >>> ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)(20)
    0.025
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive(self, "decay_steps", decay_steps)
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: int) -> float:
        fraction = step / self.decay_steps
        return self._decayed(math.floor(fraction) if self.staircase else fraction)

    def _decayed(self, fraction: float) -> float:
        return self.initial_learning_rate * self.decay_rate**fraction

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


class InverseTimeDecay(ExponentialDecay):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`; arguments and errors as `ExponentialDecay`.

    Example:

    >>> InverseTimeDecay(0.1, decay_steps=10, decay_rate=0.5)(20)
    0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def _decayed(self, fraction: float) -> float:
        return self.initial_learning_rate / (1 + self.decay_rate * fraction)


class PiecewiseConstantDecay(LearningRateSchedule):
    """`values[i]` up to and including step `boundaries[i]`, the last value after them all.

    Args:
        boundaries: steps, each above the one before.
        values: learning rates, one more than boundaries.
        name: without effect.

    Raises:
        ValueError: the lengths do not fit, or the boundaries do not rise.

    Example:

    >>> schedule = PiecewiseConstantDecay([100, 200], [0.1, 0.01, 0.001])
    >>> schedule(100), schedule(101), schedule(500)
    (0.1, 0.01, 0.001)
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "PiecewiseConstantDecay values: expected one more than boundaries, "
                f"got {len(values)} values and {len(boundaries)} boundaries"
            )
        if any(b <= a for a, b in itertools.pairwise(boundaries)):
            raise ValueError(f"PiecewiseConstantDecay boundaries: expected rising steps, got {list(boundaries)}")
        self.boundaries = list(boundaries)
        self.values = list(values)
        self.name = name

    def __call__(self, step: int) -> float:
        return self.values[sum(step > boundary for boundary in self.boundaries)]

    def get_config(self) -> dict[str, Any]:
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


class PolynomialDecay(LearningRateSchedule):
    """`(initial_learning_rate - end_learning_rate) * (1 - step / decay_steps) ** power + end_learning_rate`

    Args:
        initial_learning_rate: the first learning rate.
        decay_steps: updates after which it is `end_learning_rate`.
        end_learning_rate: the last.
        power: of the polynomial.
        cycle: begin anew, over so many times `decay_steps` as the step has passed, instead of staying at the end.
        name: without effect.

    Raises:
        ValueError: `decay_steps` is not above 0.

    Example:

    >>> PolynomialDecay(0.1, decay_steps=10, end_learning_rate=0.0)(5)
    0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive(self, "decay_steps", decay_steps)
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: int) -> float:
        steps = self.decay_steps
        if self.cycle:
            steps *= max(1, math.ceil(step / steps))
        fraction = 1 - min(step, steps) / steps
        return (self.initial_learning_rate - self.end_learning_rate) * fraction**self.power + self.end_learning_rate

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "end_learning_rate": self.end_learning_rate,
            "power": self.power,
            "cycle": self.cycle,
            "name": self.name,
        }


class CosineDecay(LearningRateSchedule):
    """`start * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha)`, after an optional linear warm-up
    (Loshchilov and Hutter 2016).

    Args:
        initial_learning_rate: the first learning rate.
        decay_steps: updates after which it is `alpha * start`, not counting the warm-up.
        alpha: fraction that is left in the end.
        name: without effect.
        warmup_target: learning rate at the end of the warm-up, where the decay starts; None for no warm-up: it starts
            at `initial_learning_rate`.
        warmup_steps: updates in which it rises from `initial_learning_rate` to `warmup_target`.

    Raises:
        ValueError: `decay_steps` is not above 0.

    Example:

    >>> round(CosineDecay(0.1, decay_steps=10)(5), 6)
    0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = _positive(self, "decay_steps", decay_steps)
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def __call__(self, step: int) -> float:
        start = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return start + (self.warmup_target - start) * step / self.warmup_steps
            start, step = self.warmup_target, step - self.warmup_steps
        return start * ((1 - self.alpha) * _half_cosine(min(step, self.decay_steps) / self.decay_steps) + self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "name": self.name,
            "warmup_target": self.warmup_target,
            "warmup_steps": self.warmup_steps,
        }


class CosineDecayRestarts(LearningRateSchedule):
    """`CosineDecay` over and over: each period is `t_mul` times as long as the one before it and starts `m_mul` times
    as high (Loshchilov and Hutter 2016).

    Args:
        initial_learning_rate: the first learning rate.
        first_decay_steps: updates of the first period.
        t_mul, m_mul: factors from period to period.
        alpha: fraction of the learning rate that is left at the end of a period.
        name: without effect.

    Raises:
        ValueError: `first_decay_steps` or `t_mul` is not above 0.

    Example:

    >>> CosineDecayRestarts(0.1, first_decay_steps=10)(10)
    0.1
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = _positive(self, "first_decay_steps", first_decay_steps)
        self.t_mul = _positive(self, "t_mul", t_mul)
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step: int) -> float:
        fraction = step / self.first_decay_steps
        if self.t_mul == 1:
            period = math.floor(fraction)
            fraction -= period
        else:  # the first i periods take (1 - t_mul**i) / (1 - t_mul) times the first
            period = math.floor(math.log(1 - fraction * (1 - self.t_mul)) / math.log(self.t_mul))
            fraction -= (1 - self.t_mul**period) / (1 - self.t_mul)
            fraction /= self.t_mul**period
        height = self.m_mul**period * _half_cosine(fraction)
        return self.initial_learning_rate * ((1 - self.alpha) * height + self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self.t_mul,
            "m_mul": self.m_mul,
            "alpha": self.alpha,
            "name": self.name,
        }


def _half_cosine(fraction: float) -> float:
    """From 1 at 0 to 0 at 1."""
    return 0.5 * (1 + math.cos(math.pi * fraction))


_registry = Registry(
    "learning rate schedule",
    [ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay, CosineDecay, CosineDecayRestarts],
    module="keras.optimizers.schedules",
)


def serialize(learning_rate_schedule: LearningRateSchedule) -> Any:
    """The configuration of a schedule, in the format of Keras 3."""
    return _registry.serialize(learning_rate_schedule)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The schedule of a configuration; its name is looked up in `custom_objects`, then among the known ones.

    Raises:
        ValueError: the name is not known, or the configuration does not fit its class.
    """
    return _registry.deserialize(config, custom_objects)
