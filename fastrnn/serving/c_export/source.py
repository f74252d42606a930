# SPDX-License-Identifier: Apache-2.0
"""A C file in the making: its names, constants, states, helper functions, and the lines of a step."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn.serving.c_export.helpers import HELPERS

_NUMBERS_A_LINE = 8


class Value(NamedTuple):
    """What there is for one time step: `width` numbers from a C expression on.

    Attributes:
        code: the expression, a pointer.
        width: how many.
        sequence: there is one of each time step; else of the sequence up to now.
        indices: they are whole numbers, of rows of a table.
    """

    code: str
    width: int
    sequence: bool
    indices: bool = False


class State(NamedTuple):
    """A member of the struct."""

    type: str
    name: str
    size: int           # of the array; 0 for a number
    comment: str


class Source:
    """What the emitters write to.

    Args:
        prefix: what all names of the file begin with.

    Attributes:
        constants: the text of each constant, in order.
        states: the struct's members.
        lines: those of the function for one step.
        helpers: names of the helper functions that are used.
        headers: the standard headers that the step itself needs.
        floats, scratch: how many floats the step has on its stack, beside those of a block; those of the largest block.
        inputs, outputs: the names of its arguments.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.constants: list[str] = []
        self.states: list[State] = []
        self.lines: list[str] = []
        self.helpers: set[str] = set()
        self.headers: set[str] = set()
        self.floats = self.scratch = self._in_block = 0
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        self._names = {"init", "step", "predict", "state", "input", *HELPERS}
        self._locals = {"x", "y", "state"}
        self._known: dict[tuple[int, str], str] = {}
        self._depth = 1
        self._target: list[str] = []

    # names ---------------------------------------------------------------------------------------------------------

    def arguments(self, letter: str, names: Sequence[str]) -> list[str]:
        """Of the inputs or outputs: the letter alone if there is one, else with their names."""
        found = [letter] if len(names) == 1 else [_new(
            self._locals, f"{letter}_{identifier(name).lower()}") for name in names]
        (self.inputs if letter == "x" else self.outputs)[:] = found
        return found

    def _new_name(self, wanted: str) -> str:
        return f"{self.prefix}_{_new(self._names, wanted)}"

    # what is outside the step ----------------------------------------------------------------------------------------

    def constant(self, layer: Any, name: str, values: np.ndarray, shape: str) -> str:
        """The name of a constant; a layer that is called twice has its own once.

        Args:
            layer: whose it is.
            name: among the layer's.
            values: the numbers, in the order in which they are stored.
            shape: what is said of it: "(features, units)".

        Raises:
            ValueError: one of them is no finite number of float32.
        """
        key = (id(layer), name)
        if key not in self._known:
            values = np.asarray(values, np.float32).reshape(-1)
            if not np.isfinite(values).all():
                raise ValueError(f"{layer} {name}: expected finite numbers, got inf or NaN")
            found = self._known[key] = self._new_name(f"{identifier(layer.name)}_{name}")
            self.constants.append(_constant(found, values, shape))
        return self._known[key]

    def state(self, layer: Any, name: str, size: int, comment: str, kind: str = "float") -> str:
        """The expression of a new member of the state: an array, or a number where `size` is 0."""
        found = _new(self._locals, f"{identifier(layer.name)}_{name}")
        self.states.append(State(kind, found, size, comment))
        return f"state->{found}"

    # the step --------------------------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """A line of the step."""
        self.lines.append("    " * self._depth + text if text else "")

    def call(self, helper: str, *arguments: object) -> None:
        """A call of a helper function."""
        self.helpers.add(helper)
        self.line(f"{self.prefix}_{helper}({', '.join(map(str, arguments))});")

    @contextlib.contextmanager
    def block(self, head: str = "") -> Iterator[None]:
        """Lines in braces, of a loop if it has a head."""
        self.line(f"{head} {{" if head else "{")
        self._depth += 1
        yield
        self._depth -= 1
        self._in_block = 0
        self.line("}")

    def each(self, count: int, text: str) -> None:
        """A line that is done for each j from 0 on."""
        self.line(f"for (int j = 0; j < {count}; j++)")
        self.line(f"    {text}")

    def array(self, name: str, count: int) -> str:
        """An array on the stack."""
        if self._depth == 1:
            self.floats += count
        else:
            self._in_block += count
            self.scratch = max(self.scratch, self._in_block)
        self.line(f"float {name}[{count}];")
        return name

    @contextlib.contextmanager
    def into(self, target: str | None) -> Iterator[None]:
        """The next result goes there, if not None."""
        self._target = [] if target is None else [target]
        yield
        self._target = []

    def result(self, layer: Any, width: int) -> str:
        """Where a layer's output of a step goes: an argument, or an array on the stack."""
        if self._target:
            return self._target.pop()
        return self.array(_new(self._locals, f"{identifier(layer.name)}_y"), width)

    def pointer(self, layer: Any, code: str) -> str:
        """A name for the address of constants."""
        found = _new(self._locals, f"{identifier(layer.name)}_y")
        self.line(f"const float *{found} = {code};")
        return found


def identifier(name: str, otherwise: str = "layer") -> str:
    """A name with what C allows in one.

    Args:
        name: any text.
        otherwise: where nothing is left of it.

    >>> identifier("my-model 2"), identifier("2 layers"), identifier("_x"), identifier("*")
    ('my_model_2', 'n2_layers', 'x', 'layer')
    """
    found = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or otherwise
    return f"n{found}" if found[0].isdigit() else found


def described(layer: Any) -> str:
    """A layer's class and name, as they can stand in a comment."""
    return f"{type(layer).__name__} '{re.sub(r'[^A-Za-z0-9_ .:-]', '_', layer.name)}'"


def literal(number: float) -> str:
    """A number as a C constant of float, which reads back as the same float.

    >>> literal(0.5), literal(1), literal(1e-10)
    ('0.5f', '1.0f', '1e-10f')
    """
    return _literals(np.array([number], np.float32))[0]


def _literals(values: np.ndarray) -> list[str]:
    """NumPy's shortest text that reads back as the same float."""
    return [f"{text}f" for text in values.astype("U32").tolist()]


def _constant(name: str, values: np.ndarray, shape: str) -> str:
    words = _literals(values)
    rows = [", ".join(words[start:start + _NUMBERS_A_LINE]) for start in range(0, len(words), _NUMBERS_A_LINE)]
    return f"/* {shape} */\nstatic const float {name}[{len(words)}] = {{\n    " + ",\n    ".join(rows) + "};\n"


def _new(taken: set[str], wanted: str) -> str:
    """A name that is not taken, from now on taken."""
    found, number = wanted, 1
    while found in taken:
        number += 1
        found = f"{wanted}_{number}"
    taken.add(found)
    return found
