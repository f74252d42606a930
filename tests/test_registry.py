# SPDX-License-Identifier: Apache-2.0
"""Look-ups by name and configuration, and that a configuration can name nothing outside the table."""

from __future__ import annotations

import numpy as np
import pytest

from fastrnn import callbacks, constraints, initializers, losses, metrics, optimizers, regularizers
from fastrnn.registry import Configurable, Registry, absent, plain_value, snake_case, value_of_plain
from fastrnn.spellings import near


class RedBall(Configurable):
    def __init__(self, size=1):
        self.size = size

    def get_config(self):
        return {"size": self.size}


class Own(Configurable):
    pass


def bounce():
    return "bounced"


TABLE = Registry("ball", [RedBall], {"red": RedBall, "bounce": bounce, "big": RedBall(9)}, module="keras.balls")


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("MeanSquaredError", "mean_squared_error"),
        ("KLDivergence", "kl_divergence"),
        ("L1L2", "l1l2"),
        ("AUC", "auc"),
        ("SparseTopKCategoricalAccuracy", "sparse_top_k_categorical_accuracy"),
        ("Relu6", "relu6"),
    ],
)
def test_snake_case(name, snake):
    assert snake_case(name) == snake


@pytest.mark.parametrize("identifier", ["RedBall", "red_ball", "red", RedBall, {"class_name": "RedBall", "config": {}}])
def test_every_way_to_ask_gives_an_instance_with_defaults(identifier):
    ball = TABLE.get(identifier)
    assert type(ball) is RedBall and ball.size == 1


def test_none_instances_and_functions_are_given_back():
    ball = RedBall(3)
    assert TABLE.get(None) is None
    assert TABLE.get(ball) is ball and not callable(ball)
    assert TABLE.get(ball.get_config) == ball.get_config
    assert TABLE.get(bounce) is TABLE.get("bounce") is bounce
    assert TABLE.get("big").size == 9


@pytest.mark.parametrize(
    "config",
    [
        {"class_name": "RedBall", "config": {"size": 4}},
        {"module": "keras.balls", "class_name": "RedBall", "config": {"size": 4}, "registered_name": None},
        {"module": None, "class_name": "red_ball", "config": {"size": 4}, "registered_name": "x>RedBall"},
    ],
)
def test_configurations_of_keras_2_and_3(config):
    assert TABLE.get(config).size == TABLE.deserialize(config).size == 4


def test_functions_in_the_form_of_keras_3():
    assert TABLE.get({"class_name": "function", "config": "bounce", "module": "builtins"}) is bounce
    assert TABLE.get({"class_name": "function", "config": None, "registered_name": "bounce"}) is bounce


def test_serialize_is_the_form_of_keras_3_and_comes_back():
    config = TABLE.serialize(RedBall(5))
    assert config == {
        "module": "keras.balls", "class_name": "RedBall", "config": {"size": 5}, "registered_name": None,
    }  # fmt: skip
    assert TABLE.get(config).size == 5
    assert TABLE.serialize(None) is None
    assert TABLE.serialize(bounce) == "bounce"


def test_own_classes_come_back_through_custom_objects_alone():
    config = TABLE.serialize(Own())
    assert config["class_name"] == config["registered_name"] == "Own"
    assert type(TABLE.deserialize(config, {"Own": Own})) is Own
    with pytest.raises(ValueError, match="unknown ball 'Own'"):
        TABLE.deserialize(config)


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        ("green", "unknown ball 'green': expected one of RedBall, big, bounce, red, red_ball, an instance"),
        ("bonce", "unknown ball 'bonce' (did you mean 'bounce'?): expected one of RedBall, big, bounce, "),
        (7, "cannot read 7 as a ball"),
        ({"config": {}}, "'class_name' and 'config'"),
        ({"class_name": 3, "config": {}}, "'class_name' and 'config'"),
        ({"class_name": "RedBall", "config": [1]}, "expected 'config' to be a dictionary"),
        ({"class_name": "RedBall", "config": {"weight": 1}}, "ball 'RedBall': its class does not take config"),
        ({"module": "os", "class_name": "system", "config": {"command": "true"}}, "unknown ball 'system'"),
        ({"module": "builtins", "class_name": "function", "config": "eval"}, "unknown ball 'eval'"),
        ({"class_name": "__lambda__", "config": {"value": "x"}}, "unknown ball '__lambda__'"),
        ({"class_name": "function", "config": None}, "unknown ball 'None'"),
        ({"class_name": "function", "config": {"class_name": "function"}}, "unknown ball 'None'"),
    ],
)
def test_what_is_not_in_the_table_is_an_error_that_names_it(identifier, message):
    with pytest.raises(ValueError, match=r"\w") as error:
        TABLE.get(identifier)
    assert message in str(error.value)


