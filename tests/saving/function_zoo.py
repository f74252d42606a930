# SPDX-License-Identifier: Apache-2.0
"""Calls of `ops` on symbols, one a model: for Keras and fastrnn alike."""

from __future__ import annotations

from typing import Any

import numpy as np

_ONE, _TWO, _SQUARE = ((3, 4),), ((3, 4), (3, 4)), ((4, 4),)
_OF_ONE = [
    "abs", "absolute", "all", "amax", "amin", "any", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh",
    "argmax", "argmin", "argsort", "array", "ceil", "celu", "copy", "cos", "cosh", "count_nonzero", "cumprod",
    "cumsum", "deg2rad", "elu", "erf", "exp", "exp2", "expm1", "flip", "floor", "gelu", "hard_sigmoid", "hard_silu",
    "hard_swish", "hard_tanh", "isfinite", "isinf", "isnan", "leaky_relu", "log", "log10", "log1p", "log2",
    "log_sigmoid", "log_softmax", "logical_not", "logsumexp", "max", "mean", "median", "min", "nan_to_num",
    "negative", "normalize", "ones_like", "prod", "rad2deg", "ravel", "reciprocal", "relu", "relu6", "round",
    "rsqrt", "selu", "sigmoid", "sign", "silu", "sin", "sinc", "sinh", "softmax", "softplus", "softsign", "sort",
    "sqrt", "square", "squeeze", "std", "stop_gradient", "sum", "swish", "tan", "tanh", "transpose", "tril", "triu",
    "trunc", "var", "zeros_like",
]  # fmt: skip
_OF_TWO = [
    "add", "arctan2", "binary_crossentropy", "categorical_crossentropy", "divide", "divide_no_nan", "equal",
    "floor_divide", "greater", "greater_equal", "hypot", "isclose", "less", "less_equal", "logaddexp",
    "logical_and", "logical_or", "logical_xor", "maximum", "minimum", "mod", "multiply", "not_equal", "power",
    "subtract", "true_divide",
]  # fmt: skip
_INTS = [
    "bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "bitwise_left_shift",
    "bitwise_right_shift",
]  # fmt: skip

