# SPDX-License-Identifier: Apache-2.0
"""The layers that merge several inputs as ONNX's operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn.layers import Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract
from fastrnn.layers.base import Layer
from fastrnn.saving.onnx.builder import GraphBuilder

Mask = str | None


class Given(NamedTuple):
    """What a layer is called on: the inputs, their masks, and how many axes they have.

    A mask has all axes but the last of its input.
    """

    xs: list[str]
    masks: list[Mask]
    ranks: list[int]


#: What adds a layer's nodes, and gives the output and the mask that goes with it.
Merges = Callable[[GraphBuilder, Any, Given], tuple[str, Mask]]


def _raised(graph: GraphBuilder, x: str, rank: int, to: int) -> str:
    """With axes of length 1 behind the batch, up to a rank."""
    axes = list(range(1, 1 + to - rank))
    return graph.add("Unsqueeze", x, graph.constant(axes, "axes", "int64")) if axes else x


def _aligned(graph: GraphBuilder, given: Given) -> tuple[list[str], list[Mask]]:
    """Inputs, and masks, of one rank."""
    rank = max(given.ranks)
    last = graph.constant([-1], "last", "int64")
    return ([_raised(graph, x, own, rank) for x, own in zip(given.xs, given.ranks)],
            [None if mask is None else _raised(graph, graph.add("Unsqueeze", mask, last), own, rank)
             for mask, own in zip(given.masks, given.ranks)])


def _either(graph: GraphBuilder, masks: Sequence[Mask]) -> Mask:
    """Of a step that any input has unmasked; None if an input has no mask."""
    if any(mask is None for mask in masks):
        return None
    found = masks[0]
    for mask in masks[1:]:
        found = graph.add("Or", found or "", mask or "")
    return found


def _folded(operator: str) -> Merges:
    def merge(graph: GraphBuilder, layer: Layer, given: Given) -> tuple[str, Mask]:
        y, *rest = _aligned(graph, given)[0]
        for x in rest:
            y = graph.add(operator, y, x)
        return y, _either(graph, given.masks)
    return merge


def _average(graph: GraphBuilder, layer: Layer, given: Given) -> tuple[str, Mask]:
    total, mask = _folded("Add")(graph, layer, given)
    return graph.add("Div", total, graph.constant(len(given.xs), "count")), mask


def _chosen(operator: str, neutral: float, otherwise: float | None) -> Merges:
    """A masked step counts as the neutral value; where all are masked, the output is the value given, or the first
    input."""
    def merge(graph: GraphBuilder, layer: Layer, given: Given) -> tuple[str, Mask]:
        xs, masks = _aligned(graph, given)
        fill = graph.constant(neutral, "neutral") if any(masks) else ""
        y, *rest = [x if mask is None else graph.add("Where", mask, x, fill) for x, mask in zip(xs, masks)]
        for x in rest:
            y = graph.add(operator, y, x)
        visible = _either(graph, masks)
        if visible is not None:
            y = graph.add("Where", visible, y, xs[0] if otherwise is None else graph.constant(otherwise, "masked"))
        return y, _either(graph, given.masks)
    return merge


def _concatenate(graph: GraphBuilder, layer: Concatenate, given: Given) -> tuple[str, Mask]:
    kinds = {graph.kind(x) for x in given.xs}
    kind = next(iter(kinds)) if len(kinds) == 1 else graph.dtype if graph.dtype in kinds else "int64"
    xs = [graph.of_kind(x, kind) for x in given.xs]
    y = graph.as_kind(graph.add("Concat", *xs, axis=layer.axis), kind)
    rank = given.ranks[0]
    if all(mask is None for mask in given.masks):
        return y, None
    if layer.axis % rank == rank - 1:       # of the features: without one of the masks every step counts
        return y, _either(graph, given.masks)
    wide = [_ones(graph, x) if mask is None else mask for x, mask in zip(xs, given.masks)]
    return y, graph.add("Concat", *wide, axis=layer.axis % rank)


def _ones(graph: GraphBuilder, x: str) -> str:
    """A mask that lets every step count."""
    start, end = graph.constant([0], "start", "int64"), graph.constant([-1], "end", "int64")
    outer = graph.add("Slice", graph.add("Shape", x), start, end)
    return graph.add("ConstantOfShape", outer, value=graph.onnx.numpy_helper.from_array(np.ones(1, bool)))


def _dot(graph: GraphBuilder, layer: Dot, given: Given) -> tuple[str, Mask]:
    if max(given.ranks) > 3:
        raise ValueError(f"{layer}: has no form in ONNX for inputs of {max(given.ranks)} axes; there is one for up to "
                         "3")
    axes = layer._axes([(None,) * rank for rank in given.ranks])
    one, two = (_last(graph, x, rank, axis) for x, rank, axis in zip(given.xs, given.ranks, axes))
    if layer.normalize:
        one, two = _normalized(graph, one), _normalized(graph, two)
    y = graph.add("MatMul", one, graph.add("Transpose", two, perm=[0, 2, 1]))
    gone = [2] if given.ranks[1] == 2 else [1] if given.ranks[0] == 2 else []
    return graph.add("Squeeze", y, graph.constant(gone, "axes", "int64")) if gone else y, None


def _last(graph: GraphBuilder, x: str, rank: int, axis: int) -> str:
    """(batch, the other axis or 1, the axis)."""
    if rank == 2:
        return graph.add("Unsqueeze", x, graph.constant([1], "axes", "int64"))
    return x if axis == 2 else graph.add("Transpose", x, perm=[0, 2, 1])


def _normalized(graph: GraphBuilder, x: str) -> str:
    square, axis = graph.add("Mul", x, x), graph.constant([-1], "last", "int64")
    norm = graph.add("Sqrt", graph.add("ReduceSum", square, axis, keepdims=1))
    inverse = graph.add("Min", graph.add("Reciprocal", norm), graph.constant(1 / np.float32(1e-7), "largest"))
    return graph.add("Mul", x, inverse)


MERGES: dict[type[Layer], Merges] = {
    Add: _folded("Add"), Subtract: _folded("Sub"), Average: _average, Multiply: _chosen("Mul", 1, 0),
    Maximum: _chosen("Max", -np.inf, None), Minimum: _chosen("Min", np.inf, None), Concatenate: _concatenate, Dot: _dot}
