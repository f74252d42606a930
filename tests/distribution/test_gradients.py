# SPDX-License-Identifier: Apache-2.0
"""Gradients in one piece of memory."""

from __future__ import annotations

import numpy as np
import pytest
from mpi4py import MPI

from fastrnn.distribution.gradients import Gradients
from fastrnn.layers import LSTM, Dense, Embedding, Input
from fastrnn.models import Sequential


@pytest.mark.parametrize("tree", [False, True])
def test_backward_passes_write_to_it(tree):
    model = Sequential([Input((None,), dtype="int32"), Embedding(50, 4), LSTM(5), Dense(2)])
    variables = model.trainable_weights
    x = np.array([[3, 7, 3], [7, 9, 9]])
    model(x, training=True)
    model.backward(np.ones((2, 2), "float32"))
    expected = [np.array(v.grad) for v in variables]
    gradients = Gradients(variables, [], MPI.COMM_SELF, tree)
    for _ in range(2):          # the second pass clears the rows of the first
        gradients.begin()
        model(x, training=True)
        model.backward(np.ones((2, 2), "float32"))
        gradients.take(True, 1.0)
        gradients.reduce()
        assert variables[0].touched_rows.nonzero()[0].tolist() == [3, 7, 9]
        for v, gradient in zip(variables[1:], expected[1:]):
            assert (v.grad == gradient).all() and not v.grad.flags.owndata
        assert (variables[0].row_gradient == expected[0]).all()
    gradients.begin()
    gradients.take(False, 0.0)      # a shard without samples
    gradients.reduce()
    assert not any(v.grad.any() for v in variables)
    assert gradients.bytes_sent == 0


def test_one_dtype():
    layers = [Dense(2), Dense(2, dtype="float64")]
    for layer in layers:
        layer.build((None, 3))
    with pytest.raises(ValueError, match="one dtype, got float32, float64"):
        Gradients([layer.kernel for layer in layers], [], MPI.COMM_SELF, False)
