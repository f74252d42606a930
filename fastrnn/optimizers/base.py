# SPDX-License-Identifier: Apache-2.0
"""What every optimizer is."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn import _core, arrays, runtime
from fastrnn.optimizers import schedules
from fastrnn.registry import Configurable, did_you_mean

#: What configurations have of Keras's arguments that have no counterpart here: the values that ask for nothing.
_WITHOUT_EFFECT = {
    "use_ema": False, "ema_momentum": 0.99, "ema_overwrite_frequency": None, "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}  # fmt: skip
_NUMBERS = (int, float, np.integer, np.floating)


#: What an update takes of one variable: its values; its gradient, of the same shape; uint8, 0 for each row where the
#: gradient is zero and is not to be read, or None; the factor of the gradient; the share of the values that weight
#: decay takes off; and its slots by name.
Part = tuple[np.ndarray, np.ndarray, np.ndarray | None, float, float, dict[str, np.ndarray]]


class _State(NamedTuple):
    """What an optimizer keeps for one variable."""

    slots: dict[str, np.ndarray]
    dtype: str
    decays: bool


class Optimizer(Configurable):
    """Base of all optimizers. A subclass defines `slot_groups` and `update`.

    Args:
        learning_rate: a number, a `schedules.LearningRateSchedule`, or a function without arguments.
        weight_decay: each update first takes `weight_decay * learning_rate` of a variable off it; None for none.
        clipnorm: largest norm of each variable's gradient; longer ones are scaled to it.
        clipvalue: largest absolute value of each element of the gradients.
        global_clipnorm: as `clipnorm`, of all gradients taken together.
        use_ema, loss_scale_factor, gradient_accumulation_steps: Keras's, taken where they ask for nothing.
        ema_momentum, ema_overwrite_frequency: Keras's, without effect as `use_ema` is.
        name: of the optimizer.
        kwargs: Keras 2's `decay`, with a warning.

    Raises:
        ValueError: a number out of range, more than one kind of clipping, or something that is not supported.

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
        self._check_others(kwargs)
        # Without use_ema nothing reads the other two. Keras 2's RMSprop has a frequency of 100 by default.
        self._check_nothing_asked(use_ema=use_ema, loss_scale_factor=loss_scale_factor,
                                  gradient_accumulation_steps=gradient_accumulation_steps)
        self.weight_decay = None if weight_decay is None else self._number("weight_decay", weight_decay)
        self.clipnorm = None if clipnorm is None else self._number("clipnorm", clipnorm)
        self.clipvalue = None if clipvalue is None else self._number("clipvalue", clipvalue)
        self.global_clipnorm = None if global_clipnorm is None else self._number("global_clipnorm", global_clipnorm)
        if sum(limit is not None for limit in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError(
                f"{self}: expected one of clipnorm, clipvalue and global_clipnorm, got clipnorm={clipnorm}, "
                f"clipvalue={clipvalue}, global_clipnorm={global_clipnorm}"
            )
        self._learning_rate: float | Callable[..., Any] = self._rate(learning_rate)
        #: Updates made so far.
        self.iterations = 0
        self.built = False
        self._variables: list[Any] = []
        self._state: dict[int, _State] = {}
        self._owns_slots = True     # else they may lie in a file that joblib has mapped
        self._excluded: set[int] = set()
        self._excluded_names: re.Pattern[str] | None = None

    def __str__(self) -> str:
        return f"{type(self).__name__} '{self.name}'"

    # arguments -----------------------------------------------------------------------------------------------------

    def _check_others(self, arguments: dict[str, Any]) -> None:
        if arguments.pop("decay", None):
            warnings.warn(
                f"{self}: decay has no effect, as in Keras 3; pass a schedule as learning_rate, "
                "e.g. schedules.InverseTimeDecay",
                stacklevel=4,
            )
        for argument in arguments:
            hint = "; it is called learning_rate" if argument == "lr" else did_you_mean(argument, type(self))
            raise ValueError(f"{self}: unknown argument {argument!r}{hint}")

    def _check_nothing_asked(self, **arguments: Any) -> None:
        for argument, value in arguments.items():
            if value != _WITHOUT_EFFECT[argument]:
                raise ValueError(
                    f"{self}: {argument}={value!r} is not supported; expected {_WITHOUT_EFFECT[argument]!r}"
                )

    def _number(self, argument: str, value: Any, highest: float = math.inf) -> float:
        if not isinstance(value, _NUMBERS) or isinstance(value, bool) or not 0 <= value <= highest:
            limits = f"from 0 to {highest:g}" if highest < math.inf else "of 0 or more"
            raise ValueError(f"{self} {argument}: expected a number {limits}, got {value!r}")
        return float(value)

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

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next update. Set it to a number, a schedule or a function without arguments.

        Raises:
            TypeError: set to a number where a schedule decides.
        """
        rate = self._learning_rate
        if isinstance(rate, float):
            return rate
        return float(rate(self.iterations) if isinstance(rate, schedules.LearningRateSchedule) else rate())

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        new = self._rate(value)
        if isinstance(new, float) and isinstance(self._learning_rate, schedules.LearningRateSchedule):
            raise TypeError(
                f"{self}: its learning rate is the schedule {self._learning_rate!r}, which no number can replace; "
                "make the optimizer with a number as learning_rate to set it later"
            )
        self._learning_rate = new

    def exclude_from_weight_decay(
        self, var_list: Iterable[Any] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Leave variables out of weight decay; to be called before the first update.

        Args:
            var_list: the variables.
            var_names: regular expressions; one that is found in a variable's name excludes it: `["bias"]`.

        Raises:
            ValueError: the optimizer has made updates already.
        """
        if self.built:
            raise ValueError(f"{self}: call exclude_from_weight_decay before the first update")
        self._excluded = {id(variable) for variable in var_list or ()}
        self._excluded_names = re.compile("|".join(var_names)) if var_names else None

    def _decays(self, variable: Any) -> bool:
        pattern = self._excluded_names
        return id(variable) not in self._excluded and (pattern is None or pattern.search(variable.name) is None)

    # updates -------------------------------------------------------------------------------------------------------

    def slot_groups(self) -> list[tuple[str, ...]]:
        """Names of the arrays kept for each variable, grouped as Keras orders them: all variables' arrays of the first
        group, variable by variable, then those of the second."""
        return []

    def update(self, kernels: Any, parts: list[Part], clip: float, learning_rate: float) -> None:
        """Make one step for variables of one dtype, in place.

        Args:
            kernels: the compiled kernels of the dtype.
            parts: what there is of each variable, see `Part`.
            clip: largest absolute value of an element of the gradients, after their factor.
            learning_rate: of this step.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update")

    def build(self, variables: Sequence[Any]) -> None:
        """Make the slots for these variables, the only ones that the optimizer then updates."""
        if self.built:
            return
        names = [name for group in self.slot_groups() for name in group]
        self._variables = list(variables)
        for v in variables:
            slots = {name: np.zeros_like(v.data) for name in names}
            self._state[id(v)] = _State(slots, v.data.dtype.name, self._decays(v))
        self.built = True

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
        states = [self._state.get(id(variable)) for variable in variables]
        if None in states:
            unknown = variables[states.index(None)].path
            raise ValueError(f"{self}: variable '{unknown}' is not one of those it was built for; make a new optimizer")
        learning_rate, threads = self.learning_rate, runtime.get_num_threads()
        decay = (self.weight_decay or 0.0) * learning_rate
        clip = self.clipvalue or math.inf
        scale = self._global_scale(variables, threads) if self.global_clipnorm else 1.0
        updated, missing = [], []
        parts: dict[str, list[Part]] = {}
        for variable, state in zip(variables, states):
            gradient, touched = gradient_of(variable)
            if gradient is None:
                missing.append(variable.path)
                continue
            slots, dtype, decays = state  # type: ignore[misc]
            if self.clipnorm:
                norm = math.sqrt(_core.kernels(dtype).sum_of_squares(gradient, touched, threads))
                scale = self.clipnorm / max(norm, self.clipnorm)  # NaN if the norm is
            part = variable.writable(), gradient, touched, scale, decay if decays else 0.0, slots
            parts.setdefault(dtype, []).append(part)
            updated.append(variable)
        if missing:
            self._warn_of(missing, len(variables))
        for dtype, of_one_dtype in parts.items():
            self.update(_core.kernels(dtype), of_one_dtype, clip, learning_rate)
        for variable in updated:
            variable.touch()
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable.data))
        self.iterations += 1

    def _global_scale(self, variables: Sequence[Any], threads: int) -> float:
        assert self.global_clipnorm is not None
        total = 0.0
        for variable in variables:
            gradient, touched = gradient_of(variable)
            if gradient is not None:
                total += _core.kernels(self._state[id(variable)].dtype).sum_of_squares(gradient, touched, threads)
        norm = math.sqrt(total)
        return self.global_clipnorm / max(norm, self.global_clipnorm) if norm < math.inf else math.nan

    def _warn_of(self, missing: list[str], count: int) -> None:
        if len(missing) == count:
            raise ValueError(f"{self}: no variable has a gradient; run backward before apply")
        warnings.warn(f"{self}: no gradient for {', '.join(missing)}, left as they are", stacklevel=3)

    # state ---------------------------------------------------------------------------------------------------------

    def _ordered_slots(self) -> list[np.ndarray]:
        return [
            self._state[id(v)].slots[name] for group in self.slot_groups() for v in self._variables for name in group
        ]

    def get_slots(self) -> list[np.ndarray]:
        """Copies of the arrays kept for the variables, in the order of Keras's `optimizer.variables` after the
        iterations and the learning rate; empty before the first update or `build`."""
        return [slot.copy() for slot in self._ordered_slots()]

    def set_slots(self, slots: Sequence[Any]) -> None:
        """Set what `get_slots` gave; set `iterations` too, to go on as before.

        Raises:
            ValueError: the optimizer is not built, or their number or a shape differs.
        """
        if not self.built:
            raise ValueError(f"{self}: call build(variables) before set_slots")
        self._own_slots()
        own = self._ordered_slots()
        if len(slots) != len(own):
            raise ValueError(f"{self}: expected {len(own)} slots, got {len(slots)}")
        new = [arrays.as_float(s, o.dtype.name, f"{self} slot {i}") for i, (s, o) in enumerate(zip(slots, own))]
        for i, (slot, value) in enumerate(zip(own, new)):
            if value.shape != slot.shape:
                raise ValueError(f"{self} slot {i}: expected shape {slot.shape}, got {value.shape}")
        for slot, value in zip(own, new):
            slot[...] = value

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy, from `copy.deepcopy` or a pickle, whose variables have other identities."""
        self.__dict__.update(state)
        self._state = dict(zip(map(id, self._variables), self._state.values()))
        self._owns_slots = False

    def _own_slots(self) -> None:
        """Copy the slots that cannot be written to. Prediction never comes here, so that it costs no memory."""
        for slots, _, _ in self._state.values():
            slots.update({name: np.array(slot) for name, slot in slots.items()
                          if not (slot.flags.writeable and slot.flags.aligned)})
        self._owns_slots = True

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
            **_WITHOUT_EFFECT,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
        """Build the optimizer from what `get_config` gave; `custom_objects`: the caller's own schedules by name."""
        config = dict(config)
        if isinstance(config.get("learning_rate"), Mapping):
            config["learning_rate"] = schedules.deserialize(config["learning_rate"], custom_objects)
        return cls(**config)


def gradient_of(variable: Any) -> tuple[np.ndarray | None, np.ndarray | None]:
    """A variable's gradient, and which of its rows may differ from zero (uint8), None for all of them."""
    touched = getattr(variable, "touched_rows", None)
    return (variable.grad, None) if touched is None else (variable.row_gradient, touched)
