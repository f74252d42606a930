# SPDX-License-Identifier: Apache-2.0
"""The table of a model's layers."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

_TITLES = ("Layer (type)", "Output Shape", "Param #")


def print_summary(name: str, rows: Sequence[tuple[Any, tuple[int | None, ...] | None]], trainable: Sequence[Any],
                  non_trainable: Sequence[Any], line_length: int | None = None,
                  positions: Sequence[float] | None = None, print_fn: Callable[[str], Any] | None = None) -> None:
    """Print the table of a model's layers and the counts of its parameters.

    Args:
        name: the model's name.
        rows: each layer with its output shape, None where it is not known.
        trainable, non_trainable: the model's variables.
        line_length: width of the table in characters; None fits it to the terminal.
        positions: where the columns end: fractions of `line_length`, or numbers of characters.
        print_fn: called with the whole text; None prints it.

    Raises:
        ValueError: positions that are not three increasing numbers, or a table too narrow for three columns.
    """
    line_length = line_length or min(88, terminal_columns(sys.stdout) - 4)
    widths = _column_widths(line_length, positions)
    cells = [(f"{layer.name} ({type(layer).__name__})",
              "?" if shape is None else _shape(shape),
              f"{layer.count_params():,}" if layer.built else "0 (unbuilt)") for layer, shape in rows]
    lines = [f'Model: "{name}"', _rule("┏┳┓", "━", widths), *_row(_TITLES, widths, "┃"), _rule("┡╇┩", "━", widths)]
    for index, row in enumerate(cells):
        if index:
            lines.append(_rule("├┼┤", "─", widths))
        lines += _row(row, widths, "│")
    lines.append(_rule("└┴┘", "─", widths))
    groups = {"Total": [*trainable, *non_trainable], "Trainable": trainable, "Non-trainable": non_trainable}
    for title, variables in groups.items():
        count = sum(math.prod(variable.shape) for variable in variables)
        size = sum(math.prod(variable.shape) * np.dtype(variable.dtype).itemsize for variable in variables)
        lines.append(f" {title} params: {count:,} ({_memory(size)})")
    (print_fn or print)("\n".join(lines))


def terminal_columns(stream: Any) -> int:
    """Width of the terminal that `stream` writes to: what COLUMNS says, or else the terminal; 80 if there is none."""
    told = os.environ.get("COLUMNS", "")
    if told.isdigit() and int(told) > 0:
        return int(told)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (AttributeError, OSError, ValueError):
        return 80


def _column_widths(line_length: int, positions: Sequence[float] | None) -> list[int]:
    ends = list(positions or (0.45, 0.80, 1.0))
    if len(ends) != 3 or sorted(ends) != ends:
        raise ValueError(f"summary: positions must be three increasing numbers, got {positions}")
    if ends[-1] <= 1:
        ends = [end * line_length for end in ends]
    inner = [int(end) for end in ends]
    # A column has its text, a blank on each side, and a rule on its left; the table has one more rule on its right.
    widths = [inner[0] - 3, inner[1] - inner[0] - 3, inner[2] - inner[1] - 4]
    if min(widths) < 4:
        raise ValueError(f"summary: line_length {line_length} is too narrow for columns at {positions or 'default'}")
    return widths


def _rule(corners: str, line: str, widths: Sequence[int]) -> str:
    return corners[0] + corners[1].join(line * (width + 2) for width in widths) + corners[2]


def _row(texts: Sequence[str], widths: Sequence[int], bar: str) -> list[str]:
    """The lines of one row: a text too long for its column goes on below, the last column is flush right."""
    columns = [_wrap(text, width) for text, width in zip(texts, widths, strict=True)]
    lines = []
    for number in range(max(map(len, columns))):
        parts = [column[number] if number < len(column) else "" for column in columns]
        padded = [part.rjust(width) if index == len(widths) - 1 else part.ljust(width)
                  for index, (part, width) in enumerate(zip(parts, widths, strict=True))]
        lines.append(f"{bar} " + f" {bar} ".join(padded) + f" {bar}")
    return lines


def _wrap(text: str, width: int) -> list[str]:
    """Break at blanks where there are some, else anywhere."""
    lines = []
    while len(text) > width:
        cut = text.rfind(" ", 1, width + 1)
        cut = cut if cut > 0 else width
        lines.append(text[:cut])
        text = text[cut:].lstrip()
    return [*lines, text]


def _shape(shape: Sequence[int | None]) -> str:
    return "(" + ", ".join(str(size) for size in shape) + ("," if len(shape) == 1 else "") + ")"


def _memory(size: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} GB"
