# SPDX-License-Identifier: Apache-2.0
"""What an optimizer keeps for each variable."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fastrnn import arrays
from fastrnn.optimizers.parts import AVERAGE, SUM, State
from fastrnn.optimizers.settings import Settings


class Slots(Settings):
    """The arrays that an optimizer keeps for its variables, by name: their shapes, first values, order and copies."""

    use_ema: bool

    def __init__(self) -> None:
        self.built = False
        self._variables: list[Any] = []
        self._state: dict[int, State] = {}
        self._owns_slots = True     # else they may lie in a file that joblib has mapped
        self._excluded: set[int] = set()
        self._excluded_names: re.Pattern[str] | None = None

    def slot_groups(self) -> list[tuple[str, ...]]:
        """Names of the arrays kept for each variable, grouped as Keras orders them: all variables' arrays of the first
        group, variable by variable, then those of the second."""
        return []

    def slot_shape(self, name: str, variable: Any) -> tuple[int, ...] | None:
        """The shape of a variable's array of that name, None if it has none."""
        return variable.shape

    def slot_start(self, name: str, variable: Any) -> Any:
        """What a variable's array of that name is made of before the first update."""
        return 0

    def last_values(self) -> list[float]:
        """What Keras keeps after the arrays, though it follows from `iterations`."""
        return []

    def build(self, variables: Sequence[Any]) -> None:
        """Make the slots for these variables, the only ones that the optimizer then updates."""
        if self.built:
            return
        self._variables = list(variables)
        self._state = {id(v): State({}, v.data.dtype.name, self._decays(v)) for v in variables}
        for v, name, shape in self.slots_of(variables):
            start = 0 if name in (AVERAGE, SUM) else self.slot_start(name, v)
            self._state[id(v)].slots[name] = np.full(shape, start, v.data.dtype)
        self.built = True

    def all_slot_groups(self) -> list[tuple[str, ...]]:
        """`slot_groups`, after those of what any optimizer may be asked for."""
        return [*([(AVERAGE,)] if self.use_ema else []), *([(SUM,)] if self.gradient_accumulation_steps else []),
                *self.slot_groups()]

    def slots_of(self, variables: Sequence[Any]) -> list[tuple[Any, str, tuple[int, ...]]]:
        """What the optimizer keeps for these variables, in the order of `get_slots`: variable, name and shape."""
        kept = [(v, name, v.shape if name in (AVERAGE, SUM) else self.slot_shape(name, v))
                for group in self.all_slot_groups() for v in variables for name in group]
        return [(v, name, shape) for v, name, shape in kept if shape is not None]

    def _ordered_slots(self) -> list[np.ndarray]:
        return [self._state[id(v)].slots[name] for v, name, _ in self.slots_of(self._variables)]

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
