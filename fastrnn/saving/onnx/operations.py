# SPDX-License-Identifier: Apache-2.0
"""Operations on arrays, which `+` and `[]` on symbols make, as ONNX's operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn.layers.core.function_call import FunctionCall
from fastrnn.layers.operation import Operation
from fastrnn.saving.onnx.builder import GraphBuilder

_OPERATORS = {
    "Add": "Add", "Subtract": "Sub", "Multiply": "Mul", "TrueDivide": "Div", "Power": "Pow", "Matmul": "MatMul",
    "Negative": "Neg", "Absolute": "Abs", "Less": "Less", "LessEqual": "LessOrEqual", "Greater": "Greater",
    "GreaterEqual": "GreaterOrEqual", "Equal": "Equal", "NotEqual": "Equal"}
_LIMITS = np.iinfo(np.int64)


def operation(graph: GraphBuilder, layer: Operation, xs: Sequence[str], ranks: Sequence[int]) -> str:
    """Add the nodes of an operation.

    Raises:
        ValueError: it has no form in ONNX.
    """
    name = type(layer).__name__
    if name == "GetItem":
        return graph.as_kind(_item(graph, xs[0], layer._options[0], ranks[0]), graph.kind(xs[0]))
    if name not in _OPERATORS:
        raise ValueError(f"{layer}: {name} has no form in ONNX; there are {', '.join([*_OPERATORS, 'GetItem'])}")
    constants = layer._constants or ()
    kinds = {graph.kind(x) for x in xs}
    kinds |= {graph.dtype for one in constants if one is not None and one.dtype.kind == "f"}
    result = layer.function.result
    kind = graph.dtype if graph.dtype in kinds or result == "float" else "bool" if kinds == {"bool"} else "int64"
    inputs = iter(xs)
    operands = [graph.of_kind(next(inputs), kind) if one is None else graph.constant(one, "operand", kind)
                for one in constants]
    y = graph.as_kind(graph.add(_OPERATORS[name], *operands), "bool" if result == "bool" else kind)
    return graph.as_kind(graph.add("Not", y), "bool") if name == "NotEqual" else y


#: Functions that Keras's layers compute masks with, and options of theirs that are given.
_OF_MASKS = {"LogicalOr": (), "ConvertToTensor": (), "ExpandDims": ("axis",), "Concatenate": ("axis",),
             "Any": ("axis", "keepdims"), "ZerosLike": (), "OnesLike": ()}


def mask_operation(graph: GraphBuilder, layer: FunctionCall, xs: Sequence[str]) -> str:
    """Add the nodes of a function that makes a mask.

    Raises:
        ValueError: it is another function, or of other arrays than masks.
    """
    arguments = layer.given
    name = type(layer).__name__
    shapes_alone = name in ("ZerosLike", "OnesLike")
    if name not in _OF_MASKS or not set(_OF_MASKS[name]) <= arguments.keys() or not (
            arguments.get("dtype") == "bool" if shapes_alone else all(graph.kind(x) == "bool" for x in xs)):
        raise ValueError(f"{layer}: {name} has no form in ONNX; there are {', '.join([*_OPERATORS, 'GetItem'])}, and "
                         f"of masks {', '.join(_OF_MASKS)}")
    if name == "LogicalOr":
        y = graph.add("Or", *xs)
    elif name == "ConvertToTensor":
        y = graph.add("Identity", xs[0])
    elif name == "ExpandDims":
        y = graph.add("Unsqueeze", xs[0], graph.constant([arguments["axis"]], "axes", "int64"))
    elif name == "Concatenate":
        y = graph.add("Concat", *xs, axis=arguments["axis"])
    elif name == "Any":
        counts = graph.add("Cast", xs[0], to=graph.onnx.TensorProto.INT64)
        total = graph.add("ReduceSum", counts, graph.constant([arguments["axis"]], "axes", "int64"),
                          keepdims=int(arguments["keepdims"]))
        y = graph.add("Greater", total, graph.constant(0, "none", "int64"))
    else:
        value = graph.onnx.numpy_helper.from_array(np.full(1, name == "OnesLike"))
        y = graph.add("ConstantOfShape", graph.add("Shape", xs[0]), value=value)
    return graph.as_kind(y, "bool")


def _item(graph: GraphBuilder, x: str, key: Sequence[Any], rank: int) -> str:
    """`x[key]`: the slices at once, then the single indices, then the new axes."""
    taken = sum(part is not None and part is not Ellipsis for part in key)
    slices, single, new = list[tuple[int, slice]](), list[tuple[int, int]](), list[int]()
    axis = out = 0
    for part in key if Ellipsis in key else (*key, Ellipsis):
        if part is None:
            new.append(out)
            out += 1
        elif part is Ellipsis:
            axis, out = axis + rank - taken, out + rank - taken
        elif isinstance(part, slice):
            if part != slice(None):
                slices.append((axis, part))
            axis, out = axis + 1, out + 1
        else:
            single.append((axis, part))
            axis += 1
    if slices:
        ends = []
        for _, part in slices:
            back = (part.step or 1) < 0
            ends.append((part.start if part.start is not None else _LIMITS.max if back else 0,
                         part.stop if part.stop is not None else _LIMITS.min if back else _LIMITS.max, part.step or 1))
        starts, stops, steps = (graph.constant(list(column), name, "int64")
                                for column, name in zip(zip(*ends), ("starts", "ends", "steps")))
        x = graph.add("Slice", x, starts, stops, graph.constant([axis for axis, _ in slices], "axes", "int64"), steps)
    for axis, part in reversed(single):
        x = graph.add("Gather", x, graph.constant(part, "index", "int64"), axis=axis)
    return graph.add("Unsqueeze", x, graph.constant(new, "axes", "int64")) if new else x
