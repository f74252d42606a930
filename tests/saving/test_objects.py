# SPDX-License-Identifier: Apache-2.0
"""Objects as plain values: there and back, and to and from Keras's form."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.saving import deserialize_keras_object, serialize_keras_object

OBJECTS = {
    "layer": lambda k: k.layers.LSTM(3, kernel_regularizer=k.regularizers.L2(0.5), name="encoder"),
    "loss": lambda k: k.losses.CategoricalCrossentropy(label_smoothing=0.25),
    "metric": lambda k: k.metrics.Precision(name="p"),
    "optimizer": lambda k: k.optimizers.RMSprop(0.25, name="r"),
    "schedule": lambda k: k.optimizers.schedules.ExponentialDecay(0.5, 10, 0.9),
    "initializer": lambda k: k.initializers.RandomNormal(stddev=0.5, seed=3),
    "regularizer": lambda k: k.regularizers.L1(0.5),
    "constraint": lambda k: k.constraints.MaxNorm(1.5),
    "in a dictionary": lambda k: {"a": [k.regularizers.L1(0.5), 1, None, "x"], "b": {"c": 2.5}},
    "slice": lambda k: slice(1, None, 2),
}


@pytest.mark.parametrize("make", OBJECTS.values(), ids=OBJECTS)
def test_there_and_back(make):
    config = json.loads(json.dumps(serialize_keras_object(make(fastrnn))))
    assert serialize_keras_object(deserialize_keras_object(config)) == config


@pytest.mark.parametrize("make", OBJECTS.values(), ids=OBJECTS)
def test_from_and_to_keras(make):
    theirs = keras.saving.serialize_keras_object(make(keras))
    own = deserialize_keras_object(json.loads(json.dumps(theirs)))
    assert serialize_keras_object(own) == serialize_keras_object(make(fastrnn))
    back = keras.saving.deserialize_keras_object(serialize_keras_object(make(fastrnn)))
    assert keras.saving.serialize_keras_object(back) == theirs


def test_arrays():
    for x in (np.arange(6.0).reshape(2, 3), np.ones(2, "int32")):
        back = deserialize_keras_object(json.loads(json.dumps(serialize_keras_object(x))))
        np.testing.assert_array_equal(back, x)
        assert back.dtype == x.dtype
        np.testing.assert_array_equal(deserialize_keras_object(keras.saving.serialize_keras_object(x)), x)
    assert serialize_keras_object(np.float32(0.5)) == 0.5


def test_models():
    for k in (fastrnn, keras):
        x = k.Input((None, 3), name="x")
        model = k.Model(x, k.layers.Dense(2)(k.layers.GRU(4)(x)))
        back = deserialize_keras_object(json.loads(json.dumps(
            (serialize_keras_object if k is fastrnn else keras.saving.serialize_keras_object)(model))))
        assert isinstance(back, fastrnn.Model) and back.count_params() == model.count_params()


class Span:
    """A class of the user's own, with a configuration, and no layer."""

    def __init__(self, width):
        self.width = width

    def get_config(self):
        return {"width": self.width}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def doubled_here(x):
    return 2 * x


def test_objects_of_ones_own():
    config = serialize_keras_object([Span(3), doubled_here])
    with pytest.raises(ValueError, match=r"unknown class 'Span'.*register_keras_serializable"):
        deserialize_keras_object(config)
    with pytest.raises(ValueError, match="unknown function 'doubled_here'"):
        deserialize_keras_object(config[1])
    span, function = deserialize_keras_object(config, {"Span": Span, "doubled_here": doubled_here})
    assert span.width == 3 and function is doubled_here
    with fastrnn.saving.custom_object_scope({"Span": Span, "doubled_here": doubled_here}):
        assert deserialize_keras_object(config)[1] is doubled_here


def test_functions_of_keras():
    for function in (keras.activations.relu, keras.losses.mean_squared_error):
        own = deserialize_keras_object(keras.saving.serialize_keras_object(function))
        x, y = np.array([[-1.0, 2.0]], "float32"), np.array([[1.0, 1.0]], "float32")
        args = (x,) if function is keras.activations.relu else (y, x)
        np.testing.assert_allclose(own(*args), function(*args))


def test_what_has_no_form():
    with pytest.raises(ValueError, match="define it by def"):
        serialize_keras_object(lambda x: x)
    with pytest.raises(ValueError, match="get_config"):
        serialize_keras_object(object())
    with pytest.raises(ValueError, match="unknown class"):     # nothing is imported by name
        deserialize_keras_object({"module": "os", "class_name": "system", "config": {}, "registered_name": "system"})


def test_names_are_those_of_keras():
    for name in ("CustomObjectScope", "custom_object_scope", "deserialize_keras_object", "get_custom_objects",
                 "get_registered_name", "get_registered_object", "load_model", "load_weights",
                 "register_keras_serializable", "save_model", "save_weights", "serialize_keras_object"):
        assert hasattr(keras.saving, name) and callable(getattr(fastrnn.saving, name))
