# SPDX-License-Identifier: Apache-2.0
"""Keras 2's layers of TensorFlow's functions, which `+` and `[]` made of symbols, as operations on arrays."""

from __future__ import annotations

from typing import Any

from fastrnn.graph.blueprint import Blueprint, CallPlan, LayerPlan

_MODULE = "keras.src.ops.numpy"
#: The operations, by the function's name without "tf.".
_FUNCTIONS = {
    "__operators__.add": "Add", "math.add": "Add", "math.subtract": "Subtract", "math.multiply": "Multiply",
    "math.truediv": "TrueDivide", "math.divide": "TrueDivide", "math.pow": "Power", "linalg.matmul": "Matmul",
    "math.negative": "Negative", "math.abs": "Absolute", "math.less": "Less", "math.less_equal": "LessEqual",
    "math.greater": "Greater", "math.greater_equal": "GreaterEqual", "math.equal": "Equal",
    "math.not_equal": "NotEqual", "__operators__.getitem": "GetItem",
}  # fmt: skip
#: The second operand, by the names that the functions have for it.
_SECOND = ("y", "b", "slice_spec")


def with_operations(plan: Blueprint) -> Blueprint:
    """A blueprint with such layers as operations; those of functions that are not known stay, and are refused as
    classes that fastrnn does not have.

    Raises:
        ValueError: a call has further arguments.
    """
    return plan._replace(layers=tuple(map(_as_operation, plan.layers)))


def _as_operation(layer: LayerPlan) -> LayerPlan:
    config = layer.entry.get("config")
    if layer.entry["class_name"] not in ("TFOpLambda", "SlicingOpLambda") or not isinstance(config, dict):
        return layer
    name = _FUNCTIONS.get(str(config.get("function")))
    if name is None:
        return layer
    entry = {"module": _MODULE, "class_name": name, "config": {"name": layer.name}}
    return layer._replace(entry=entry, calls=tuple(_call(call, layer.name) for call in layer.calls))


def _call(call: CallPlan, layer: str) -> CallPlan:
    """The operands in a row."""
    kwargs = {key: value for key, value in call.kwargs.items() if key != "name" or value is not None}
    args = list(call.args)
    for key in _SECOND:
        if key in kwargs:
            value = kwargs.pop(key)
            args.append(tuple(map(_part, value)) if key == "slice_spec" and isinstance(value, list) else value)
    if kwargs:
        raise ValueError(f"the layer {ascii(layer)[:80]}: a call with {ascii(sorted(kwargs))[:80]} has no counterpart")
    return CallPlan(tuple(args), {})


def _part(value: Any) -> Any:
    """A part of what stands in brackets."""
    if isinstance(value, dict) and value.keys() == {"start", "stop", "step"}:
        ends = [value[key] for key in ("start", "stop", "step")]
        if all(end is None or type(end) is int for end in ends):
            return slice(*ends)
    return ... if isinstance(value, dict) and value.get("class_name") == "__ellipsis__" else value
