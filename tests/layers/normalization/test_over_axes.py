# SPDX-License-Identifier: Apache-2.0
"""RMSNormalization and UnitNormalization against Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.layers import RMSNormalization, UnitNormalization

AXES = [((4, 5), -1), ((2, 3, 5), -1), ((2, 3, 5), 1), ((2, 3, 5), [1, 2])]


@pytest.mark.parametrize("options", [{}, {"epsilon": 0.1}])
@pytest.mark.parametrize("shape, axis", AXES)
def test_rms_is_keras(shape, axis, options, rng):
    ours, theirs = (library.layers.RMSNormalization(axis, **options) for library in (fastrnn, keras))
    x = rng.standard_normal(shape).astype("float32") * 3
    ours(x)
    ours.set_weights([rng.standard_normal(w.shape) for w in ours.weights])
    if axis == 1:       # of which Keras's scale has the shape, but is multiplied with the last axis
        expected = ours.scale.data[:, None] * x / np.sqrt(np.square(x).mean(1, keepdims=True) + ours.epsilon)
    else:
        theirs(x)
        theirs.set_weights(ours.get_weights())
        expected = np.asarray(theirs(x))
        assert [v.name for v in ours.weights] == [v.name for v in theirs.weights]
    np.testing.assert_allclose(ours(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape, axis", AXES)
def test_unit_is_keras(shape, axis, rng):
    ours, theirs = (library.layers.UnitNormalization(axis) for library in (fastrnn, keras))
    x = rng.standard_normal(shape).astype("float32") * 3
    x[0] = 0
    np.testing.assert_allclose(ours(x), np.asarray(theirs(x)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cls", [RMSNormalization, UnitNormalization])
def test_errors(cls):
    for axis, problem in [("last", "expected a whole number"), (0, "expected different axes"),
                          (3, "expected different axes"), ([1, -2], "expected different axes")]:
        with pytest.raises(ValueError, match=f"{cls.__name__} 'n' axis: {problem}"):
            cls(axis, name="n").build((None, 4, 3))
    with pytest.raises(ValueError, match="'n' epsilon: expected a number of 0 or more"):
        RMSNormalization(epsilon=-1, name="n")