@pytest.mark.parametrize(("name", "found"), [
    ("acuracy", "'accuracy'"), ("Acuracy", "'Accuracy'"), ("MeanSquareError", "'MeanSquaredError'"),
    ("mean_square_error", "'mean_squared_error'"), ("mes", "'mse'"), ("f1", ""), ("", ""),
    ("ACCURACY", "'Accuracy'"), ("mean squared error", "'mean_squared_error'"),
])  # fmt: skip
def test_names_spelled_nearly_so(name, found):
    """Of a class and its name in small letters the one that is written as the name is."""
    known = ["Accuracy", "MeanSquaredError", "accuracy", "mean_squared_error", "mse", "Sum"]
    assert near(name, known) == (f" (did you mean {found}?)" if found else "")


def test_an_absent_name():
    error = absent("balls", "RedBal", ["RedBall", "_hidden", "Big"])
    assert type(error) is AttributeError
    assert str(error) == "module 'balls' has no attribute 'RedBal' (did you mean 'RedBall'?); it has Big, RedBall"
    assert str(absent("balls", "__wrapped__", ["RedBall"])) == "module 'balls' has no attribute '__wrapped__'"


def test_values_of_configurations():
    assert plain_value(3.5) == 3.5
    assert type(plain_value(np.float32(2))) is float
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    back = value_of_plain(plain_value(array))
    assert back.dtype == np.float32 and np.array_equal(back, array)
    with pytest.raises(ValueError, match="a number or an array"):
        value_of_plain({"class_name": "__lambda__", "config": {}})


def test_repr_shows_the_arguments():
    assert repr(RedBall(2)) == "RedBall(size=2)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: callbacks.EarlyStopping(patiense=3), r"unknown keyword 'patiense' \(did you mean 'patience'"),
        (lambda: losses.BinaryCrossentropy(from_logit=True), r"'from_logit' \(did you mean 'from_logits'"),
        (lambda: metrics.AUC(num_threshold=3), r"AUC: unknown keyword 'num_threshold' \(did you mean 'num_thresholds'"),
        (lambda: initializers.RandomNormal(standard_dev=1), "RandomNormal: unknown keyword 'standard_dev'"),
        (lambda: initializers.Zeros(seed=1), "Zeros: unknown keyword 'seed'"),
        (lambda: initializers.Zeros(1), "Zeros: expected no arguments, got 1"),
        (lambda: regularizers.L2(l_2=0.1), r"L2: unknown keyword 'l_2' \(did you mean 'l2'"),
        (lambda: constraints.MaxNorm(max_val=1), r"MaxNorm: unknown keyword 'max_val' \(did you mean 'max_value'"),
        (lambda: optimizers.SGD(momentun=0.9), r"unknown keyword 'momentun' \(did you mean 'momentum'"),
    ],
)
def test_unknown_keywords_name_the_nearest(make, message):
    with pytest.raises(TypeError, match=message):
        make()


def test_classes_that_take_any_keyword_see_to_them_themselves():
    class Any(Configurable):
        def __init__(self, **kwargs):
            self.kwargs = kwargs

    assert Any(colour="red").kwargs == {"colour": "red"}
