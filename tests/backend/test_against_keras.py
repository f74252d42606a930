# SPDX-License-Identifier: Apache-2.0
"""Keras 2's functions against those that Keras still has of them, which are made of TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow
from keras.src.legacy import backend as legacy

import fastrnn.backend as K
from tests.backend.cases import EVERY, MASK, STATE, STEPS, U, W


@pytest.mark.parametrize(("name", "args", "kwargs"), EVERY)
def test_values_are_those_of_keras(name, args, kwargs):
    def tensors(value):
        if isinstance(value, list):
            return [tensors(one) for one in value]
        return tensorflow.constant(value) if isinstance(value, np.ndarray) else value

    theirs = getattr(legacy, name)(*map(tensors, args), **kwargs)
    theirs, own = np.asarray(theirs), np.asarray(getattr(K, name)(*args, **kwargs))
    assert own.shape == theirs.shape
    assert own.dtype.kind == theirs.dtype.kind
    np.testing.assert_allclose(own, theirs, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("kwargs", [
    {}, {"mask": MASK}, {"mask": MASK, "zero_output_for_mask": True}, {"go_backwards": True},
    {"go_backwards": True, "mask": MASK}, {"return_all_outputs": False}])
def test_rnn(kwargs):
    def step(module, tensor):
        return lambda x, states: (y := module.tanh(module.dot(x, tensor(W)) + module.dot(states[0], tensor(U))), [y])

    constant = tensorflow.constant
    own = K.rnn(step(K, np.asarray), STEPS, [STATE], **kwargs)
    given = {key: constant(value) if key == "mask" else value for key, value in kwargs.items()}
    theirs = legacy.rnn(step(legacy, constant), constant(STEPS), [constant(STATE)], **given)
    for one, other in zip((own[0], own[1], own[2][0]), (theirs[0], theirs[1], theirs[2][0]), strict=True):
        np.testing.assert_allclose(one, np.asarray(other), rtol=1e-5, atol=1e-6)
