# SPDX-License-Identifier: Apache-2.0
"""What goes with the outputs of a model, one for each: losses, metrics, targets, weights, however a user lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastrnn.graph.symbol import flatten


class Absent:
    """Stands where a dictionary says nothing of an output."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = Absent()


class Outputs:
    """The outputs of a model by name and place.

    Args:
        names: of the outputs, in their flat order.
        structure: as the model gives them: one, a list, a tuple or a dictionary of anything but these; None for one.

    Attributes:
        names: as given.
        titles: what the logs call the loss of each: the way to it, "a" or "pair/a".
        by_key: the structure is a dictionary.

    Example:

    >>> outputs = Outputs(["a", "b"], ["first", "second"])
    >>> outputs.spread({"b": 2, "a": 1}, "weights"), outputs.spread([1, 2], "weights")
    ([1, 2], [1, 2])
    """

    def __init__(self, names: Sequence[str], structure: Any = None) -> None:
        self.names = list(names)
        self._structure = structure
        self.single = len(self.names) == 1
        self.by_key = isinstance(structure, Mapping)
        self.titles = [""] * len(self.names)
        self._order: list[tuple[int, Any]] = []     # the places in the structure's order, with the key outermost there
        self._walk(structure, _places(structure), ())

    def _walk(self, structure: Any, places: Any, path: tuple[Any, ...]) -> None:
        """Name the outputs of a part of the structure."""
        if isinstance(structure, Mapping):
            for key, part in structure.items():
                self._walk(part, places[key], (*path, key))
        elif isinstance(structure, (list, tuple)):
            for index, part in enumerate(structure):
                self._walk(part, places[index], (*path, index))
        else:
            self._order.append((places, path[0] if path else None))
            if not path or isinstance(path[-1], int):
                path = (*path[:-1], self.names[places])
            self.titles[places] = "/".join(map(str, path))

    def order(self, given: Any) -> list[int]:
        """The indices of the outputs in the order in which they, or else the outputs, are listed; `spread` sorts
        dictionaries, here they are as the user wrote them."""
        keys = list(given) if self.by_key and isinstance(given, Mapping) else []
        return [place for place, _ in sorted(self._order, key=lambda one: keys.index(one[1]) if one[1] in keys else -1)]

    def spread(self, given: Any, what: str) -> list[Any]:
        """One for each output, in their flat order.

        Args:
            given: them in the structure of the outputs, in a list, or in a dictionary by name; `ABSENT` stands for what
                a dictionary leaves out. Of a model with one output, a list of one or a dictionary of one.
            what: for errors.

        Raises:
            ValueError: their number or a name is wrong.
        """
        found = self._match(self._structure, given)
        if found is None and isinstance(given, Mapping) and set(given) <= set(self.names):
            found = [given.get(name, ABSENT) for name in self.names]
        if found is None and isinstance(given, (list, tuple)) and len(given) == len(self.names):
            found = list(given)
        if found is None:
            way_out = "; pass the array itself" if self.single and what.endswith("y") else ""
            raise ValueError(f"{what}: expected {self.expected()}, got {_described(given)}{way_out}")
        return found

    def _match(self, structure: Any, given: Any) -> list[Any] | None:
        """One for each output of a part of the structure, None where `given` is another structure."""
        if isinstance(structure, Mapping):
            if not isinstance(given, Mapping) or not set(given) <= set(structure):
                return None
            pairs = [(structure[key], given.get(key, ABSENT)) for key in sorted(structure)]
        elif isinstance(structure, (list, tuple)):
            if not isinstance(given, (list, tuple)) or len(given) != len(structure):
                return None
            pairs = list(zip(structure, given))
        else:
            return None if self.single and isinstance(given, (list, tuple, Mapping)) else [given]
        found: list[Any] = []
        for part, inner in pairs:
            more = [ABSENT] * len(flatten(part)) if inner is ABSENT else self._match(part, inner)
            if more is None:
                return None
            found += more
        return found

    def expected(self) -> str:
        """What a user should pass."""
        names = ", ".join(map(repr, self.names))
        if self.single:
            return f"one, for the output {names}"
        return f"{len(self.names)}, one for each output, in a list or in a dictionary with {names}"

    def of(self, index: int, what: str) -> str:
        """`what`, of which output it is where there are several."""
        return what if self.single else f"{what} of output {self.names[index]!r}"


def _places(structure: Any) -> Any:
    """The structure with the place of each leaf among all, dictionaries by their keys in alphabetical order."""
    count = 0

    def walk(part: Any) -> Any:
        nonlocal count
        if isinstance(part, Mapping):
            return {key: walk(part[key]) for key in sorted(part)}
        if isinstance(part, (list, tuple)):
            return [walk(inner) for inner in part]
        count += 1
        return count - 1

    return walk(structure)


def _described(given: Any) -> str:
    if isinstance(given, Mapping):
        return f"a dictionary with {', '.join(map(repr, given)) or 'nothing'}"
    if isinstance(given, (list, tuple)):
        return f"a {type(given).__name__} of {len(given)}"
    return f"one {type(given).__name__}"
