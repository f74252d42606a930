# SPDX-License-Identifier: Apache-2.0
"""What the loss of a part of a batch weighs in that of the whole."""

from __future__ import annotations

import numpy as np
import pytest

from fastrnn import losses

RNG = np.random.default_rng(0)
N, T = 10, 4
P = RNG.dirichlet(np.ones(3), (N, T)).astype("float32")
Y = RNG.integers(0, 3, (N, T))
MASK = RNG.random((N, T)) < 0.6
WEIGHTS = RNG.random(N).astype("float32"), RNG.random((N, T)).astype("float32")


@pytest.mark.parametrize("mask", [None, MASK], ids=["", "mask"])
@pytest.mark.parametrize("weight", [None, *WEIGHTS], ids=["", "sample", "step"])
@pytest.mark.parametrize("loss", [
    losses.SparseCategoricalCrossentropy(), losses.SparseCategoricalCrossentropy(ignore_class=1),
    losses.SparseCategoricalCrossentropy(reduction="mean_with_sample_weight"),
], ids=["mean", "ignore_class", "weighted mean"])  # fmt: skip
def test_parts_make_the_whole(loss, weight, mask):
    total = mass = 0.0
    for part in (slice(0, 3), slice(3, 10)):
        w, m = (None if one is None else one[part] for one in (weight, mask))
        own = loss.mass(Y[part], w, m)
        own = len(Y[part]) if own is None else own
        total, mass = total + own * loss(Y[part], P[part], w, m), mass + own
    np.testing.assert_allclose(total / mass, loss(Y, P, weight, mask), rtol=1e-5)


def test_the_number_of_samples_is_not_said():
    assert losses.MeanSquaredError().mass(Y, WEIGHTS[0], None) is None
