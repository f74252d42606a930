# SPDX-License-Identifier: Apache-2.0
"""ONNX's operators on shapes and indices, in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastrnn.saving.errors import shown
from fastrnn.saving.onnx.graph import Node, Unsupported
from fastrnn.saving.onnx.pointwise import Arrays, axes_of
from fastrnn.saving.onnx.room import Room


def numbers(array: np.ndarray, what: str) -> list[int]:
    """A small array of whole numbers as a list."""
    if array.dtype.kind not in "iu" or array.ndim > 1 or array.size > 1000:
        raise Unsupported(f"{what}: expected a list of whole numbers, got {array.dtype} of shape {array.shape}")
    return array.reshape(-1).tolist()


def number(array: np.ndarray, what: str) -> int:
    """The one whole number of an array."""
    found = numbers(array, what)
    if len(found) != 1:
        raise Unsupported(f"{what}: expected one number, got {len(found)}")
    return found[0]


def _optional(inputs: Arrays, place: int) -> Any:
    return inputs[place] if len(inputs) > place else None


def axis_within(axis: int, rank: int) -> int:
    """An axis, which may count from the end, as a number from zero."""
    if not -rank <= axis < rank:
        raise Unsupported(f"axis: expected one of {rank}, got {axis}")
    return axis % rank


# making -------------------------------------------------------------------------------------------------------------


def _constant(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    values = [node.attribute("value", np.ndarray), node.attribute("value_float", float),
              node.attribute("value_int", int), node.attribute("value_floats", list), node.integers("value_ints")]
    found = [(value, dtype) for value, dtype in zip(values, (None, "f4", "i8", "f4", "i8")) if value is not None]
    if len(found) != 1:
        raise Unsupported(f"expected one value, got {len(found)} that are numbers")
    return np.asarray(*found[0])


def _constant_of_shape(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    value = node.attribute("value", np.ndarray, np.zeros(1, np.float32))
    shape = numbers(inputs[0], "shape")
    room.check(shape, value.dtype)
    return np.full(shape, value.reshape(()), value.dtype)


def _range(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    start, end, step = (x.reshape(()) for x in inputs)
    if not step:
        raise Unsupported("step: expected another number than zero")
    count = max(0, math.ceil((end.item() - start.item()) / step.item()))
    room.check([count], start.dtype)
    return start + step * np.arange(count, dtype=start.dtype)


def _one_hot(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    indices, values = inputs[0].astype(np.int64), inputs[2]
    depth = number(inputs[1].astype(np.int64), "depth")
    axis = axis_within(node.attribute("axis", int, -1), indices.ndim + 1)
    room.check((*indices.shape, depth), values.dtype)
    indices = np.where(indices < 0, indices + depth, indices)
    hot = np.expand_dims(indices, axis) == np.arange(depth).reshape(-1, *(1,) * (indices.ndim - axis))
    return np.where(hot, values[1], values[0])


# shapes -------------------------------------------------------------------------------------------------------------


def _shape(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    start, end = node.attribute("start", int, 0), node.attribute("end", int)
    return np.array(inputs[0].shape[start:end], np.int64)


def _reshape(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    shape, zero = numbers(inputs[1], "shape"), node.attribute("allowzero", int, 0)
    if not zero:
        shape = [inputs[0].shape[axis] if size == 0 else size for axis, size in enumerate(shape)]
    return inputs[0].reshape(shape)


def _flatten(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    axis, x = node.attribute("axis", int, 1), inputs[0]
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def _squeeze(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    return np.squeeze(inputs[0], axes_of(node, inputs, 1))


def _unsqueeze(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    axes = axes_of(node, inputs, 1)
    if axes is None or len(axes) > 8:
        raise Unsupported(f"axes: expected up to eight, got {axes and len(axes)}")
    return np.expand_dims(inputs[0], axes)


def _transpose(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    return np.transpose(inputs[0], node.integers("perm"))


def _expand(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    shape = np.broadcast_shapes(inputs[0].shape, tuple(numbers(inputs[1], "shape")))
    room.check(shape, inputs[0].dtype)
    return np.broadcast_to(inputs[0], shape)


def _tile(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    repeats = numbers(inputs[1], "repeats")
    if len(repeats) != inputs[0].ndim or min(repeats, default=0) < 0:
        raise Unsupported(f"repeats: expected {inputs[0].ndim} numbers from zero, got {shown(repeats)}")
    room.check([size * count for size, count in zip(inputs[0].shape, repeats)], inputs[0].dtype)
    return np.tile(inputs[0], repeats)


def _pad(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    x, mode = inputs[0], node.attribute("mode", str, "constant")
    axes: Sequence[int]
    pads = node.integers("pads") or numbers(inputs[1], "pads")
    value = _optional(inputs, 2)
    value = node.attribute("value", float, 0.0) if value is None else value.reshape(())
    axes = range(x.ndim)
    if _optional(inputs, 3) is not None:
        axes = [axis_within(axis, x.ndim) for axis in numbers(inputs[3], "axes")]
    if len(pads) != 2 * len(axes) or min(pads, default=0) < 0 or mode not in ("constant", "edge", "reflect", "wrap"):
        raise Unsupported(f"pads, mode: expected {2 * len(axes)} numbers from zero and a known mode, got "
                          f"{shown(pads)}, {shown(mode)}")
    widths = [(0, 0)] * x.ndim
    for place, axis in enumerate(axes):
        widths[axis] = (pads[place], pads[place + len(axes)])
    room.check([size + sum(width) for size, width in zip(x.shape, widths)], x.dtype)
    options: Any = {"constant_values": value} if mode == "constant" else {}
    return np.pad(x, widths, mode, **options)


# parts --------------------------------------------------------------------------------------------------------------


def _concat(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    axis = axis_within(node.attribute("axis", int, 1), inputs[0].ndim)
    if len({x.dtype for x in inputs}) != 1:
        raise Unsupported(f"expected inputs of one dtype, got {shown([x.dtype.name for x in inputs])}")
    room.check((sum(x.size for x in inputs),), inputs[0].dtype)
    return np.concatenate(inputs, axis)


#: Starts, ends, axes and steps: lists of one length.
SliceBounds = tuple[list[int], list[int], list[int], list[int]]


def slice_bounds(node: Node, inputs: Arrays) -> SliceBounds:
    """Starts, ends, axes and steps of a Slice, which are attributes in older versions and inputs in newer ones."""
    starts, ends, axes = node.integers("starts"), node.integers("ends"), node.integers("axes")
    steps: list[int] | None = None
    if len(inputs) > 1:
        starts, ends = numbers(inputs[1], "starts"), numbers(inputs[2], "ends")
        given = [_optional(inputs, place) for place in (3, 4)]
        axes, steps = (None if one is None else numbers(one, "axes or steps") for one in given)
    if starts is None or ends is None:
        raise Unsupported("expected starts and ends")
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise Unsupported(f"starts, ends, axes, steps: expected equal lengths and no step of zero, got "
                          f"{', '.join(map(shown, (starts, ends, axes, steps)))}")
    return starts, ends, axes, steps


def slice_index(bounds: SliceBounds, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """NumPy's index of a Slice, for an array of that shape."""
    index = [slice(None)] * len(shape)
    for start, end, axis, step in zip(*bounds):
        axis = axis_within(axis, len(shape))
        # A backward slice's end before the first element has no number in Python.
        stop = None if step < 0 and end < 0 and end + shape[axis] < 0 else end
        index[axis] = slice(start, stop, step)
    return tuple(index)


