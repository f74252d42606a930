# SPDX-License-Identifier: Apache-2.0
"""A weight in NumPy's functions, arithmetic and comparisons, and in sets and dictionaries."""

from __future__ import annotations

import operator

import keras
import numpy as np
import pytest

from fastrnn.layers import LSTM, Embedding, Variable

BINARY = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "eq", "ne", "lt", "le", "gt", "ge"]
OPERANDS = {
    "int": 2, "float": 0.5, "float32": np.float32(2), "float64": np.float64(2), "list": [1, 2, 3],
    "array": np.arange(1, 7, dtype="float32").reshape(2, 3),
    "variable": Variable(np.full((2, 3), 2, "float32"), "other"),
}  # fmt: skip


@pytest.fixture
def v() -> Variable:
    return Variable(np.arange(1, 7, dtype="float32").reshape(2, 3), "kernel")


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("other", OPERANDS.values(), ids=OPERANDS)
def test_operators_give_arrays(v, name, other):
    apply = getattr(operator, name)
    plain = other.numpy() if isinstance(other, Variable) else other
    for got, wanted in [(apply(v, other), apply(v.numpy(), plain)), (apply(other, v), apply(plain, v.numpy()))]:
        assert type(got) is np.ndarray and got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


def test_matrix_product_and_unary_operators(v):
    w = v.numpy()
    pairs = [(v @ w.T, w @ w.T), (w.T @ v, w.T @ w), (-v, -w), (+v, w), (abs(v), w), (round(v), w), (round(v, 1), w),
             (np.exp(v), np.exp(w)), (np.concatenate([v, v]), np.concatenate([w, w]))]  # fmt: skip
    for got, wanted in pairs:
        assert type(got) is np.ndarray and got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


def test_what_comes_out_is_an_array_of_its_own(v):
    """Keras's arrays do not change when training goes on."""
    found = [np.asarray(v), np.array(v), v[0], v[:, 1], v[...], +v]
    kept = [a.copy() for a in found]
    v.assign(np.zeros((2, 3)))
    for array, before in zip(found, kept, strict=True):
        np.testing.assert_array_equal(array, before)
        array[...] = 7
    np.testing.assert_array_equal(v.value, np.zeros((2, 3)))


def test_conversions(v):
    assert np.asarray(v).dtype == "float32" and np.asarray(v, "float64").dtype == "float64"
    assert np.asarray(v, "int32").tolist() == [[1, 2, 3], [4, 5, 6]]
    view = v.__array__(copy=False)
    assert np.shares_memory(view, v.data) and not view.flags.writeable
    assert (v.ndim, v.shape, len(v), v.dtype) == (2, (2, 3), 2, "float32")
    assert v[1, 2] == 6 and [row.tolist() for row in v] == [[1, 2, 3], [4, 5, 6]]
    with pytest.raises(IndexError):
        v[2]


def test_identity(v):
    """Sets and dictionaries tell weights apart by identity, whatever their values."""
    twin = Variable(v.numpy(), "kernel")
    assert len({v, twin, v}) == 2 and {v: 1, twin: 2}[v] == 1
    with pytest.raises(TypeError, match="kernel.* has no truth value; compare it with None by `is`"):
        bool(v)


@pytest.mark.parametrize("layer", [LSTM(3, name="encoder"), Embedding(4, 3, name="words")], ids=str)
def test_weights_of_layers(layer):
    layer.build((None, None, 2))
    other = type(layer).from_config({**layer.get_config(), "name": "other"})
    other.build((None, None, 2))
    other.set_weights(layer.weights)
    for weight, copied in zip(layer.weights, other.weights, strict=True):
        assert np.asarray(weight).dtype == "float32" and np.asarray(weight).shape == weight.shape
        np.testing.assert_array_equal(weight, copied)
        np.testing.assert_array_equal(weight + 1, weight.data + 1)


def test_operators_are_keras():
    """Of Keras's operators only the logical ones, for which weights are too real, are not there."""
    logical = {f"__{prefix}{name}__" for prefix in ("", "r") for name in ("and", "or", "xor")} | {"__invert__"}
    theirs = {name for name in vars(keras.src.backend.common.variables.Variable) if name.startswith("__")}
    scalar = {"__int__", "__float__"}
    assert theirs - set(dir(Variable)) <= logical | scalar | {"__jax_array__", "__tf_tensor__"}


def test_a_change_in_place_counts():
    layer = LSTM(3)
    x = np.ones((1, 2, 4), "float32")
    assert layer(x).any()
    for variable in layer.weights:
        variable.writable()[...] = 0
    assert not layer(x).any()
