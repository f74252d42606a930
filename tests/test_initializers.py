# SPDX-License-Identifier: Apache-2.0
"""Initializers: exact values where there are any, distributions against Keras's where there are not."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from fastrnn import initializers, runtime
from fastrnn._core import blas_threads
from fastrnn.initializers.random import fans

SCALINGS = ["GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal"]
RANDOM = [
    *[(name, {}) for name in SCALINGS],
    ("RandomNormal", {"mean": 0.5, "stddev": 2.0}),
    ("TruncatedNormal", {"mean": 0.5, "stddev": 2.0}),
    ("RandomUniform", {"minval": -1.0, "maxval": 3.0}),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "uniform"}),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_avg", "distribution": "untruncated_normal"}),
    ("VarianceScaling", {"distribution": "normal"}),
    ("Orthogonal", {"gain": 2.0}),
]
ALL = [*RANDOM, ("Zeros", {}), ("Ones", {}), ("Constant", {"value": 0.25}), ("Identity", {"gain": 3.0})]


def make(name, arguments):
    return getattr(initializers, name)(**arguments)


@pytest.mark.parametrize("name", ["Zeros", "Ones", "Constant", "Identity"])
@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2)])
def test_values_without_randomness_are_keras(name, shape):
    arguments = {"value": 0.25} if name == "Constant" else {}
    expected = np.asarray(getattr(keras.initializers, name)(**arguments)(shape))
    np.testing.assert_array_equal(make(name, arguments)(shape), expected)


def test_constant_of_an_array_broadcasts_or_says_why_not():
    np.testing.assert_array_equal(initializers.Constant([1, 2])((3, 2)), [[1, 2]] * 3)
    with pytest.raises(ValueError, match=r"Constant: a value of shape \(2,\) does not fit a weight of shape \(3, 4\)"):
        initializers.Constant([1, 2])((3, 4))


@pytest.mark.parametrize(("name", "arguments"), RANDOM)
def test_distribution_is_keras(name, arguments):
    """Mean, spread and the outermost values of 40,000 numbers, within what chance allows."""
    shape = (100, 400)
    ours = make(name, {**arguments, "seed": 1})(shape).ravel().astype(float)
    theirs = np.asarray(getattr(keras.initializers, name)(**arguments, seed=1)(shape)).ravel().astype(float)
    assert ours.mean() == pytest.approx(theirs.mean(), abs=5 * theirs.std() / math.sqrt(ours.size) * 1.5)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.03)
    quantiles = np.linspace(0.05, 0.95, 10)
    np.testing.assert_allclose(np.quantile(ours, quantiles), np.quantile(theirs, quantiles), atol=0.06 * theirs.std())
    bounded = "Uniform" in name or "Truncated" in name or arguments.get("distribution") == "uniform"
    if bounded:
        assert abs(ours).max() == pytest.approx(abs(theirs).max(), rel=0.02)


@pytest.mark.parametrize(
    ("name", "limit"), [("GlorotUniform", 6 / 40), ("HeUniform", 6 / 10), ("LecunUniform", 3 / 10)]
)
def test_uniform_limits(name, limit):
    w = make(name, {"seed": 3})((10, 30))
    assert 0.95 * math.sqrt(limit) < abs(w).max() <= math.sqrt(limit)


@pytest.mark.parametrize(
    ("name", "variance"), [("GlorotNormal", 2 / 400), ("HeNormal", 2 / 100), ("LecunNormal", 0.01)]
)
def test_normal_variance_and_cut(name, variance):
    w = make(name, {"seed": 3})((100, 300))
    assert w.var() == pytest.approx(variance, rel=0.02)
    assert abs(w).max() <= 2 * math.sqrt(variance) / 0.8796256610342398 * (1 + 1e-6)


@pytest.mark.parametrize("shape", [(6, 6), (4, 16), (16, 4), (2, 3, 5), (1, 1)])
def test_orthogonal(shape):
    w = initializers.Orthogonal(gain=2.0, seed=5)(shape, "float64").reshape(-1, shape[-1])
    small = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(small, 4 * np.eye(min(w.shape)), atol=1e-12)
    assert w.shape == (math.prod(shape[:-1]), shape[-1])


def test_orthogonal_has_the_sign_rule_of_keras(monkeypatch):
    """From the same normal matrix, the same orthogonal one."""
    normal = np.random.default_rng(0).standard_normal((8, 5))
    monkeypatch.setattr(keras.src.initializers.random_initializers.random, "normal", lambda *a, **k: normal)
    expected = np.asarray(keras.initializers.Orthogonal()((5, 8), "float32"))
    got = initializers.Orthogonal(seed=0)((5, 8))
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_orthogonal_wakes_no_thread_of_numpys(monkeypatch):
    """One would spin beside those of the kernels for a tenth of a second."""
    control, qr, during = blas_threads.NUMPY.control(), np.linalg.qr, []
    assert control is not None, "NumPy's wheels have OpenBLAS, whose threads can be controlled"

    def watched(a):
        during.append(control.get())
        return qr(a)

    monkeypatch.setattr(np.linalg, "qr", watched)
    before = control.get()
    control.set(2)
    try:
        initializers.Orthogonal()((8, 8))
        assert (during, control.get()) == ([1], 2)
    finally:
        control.set(before)


@pytest.mark.parametrize(("name", "arguments"), ALL)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_arrays_are_fresh_contiguous_and_of_the_dtype(name, arguments, dtype):
    w = make(name, arguments)((4, 12), dtype)
    assert w.dtype == dtype and w.shape == (4, 12)
    assert w.flags.c_contiguous and w.flags.writeable
    assert make(name, arguments)([4, 12]).shape == (4, 12)


@pytest.mark.parametrize(("name", "arguments"), RANDOM)
def test_seeds(name, arguments):
    seeded = make(name, {**arguments, "seed": 7})
    first = seeded((4, 5))
    np.testing.assert_array_equal(first, seeded((4, 5)))
    assert not np.array_equal(first, make(name, {**arguments, "seed": 8})((4, 5)))
    free = make(name, arguments)
    runtime.set_seed(3)
    a, b = free((4, 5)), free((4, 5))
    assert not np.array_equal(a, b)
    runtime.set_seed(3)
    np.testing.assert_array_equal(a, free((4, 5)))
    np.testing.assert_array_equal(b, free((4, 5)))


def test_seed_must_be_whole():
    for seed in ("1", 1.5, True):
        with pytest.raises(ValueError, match="GlorotUniform: expected seed to be an integer or None"):
            initializers.GlorotUniform(seed=seed)
    assert initializers.GlorotUniform(seed=np.int64(3)).seed == 3


@pytest.mark.parametrize("shape", [(), (7,), (3, 4), (5, 3, 4)])
def test_fans_are_keras(shape):
    assert fans(shape) == keras.src.initializers.random_initializers.compute_fans(shape)


def test_fans_along_axes():
    assert fans((2, 3, 4), (0, 1), (2,)) == (6, 4)
    w = initializers.GlorotUniform(seed=1, input_axes=[0], output_axes=[1, 2])((10, 20, 30))
    assert abs(w).max() <= math.sqrt(6 / 610)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 0}, "expected a positive scale, got 0"),
        ({"mode": "fan"}, "expected mode to be 'fan_in', 'fan_out' or 'fan_avg', got 'fan'"),
        ({"distribution": "cauchy"}, "expected distribution to be"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        initializers.VarianceScaling(**arguments)


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"Orthogonal: expected a weight of two axes or more, got shape \(4,\)"):
        initializers.Orthogonal()((4,))
    with pytest.raises(ValueError, match=r"Identity: expected a matrix, got shape \(2, 2, 2\)"):
        initializers.Identity()((2, 2, 2))


@pytest.mark.parametrize(("name", "arguments"), ALL)
def test_configurations_go_to_keras_and_back(name, arguments):
    ours = make(name, arguments)
    theirs = keras.initializers.deserialize(initializers.serialize(ours))
    assert type(theirs).__name__ == name
    back = initializers.get(keras.initializers.serialize(theirs))
    assert type(back) is type(ours)
    if name != "Identity":  # whose gain Keras does not write
        assert back.get_config() == ours.get_config()


@pytest.mark.parametrize(
    "config",
    [
        {"class_name": "Zeros", "config": {"dtype": "float32"}},
        {"class_name": "VarianceScaling", "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform",
                                                     "seed": None, "dtype": "float32"}},
        {"class_name": "GlorotUniform", "config": {"seed": {"class_name": "SeedGenerator", "config": {"seed": 4}}}},
    ],
)  # fmt: skip
def test_configurations_of_other_versions(config):
    assert type(initializers.get(config)).__name__ == config["class_name"]


def test_arrays_in_configurations():
    config = keras.initializers.serialize(keras.initializers.Constant(np.array([1.0, 2.0])))
    np.testing.assert_array_equal(initializers.get(config)((2,)), [1, 2])
    assert initializers.serialize(initializers.Constant(np.array([1.0, 2.0]))) == config


def test_an_array_in_place_of_an_initializer():
    initializer = initializers.get(np.arange(3.0))
    np.testing.assert_array_equal(initializer((3,)), np.arange(3, dtype=np.float32))
    with pytest.raises(ValueError, match=r"expected an array of the weight's shape \(2, 3\), got \(3,\)"):
        initializer((2, 3))
    assert initializers.serialize(initializer)["class_name"] == "Constant"


def test_every_name_of_keras_but_its_fourier_kernel():
    names = {name for name in keras.src.initializers.ALL_OBJECTS_DICT if "stft" not in name.lower()}
    for name in names - {"Initializer", "initializer"}:
        assert type(initializers.get(name)).__name__ == keras.src.initializers.ALL_OBJECTS_DICT[name].__name__
    for name in ("glorot_uniform", "he_normal", "zeros", "orthogonal", "constant"):
        assert getattr(initializers, name) is type(initializers.get(name))


def test_get():
    assert initializers.get(None) is None
    assert initializers.get(np.zeros).__name__ == "zeros"
    assert repr(initializers.get("glorot_uniform")) == "GlorotUniform(seed=None)"
    with pytest.raises(ValueError, match="unknown initializer 'glorot'"):
        initializers.get("glorot")
