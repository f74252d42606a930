# SPDX-License-Identifier: Apache-2.0
"""Keras 2's functions: what they are tried with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

RNG = np.random.default_rng(3)


def floats(*shape: int, least: float = -2.0, most: float = 2.0) -> np.ndarray:
    return RNG.uniform(least, most, shape).astype("float32")


A, B, P, V = floats(3, 4), floats(3, 4), floats(3, 4, least=0.2, most=0.9), floats(4)
CUBE, OTHER, STEPS = floats(2, 3, 4), floats(2, 4, 5), floats(2, 5, 3)
WHOLE = np.array([[3, 0, 2], [1, 2, 1]], "int32")
P = P / P.sum(axis=1, keepdims=True)

LABELS, SPOKEN = np.array([[1, 0], [2, 0]], "int32"), floats(2, 5, 4, least=0.1, most=1.0)
SPOKEN = SPOKEN / SPOKEN.sum(axis=2, keepdims=True)

#: By name: arguments and keywords, of each case.
CASES: dict[str, Any] = {
    **{name: [((A,), {})] for name in ("abs", "square", "exp", "sin", "cos", "tanh", "sigmoid", "softplus", "softsign",
                                       "sign", "round", "hard_sigmoid", "relu", "elu", "softmax", "sqrt", "transpose",
                                       "flatten", "zeros_like", "ones_like", "stop_gradient", "argmax", "argmin",
                                       "l2_normalize", "eval", "get_value", "ndim", "int_shape", "count_params",
                                       "cast_to_floatx")},
    "log": [((P,), {})],
    **{name: [((A,), {}), ((CUBE,), {"axis": 1}), ((CUBE,), {"axis": (0, 2), "keepdims": True})]
       for name in ("sum", "mean", "max", "min", "prod", "var", "std")},
    **{name: [((A > 0,), {}), ((A > 0,), {"axis": 1})] for name in ("any", "all")},
    **{name: [((A, B), {})] for name in ("maximum", "minimum", "equal", "not_equal", "greater", "greater_equal", "less",
                                         "less_equal")},
    "pow": [((A, 2), {})],
    "clip": [((A, -0.5, 0.5), {}), ((A, 0.0, None), {}), ((A, None, 0.5), {})],
    "cast": [((WHOLE, "float32"), {})],
    "dot": [((A, B.T.copy()), {}), ((CUBE, B.T.copy()), {})],
    "batch_dot": [((CUBE, OTHER), {}), ((CUBE, CUBE), {"axes": 2}), ((CUBE, OTHER), {"axes": (2, 1)}), ((A, B), {}),
                  ((A, B), {"axes": 1}), ((floats(2, 4), OTHER), {}), ((CUBE, floats(2, 4)), {"axes": (2, 1)}),
                  ((floats(2, 3, 4, 5), floats(2, 5, 6)), {"axes": (3, 1)})],
    "concatenate": [(([A, B],), {}), (([A, B],), {"axis": 0})],
    "stack": [(([A, B],), {}), (([A, B],), {"axis": 1})],
    "reshape": [((A, (4, 3)), {}), ((A, (2, -1)), {})],
    "permute_dimensions": [((CUBE, (1, 0, 2)), {})],
    "expand_dims": [((A,), {}), ((A, 1), {})],
    "squeeze": [((A[:, None], 1), {})],
    "repeat": [((A, 3), {})],
    "repeat_elements": [((CUBE, 2, 1), {})],
    "tile": [((A, (2, 1)), {})],
    "batch_flatten": [((CUBE,), {})],
    "temporal_padding": [((CUBE,), {}), ((CUBE, (2, 0)), {})],
    "spatial_2d_padding": [((CUBE[..., None],), {}), ((CUBE[..., None], ((1, 0), (0, 2))), {})],
    "reverse": [((CUBE, 1), {}), ((CUBE, (0, 2)), {})],
    "gather": [((A, WHOLE % 3), {})],
    "one_hot": [((WHOLE, 5), {})],
    "in_top_k": [((A, np.array([1, 0, 3], "int32"), 2), {})],
    **{name: [((A,), {}), ((A,), {"axis": 1})] for name in ("cumsum", "cumprod")},
    "arange": [((5,), {}), ((1, 7, 2), {}), ((4,), {"dtype": "float32"})],
    "eye": [((3,), {})],
    **{name: [(((2, 3),), {})] for name in ("zeros", "ones")},
    "constant": [((2.5,), {}), (([1.0, 2.0],), {}), ((2.0,), {"shape": (2, 3)})],
    "bias_add": [((A, V), {}), ((CUBE, floats(3)), {"data_format": "channels_first"})],
    "batch_normalization": [((A, V, P[0], V, P[1]), {})],
    "relu-options": [((A,), {"alpha": 0.2}), ((A,), {"max_value": 1.0}), ((A,), {"threshold": 0.5, "alpha": 0.1})],
    "switch": [((A > 0, A, B), {}), ((CUBE[..., 0] > 0, CUBE, -CUBE), {}),
               ((A[:, :1] > 0, A, B), {}), ((np.array(True), A, B), {})],
    "categorical_crossentropy": [((P, P), {}), ((P, A), {"from_logits": True})],
    "sparse_categorical_crossentropy": [((WHOLE[:, 0].copy(), P[:2]), {})],
    "binary_crossentropy": [((P, P), {}), ((P, A), {"from_logits": True})],
    "ctc_batch_cost": [((LABELS, SPOKEN, np.array([[5], [4]]), np.array([[2], [1]])), {})],
    "map_fn": [((lambda x: x * 2, A), {})],
    "foldl": [((lambda total, x: total * 0.5 + x, A), {})],
    "foldr": [((lambda total, x: total * 0.5 + x, A), {})],
}  # fmt: skip
EVERY = [pytest.param(name.split("-")[0], *case, id=f"{name}-{number}") for name, cases in CASES.items()
         for number, case in enumerate(cases)]  # fmt: skip

# A step of a recurrent layer over STEPS.
W, U, STATE = floats(3, 3), floats(3, 3), floats(2, 3)
MASK = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 0, 1]], bool)
