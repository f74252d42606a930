# SPDX-License-Identifier: Apache-2.0
"""Layers that merge several inputs, feature by feature or side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastrnn.layers import Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract
from fastrnn.serving.c_export.source import Source, Value, described, literal

_SIGNS: dict[type, str] = {Add: "+", Average: "+", Subtract: "-", Multiply: "*", Maximum: "<", Minimum: ">"}


def merge(source: Source, layer: Any, xs: Sequence[Value]) -> list[Value]:
    """One input after the other; one of width 1 goes with all features."""
    _of_one_kind(layer, xs)
    width = max(x.width for x in xs)
    if any(x.width not in (1, width) for x in xs):
        raise ValueError(f"{layer}: expected inputs of one width, got {', '.join(str(x.width) for x in xs)}")
    source.line(f"/* {described(layer)} of {len(xs)} */")
    result = source.result(layer, width)
    parts = [f"{x.code}[{'0' if x.width < width else 'j'}]" for x in xs]
    sign = _SIGNS[type(layer)]
    if sign in "<>":
        with source.block(f"for (int j = 0; j < {width}; j++)"):
            source.line(f"float found = {parts[0]};")
            for part in parts[1:]:
                source.line(f"found = found {sign} {part} ? {part} : found;")
            source.line(f"{result}[j] = found;")
    else:
        total = f" {sign} ".join(parts)
        source.each(width, f"{result}[j] = {f'({total}) / {literal(len(xs))}' if type(layer) is Average else total};")
    return [Value(result, width, xs[0].sequence)]


def concatenate(source: Source, layer: Concatenate, xs: Sequence[Value]) -> list[Value]:
    """One input's features after the other's."""
    _of_one_kind(layer, xs)
    rank = 2 + xs[0].sequence
    if layer.axis % rank != rank - 1:
        raise ValueError(f"{layer} axis: expected that of the features, the last, since C has one time step at a time, "
                         f"got {layer.axis}")
    source.line(f"/* {described(layer)} of {len(xs)} */")
    width = sum(x.width for x in xs)
    y = source.result(layer, width)
    start = 0
    for x in xs:
        source.call("copy", f"{y} + {start}" if start else y, x.width, x.code)
        start += x.width
    return [Value(y, width, xs[0].sequence)]


def _of_one_kind(layer: Any, xs: Sequence[Value]) -> None:
    if len({x.sequence for x in xs}) > 1:
        raise ValueError(f"{layer}: merges what there is of each time step with what there is of the whole sequence, "
                         "which is not known before its end")
