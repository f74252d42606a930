# SPDX-License-Identifier: Apache-2.0
"""Penalties against Keras and by hand, and their gradients against central differences."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from fastrnn import regularizers

CASES = [
    ("L1", {"l1": 0.3}),
    ("L2", {"l2": 0.2}),
    ("L1L2", {"l1": 0.3, "l2": 0.2}),
    ("L1L2", {}),
    ("OrthogonalRegularizer", {"factor": 0.7}),
    ("OrthogonalRegularizer", {"factor": 0.7, "mode": "columns"}),
]


def central_differences(f, w, step=1e-6):
    gradient = np.empty_like(w)
    for index in np.ndindex(w.shape):
        up, down = w.copy(), w.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (f(up) - f(down)) / (2 * step)
    return gradient


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_value_is_keras(name, arguments, rng):
    w = rng.standard_normal((4, 6)).astype(np.float32)
    expected = float(getattr(keras.regularizers, name)(**arguments)(keras.ops.convert_to_tensor(w)))
    got = getattr(regularizers, name)(**arguments)(w)
    assert type(got) is float
    assert got == pytest.approx(expected, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_gradient_is_central_differences(name, arguments, rng):
    w = rng.standard_normal((4, 6))
    regularizer = getattr(regularizers, name)(**arguments)
    np.testing.assert_allclose(regularizer.gradient(w), central_differences(regularizer, w), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_gradient_keeps_shape_and_dtype(name, arguments, rng):
    w = rng.standard_normal((4, 6)).astype(np.float32)
    gradient = getattr(regularizers, name)(**arguments).gradient(w)
    assert gradient.dtype == np.float32 and gradient.shape == w.shape


def test_by_hand():
    w = np.array([[1.0, -2.0], [0.0, 3.0]])
    assert regularizers.L1(0.5)(w) == 3.0
    assert regularizers.L2(0.5)(w) == 7.0
    np.testing.assert_array_equal(regularizers.L1(0.5).gradient(w), [[0.5, -0.5], [0, 0.5]])
    np.testing.assert_array_equal(regularizers.L2(0.5).gradient(w), [[1, -2], [0, 3]])


def test_defaults_are_keras():
    for name in ("L1", "L2", "L1L2"):
        ours, theirs = getattr(regularizers, name)(), getattr(keras.regularizers, name)()
        assert ours.get_config() == pytest.approx(theirs.get_config())
    assert regularizers.OrthogonalRegularizer().get_config() == {"factor": 0.01, "mode": "rows"}
    assert regularizers.L2(None).l2 == 0.01 and regularizers.L1L2(None, None).get_config() == {"l1": 0, "l2": 0}
    assert regularizers.l1 is regularizers.L1 and regularizers.l1_l2 is regularizers.L1L2


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "0.1", True, [0.1]])
def test_factors_out_of_range(value):
    with pytest.raises(ValueError, match="L2: expected l2 to be a finite number, 0 or more"):
        regularizers.L2(value)


def test_orthogonal_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="expected mode to be 'rows' or 'columns'"):
        regularizers.OrthogonalRegularizer(mode="diagonal")
    with pytest.raises(ValueError, match=r"expected a matrix, got shape \(3,\)"):
        regularizers.OrthogonalRegularizer()(np.ones(3))
    one = np.ones((1, 3))
    assert regularizers.OrthogonalRegularizer()(one) == 0
    assert not regularizers.OrthogonalRegularizer().gradient(one).any()


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_configurations_go_to_keras_and_back(name, arguments):
    ours = getattr(regularizers, name)(**arguments)
    theirs = keras.regularizers.deserialize(regularizers.serialize(ours))
    assert type(theirs).__name__ == name
    back = regularizers.get(keras.regularizers.serialize(theirs))
    for key, value in ours.get_config().items():
        assert back.get_config()[key] == (value if isinstance(value, str) else pytest.approx(value))


def test_get():
    assert regularizers.get(None) is None
    assert type(regularizers.get("l2")) is regularizers.L2
    assert type(regularizers.get("l1_l2")) is type(regularizers.get("L1L2")) is regularizers.L1L2
    with pytest.raises(ValueError, match=r"has no gradient; subclass fastrnn\.regularizers\.Regularizer"):
        regularizers.get(lambda w: 0.0)
    with pytest.raises(ValueError, match="unknown regularizer 'l3'"):
        regularizers.get("l3")
