# SPDX-License-Identifier: Apache-2.0
"""The settings of the process: what they change, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import fastrnn
from fastrnn import backend, config, mixed_precision, ops


@pytest.fixture(autouse=True)
def as_before():
    yield
    config.set_floatx("float32")
    config.set_epsilon(1e-7)


def test_floatx_is_the_dtype_of_what_is_given_none():
    backend.set_floatx("float64")
    assert config.floatx() == backend.floatx() == "float64"
    assert fastrnn.layers.LSTM(3).dtype == fastrnn.Input((2,)).dtype == "float64"
    assert fastrnn.layers.LSTM(3, dtype="float32").dtype == "float32"
    for made in (ops.zeros(2), ops.array([1.5]), ops.one_hot([1], 2), ops.sqrt(4), backend.variable(1.0).data,
                 fastrnn.random.normal((2,)), backend.constant(2)):
        assert made.dtype == np.float64
    model = fastrnn.Sequential([fastrnn.Input((None, 2)), fastrnn.layers.GRU(3)])
    assert model.predict(np.ones((1, 4, 2)), verbose=0).dtype == np.float64
    config.set_floatx("float32")
    assert fastrnn.layers.LSTM(3).dtype == "float32" and ops.zeros(2).dtype == np.float32


@pytest.mark.parametrize("value", ["float16", "bfloat16", "int32", "mixed_float16", "nonsense", None.__class__])
def test_other_dtypes_are_refused(value):
    for function in (config.set_floatx, config.set_dtype_policy, mixed_precision.set_global_policy):
        with pytest.raises(ValueError, match="expected 'float32' or 'float64'"):
            function(value)
    assert config.floatx() == "float32"


def test_policies():
    mixed_precision.set_global_policy("float32")
    assert mixed_precision.global_policy().name == "float32"
    config.set_dtype_policy(mixed_precision.Policy("float64"))
    policy = config.dtype_policy()
    assert policy.compute_dtype == policy.variable_dtype == fastrnn.layers.Dense(1).dtype == "float64"
    assert fastrnn.DTypePolicy(**policy.get_config()).name == "float64"


def test_epsilon():
    config.set_epsilon(1e-3)
    assert backend.epsilon() == 1e-3
    np.testing.assert_allclose(ops.binary_crossentropy([1.0], [0.0]), -np.log(1e-3), rtol=1e-5)
    for value in (0, -1.0, 1.5, "1e-7", True, None):
        with pytest.raises(ValueError, match="set_epsilon value"):
            config.set_epsilon(value)


def test_what_is_refused():
    config.set_image_data_format("channels_last")
    assert config.image_data_format() == "channels_last"
    with pytest.raises(ValueError, match="'channels_last', got 'channels_first'"):
        config.set_image_data_format("channels_first")
    with pytest.raises(RuntimeError, match="never run"):
        config.enable_unsafe_deserialization()
    with pytest.raises(AttributeError, match="no attribute 'set_backend': arrays are NumPy's"):
        _ = config.set_backend


@pytest.mark.parametrize("name", ["GradientTape", "function", "device"])
def test_absent_names_say_the_way_out(name):
    with pytest.raises(AttributeError, match=f"module 'fastrnn' has no attribute '{name}': "):
        getattr(fastrnn, name)
    assert not hasattr(fastrnn, name)


def test_names_of_the_package():
    layer = fastrnn.layers.Dense(1)
    x = fastrnn.Input((2,))
    layer(x)
    assert isinstance(layer, fastrnn.Layer) and isinstance(x, fastrnn.KerasTensor)
    assert isinstance(layer.kernel, fastrnn.Variable)
    assert isinstance(fastrnn.losses.Huber(), fastrnn.Loss) and isinstance(fastrnn.metrics.AUC(), fastrnn.Metric)
    assert isinstance(fastrnn.optimizers.Adam(), fastrnn.Optimizer)
    assert isinstance(fastrnn.initializers.Zeros(), fastrnn.Initializer)
    assert isinstance(fastrnn.regularizers.L2(), fastrnn.Regularizer)
    assert isinstance((x + x).node.layer, fastrnn.Operation)
    assert fastrnn.version() == fastrnn.__version__
