# SPDX-License-Identifier: Apache-2.0
"""The classes that stand for functions on symbols: the names, modules and operands that Keras's files have for them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from fastrnn.graph.symbol import has_symbols
from fastrnn.layers.core.function_call import FunctionCall, function_class, is_plain
from fastrnn.layers.table import operations, register
from fastrnn.ops.sizes import ELEMENTS, broadcast

#: Keras's names of classes that are not made of the function's.
_CLASSES = {"batch_normalization": "BatchNorm", "layer_normalization": "LayerNorm", "cdist": "CDist",
            "ctc_decode": "CTCDecode", "ctc_loss": "CTCLoss", "isin": "IsIn", "svd": "SVD"}
#: Further classes of Keras's for the same function.
_SAME = {"max": "Amax", "min": "Amin", "bitwise_not": "BitwiseInvert", "left_shift": "BitwiseLeftShift",
         "right_shift": "BitwiseRightShift"}
#: Functions of two arrays' elements whose operands are called x and y.
_OF_BITS = frozenset(("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift"))
#: Where Keras has a class that is not in `keras.src.ops.numpy`.
_MODULES = {
    **dict.fromkeys(("cholesky", "det", "inv", "norm", "qr", "solve", "svd"), "linalg"),
    **dict.fromkeys(("cdist", "erf", "in_top_k", "logsumexp", "rsqrt", "top_k"), "math"),
    **dict.fromkeys(("cast", "convert_to_tensor", "saturate_cast", "scatter", "scatter_update", "slice",
                     "slice_update", "stop_gradient", "unstack"), "core"),
    **dict.fromkeys((
        "batch_normalization", "binary_crossentropy", "categorical_crossentropy", "celu", "ctc_decode", "ctc_loss",
        "elu", "gelu", "hard_sigmoid",
        "hard_silu", "hard_tanh", "layer_normalization", "leaky_relu", "log_sigmoid", "log_softmax", "moments",
        "multi_hot", "normalize", "one_hot", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus",
        "softsign", "sparse_categorical_crossentropy"), "nn"),
}  # fmt: skip
#: The arguments that Keras's classes are called on; they are made with the others.
_OPERANDS = frozenset((
    "x", "x1", "x2", "xs", "a", "b", "y", "inputs", "operands", "indices", "start_indices", "values", "updates",
    "condition", "target", "output", "targets", "predictions", "variable", "fill_value", "constant_values", "q", "mean",
    "variance", "scale", "gamma", "beta", "rtol", "atol"))
_MORE_OPERANDS = {"batch_normalization": ("offset",), "ctc_loss": ("target_length", "output_length"),
                  "ctc_decode": ("sequence_lengths",)}


def operation(function: Callable[..., Any]) -> type[FunctionCall]:
    """The class that stands for a function on symbols, which a configuration can name from now on."""
    name = function.__name__.strip("_")
    label = _CLASSES.get(name) or "".join(word.capitalize() for word in name.split("_"))
    parameters = inspect.signature(function).parameters
    wanted = _OPERANDS.union(_MORE_OPERANDS.get(name, ()))
    operands = tuple(key for key in parameters if key in wanted)
    many = next((key for key, parameter in parameters.items() if parameter.kind is parameter.VAR_POSITIONAL), None)
    elements = ELEMENTS.get(name, broadcast if operands == ("x1", "x2") or name in _OF_BITS else None)
    cls = function_class(
        label, function, operands=operands, many=many is not None,
        keras_module=f"keras.src.ops.{_MODULES.get(name, 'numpy')}",
        elements=None if elements is None else staticmethod(elements),
        leading=() if many is None else tuple(parameters)[:list(parameters).index(many)],
        options=tuple(key for key in parameters if key not in wanted))
    register(cls)
    if name in _SAME:
        register(cls, _SAME[name])
    return cls


def call_on_symbols(cls: type[FunctionCall], bound: inspect.BoundArguments) -> Any:
    """Make a layer of a class with the options among a function's arguments, and call it on the operands."""
    given = bound.arguments
    operands: list[Any] = []
    for name in cls.operands:           # Keras gives all of them
        parameter = bound.signature.parameters[name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            operands += given[name]
        else:
            operands.append(given.get(name, parameter.default))
    options = {name: _plain(value) for name, value in given.items() if name not in cls.operands}
    more = {name: value for name, value in options.items() if has_symbols(value) or not is_plain(value)}
    return cls(**{name: value for name, value in options.items() if name not in more})(*operands, **more)


def _plain(value: Any) -> Any:
    """Without NumPy's types, where a value has one."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return type(value)(map(_plain, value))
    return np.dtype(value).name if isinstance(value, (type, np.dtype)) else value


# Keras's class for what `/` on symbols makes, where a program calls the function.
operations.objects["Divide"] = operations.objects["TrueDivide"]
