# SPDX-License-Identifier: Apache-2.0
"""Each optimizer makes Keras's steps, from Keras's defaults, and keeps Keras's slots."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn import constraints, optimizers
from tests.optimizers.cases import CASES, CLIPS, NAMES, OPTIONS, gradients, train, variables


def train_keras(optimizer, start, steps):
    """Keras's variables and optimizer after the same steps."""
    weights = [keras.Variable(v.numpy(), name=v.name) for v in start]
    for step in steps:
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in step], weights)
    return [np.asarray(w) for w in weights]


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: next(iter(clip), "unclipped"))
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_six_steps_are_keras(name, arguments, clip):
    steps = gradients(6)
    ours, theirs = (getattr(library.optimizers, name)(0.05, **arguments, **clip) for library in (fastrnn, keras))
    expected = train_keras(theirs, variables(), steps)
    got = train(ours, variables(), steps)
    # Keras takes the bias corrections in float32: 1 - 0.999 has three digits less there.
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 if name == "Ftrl" else 5e-6)  # Ftrl's values cancel
    check_state(ours, theirs)
    assert ours.iterations == int(theirs.iterations) == 6


def check_state(ours, theirs):
    """What is kept, but for the batches and the learning rate, which come first."""
    kept = [*ours.get_slots(), *ours.last_values()]
    for a, b in zip(kept, [np.asarray(v) for v in theirs.variables[2:]], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options))
@pytest.mark.parametrize("name", NAMES)
def test_averages_and_accumulated_gradients_are_keras(name, options):
    """Seven batches, so that some wait in the end; and the averages, which take the variables' place."""
    steps = gradients(7)
    ours, theirs = (getattr(library.optimizers, name)(0.05, **options) for library in (fastrnn, keras))
    weights = [keras.Variable(v.numpy(), name=v.name) for v in variables()]
    own = variables()
    for step in steps:
        theirs.apply([keras.ops.convert_to_tensor(g) for g in step], weights)
        for a, b in zip(train(ours, own, [step]), weights, strict=True):
            np.testing.assert_allclose(a, np.asarray(b), rtol=1e-5, atol=1e-5)
    assert ours.iterations == int(theirs.iterations) and ours.batches == int(theirs._iterations)
    check_state(ours, theirs)
    ours.finalize_variable_values()
    theirs.finalize_variable_values(weights)
    for a, b in zip(own, weights, strict=True):
        np.testing.assert_allclose(a.value, np.asarray(b), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_keras(name):
    ours = inspect.signature(getattr(optimizers, name)).parameters
    theirs = inspect.signature(getattr(keras.optimizers, name)).parameters
    named = [p for p in ours if p not in ("args", "kwargs") and ours[p].kind is not inspect.Parameter.KEYWORD_ONLY]
    assert named == list(theirs)[: len(named)]  # the same place in a call without names
    assert {p: ours[p].default for p in named} == {p: theirs[p].default for p in named}


def by_position(name, /, **given):
    """An optimizer made by all of Keras's arguments in Keras's order: its defaults but for those given."""
    theirs = inspect.signature(getattr(keras.optimizers, name)).parameters.values()
    return getattr(optimizers, name)(*(given.get(p.name, p.default) for p in theirs if p.kind is not p.VAR_KEYWORD))


@pytest.mark.parametrize("name", NAMES)
def test_arguments_by_position_are_keras(name):
    for argument, value in {"weight_decay": 0.5, "clipnorm": 2.0, "clipvalue": 3.0, "global_clipnorm": 4.0,
                            "name": "mine", "ema_momentum": 0.5, "ema_overwrite_frequency": 100, "use_ema": True,
                            "loss_scale_factor": 8.0, "gradient_accumulation_steps": 2}.items():
        made = by_position(name, **{argument: value})
        named = getattr(optimizers, name)(**{"name": by_position(name).name, argument: value})
        assert made.get_config() == named.get_config()
        assert getattr(made, argument) == value


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_configurations_are_keras(name, arguments):
    ours = optimizers.serialize(getattr(optimizers, name)(0.25, **arguments))
    theirs = keras.optimizers.serialize(getattr(keras.optimizers, name)(0.25, **arguments))
    for config in ours, theirs:
        del config["config"]["name"]
    assert ours == {key: theirs[key] for key in ours}
    assert optimizers.deserialize(theirs).get_config() == optimizers.deserialize(ours).get_config()
    rebuilt = keras.saving.deserialize_keras_object(ours).get_config()  # optimizers.deserialize does not know Lamb
    assert {k: rebuilt[k] for k in ours["config"]} == ours["config"]


def test_constraints_come_after_the_step():
    steps = gradients(3)
    ours = variables()
    for variable in ours:
        variable.constraint = constraints.get("non_neg")
    theirs = [keras.Variable(v.numpy()) for v in variables()]
    optimizer = keras.optimizers.Adam(0.1)
    for weight in theirs:
        weight.constraint = keras.constraints.NonNeg()
    for step in steps:
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in step], theirs)
    for a, b in zip(train(optimizers.Adam(0.1), ours, steps), theirs, strict=True):
        np.testing.assert_allclose(a, np.asarray(b), rtol=1e-5, atol=5e-6)
        assert (a >= 0).all()


def test_weight_decay_can_be_left_out():
    steps = gradients(3)
    ours, theirs = optimizers.AdamW(weight_decay=0.9), keras.optimizers.AdamW(weight_decay=0.9)
    for optimizer in ours, theirs:
        optimizer.exclude_from_weight_decay(var_names=["_1", "t_2"])
    expected = train_keras(theirs, variables(), steps)
    for a, b in zip(train(ours, variables(), steps), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=5e-6)
    with pytest.raises(ValueError, match="AdamW 'adamw': call exclude_from_weight_decay before the first update"):
        ours.exclude_from_weight_decay(var_names=["bias"])


def test_weight_decay_of_given_variables():
    own = variables()
    optimizer = optimizers.SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay([own[1]])
    before = [v.numpy() for v in own]
    train(optimizer, own, [[np.zeros(v.shape, "float32") for v in own]])
    np.testing.assert_array_equal(own[1].value, before[1])
    np.testing.assert_allclose(own[0].value, before[0] * 0.95, rtol=1e-6)


@pytest.mark.parametrize("limit", ["clipnorm", "global_clipnorm"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_spreads_as_in_keras(limit, bad):
    steps = gradients(1)
    steps[0][0][1, 2] = bad
    for name in "SGD", "Adam":
        ours, theirs = (getattr(library.optimizers, name)(0.1, **{limit: 1.0}) for library in (fastrnn, keras))
        expected = train_keras(theirs, variables(), steps)
        for a, b in zip(train(ours, variables(), steps), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=5e-6)


def test_zero_gradients_can_be_clipped():
    for limit in "clipnorm", "global_clipnorm", "clipvalue":
        own = variables()
        before = [v.numpy() for v in own]
        train(optimizers.SGD(0.1, **{limit: 1.0}), own, [[np.zeros(v.shape, "float32") for v in own]])
        for variable, value in zip(own, before, strict=True):
            np.testing.assert_array_equal(variable.value, value)


@pytest.mark.parametrize("limit", ["clipnorm", "clipvalue", "global_clipnorm"])
def test_a_limit_of_zero_is_none(limit):
    """As in Keras."""
    steps = gradients(2)
    expected = train_keras(keras.optimizers.SGD(0.1, **{limit: 0.0}), variables(), steps)
    for a, b in zip(train(optimizers.SGD(0.1, **{limit: 0}), variables(), steps), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
