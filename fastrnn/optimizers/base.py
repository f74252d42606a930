# SPDX-License-Identifier: Apache-2.0
"""What every optimizer is."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn import _core, runtime
from fastrnn.optimizers import schedules
from fastrnn.optimizers.parts import AVERAGE, SUM, Pair, Part, accumulate, accumulated
from fastrnn.optimizers.slots import Slots
from fastrnn.registry import did_you_mean


class Optimizer(Slots):
    """Base of all optimizers. A subclass defines `slot_groups` and `update`.

    Args:
        learning_rate: a number, a `schedules.LearningRateSchedule`, or a function without arguments.
        weight_decay: each update first takes `weight_decay * learning_rate` of a variable off it; None for none.
        clipnorm: largest norm of each variable's gradient; longer ones are scaled to it.
        clipvalue: largest absolute value of each element of the gradients.
        global_clipnorm: as `clipnorm`, of all gradients taken together.
        use_ema: keep a running mean of each variable, `average = ema_momentum * average + (1 - ema_momentum) * w`
            after each batch, and give it to the variables when `fit` ends.
        ema_momentum: from 0 to 1.
        ema_overwrite_frequency: give the means to the variables after every so many updates, too; None for not before
            the end.
        loss_scale_factor: Keras's. It keeps gradients of 16 bits from becoming zero, and has no effect on those here.
        gradient_accumulation_steps: batches, 2 or more, whose gradients' mean makes one update; None for each batch.
        name: of the optimizer.
        kwargs: of Keras 1 and 2: `lr`, the older name of `learning_rate`, and `decay`: the learning rate of each update
            is `learning_rate / (1 + decay * iterations)`.

    Raises:
        TypeError: an unknown keyword.
        ValueError: a number out of range, or more than one kind of clipping.

    Example:

    >>> from fastrnn.layers import Dense
    >>> from fastrnn.optimizers import SGD
    >>> layer = Dense(1, kernel_initializer="ones")
    >>> y = layer([[1.0, 2.0]], training=True)
    >>> dx = layer.backward(np.ones_like(y))
    >>> SGD(0.5).apply(layer.trainable_weights)
    >>> layer.kernel.value.ravel()
    array([0.5, 0. ], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.name = name or type(self).__name__.lower()
        learning_rate = kwargs.pop("lr", learning_rate)
        #: Keras 2's: each update's learning rate is divided by `1 + decay * iterations`.
        self.decay = self._number("decay", kwargs.pop("decay", None) or 0.0)
        for argument in kwargs:
            raise TypeError(f"{self}: unknown keyword {argument!r}{did_you_mean(argument, type(self))}")
        self.use_ema = bool(use_ema)
        self.ema_momentum = self._number("ema_momentum", ema_momentum, 1 if use_ema else math.inf)
        self.ema_overwrite_frequency = self._steps("ema_overwrite_frequency", ema_overwrite_frequency, 1)
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = self._steps("gradient_accumulation_steps", gradient_accumulation_steps, 2)
        self.weight_decay = None if weight_decay is None else self._number("weight_decay", weight_decay)
        self.clipnorm = None if clipnorm is None else self._number("clipnorm", clipnorm)
        self.clipvalue = None if clipvalue is None else self._number("clipvalue", clipvalue)
        self.global_clipnorm = None if global_clipnorm is None else self._number("global_clipnorm", global_clipnorm)
        if sum(limit is not None for limit in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError(
                f"{self}: expected one of clipnorm, clipvalue and global_clipnorm, got clipnorm={clipnorm}, "
                f"clipvalue={clipvalue}, global_clipnorm={global_clipnorm}"
            )
        self._learning_rate = self._rate(learning_rate)
        super().__init__()

    # updates -------------------------------------------------------------------------------------------------------

    def weight_decay_of(self, slots: dict[str, np.ndarray]) -> float | None:
        """The weight decay of a variable that has these slots."""
        return self.weight_decay

    def update(self, kernels: Any, parts: list[Part], clip: float, learning_rate: float) -> None:
        """Make one step for variables of one dtype, in place.

        Args:
            kernels: the compiled kernels of the dtype.
            parts: what there is of each variable, see `Part`.
            clip: largest absolute value of an element of the gradients, after their factor.
            learning_rate: of this step.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update")

    def apply(self, variables: Sequence[Any]) -> None:
        """Update the variables by their gradients.

        Clips the gradients, decays the weights, makes the step, and applies each variable's constraint. A variable
        whose `grad` is None is left as it is, with a warning.

        Args:
            variables: the `Variable` objects of layers.

        Raises:
            ValueError: none of them has a gradient, or the optimizer was built for others.
        """
        if not variables:
            return
        if not self.built:
            self.build(variables)
        if not self._owns_slots:
            self._own_slots()
        pairs = self._pairs(variables)
        steps = self.gradient_accumulation_steps
        if not steps:
            self._step(pairs)
        elif (self.batches + 1) % steps:
            accumulate(pairs)
        else:
            self._step(accumulated(pairs, steps))
            for state in self._state.values():
                state.slots[SUM].fill(0)
        if self.use_ema:
            self._follow()
        for variable, _, _, _ in pairs:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable.data))
        self.batches += 1

    def _pairs(self, variables: Sequence[Any]) -> list[Pair]:
        """The variables that have a gradient, with it and their state."""
        states = self._state
        pairs: list[Pair] = []
        missing = []
        for variable in variables:
            state = states.get(id(variable))
            if state is None:
                raise ValueError(f"{self}: variable '{variable.path}' is not one of those it was built for; "
                                 "make a new optimizer")
            touched = variable.touched_rows
            gradient = variable.grad if touched is None else variable.row_gradient
            if gradient is None:
                missing.append(variable.path)
            else:
                pairs.append((variable, gradient, touched, state))
        if missing:
            self._warn_of(missing, len(variables))
        return pairs

    def _step(self, pairs: list[Pair]) -> None:
        """Clip, decay, and make the step."""
        learning_rate, threads = self._rate_now(), runtime.get_num_threads()
        if self.decay:
            learning_rate /= 1 + self.decay * self.updates
        clip = self.clipvalue or math.inf
        scale = self._global_scale(pairs, threads) if self.global_clipnorm else 1.0
        parts: dict[str, list[Part]] = {}
        for variable, gradient, touched, (slots, dtype, decays) in pairs:
            if self.clipnorm:
                norm = math.sqrt(_core.kernels(dtype).sum_of_squares(gradient, touched, threads))
                scale = self.clipnorm / max(norm, self.clipnorm)  # NaN if the norm is
            decay = (self.weight_decay_of(slots) or 0.0) * learning_rate if decays else 0.0
            part = variable.writable(), gradient, touched, scale, decay, slots
            if dtype in parts:
                parts[dtype].append(part)
            else:
                parts[dtype] = [part]
        for dtype, of_one_dtype in parts.items():
            self.update(_core.kernels(dtype), of_one_dtype, clip, learning_rate)
        for variable, _, _, _ in pairs:
            variable.touch()

    def _global_scale(self, pairs: list[Pair], threads: int) -> float:
        assert self.global_clipnorm is not None
        norm = math.sqrt(sum(_core.kernels(state.dtype).sum_of_squares(gradient, touched, threads)
                             for _, gradient, touched, state in pairs))
        return self.global_clipnorm / max(norm, self.global_clipnorm) if norm < math.inf else math.nan

    def _follow(self) -> None:
        """Let the running means follow the variables."""
        momentum = self.ema_momentum if self.updates else 0.0
        for variable, average in self._averages():
            average *= momentum
            average += (1 - momentum) * variable.data
        if self.ema_overwrite_frequency and (self.updates + 1) % self.ema_overwrite_frequency == 0:
            self.finalize_variable_values()

    def finalize_variable_values(self, var_list: Iterable[Any] | None = None) -> None:
        """With `use_ema`, give variables their running means; what `fit` does in the end.

        Args:
            var_list: the variables, all by default.
        """
        if not (self.use_ema and self.built):
            return
        for variable in self._variables if var_list is None else var_list:
            state = self._state.get(id(variable))
            if state is not None:
                variable.assign(state.slots[AVERAGE])

    def swap_averages(self) -> None:
        """Exchange the variables' values and their running means."""
        for variable, average in self._averages():
            value = variable.numpy()
            variable.assign(average)
            average[...] = value

    def take_averages(self) -> None:
        """Let the running means be the variables' values."""
        for variable, average in self._averages():
            average[...] = variable.data

    def _averages(self) -> list[tuple[Any, np.ndarray]]:
        """Each variable with its running mean, which may be written to."""
        if not self._owns_slots:
            self._own_slots()
        return [(variable, self._state[id(variable)].slots[AVERAGE]) for variable in self._variables]

    def _warn_of(self, missing: list[str], count: int) -> None:
        if len(missing) == count:
            raise ValueError(f"{self}: no variable has a gradient; run backward before apply")
        warnings.warn(f"{self}: no gradient for {', '.join(missing)}, left as they are", stacklevel=3)

    # state ---------------------------------------------------------------------------------------------------------

    # configuration -------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments that build this optimizer again; of a learning rate that is a function, its value now."""
        rate = self._learning_rate
        return {
            "name": self.name,
            "learning_rate": (
                schedules.serialize(rate) if isinstance(rate, schedules.LearningRateSchedule) else self.learning_rate
            ),
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
            **({"decay": self.decay} if self.decay else {}),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
        """Build the optimizer from what `get_config` gave; `custom_objects`: the caller's own schedules by name."""
        config = dict(config)
        if isinstance(config.get("learning_rate"), Mapping):
            config["learning_rate"] = schedules.deserialize(config["learning_rate"], custom_objects)
        return cls(**config)