def _slice(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    return inputs[0][slice_index(slice_bounds(node, inputs), inputs[0].shape)]


def _split(node: Node, inputs: Arrays, room: Room) -> tuple[np.ndarray, ...]:
    x = inputs[0]
    axis = axis_within(node.attribute("axis", int, 0), x.ndim)
    sizes = node.integers("split")
    parts = node.attribute("num_outputs", int, len(node.outputs))
    if _optional(inputs, 1) is not None:
        sizes = numbers(inputs[1], "split")
    if sizes is None:
        each = -(-x.shape[axis] // max(parts, 1))
        sizes = [min(each, x.shape[axis] - each * part) for part in range(len(node.outputs))]
    if len(sizes) != len(node.outputs) or sum(sizes) != x.shape[axis] or min(sizes) < 0:
        raise Unsupported(f"split: expected {len(node.outputs)} sizes that make {x.shape[axis]}, got {shown(sizes)}")
    return tuple(np.split(x, np.cumsum(sizes)[:-1], axis))


def _gather(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    x, indices = inputs
    axis = axis_within(node.attribute("axis", int, 0), x.ndim)
    room.check((*x.shape[:axis], *indices.shape, *x.shape[axis + 1:]), x.dtype)
    return np.take(x, indices, axis)


def _gather_elements(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    x, indices = inputs
    axis = axis_within(node.attribute("axis", int, 0), x.ndim)
    if indices.ndim != x.ndim or any(i > size for a, (i, size) in enumerate(zip(indices.shape, x.shape)) if a != axis):
        raise Unsupported(f"indices: expected a shape within {x.shape} but for axis {axis}, got {indices.shape}")
    room.check(indices.shape, x.dtype)
    part = x[tuple(slice(None if a == axis else size) for a, size in enumerate(indices.shape))]
    return np.take_along_axis(part, indices, axis)


def _gather_nd(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    x, indices = inputs
    batch = node.attribute("batch_dims", int, 0)
    depth = indices.shape[-1] if indices.ndim else 0
    if not 0 <= batch < min(x.ndim, indices.ndim) or not 0 < depth <= x.ndim - batch \
            or x.shape[:batch] != indices.shape[:batch]:
        raise Unsupported(f"expected indices that fit {x.shape} with batch_dims={batch}, got {indices.shape}")
    room.check((*indices.shape[:-1], *x.shape[batch + depth:]), x.dtype)
    own = np.ogrid[tuple(slice(size) for size in x.shape[:batch])] if batch else []
    rest = indices.ndim - 1 - batch
    first = [one.reshape(*one.shape, *(1,) * rest) for one in own]
    return x[(*first, *(indices[..., place] for place in range(depth)))]


def _top_k(node: Node, inputs: Arrays, room: Room) -> tuple[np.ndarray, np.ndarray]:
    x = inputs[0]
    axis = axis_within(node.attribute("axis", int, -1), x.ndim)
    largest = node.attribute("largest", int, 1)
    node.attribute("sorted", int, 1)
    k = node.attribute("k", int, 0) if len(inputs) < 2 else number(inputs[1], "k")
    if not 0 <= k <= x.shape[axis]:
        raise Unsupported(f"k: expected a number from 0 to {x.shape[axis]}, got {k}")
    room.check(x.shape, np.int64)
    if largest:     # of equal ones, the first comes first
        order = x.shape[axis] - 1 - np.flip(np.argsort(np.flip(x, axis), axis, kind="stable"), axis)
    else:
        order = np.argsort(x, axis, kind="stable")
    order = np.take(order, np.arange(k), axis)
    return np.take_along_axis(x, order, axis), order.astype(np.int64)


def _reverse_sequence(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    x, lengths = inputs
    time, batch = node.attribute("time_axis", int, 0), node.attribute("batch_axis", int, 1)
    if {time, batch} != {0, 1} or lengths.shape != (x.shape[batch],) or lengths.min(initial=0) < 0 \
            or lengths.max(initial=0) > x.shape[time]:
        raise Unsupported(f"expected lengths from 0 to {x.shape[time]}, one a sequence, got {lengths.shape}")
    steps = np.arange(x.shape[time])[:, None]
    places = np.where(steps < lengths, lengths - 1 - steps, steps)      # (time, batch)
    places = places if time == 0 else places.T
    return np.take_along_axis(x, places.reshape(*places.shape, *(1,) * (x.ndim - 2)), time)


def _non_zero(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    room.check((inputs[0].ndim, inputs[0].size), np.int64)
    return np.array(np.nonzero(inputs[0]), np.int64)


#: As `pointwise.OPERATORS`.
OPERATORS: dict[str, Callable[[Node, Arrays, Room], Any]] = {
    "Constant": _constant, "ConstantOfShape": _constant_of_shape, "Range": _range, "OneHot": _one_hot,
    "Shape": _shape, "Size": lambda node, inputs, room: np.array(inputs[0].size, np.int64), "Reshape": _reshape,
    "Flatten": _flatten, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze, "Transpose": _transpose, "Expand": _expand,
    "Tile": _tile, "Pad": _pad, "Concat": _concat, "Slice": _slice, "Split": _split, "Gather": _gather,
    "GatherElements": _gather_elements, "GatherND": _gather_nd, "TopK": _top_k, "ReverseSequence": _reverse_sequence,
    "NonZero": _non_zero,
}
