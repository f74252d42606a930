# SPDX-License-Identifier: Apache-2.0
"""How many elements a function makes, or goes through, where these are more than those of its operands: so that no
file has it make too many."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fastrnn.graph.symbol import flatten

Shapes = list[tuple[int, ...]]
Options = Mapping[str, Any]


def _all(shapes: Shapes, options: Options) -> int:
    """Those of all operands, which are put beside each other."""
    return sum(map(math.prod, shapes))


def _each_with_each(shapes: Shapes, options: Options) -> int:
    return math.prod(map(math.prod, shapes)) * len(shapes)


def broadcast(shapes: Shapes, options: Options) -> int:
    """Those of the shape that the operands' make together."""
    return math.prod(np.broadcast_shapes(*shapes))


def _summed_over_last(shapes: Shapes, options: Options) -> int:
    return math.prod(map(math.prod, shapes)) // max(1, shapes[0][-1]) ** 2 if all(shapes) else 0


def _tensordot(shapes: Shapes, options: Options) -> int:
    first, axes = shapes[0], options.get("axes", 2)
    summed = first[len(first) - axes:] if isinstance(axes, int) else [first[axis] for axis in np.atleast_1d(axes[0])]
    return math.prod(map(math.prod, shapes)) // max(1, math.prod(summed)) ** 2


def _einsum(shapes: Shapes, options: Options) -> int:
    """Those that the sums go through: one for each value of all indices."""
    sizes: dict[str, int] = {}
    for indices, shape in zip(options["subscripts"].replace(" ", "").split("->")[0].split(","), shapes):
        before, dots, after = indices.partition("...")
        names = [*before, *([f"...{i}" for i in range(len(shape) - len(before) - len(after))] if dots else []), *after]
        for name, size in zip(names, shape):
            sizes[name] = max(size, sizes.get(name, 1))
    return math.prod(sizes.values())


def _times(option: str) -> Callable[[Shapes, Options], int]:
    """The first operand's, times an option, or the product of a list."""
    def elements(shapes: Shapes, options: Options) -> int:
        return math.prod(shapes[0]) * math.prod(abs(factor) for factor in flatten(options[option]))
    return elements


def _of_option(option: str) -> Callable[[Shapes, Options], int]:
    return lambda shapes, options: math.prod(abs(size or 1) for size in flatten(options[option]))


def _repeat(shapes: Shapes, options: Options) -> int:
    return math.prod(shapes[0]) * max(flatten(options["repeats"]))


def _pad(shapes: Shapes, options: Options) -> int:
    added = sum(map(abs, flatten(options["pad_width"])))
    return math.prod(size + 2 * added for size in shapes[0])


def _diag(shapes: Shapes, options: Options) -> int:
    return (max(shapes[0]) + abs(options.get("k", 0))) ** 2


def _diff(shapes: Shapes, options: Options) -> int:
    return math.prod(shapes[0]) * abs(options.get("n", 1))


def _take(shapes: Shapes, options: Options) -> int:
    axis = options.get("axis")
    return math.prod(shapes[1]) * (1 if axis is None else math.prod(shapes[0]) // max(1, shapes[0][axis]))


#: By the name of the function; of two operands `x1` and `x2` it is `broadcast` where there is nothing else.
ELEMENTS: dict[str, Callable[[Shapes, Options], int]] = {
    "append": _all, "concatenate": _all, "hstack": _all, "stack": _all, "vstack": _all,
    "broadcast_to": _of_option("shape"), "scatter": _of_option("shape"),
    "one_hot": _times("num_classes"), "multi_hot": _times("num_classes"), "tile": _times("repeats"),
    "repeat": _repeat, "pad": _pad, "diag": _diag, "diff": _diff, "take": _take,
    "outer": _each_with_each, "meshgrid": _each_with_each, "isin": _each_with_each, "cdist": _each_with_each,
    "dot": _summed_over_last, "inner": _summed_over_last, "tensordot": _tensordot, "einsum": _einsum,
    "where": broadcast,
}  # fmt: skip
