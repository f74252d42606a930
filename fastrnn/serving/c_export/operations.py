# SPDX-License-Identifier: Apache-2.0
"""Arithmetic on symbols: what `x + y`, `2 * x`, `x[:, -1]` and their like are for one time step."""

from __future__ import annotations

from collections.abc import Sequence

from fastrnn.layers.operation import Operation
from fastrnn.serving.c_export.normalization import of_features
from fastrnn.serving.c_export.source import Source, Value, described

#: By the name of the function, the expression of its operands.
_EXPRESSIONS = {
    "Add": "{} + {}", "Subtract": "{} - {}", "Multiply": "{} * {}", "TrueDivide": "{} / {}", "Power": "powf({}, {})",
    "Negative": "-{}", "Absolute": "fabsf({})"}


def operation(source: Source, layer: Operation, xs: Sequence[Value]) -> list[Value]:
    """A function of its inputs and constants, feature by feature; or a part of the input."""
    name = layer.function.name
    if name == "GetItem":
        return [_part(layer, xs[0])]
    if name not in _EXPRESSIONS:
        raise ValueError(f"{layer}: {name} has no form in C; there are {', '.join([*_EXPRESSIONS, 'GetItem'])}")
    if len({x.sequence for x in xs}) > 1:
        raise ValueError(f"{layer}: takes what there is of each time step with what there is of the whole sequence, "
                         "which is not known before its end")
    width, inputs, operands = max(x.width for x in xs), iter(xs), []
    for number, constant in enumerate(layer._constants or ()):
        if constant is None:
            x = next(inputs)
            operands.append(f"{x.code}[{'0' if x.width < width else 'j'}]")
        else:
            values = of_features(layer, "operand", constant, width)
            operands.append(f"{source.constant(layer, f'operand_{number}', values, '(features)')}[j]")
    source.line(f"/* {described(layer)} */")
    y = source.result(layer, width)
    if "f(" in _EXPRESSIONS[name]:
        source.headers.add("math.h")
    source.each(width, f"{y}[j] = {_EXPRESSIONS[name].format(*operands)};")
    return [Value(y, width, xs[0].sequence)]


def _part(layer: Operation, x: Value) -> Value:
    """Some of the features, or the last time step."""
    key = layer._options[0]
    axes = 2 + x.sequence
    if Ellipsis in key:
        place = key.index(Ellipsis)
        key = (*key[:place], *[slice(None)] * (axes - len(key) + 1), *key[place + 1:])
    key = (*key, *[slice(None)] * (axes - len(key)))
    whole, last, features = slice(None), x.sequence and key[1] == -1, key[-1]
    if len(key) != axes or key[0] != whole or (x.sequence and key[1] not in (whole, -1)) \
            or not isinstance(features, slice) or features.step not in (None, 1):
        raise ValueError(f"{layer} key: expected all samples, all time steps or the last, and some features that lie "
                         f"side by side, as x[:, -1, 2:5], got {key}")
    start, stop, _ = features.indices(x.width)
    if stop <= start:
        raise ValueError(f"{layer} key: expected at least one of {x.width} features, got {features}")
    return Value(f"({x.code} + {start})" if start else x.code, stop - start, x.sequence and not last)
