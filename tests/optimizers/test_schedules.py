# SPDX-License-Identifier: Apache-2.0
"""Learning rate schedules against Keras's."""

from __future__ import annotations

import keras
import pytest

from fastrnn.optimizers import schedules

CASES = [
    ("ExponentialDecay", (0.1, 20, 0.5), {}),
    ("ExponentialDecay", (0.1, 20, 0.5), {"staircase": True}),
    ("InverseTimeDecay", (0.1, 20, 0.5), {}),
    ("InverseTimeDecay", (0.1, 20, 0.5), {"staircase": True}),
    ("PiecewiseConstantDecay", ([10, 20, 45], [0.1, 0.2, 0.05, 0.01]), {}),
    ("PiecewiseConstantDecay", ([10], [0.1, 0.2]), {}),
    ("PolynomialDecay", (0.1, 20), {}),
    ("PolynomialDecay", (0.1, 20, 0.02), {"power": 2.0}),
    ("PolynomialDecay", (0.1, 20, 0.02), {"power": 0.5, "cycle": True}),
    ("CosineDecay", (0.1, 20), {}),
    ("CosineDecay", (0.01, 20), {"alpha": 0.1, "warmup_target": 0.1, "warmup_steps": 10}),
    ("CosineDecay", (0.01, 20), {"warmup_target": 0.1}),
    ("CosineDecayRestarts", (0.1, 13), {}),
    ("CosineDecayRestarts", (0.1, 13), {"t_mul": 1.0, "m_mul": 0.5, "alpha": 0.1}),
    ("CosineDecayRestarts", (0.1, 13), {"t_mul": 1.5, "m_mul": 0.8}),
]


@pytest.mark.parametrize(("name", "arguments", "options"), CASES)
def test_values_are_keras(name, arguments, options):
    ours = getattr(schedules, name)(*arguments, **options)
    theirs = getattr(keras.optimizers.schedules, name)(*arguments, **options)
    for step in [0, 5, 10, 11, 20, 21, 45, 46, 200]:
        assert ours(step) == pytest.approx(float(theirs(step)), rel=2e-5, abs=1e-8), step


@pytest.mark.parametrize(("name", "arguments", "options"), CASES)
def test_configurations_are_keras(name, arguments, options):
    ours = schedules.serialize(getattr(schedules, name)(*arguments, **options))
    theirs = keras.optimizers.schedules.serialize(getattr(keras.optimizers.schedules, name)(*arguments, **options))
    assert ours == theirs
    assert schedules.serialize(schedules.deserialize(theirs)) == theirs


def test_own_schedules():
    class Halving(schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.5**step

    config = schedules.serialize(Halving())
    assert schedules.deserialize(config, {"Halving": Halving})(2) == 0.25
    with pytest.raises(ValueError, match="unknown learning rate schedule 'Halving'"):
        schedules.deserialize(config)
    with pytest.raises(NotImplementedError, match="LearningRateSchedule must define __call__"):
        schedules.LearningRateSchedule()(0)


def test_errors():
    for make in (
        lambda: schedules.ExponentialDecay(0.1, 0, 0.5),
        lambda: schedules.PolynomialDecay(0.1, -1),
        lambda: schedules.CosineDecay(0.1, 0),
        lambda: schedules.CosineDecayRestarts(0.1, 0),
    ):
        with pytest.raises(ValueError, match="decay_steps: expected a number above 0, got"):
            make()
    with pytest.raises(ValueError, match="PiecewiseConstantDecay values: expected one more than boundaries"):
        schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2])
    with pytest.raises(ValueError, match="PiecewiseConstantDecay boundaries: expected rising steps"):
        schedules.PiecewiseConstantDecay([2, 1], [0.1, 0.2, 0.3])
