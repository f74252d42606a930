# SPDX-License-Identifier: Apache-2.0
"""Every function of `fastrnn.ops` against Keras's: values, gradients by central differences, on symbols, dtypes."""

from __future__ import annotations

import inspect
from typing import Any

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn import ops
from fastrnn.graph.eager import differentiated

RNG = np.random.default_rng(11)


def floats(*shape: int, least: float = -2.0, most: float = 2.0) -> np.ndarray:
    return RNG.uniform(least, most, shape).astype("float32")


A, B, P = floats(3, 4), floats(3, 4), floats(3, 4, least=0.2, most=0.9)
SQUARE, CUBE, V = floats(3, 3), floats(2, 3, 4), floats(4)
INDICES, WHOLE = np.array([[2, 0], [1, 1]]), np.array([[3, 0, 5], [1, 2, 4]], "int32")
DEFINITE = (SQUARE @ SQUARE.T + 3 * np.eye(3)).astype("float32")

#: By name: arguments and keywords; a list of them where there are several cases.
CASES: dict[str, Any] = {
    **{name: [((A,), {})] for name in (
        "exp", "exp2", "expm1", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan", "arcsinh", "deg2rad", "rad2deg",
        "sinc", "abs", "absolute", "negative", "square", "sign", "floor", "ceil", "trunc", "isfinite", "isinf", "isnan",
        "reciprocal", "erf", "relu", "relu6", "elu", "selu", "silu", "swish", "sigmoid", "hard_sigmoid", "softplus",
        "softsign", "leaky_relu", "celu", "hard_silu", "hard_swish", "hard_tanh", "gelu", "log_sigmoid", "softmax",
        "log_softmax", "ravel", "copy", "stop_gradient", "zeros_like", "ones_like", "shape", "ndim", "size",
        "convert_to_numpy", "convert_to_tensor", "array", "nan_to_num", "normalize", "count_nonzero")},
    **{name: [((P,), {})] for name in (
        "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "arcsin", "arccos", "arctanh")},
    "arccosh": [((P + 1,), {})],
    **{name: [((A, B), {}), ((A, V), {}), ((A, 2), {}), ((1.5, A), {})] for name in (
        "add", "subtract", "multiply", "divide", "true_divide", "maximum", "minimum", "arctan2", "logaddexp", "hypot",
        "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "mod", "floor_divide")},
    "power": [((P, A), {}), ((P, 2), {}), ((2.0, A), {})],
    "divide_no_nan": [((A, np.array([0, 1, 2, 0], "int32")), {})],
    **{name: [((WHOLE, WHOLE[::-1].copy()), {})] for name in (
        "bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "bitwise_left_shift",
        "bitwise_right_shift")},
    **{name: [((WHOLE,), {})] for name in ("bitwise_not", "bitwise_invert")},
    **{name: [((A > 0, B > 0), {})] for name in ("logical_and", "logical_or", "logical_xor")},
    "logical_not": [((A > 0,), {})],
    "clip": [((A, -0.5, 0.5), {})],
    "round": [((A,), {}), ((A, 1), {})],
    "isclose": [((A, A + 1e-9), {})],
    "isin": [((WHOLE, [1, 5]), {})],
    "where": [((A > 0, A, B), {}), ((A > 0, A, 0.0), {})],
    **{name: [((A,), {}), ((CUBE,), {"axis": (0, 2)}), ((A,), {"axis": 1, "keepdims": True})] for name in (
        "sum", "mean", "max", "min", "amax", "amin", "prod", "var", "std", "median", "logsumexp")},
    **{name: [((A > 0,), {}), ((A > 0,), {"axis": 1})] for name in ("all", "any")},
    **{name: [((A,), {}), ((A,), {"axis": 1}), ((A,), {"axis": -1, "keepdims": True})]
       for name in ("argmax", "argmin")},
    "quantile": [((A, 0.3), {}), ((A, [0.2, 0.5]), {"axis": 1})],
    **{name: [((A,), {}), ((A,), {"axis": 1})] for name in ("cumsum", "cumprod")},
    **{name: [((A,), {}), ((A,), {"axis": 0})] for name in ("sort", "argsort", "flip")},
    "top_k": [((A, 2), {})],
    "take_along_axis": [((A, np.array([[3, 0], [1, 1], [2, 3]]), 1), {})],
    "in_top_k": [((np.array([1, 0, 3]), A, 2), {})],
    "reshape": [((A, (2, -1)), {}), ((A, (12,)), {})],
    "transpose": [((CUBE,), {}), ((CUBE, (1, 0, 2)), {})],
    "swapaxes": [((CUBE, 0, 2), {})],
    "moveaxis": [((CUBE, 0, -1), {})],
    "expand_dims": [((A, 1), {}), ((A, -1), {})],
    "squeeze": [((A[:, None],), {}), ((A[:, None],), {"axis": 1})],
    "broadcast_to": [((V, (3, 4)), {})],
    **{name: [(([A, B],), {})] for name in ("concatenate", "stack", "hstack", "vstack")},
    "append": [((A, B), {}), ((A, B), {"axis": 0})],
    "split": [((A, 2), {"axis": 1}), ((A, [1, 3]), {"axis": 1})],
    "unstack": [((A,), {}), ((A,), {"axis": 1})],
    "repeat": [((A, 2), {}), ((A, 2), {"axis": 1}), ((A, np.array([1, 2, 0])), {"axis": 0})],
    "tile": [((A, 2), {}), ((A, (2, 1)), {})],
    "roll": [((A, 1), {}), ((A, 1), {"axis": 1})],
    "pad": [((A, 1), {}), ((A, ((1, 0), (0, 2))), {}), ((A, ((1, 1), (1, 1))), {"mode": "reflect"})],
    "take": [((A, INDICES), {}), ((A, INDICES), {"axis": 1})],
    "get_item": [((A, (slice(None), 1)), {})],
    "slice": [((A, (1, 1), (2, 2)), {})],
    "slice_update": [((A, (1, 1), B[:2, :2].copy()), {})],
    "scatter_update": [((A, np.array([[0, 1], [2, 3]]), np.array([7.0, 8.0], "float32")), {})],
    "scatter": [((np.array([[0], [2], [0]]), A, (5, 4)), {})],
    "diff": [((A,), {}), ((A, 2), {"axis": 0})],
    "diagonal": [((A,), {}), ((A, 1), {}), ((CUBE, -1, 1, 2), {})],
    **{name: [((A,), {}), ((A, 1), {})] for name in ("tril", "triu")},
    "meshgrid": [((V, V), {})],
    "zeros": [(((2, 3),), {}), ((4, "int32"), {})],
    "ones": [(((2, 3),), {})],
    "full": [(((2, 3), 7.0), {})],
    "full_like": [((A, 3), {})],
    "arange": [((5,), {}), ((1, 7, 2), {}), ((0.0, 1.0, 0.25), {})],
    "linspace": [((0, 1, 5), {})],
    "eye": [((3,), {}), ((3, 4, 1), {})],
    "identity": [((3,), {})],
    "tri": [((3,), {}), ((3, 4, 1), {})],
    "matmul": [((A, B.T.copy()), {}), ((CUBE, A.T.copy()), {})],
    "dot": [((A, B.T.copy()), {}), ((V, V), {})],
    "tensordot": [((A, B), {"axes": 2}), ((CUBE, A), {"axes": [[1, 2], [0, 1]]})],
    "einsum": [(("ij,kj->ik", A, B), {}), (("bij,ij->b", CUBE, A), {})],
    "inner": [((A, B), {})],
    "outer": [((V, V), {})],
    "cross": [((SQUARE, SQUARE[::-1].copy()), {})],
    "trace": [((SQUARE,), {})],
    "diag": [((V,), {}), ((SQUARE,), {})],
    "norm": [((A,), {}), ((A,), {"axis": 1})],
    "inv": [((DEFINITE,), {})],
    "det": [((DEFINITE,), {})],
    "cholesky": [((DEFINITE,), {})],
    "solve": [((DEFINITE, SQUARE), {})],
    "svd": [((A,), {"compute_uv": False})],
    "qr": [((DEFINITE,), {})],
    "cdist": [],
    "one_hot": [((WHOLE, 6), {}), ((WHOLE, 6), {"axis": 0})],
    "multi_hot": [((WHOLE, 6), {})],
    "moments": [((A,), {"axes": 0}), ((CUBE,), {"axes": (0, 1), "keepdims": True})],
    "categorical_crossentropy": [((P, P), {}), ((P, A), {"from_logits": True})],
    "sparse_categorical_crossentropy": [
        ((np.array([1, 0, 3]), P), {}), ((np.array([1, 0, 3]), A), {"from_logits": True})],
    "binary_crossentropy": [((P, P), {}), ((P, A), {"from_logits": True})],
    "batch_normalization": [((A, V, P[0] + 1, -1), {}), ((A, V, P[0] + 1, -1), {"offset": V, "scale": P[0]})],
    "layer_normalization": [((A, V, V), {})],
    "cast": [((A, "int32"), {}), ((WHOLE, "float32"), {})],
    "saturate_cast": [((A * 200, "uint8"), {})],
    "ctc_loss": [((WHOLE[:, :2] % 3 + 1, CUBE, np.array([2, 1]), np.array([3, 3])), {})],
    "ctc_decode": [((CUBE, np.array([3, 2])), {}), ((CUBE, np.array([3, 2])), {"strategy": "beam_search"})],
    "cond": [], "switch": [], "while_loop": [], "fori_loop": [], "scan": [], "map": [], "vectorized_map": [],
    "is_tensor": [], "dtype": [], "empty": [],
}  # fmt: skip

#: Those whose gradient is zero, or asked for nowhere.
WITHOUT_GRADIENT = {
    "ctc_decode",
    "sign", "floor", "ceil", "trunc", "isfinite", "isinf", "isnan", "stop_gradient", "zeros_like", "ones_like", "shape",
    "ndim", "size", "convert_to_numpy", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
    "floor_divide", "mod", "logical_and", "logical_or", "logical_xor", "logical_not", "round", "isclose", "isin",
    "all", "any", "argmax", "argmin", "argsort", "in_top_k", "median", "quantile", "scatter", "meshgrid", "full_like",
    "svd", "qr", "one_hot", "multi_hot", "cast", "saturate_cast", "count_nonzero", "bitwise_and", "bitwise_or",
    "bitwise_xor", "bitwise_not", "bitwise_invert", "left_shift", "right_shift", "bitwise_left_shift",
    "bitwise_right_shift", "zeros", "ones", "full", "arange", "linspace", "eye", "identity", "tri", "hard_sigmoid",
    "relu6", "hard_tanh", "hard_silu", "hard_swish"}  # fmt: skip

EVERY = [pytest.param(name, *case, id=f"{name}-{number}") for name, cases in CASES.items()
         for number, case in enumerate(cases)]  # fmt: skip


def flat(y: Any) -> list[np.ndarray]:
    return [np.asarray(one) for one in (y if isinstance(y, (list, tuple)) else [y])]


def test_every_function_has_a_case():
    assert set(CASES) == {name for name in ops.__all__ if inspect.isfunction(getattr(ops, name))}
    assert len(CASES) >= 150


@pytest.mark.parametrize(("name", "args", "kwargs"), EVERY)
def test_values_are_those_of_keras(name, args, kwargs):
    own, theirs = flat(getattr(ops, name)(*args, **kwargs)), flat(getattr(keras.ops, name)(*args, **kwargs))
    assert len(own) == len(theirs)
    for one, other in zip(own, theirs):
        assert one.shape == other.shape
        assert one.dtype.kind == other.dtype.kind
        if one.dtype.kind == "f":
            assert one.dtype == "float32"
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("name", "args", "kwargs"), [case for case in EVERY if case.values[0] not in WITHOUT_GRADIENT])
def test_gradients_against_central_differences(name, args, kwargs):
    places = [index for index, value in enumerate(args) if isinstance(value, np.ndarray) and value.dtype.kind == "f"]
    given = [args[index].astype("float64") for index in places]
    listed = not places and isinstance(args[0], list)
    if listed:
        given = [one.astype("float64") for one in args[0]]

    def function(*xs):
        if listed:
            return getattr(ops, name)(list(xs), **kwargs)
        full = list(args)
        for index, x in zip(places, xs):
            full[index] = x
        return getattr(ops, name)(*full, **kwargs)

    def first(*xs):
        y = function(*xs)
        y = y[0] if isinstance(y, (list, tuple)) else y
        return y * weights.reshape(np.shape(y)) if weights is not None else y

    weights = None
    shape = np.shape(first(*given))
    weights = np.random.default_rng(0).standard_normal(shape)
    total = lambda *xs: ops.sum(first(*xs))  # noqa: E731
    _, back = differentiated(total, *given)
    gradients = back(np.ones(()))
    for place, gradient in enumerate(gradients):
        if name in ("categorical_crossentropy", "binary_crossentropy") and place == 0:
            continue
        x = given[place]
        found = np.zeros_like(x) if gradient is None else gradient
        expected = np.zeros_like(x)
        for index in np.ndindex(x.shape):
            moved = [one.copy() for one in given]
            moved[place][index] += 1e-6
            above = total(*moved)
            moved[place][index] -= 2e-6
            expected[index] = (above - total(*moved)) / 2e-6
        if name == "cholesky":          # of a symmetric matrix
            expected = (expected + expected.T) / 2
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


ON_ARRAYS = [case for case in EVERY if isinstance(case.values[1][0], np.ndarray)
             and case.values[0] not in ("shape", "ndim", "size", "isin", "convert_to_numpy")]


@pytest.mark.parametrize(("name", "args", "kwargs"), ON_ARRAYS)
def test_on_symbols(name, args, kwargs):
    first = args[0]
    x = fastrnn.Input(batch_shape=first.shape, dtype=first.dtype.name)
    made = getattr(ops, name)(x, *args[1:], **kwargs)
    model = fastrnn.Model(x, made)
    for one, expected in zip(flat(model(first)), flat(getattr(ops, name)(*args, **kwargs)), strict=True):
        np.testing.assert_allclose(one, expected, rtol=1e-6, atol=1e-6)


class TestControlFlow:
    def test_loops(self):
        assert ops.while_loop(lambda n, s: n < 5, lambda n, s: (n + 1, s + n), (0, 0)) == (5, 10)
        assert ops.while_loop(lambda n: True, lambda n: (n + 1,), (0,), maximum_iterations=3) == (3,)
        assert ops.fori_loop(2, 5, lambda i, total: total + i, 0) == 9
        carry, outputs = ops.scan(lambda s, x: (s + x, s * x), np.float32(0), A)
        np.testing.assert_allclose(carry, A.sum(axis=0), rtol=1e-5)
        assert outputs.shape == A.shape
        np.testing.assert_array_equal(ops.map(lambda row: row * 2, A), A * 2)
        np.testing.assert_array_equal(ops.vectorized_map(lambda row: row + 1, A), A + 1)

    def test_branches(self):
        assert ops.cond(np.array(False), lambda: 1, lambda: 2) == 2
        assert ops.switch(7, [lambda: 1, lambda: 2]) == 2

    def test_a_traced_scan_has_a_gradient(self):
        def total(x):
            return ops.sum(ops.scan(lambda s, row: (s * 0.5 + row, s), x[0], x)[0])

        _, back = differentiated(total, A.astype("float64"))
        np.testing.assert_allclose(back(np.ones(()))[0][:, 0], [0.25 + 0.125, 0.5, 1])


def test_numbers_take_the_dtype_of_arrays():
    assert ops.add(A.astype("float64"), 1.5).dtype == np.float64
    assert ops.multiply(A, np.float64(2)).dtype == np.float32
    assert ops.multiply(A, WHOLE[:, :1].repeat(4, 1)[:1]).dtype == np.float32
    assert ops.add(1, 2).dtype == np.int32


def test_what_has_no_gradient_says_so():
    with pytest.raises(NotImplementedError, match="median"):
        differentiated(ops.median, A)


def test_tensors():
    assert ops.is_tensor(A) and not ops.is_tensor([1.0])
    assert ops.dtype([1]) == "int32"
    assert ops.empty((2, 3)).shape == (2, 3)
    np.testing.assert_allclose(ops.cdist(A, B)[0, 1], np.linalg.norm(A[0] - B[1]), rtol=1e-5)
    assert ops.shape(fastrnn.Input((None, 3))) == (None, None, 3)