#: By name: what it makes of a library's ops and the inputs, and the shapes of these.
CASES: dict[str, tuple[Any, tuple[tuple[int, ...], ...]]] = {
    **{name: (lambda ops, x, name=name: getattr(ops, name)(x[0]), _ONE) for name in _OF_ONE},
    **{name: (lambda ops, x, name=name: getattr(ops, name)(x[0], x[1]), _TWO) for name in _OF_TWO},
    **{name: (lambda ops, x, name=name: getattr(ops, name)(ops.cast(x[0] * 9, "int32"), ops.cast(x[1] * 9, "int32")),
              _TWO) for name in _INTS},
    "mean axis": (lambda ops, x: ops.mean(x[0], axis=1), _ONE),
    "mean axes": (lambda ops, x: ops.mean(x[0], axis=(1, 2), keepdims=True), _ONE),
    "max axis": (lambda ops, x: ops.max(x[0], axis=-1, keepdims=True), _ONE),
    "argmax axis": (lambda ops, x: ops.argmax(x[0], axis=-1), _ONE),
    "softmax axis": (lambda ops, x: ops.softmax(x[0], axis=1), _ONE),
    "clip": (lambda ops, x: ops.clip(x[0], -0.5, 0.5), _ONE),
    "reshape": (lambda ops, x: ops.reshape(x[0], (-1, 6)), _ONE),
    "transpose axes": (lambda ops, x: ops.transpose(x[0], (0, 2, 1)), _ONE),
    "swapaxes": (lambda ops, x: ops.swapaxes(x[0], 1, 2), _ONE),
    "moveaxis": (lambda ops, x: ops.moveaxis(x[0], 1, 2), _ONE),
    "expand_dims": (lambda ops, x: ops.expand_dims(x[0], axis=-1), _ONE),
    "squeeze axis": (lambda ops, x: ops.squeeze(ops.expand_dims(x[0], 1), axis=1), _ONE),
    "concatenate": (lambda ops, x: ops.concatenate([x[0], x[1]], axis=-1), _TWO),
    "stack": (lambda ops, x: ops.stack([x[0], x[1]], axis=1), _TWO),
    "hstack": (lambda ops, x: ops.hstack([x[0], x[1]]), _TWO),
    "vstack": (lambda ops, x: ops.vstack([x[0], x[1]]), _TWO),
    "append": (lambda ops, x: ops.append(x[0], x[1], axis=1), _TWO),
    "split": (lambda ops, x: ops.split(x[0], 2, axis=2)[1], _ONE),
    "split at": (lambda ops, x: ops.split(x[0], [1, 3], axis=2)[1], _ONE),
    "unstack": (lambda ops, x: ops.unstack(x[0], axis=1)[2], _ONE),
    "repeat": (lambda ops, x: ops.repeat(x[0], 2, axis=1), _ONE),
    "tile": (lambda ops, x: ops.tile(x[0], (1, 2, 1)), _ONE),
    "flip axis": (lambda ops, x: ops.flip(x[0], axis=1), _ONE),
    "roll": (lambda ops, x: ops.roll(x[0], 1, axis=1), _ONE),
    "pad": (lambda ops, x: ops.pad(x[0], ((0, 0), (1, 1), (0, 2))), _ONE),
    "pad value": (lambda ops, x: ops.pad(x[0], ((0, 0), (1, 1), (0, 2)), constant_values=2.0), _ONE),
    "pad reflect": (lambda ops, x: ops.pad(x[0], ((0, 0), (1, 1), (0, 2)), mode="reflect"), _ONE),
    "take": (lambda ops, x: ops.take(x[0], [0, 2], axis=1), _ONE),
    "take_along_axis": (lambda ops, x: ops.take_along_axis(x[0], ops.argsort(x[0], axis=1), axis=1), _ONE),
    "get_item": (lambda ops, x: x[0][:, 1:, None], _ONE),
    "slice": (lambda ops, x: ops.slice(x[0], (0, 1, 1), (2, 2, 2)), _ONE),
    "cast": (lambda ops, x: ops.cast(x[0] > 0, "float32"), _ONE),
    "cast int": (lambda ops, x: ops.cast(x[0] * 3, "int32"), _ONE),
    "saturate_cast": (lambda ops, x: ops.saturate_cast(x[0] * 3, "int32"), _ONE),
    "one_hot": (lambda ops, x: ops.one_hot(ops.cast(ops.abs(x[0]), "int32"), 5), _ONE),
    "multi_hot": (lambda ops, x: ops.multi_hot(ops.cast(ops.abs(x[0]), "int32"), 5), _ONE),
    "einsum": (lambda ops, x: ops.einsum("bij,bkj->bik", x[0], x[1]), _TWO),
    "matmul": (lambda ops, x: ops.matmul(x[0], ops.transpose(x[1], (0, 2, 1))), _TWO),
    "dot": (lambda ops, x: ops.dot(x[0], np.ones((4, 2), "float32")), _ONE),
    "tensordot": (lambda ops, x: ops.tensordot(x[0], np.ones((4, 2), "float32"), axes=1), _ONE),
    "inner": (lambda ops, x: ops.inner(x[0], np.ones((4,), "float32")), _ONE),
    "outer": (lambda ops, x: ops.outer(ops.sum(x[0], axis=(1, 2)), np.ones((4,), "float32")), _ONE),
    "cross": (lambda ops, x: ops.cross(ops.transpose(x[0], (0, 2, 1)), ops.transpose(x[1], (0, 2, 1))), _TWO),
    "trace": (lambda ops, x: ops.trace(x[0], offset=1, axis1=1, axis2=2), _SQUARE),
    "diagonal": (lambda ops, x: ops.diagonal(x[0], offset=1, axis1=1, axis2=2), _SQUARE),
    "inv": (lambda ops, x: ops.inv(x[0]), _SQUARE),
    "det": (lambda ops, x: ops.det(x[0]), _SQUARE),
    "solve": (lambda ops, x: ops.solve(x[0], x[1]), _SQUARE * 2),
    "qr": (lambda ops, x: ops.qr(x[0])[1], _SQUARE),
    "svd": (lambda ops, x: ops.svd(x[0])[1], _SQUARE),
    "cholesky": (
        lambda ops, x: ops.cholesky(ops.matmul(x[0], ops.transpose(x[0], (0, 2, 1))) + np.eye(4, dtype="float32")),
        _SQUARE),
    # Keras makes a list of an axis, which its JAX backend then refuses.
    "quantile": (lambda ops, x: ops.quantile(x[0], 0.3), _ONE),
    "top_k": (lambda ops, x: ops.top_k(x[0], 2)[0], _ONE),
    "in_top_k": (
        lambda ops, x: ops.in_top_k(ops.argmax(ops.sum(x[0], axis=1), axis=-1), ops.sum(x[0], axis=1), 2),
        _ONE),
    "moments": (lambda ops, x: ops.moments(x[0], axes=[1])[1], _ONE),
    "batch_normalization": (
        lambda ops, x: ops.batch_normalization(x[0], ops.mean(x[0], axis=(0, 1)), ops.var(x[0], axis=(0, 1)), -1),
        _ONE),
    "batch_normalization scale": (
        lambda ops, x: ops.batch_normalization(x[0], ops.mean(x[0], axis=(0, 1)), ops.var(x[0], axis=(0, 1)), -1,
                                               scale=np.ones(4, "float32") * 2), _ONE),
    "layer_normalization": (lambda ops, x: ops.layer_normalization(x[0]), _ONE),
    "broadcast_to": (lambda ops, x: ops.broadcast_to(ops.sum(x[0], axis=0), (2, 3, 4)), _ONE),
    "full_like": (lambda ops, x: ops.full_like(x[0], 2.0), _ONE),
    "sparse_cc": (
        lambda ops, x: ops.sparse_categorical_crossentropy(ops.argmax(x[0], axis=-1), x[1], from_logits=True),
        _TWO),
    "cc logits": (lambda ops, x: ops.categorical_crossentropy(ops.softmax(x[0]), x[1], from_logits=True), _TWO),
    "diff": (lambda ops, x: ops.diff(x[0], axis=1), _ONE),
    "meshgrid": (lambda ops, x: ops.meshgrid(ops.sum(x[0], axis=(1, 2)), ops.sum(x[0], axis=(1, 2)))[0], _ONE),
    "bitwise_not": (lambda ops, x: ops.bitwise_not(ops.cast(x[0] * 9, "int32")), _ONE),
    "cdist": (lambda ops, x: ops.cdist(x[0], x[1]), _TWO),
    "scatter_update": (lambda ops, x: ops.scatter_update(x[0], [[0, 0, 0]], [1.0]), _ONE),
    "slice_update": (lambda ops, x: ops.slice_update(x[0], [0, 0, 0], np.ones((1, 2, 2), "float32")), _ONE),
    "elu alpha": (lambda ops, x: ops.elu(x[0], alpha=0.5), _ONE),
    "leaky slope": (lambda ops, x: ops.leaky_relu(x[0], negative_slope=0.3), _ONE),
    "gelu exact": (lambda ops, x: ops.gelu(x[0], approximate=False), _ONE),
    "diag": (lambda ops, x: ops.diag(ops.sum(x[0], axis=(0, 1))), _ONE),
    "isin": (lambda ops, x: ops.isin(x[0], [0.0, 1.0]), _ONE),
    "cumsum axis": (lambda ops, x: ops.cumsum(x[0], axis=1), _ONE),
    "nan": (lambda ops, x: ops.nan_to_num(x[0], nan=1.0), _ONE),
    "norm": (lambda ops, x: ops.norm(x[0]), _ONE),
    "where": (lambda ops, x: ops.where(x[0] > 0.5, x[0], x[1]), _TWO),
    "bitwise_invert": (lambda ops, x: ops.bitwise_invert(ops.cast(x[0] * 9, "int32")), _ONE),
}  # fmt: skip


def make(library: Any, name: str) -> Any:
    """A model of one call, or few."""
    function, shapes = CASES[name]
    xs = [library.Input(shape, name=f"x{i}") for i, shape in enumerate(shapes)]
    return library.Model(xs, function(library.ops, xs))


def inputs(name: str) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.uniform(0.1, 0.9, (2, *shape)).astype("float32") for shape in CASES[name][1]]


def output(model: Any, xs: list[np.ndarray]) -> np.ndarray:
    return np.asarray(model(xs if len(xs) > 1 else xs[0]))
