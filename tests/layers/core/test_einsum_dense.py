# SPDX-License-Identifier: Apache-2.0
"""EinsumDense against Keras, and the equations that it refuses."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.layers import EinsumDense

CASES = [
    ("ab,bc->ac", 5, "c", (3, 4)), ("abc,cd->abd", (None, 5), "d", (3, 2, 4)),
    ("abc,cd->abd", (2, 5), None, (3, 2, 4)),
    ("...x,xy->...y", 5, "y", (3, 2, 4)), ("...x,xy->...y", 5, "y", (3, 4)),
    ("abc,cde->abde", (None, 2, 3), "de", (3, 2, 4)),
    ("abcd,cde->abe", (None, 6), "e", (3, 2, 4, 5)), ("ab...,bc->ac...", 5, "c", (3, 4, 2)),
    ("abc,bd->adc", (6, 4), "dc", (3, 2, 4)), ("abc,abc->abc", (2, 4), "c", (3, 2, 4)),
]  # fmt: skip


@pytest.mark.parametrize("equation, output_shape, bias_axes, shape", CASES[:-1])
def test_values_and_shapes_are_keras(equation, output_shape, bias_axes, shape, rng):
    ours, theirs = (library.layers.EinsumDense(equation, output_shape, "tanh", bias_axes)
                    for library in (fastrnn, keras))
    x = rng.standard_normal(shape).astype("float32")
    ours(x), theirs(x)
    ours.set_weights([rng.standard_normal(w.shape) for w in ours.weights])
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(ours(x), np.asarray(theirs(x)), rtol=1e-5, atol=1e-6)
    made, wanted = (layer.compute_output_shape((None, *shape[1:])) for layer in (ours, theirs))
    assert len(made) == len(wanted)     # what output_shape leaves open, but the input has, Keras does not say
    assert all(one in (None, own) for own, one in zip(made, wanted))
    assert [(v.name, v.shape) for v in ours.weights] == [(v.name, tuple(v.shape)) for v in theirs.weights]


def test_first_values_have_the_scale_of_a_dense_layer():
    layer = EinsumDense("abc,cde->abde", (None, 20, 30), kernel_initializer="glorot_uniform")
    layer.build((None, 5, 40))
    limit = np.sqrt(6 / (40 + 600))
    assert 0.97 * limit < np.abs(layer.kernel.data).max() <= limit


@pytest.mark.parametrize("equation, output_shape, bias_axes, problem", [
    ("abc,", 3, None, "equation: expected the letters"), ("...ab...,b->...a...", 3, None, "equation: expected the"),
    ("aab,bc->ac", 3, None, "equation: expected the letters"), ("ab,c,d", 3, None, "equation: expected the letters"),
    ("ab,bc->ac", "wide", None, "output_shape: expected a size"), ("ab,bc->ac", 0, None, "output_shape: expected a"),
    ("ab,bc->ac", 3, "b", "bias_axes: expected letters of the output"), ("ab,bc->ac", (3, 4), None, "output_shape: ex"),
    ("abc,cd->abd", 4, None, "output_shape: expected sizes"),
    ("ab,bc->adc", (2, 3), None, "equation: expected axis 'd'"),
])
def test_errors(equation, output_shape, bias_axes, problem):
    with pytest.raises(ValueError, match=f"EinsumDense 'n' {problem}"):
        EinsumDense(equation, output_shape, bias_axes=bias_axes, name="n").build(
            (None, *[4] * (str(equation).index(",") - 1)))


def test_inputs_that_do_not_fit():
    layer = EinsumDense("abc,cd->abd", (None, 5), name="n")
    with pytest.raises(ValueError, match="'n': expected a known size of axis 'c'"):
        layer.build((None, 3, None))
    layer(np.ones((2, 3, 4)))
    with pytest.raises(ValueError, match=r"'n': expected an input for the kernel \(4, 5\)"):
        layer(np.ones((2, 3, 3)))
    with pytest.raises(ValueError, match=r"'n': expected an input with axes 'abc', got 2 axes"):
        layer(np.ones((2, 4)))
    with pytest.raises(ValueError, match="lora_rank"):
        EinsumDense("ab,bc->ac", 3, lora_rank=2)
