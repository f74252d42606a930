# SPDX-License-Identifier: Apache-2.0
"""The table of a model's layers."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn.callbacks.terminal import terminal_columns
from fastrnn.graph.graph import Graph, reads
from fastrnn.graph.symbol import Node, Symbol

_TITLES = ("Layer (type)", "Output Shape", "Param #", "Connected to")
#: Where the columns end, as fractions of the table's width.
_LINE, _GRAPH = (0.45, 0.80, 1.0), (0.33, 0.60, 0.73, 1.0)


class Row(NamedTuple):
    """What the table says of a layer."""

    layer: Any
    shapes: list[Any]                   # of its outputs, None where one is not known
    read: list[str] | None = None       # the outputs that it reads, in a graph that is no line


def rows_of(graph: Graph) -> list[Row]:
    """The rows of a graph, in the order of its layers."""
    nodes = {id(layer): graph.nodes_of(layer) for layer in graph.layers}
    line = len(graph.inputs) == 1 and all(len(found) <= 1 for found in nodes.values()) and all(
        len(node.inputs) == 1 and node.inputs[0] is before
        for node, before in zip(graph.nodes, [graph.inputs[0], *(node.outputs[0] for node in graph.nodes)]))
    rows = []
    for layer in graph.layers:
        own = nodes[id(layer)]
        outputs = own[0].outputs if own else [s for s in graph.inputs if s.node.layer is layer]
        read = [_said(symbol, nodes) for node in own for symbol in reads(node)]
        rows.append(Row(layer, [symbol.shape for symbol in outputs], None if line else read))
    return rows


def _said(symbol: Symbol, nodes: dict[int, list[Node]]) -> str:
    """Which output of which call of which layer: "encoder[0][1]", as Keras says it."""
    calls = nodes.get(id(symbol.node.layer), [])
    number = next((index for index, node in enumerate(calls) if node is symbol.node), 0)
    return f"{symbol.node.layer.name}[{number}][{symbol.index}]"


def summary_lines(name: str, rows: Sequence[Row], trainable: Sequence[Any], non_trainable: Sequence[Any],
                  line_length: int | None = None, positions: Sequence[float] | None = None) -> list[str]:
    """The table of a model's layers and the counts of its parameters.

    Args:
        name: the model's name.
        rows: what it says of each layer; with a column of what the layers read, if they say that.
        trainable, non_trainable: the model's variables.
        line_length: width of the table in characters; None fits it to the terminal.
        positions: where the columns end: fractions of `line_length`, or numbers of characters.

    Raises:
        ValueError: positions that are not as many increasing numbers as there are columns, or a table too narrow.
    """
    graph = any(row.read is not None for row in rows)
    line_length = line_length or min(112 if graph else 88, terminal_columns(sys.stdout) - 4)
    widths = _column_widths(line_length, positions, _GRAPH if graph else _LINE)
    right = 2       # numbers are flush right
    lines = [f'Model: "{name}"', _rule("┏┳┓", "━", widths), *_row(_TITLES[:len(widths)], widths, "┃", right),
             _rule("┡╇┩", "━", widths)]
    for index, row in enumerate(rows):
        if index:
            lines.append(_rule("├┼┤", "─", widths))
        cells = [f"{row.layer.name} ({type(row.layer).__name__})", _shapes(row.shapes),
                 f"{row.layer.count_params():,}" if row.layer.built else "0 (unbuilt)"]
        lines += _row([*cells, ", ".join(row.read or ["-"])][:len(widths)], widths, "│", right)
    lines.append(_rule("└┴┘", "─", widths))
    groups = {"Total": [*trainable, *non_trainable], "Trainable": trainable, "Non-trainable": non_trainable}
    for title, variables in groups.items():
        count = sum(math.prod(variable.shape) for variable in variables)
        size = sum(math.prod(variable.shape) * np.dtype(variable.dtype).itemsize for variable in variables)
        lines.append(f" {title} params: {count:,} ({_memory(size)})")
    return lines


def _column_widths(line_length: int, positions: Sequence[float] | None, usual: Sequence[float]) -> list[int]:
    ends = list(positions or usual)
    if len(ends) != len(usual) or sorted(ends) != ends:
        raise ValueError(f"summary: positions must be {len(usual)} increasing numbers, got {positions}")
    if ends[-1] <= 1:
        ends = [end * line_length for end in ends]
    inner = [int(end) for end in ends]
    # A column has its text, a blank on each side, and a rule on its left; the table has one more rule on its right.
    widths = [end - start - 3 for start, end in zip([0, *inner], inner)]
    widths[-1] -= 1
    if min(widths) < 4:
        raise ValueError(f"summary: line_length {line_length} is too narrow for columns at {positions or 'default'}")
    return widths


def _rule(corners: str, line: str, widths: Sequence[int]) -> str:
    return corners[0] + corners[1].join(line * (width + 2) for width in widths) + corners[2]


def _row(texts: Sequence[str], widths: Sequence[int], bar: str, right: int) -> list[str]:
    """The lines of one row: a text too long for its column goes on below; that of index `right` is flush right."""
    columns = [_wrap(text, width) for text, width in zip(texts, widths, strict=True)]
    lines = []
    for number in range(max(map(len, columns))):
        parts = [column[number] if number < len(column) else "" for column in columns]
        padded = [part.rjust(width) if index == right else part.ljust(width)
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


def _shapes(shapes: Sequence[Any]) -> str:
    if len(shapes) == 1:
        return "?" if shapes[0] is None else _shape(shapes[0])
    return "[" + ", ".join(map(_shape, shapes)) + "]"


def _shape(shape: Sequence[int | None]) -> str:
    return "(" + ", ".join(str(size) for size in shape) + ("," if len(shape) == 1 else "") + ")"


def _memory(size: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} GB"
