# SPDX-License-Identifier: Apache-2.0
"""ONNX's operators on numbers: element by element, along an axis, and products of matrices; in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastrnn import activations as act
from fastrnn.activations.normal import erf
from fastrnn.saving.errors import shown
from fastrnn.saving.onnx.graph import DTYPES, Node, Unsupported
from fastrnn.saving.onnx.room import Room

Arrays = Sequence[Any]      # of np.ndarray, or None where an input was left out


def axes_of(node: Node, inputs: Arrays, place: int) -> tuple[int, ...] | None:
    """Axes, which are an attribute in older versions of many operators and an input in newer ones."""
    axes: Any = node.integers("axes")
    if len(inputs) > place and inputs[place] is not None:
        axes = inputs[place].reshape(-1).tolist()
    return None if axes is None else tuple(axes)


# one input ----------------------------------------------------------------------------------------------------------


def _of_one(function: Callable[[np.ndarray], np.ndarray]) -> Callable[..., Any]:
    return lambda node, inputs, room: function(inputs[0])


def _with(make: Callable[..., Any], **attributes: tuple[str, float]) -> Callable[..., Any]:
    """An activation whose arguments are a node's attributes: their names there, and defaults."""
    def run(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
        arguments = {ours: node.attribute(theirs, float, default) for ours, (theirs, default) in attributes.items()}
        return make(**arguments)(inputs[0])
    return run


def _hard_sigmoid(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    alpha, beta = node.attribute("alpha", float, 0.2), node.attribute("beta", float, 0.5)
    return np.clip(inputs[0] * inputs[0].dtype.type(alpha) + inputs[0].dtype.type(beta), 0, 1)


def _selu(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    x = inputs[0]
    alpha, gamma = node.attribute("alpha", float, act.selu.alpha), node.attribute("gamma", float, act.selu.scale)
    return x.dtype.type(gamma) * np.where(x > 0, x, x.dtype.type(alpha) * np.expm1(np.minimum(x, 0)))


def _thresholded_relu(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    return np.where(inputs[0] > node.attribute("alpha", float, 1.0), inputs[0], inputs[0].dtype.type(0))


def _gelu(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    return type(act.gelu)(approximate=node.attribute("approximate", str, "none") == "tanh")(inputs[0])


def _cast(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    node.attribute("saturate", int, 1)      # for dtypes of eight bits, which there are none of
    code = node.attribute("to", int, 0)
    if code not in DTYPES:
        raise Unsupported(f"attribute to: expected a dtype from {', '.join(DTYPES.values())}, got {code}")
    room.check(inputs[0].shape, DTYPES[code])
    return inputs[0].astype(DTYPES[code])


def _cast_like(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    room.check(inputs[0].shape, inputs[1].dtype)
    return inputs[0].astype(inputs[1].dtype)


def _dropout(node: Node, inputs: Arrays, room: Room) -> Any:
    """As in inference: without effect."""
    node.attribute("ratio", float, 0.5), node.attribute("seed", int)
    if len(inputs) > 2 and inputs[2] is not None and inputs[2].any():
        raise Unsupported("training_mode is not supported; export the model for inference")
    return inputs[0], np.ones(inputs[0].shape, bool)


def _clip(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    low, high = node.attribute("min", float), node.attribute("max", float)
    low = inputs[1] if len(inputs) > 1 and inputs[1] is not None else low
    high = inputs[2] if len(inputs) > 2 and inputs[2] is not None else high
    x = inputs[0]
    if low is not None:
        x = np.maximum(x, np.asarray(low, x.dtype).reshape(()))
    return x if high is None else np.minimum(x, np.asarray(high, x.dtype).reshape(()))


# several inputs -----------------------------------------------------------------------------------------------------


def _of_two(function: Callable[[np.ndarray, np.ndarray], np.ndarray], same: bool = True) -> Callable[..., Any]:
    def run(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
        if len(inputs) != 2 or (same and inputs[0].dtype != inputs[1].dtype):
            raise Unsupported(f"expected two inputs of one dtype, got {shown([x.dtype.name for x in inputs])}")
        room.check(np.broadcast_shapes(inputs[0].shape, inputs[1].shape), inputs[0].dtype)
        return function(*inputs)
    return run


def _of_many(function: Callable[[np.ndarray, np.ndarray], np.ndarray], mean: bool = False) -> Callable[..., Any]:
    def run(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
        if len({x.dtype for x in inputs}) != 1:
            raise Unsupported(f"expected inputs of one dtype, got {shown([x.dtype.name for x in inputs])}")
        room.check(np.broadcast_shapes(*(x.shape for x in inputs)), inputs[0].dtype)
        total = inputs[0]
        for x in inputs[1:]:
            total = function(total, x)
        return total / total.dtype.type(len(inputs)) if mean else total
    return run


def _divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    if a.dtype.kind == "f":
        return a / b
    if not b.all():
        raise Unsupported("division of whole numbers by zero")
    return (np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype)     # ONNX rounds towards zero


def _mod(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    return _of_two(np.fmod if node.attribute("fmod", int, 0) else np.mod)(node, inputs, room)


def _where(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    condition, a, b = inputs
    if a.dtype != b.dtype or condition.dtype != bool:
        raise Unsupported(f"expected bool and two of one dtype, got {shown([x.dtype.name for x in inputs])}")
    room.check(np.broadcast_shapes(condition.shape, a.shape, b.shape), a.dtype)
    return np.asarray(np.where(condition, a, b))


def _power(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.power(a, b).astype(a.dtype)


# along an axis ------------------------------------------------------------------------------------------------------


def _softmax(activation: Any) -> Callable[..., Any]:
    def run(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
        x = inputs[0]
        axis = node.attribute("axis", int, -1 if node.opset >= 13 else 1)
        if not x.size:
            return x
        if node.opset >= 13:
            return type(activation)(axis=axis)(x)
        rows = x.reshape(math.prod(x.shape[:axis % max(x.ndim, 1)]), -1)     # before opset 13, of all axes from this
        return type(activation)(axis=-1)(rows).reshape(x.shape)
    return run


def _reduce(function: Callable[..., np.ndarray]) -> Callable[..., Any]:
    def run(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
        keep = bool(node.attribute("keepdims", int, 1))
        nothing = node.attribute("noop_with_empty_axes", int, 0)
        axes = axes_of(node, inputs, 1)
        if not axes and nothing:
            return inputs[0]
        return np.asarray(function(inputs[0], axis=axes or None, keepdims=keep), inputs[0].dtype)
    return run


def _bounds(x: np.ndarray) -> tuple[Any, Any]:
    """The least and the greatest number of a dtype, which are the maximum and the minimum of none."""
    if x.dtype.kind == "f":
        return -np.inf, np.inf
    if x.dtype.kind == "b":
        return False, True
    return np.iinfo(x.dtype).min, np.iinfo(x.dtype).max


def _log_sum_exp(x: np.ndarray, axis: Any, keepdims: bool) -> np.ndarray:
    top = x.max(axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    total = np.log(np.exp(x - top).sum(axis=axis, keepdims=True)) + top
    return total if keepdims else np.squeeze(total, axis)


def _arg(function: Callable[..., np.ndarray]) -> Callable[..., Any]:
    def run(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
        axis, keep = node.attribute("axis", int, 0), bool(node.attribute("keepdims", int, 1))
        if node.attribute("select_last_index", int, 0):
            raise Unsupported("attribute select_last_index is not supported")
        return function(inputs[0], axis=axis, keepdims=keep).astype(np.int64)
    return run


def _cumulative_sum(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    x, axis = inputs[0], int(inputs[1].reshape(()))
    if node.attribute("reverse", int, 0):
        x = np.flip(x, axis)
    total = np.cumsum(x, axis=axis, dtype=x.dtype)
    if node.attribute("exclusive", int, 0):
        total = total - x
    return np.flip(total, axis) if node.attribute("reverse", int, 0) else total


def _layer_normalization(node: Node, inputs: Arrays, room: Room) -> tuple[np.ndarray, ...]:
    x = inputs[0]
    node.attribute("stash_type", int, 1)
    epsilon = x.dtype.type(node.attribute("epsilon", float, 1e-5))
    axes = tuple(range(node.attribute("axis", int, -1) % x.ndim, x.ndim))
    mean = x.mean(axes, keepdims=True)
    scale = 1 / np.sqrt(np.square(x - mean).mean(axes, keepdims=True) + epsilon)
    y = (x - mean) * scale * inputs[1]
    return y if len(inputs) < 3 or inputs[2] is None else y + inputs[2], mean, scale


def _batch_normalization(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    x, *parameters = inputs
    node.attribute("momentum", float, 0.9)
    if node.attribute("training_mode", int, 0):
        raise Unsupported("attribute training_mode is not supported; export the model for inference")
    scale, shift, mean, variance = (p.reshape(-1, *(1,) * (x.ndim - 2)) for p in parameters)
    epsilon = x.dtype.type(node.attribute("epsilon", float, 1e-5))
    return (x - mean) / np.sqrt(variance + epsilon) * scale + shift


# products -----------------------------------------------------------------------------------------------------------


def _product(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    a, b = inputs
    if a.dtype != b.dtype or not a.ndim or not b.ndim:
        raise Unsupported(f"expected two of one dtype, got {a.dtype} {a.shape} and {b.dtype} {b.shape}")
    rows = a.shape[-2:-1] if a.ndim > 1 else ()
    columns = b.shape[-1:] if b.ndim > 1 else ()
    room.check((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *rows, *columns), a.dtype)
    return np.matmul(a, b)


def _gemm(node: Node, inputs: Arrays, room: Room) -> np.ndarray:
    a = inputs[0].T if node.attribute("transA", int, 0) else inputs[0]
    b = inputs[1].T if node.attribute("transB", int, 0) else inputs[1]
    alpha, beta = node.attribute("alpha", float, 1.0), node.attribute("beta", float, 1.0)
    if a.ndim != 2 or b.ndim != 2 or a.dtype != b.dtype:
        raise Unsupported(f"expected two matrices of one dtype, got {a.dtype} {a.shape} and {b.dtype} {b.shape}")
    room.check((a.shape[0], b.shape[1]), a.dtype)
    y = np.matmul(a, b)
    if alpha != 1:
        y *= y.dtype.type(alpha)
    if len(inputs) > 2 and inputs[2] is not None:
        y += inputs[2] if beta == 1 else y.dtype.type(beta) * inputs[2]
    return y


#: What runs each operator: given the node, its inputs and the room for its outputs, it gives one output or a tuple.
OPERATORS: dict[str, Callable[[Node, Arrays, Room], Any]] = {
    **{name: _of_one(function) for name, function in dict[str, Any]({
        "Abs": np.abs, "Ceil": np.ceil, "Cos": np.cos, "Erf": erf, "Exp": np.exp, "Floor": np.floor,
        "HardSwish": act.hard_silu, "Identity": lambda x: x, "Log": np.log, "Mish": act.mish, "Neg": np.negative,
        "Not": np.logical_not, "Reciprocal": np.reciprocal, "Relu": lambda x: np.maximum(x, 0), "Round": np.rint,
        "Sigmoid": act.sigmoid, "Sign": np.sign, "Sin": np.sin, "Softplus": act.softplus, "Softsign": act.softsign,
        "Sqrt": np.sqrt, "Tanh": np.tanh}).items()},
    "Celu": _with(type(act.celu), alpha=("alpha", 1.0)), "Elu": _with(type(act.elu), alpha=("alpha", 1.0)),
    "LeakyRelu": _with(type(act.leaky_relu), negative_slope=("alpha", 0.01)),
    "HardSigmoid": _hard_sigmoid, "Selu": _selu, "ThresholdedRelu": _thresholded_relu, "Gelu": _gelu,
    "Cast": _cast, "CastLike": _cast_like, "Clip": _clip, "Dropout": _dropout,
    **{name: _of_two(function) for name, function in dict[str, Any]({
        "Add": np.add, "And": np.logical_and, "Div": _divide, "Equal": np.equal, "Greater": np.greater,
        "GreaterOrEqual": np.greater_equal, "Less": np.less, "LessOrEqual": np.less_equal, "Mul": np.multiply,
        "Or": np.logical_or, "PRelu": lambda x, slope: np.where(x > 0, x, slope * x), "Sub": np.subtract,
        "Xor": np.logical_xor}).items()},
    "Mod": _mod, "Pow": _of_two(_power, same=False), "Where": _where,
    "Max": _of_many(np.maximum), "Min": _of_many(np.minimum), "Sum": _of_many(np.add),
    "Mean": _of_many(np.add, mean=True),
    "Softmax": _softmax(act.softmax), "LogSoftmax": _softmax(act.log_softmax),
    **{f"Reduce{name}": _reduce(function) for name, function in dict[str, Any]({
        "L1": lambda x, **options: np.abs(x).sum(**options),
        "L2": lambda x, **options: np.sqrt(np.square(x).sum(**options)),
        "LogSum": lambda x, **options: np.log(x.sum(**options)), "LogSumExp": _log_sum_exp,
        "Max": lambda x, **options: x.max(initial=_bounds(x)[0], **options), "Mean": np.mean,
        "Min": lambda x, **options: x.min(initial=_bounds(x)[1], **options), "Prod": np.prod, "Sum": np.sum,
        "SumSquare": lambda x, **options: np.square(x).sum(**options)}).items()},
    "ArgMax": _arg(np.argmax), "ArgMin": _arg(np.argmin), "CumSum": _cumulative_sum,
    "LayerNormalization": _layer_normalization, "BatchNormalization": _batch_normalization,
    "MatMul": _product, "Gemm": _gemm,
}
