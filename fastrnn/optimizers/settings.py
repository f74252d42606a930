# SPDX-License-Identifier: Apache-2.0
"""An optimizer's numbers: how they are checked, set and read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastrnn.optimizers import schedules
from fastrnn.registry import Configurable

_NUMBERS = (int, float, np.integer, np.floating)


class Rate(float):
    """An optimizer's learning rate at the time when it was read.

    >>> from fastrnn.optimizers import SGD
    >>> optimizer = SGD(0.5)
    >>> optimizer.learning_rate.assign(0.25)
    >>> optimizer.learning_rate, optimizer.learning_rate.numpy()
    (0.25, np.float32(0.25))
    """

    _optimizer: Any

    def __new__(cls, value: float, optimizer: Any) -> Rate:
        made = super().__new__(cls, value)
        made._optimizer = optimizer
        return made

    def assign(self, value: Any) -> None:
        """Set the optimizer's learning rate."""
        self._optimizer.learning_rate = value

    def numpy(self) -> np.float32:
        """The number, as Keras has it."""
        return np.float32(self)

    @property
    def value(self) -> float:
        """The number alone."""
        return float(self)

    def __reduce__(self) -> Any:
        return float, (float(self),)


class Count(int):
    """An optimizer's number of updates at the time when it was read.

    >>> from fastrnn.optimizers import SGD
    >>> optimizer = SGD()
    >>> optimizer.iterations.assign(7)
    >>> optimizer.iterations
    7
    """

    _optimizer: Any

    def __new__(cls, value: int, optimizer: Any) -> Count:
        made = super().__new__(cls, value)
        made._optimizer = optimizer
        return made

    def assign(self, value: Any) -> None:
        """Set the optimizer's number of updates."""
        self._optimizer.iterations = value

    def numpy(self) -> np.int64:
        """The number, as Keras has it."""
        return np.int64(self)

    @property
    def value(self) -> int:
        """The number alone."""
        return int(self)

    def __reduce__(self) -> Any:
        return int, (int(self),)


class Settings(Configurable):
    """What an optimizer is told by numbers, and its learning rate; see `Optimizer`."""

    name: str
    gradient_accumulation_steps: int | None
    #: Batches seen so far: the updates, times `gradient_accumulation_steps`, and those that wait for the next one.
    batches = 0
    _learning_rate: float | Callable[..., Any]

    def __str__(self) -> str:
        return f"{type(self).__name__} '{self.name}'"

    def _number(self, argument: str, value: Any, highest: float = math.inf) -> float:
        if not isinstance(value, _NUMBERS) or isinstance(value, bool) or not 0 <= value <= highest:
            limits = f"from 0 to {highest:g}" if highest < math.inf else "of 0 or more"
            raise ValueError(f"{self} {argument}: expected a number {limits}, got {value!r}")
        return float(value)

    def _below_one(self, argument: str, value: Any) -> float:
        if self._number(argument, value, 1) == 1:
            raise ValueError(f"{self} {argument}: expected a number below 1, got {value!r}")
        return float(value)

    def _epsilon(self, value: float | None) -> float:
        """None is 1e-7, as in Keras 1 and 2."""
        return 1e-7 if value is None else self._number("epsilon", value)

    def _steps(self, argument: str, value: int | None, lowest: int) -> int | None:
        if value is None or (isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= lowest):
            return value if value is None else int(value)
        if value == 0:      # which Keras takes for None
            return None
        raise ValueError(f"{self} {argument}: expected a whole number of {lowest} or more, or None, got {value!r}")

    def _rate(self, value: Any) -> float | Callable[..., Any]:
        if isinstance(value, Mapping):
            return schedules.deserialize(value)
        if callable(value):
            return value
        if not isinstance(value, _NUMBERS) or isinstance(value, bool):
            raise ValueError(
                f"{self} learning_rate: expected a number, a schedule or a function without arguments, got {value!r}"
            )
        return float(value)

    def _rate_now(self) -> float:
        rate = self._learning_rate
        if isinstance(rate, float):
            return rate
        return float(rate(self.batches) if isinstance(rate, schedules.LearningRateSchedule) else rate())

    @property
    def learning_rate(self) -> Rate:
        """The learning rate, a float. Set it to a number, a schedule or a function without arguments.

        Raises:
            TypeError: set to a number where a schedule decides.
        """
        return Rate(self._rate_now(), self)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        new = self._rate(value)
        if isinstance(new, float) and isinstance(self._learning_rate, schedules.LearningRateSchedule):
            raise TypeError(
                f"{self}: its learning rate is the schedule {self._learning_rate!r}, which no number can replace; "
                "make the optimizer with a number as learning_rate to set it later"
            )
        self._learning_rate = new

    @property
    def lr(self) -> Rate:
        """`learning_rate`, as Keras 1 and 2 call it."""
        return self.learning_rate

    @lr.setter
    def lr(self, value: Any) -> None:
        self.learning_rate = value

    @property
    def iterations(self) -> Count:
        """The number of updates made, an int. Set it to go on from there."""
        return Count(self.updates, self)

    @iterations.setter
    def iterations(self, value: Any) -> None:
        self.batches = int(value) * (self.gradient_accumulation_steps or 1)

    @property
    def updates(self) -> int:
        """`iterations` as a plain number, which costs a step less to make."""
        return self.batches // (self.gradient_accumulation_steps or 1)
