# SPDX-License-Identifier: Apache-2.0
"""Merge layers against Keras: values, gradients, shapes, masks, and what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import keras
import numpy as np
import pytest
from keras.src.backend import get_keras_mask, set_keras_mask

import fastrnn
from fastrnn import layers
from tests.conftest import assert_gradients

ELEMENTWISE = ["Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"]
NAMES = [*ELEMENTWISE, "Concatenate", "Dot"]
SHAPES = [
    [(2, 3, 4), (2, 3, 4)], [(2, 3, 4), (2, 4)], [(2, 4), (2, 3, 4)], [(2, 3, 4), (2, 1)], [(2, 3, 4), (2, 3, 1)],
    [(2, 1, 4), (2, 5, 1)], [(2, 3, 4), (2,)], [(2, 4), (2, 5, 3, 4)], [(2, 3), (2, 3), (2, 3)],
    [(2, 4), (2, 3, 1), (2, 1, 4)], [(2, 3)]]  # fmt: skip
MASKS = [np.array(steps, bool) for steps in ([[1, 1, 0], [0, 1, 1]], [[0, 0, 0], [1, 0, 1]], [[1, 0, 1], [0, 0, 1]])]


def pair(name: str, **options: Any) -> tuple[Any, Any]:
    return getattr(layers, name)(**options), getattr(keras.layers, name)(**options)


def fitting(name: str, shapes: list[tuple[int, ...]]) -> bool:
    return name != "Subtract" or len(shapes) == 2


def arrays(shapes: Any, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype("float32") for shape in shapes]


def assert_alike(name: str, options: dict[str, Any], shapes: Any) -> None:
    """Keras's values, and the gradients that central differences give."""
    xs, (ours, theirs) = arrays(shapes), pair(name, **options)
    y = ours(xs)
    assert y.dtype == "float32"
    np.testing.assert_allclose(y, theirs(xs), rtol=1e-5, atol=1e-6)
    assert_gradients(getattr(layers, name)(**options, dtype="float64"), xs)


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_values_and_gradients(name, shapes):
    if fitting(name, shapes):
        assert_alike(name, {}, shapes)


@pytest.mark.parametrize("name", ["Maximum", "Minimum"])
def test_equal_ones_share_the_gradient(name):
    layer, x = getattr(layers, name)(), np.array([[1.0, 2.0]], "float32")
    layer([x, x, x + [0, 7]], training=True)
    found = layer.backward(np.full((1, 2), 6))
    shares = {"Maximum": [[2, 0], [2, 0], [2, 6]], "Minimum": [[2, 3], [2, 3], [2, 0]]}[name]
    np.testing.assert_array_equal(np.concatenate(found), shares)


@pytest.mark.parametrize("axis", [-1, 1, 2, -2, 0])
def test_concatenate(axis):
    shapes = np.full((3, 3), 3)
    shapes[:, axis] = [1, 3, 2]
    assert_alike("Concatenate", {"axis": axis}, list(map(tuple, shapes.tolist())))


@pytest.mark.parametrize(("axes", "shapes"), [
    (1, [(2, 4), (2, 4)]), (-1, [(2, 4), (2, 4)]), ((1, 2), [(2, 20, 1), (2, 30, 20)]), (1, [(2, 3, 4), (2, 3, 5)]),
    (2, [(2, 3, 4), (2, 5, 4)]), ((1, 2), [(2, 4), (2, 5, 4)]), ((2, 1), [(2, 3, 4), (2, 4)]),
    ((1, 2), [(2, 3, 5, 4), (2, 6, 3, 2)]), ((-1, -2), [(2, 3, 4), (2, 4, 5)])])  # fmt: skip
@pytest.mark.parametrize("normalize", [False, True])
def test_dot(axes, shapes, normalize):
    assert_alike("Dot", {"axes": axes, "normalize": normalize}, shapes)


def test_the_cosine_of_zeros_is_zero():
    layer = layers.Dot(1, normalize=True)
    zeros, ones = np.zeros((1, 3), "float32"), np.ones((1, 3), "float32")
    assert layer([zeros, ones], training=True) == 0
    assert all(np.isfinite(dx).all() for dx in layer.backward(np.ones((1, 1))))


@pytest.mark.parametrize("masked", [(0, 1, 2), (0, 1), (1,), (0,), ()], ids=str)
@pytest.mark.parametrize("name", [*ELEMENTWISE, "Concatenate"])
def test_masks(name, masked):
    """What masked steps count for, and which mask goes on."""
    xs = arrays([(2, 3, 4)] * (2 if name == "Subtract" else 3))
    masks = [MASKS[index] if index in masked else None for index in range(len(xs))]
    ours, theirs = pair(name)
    given = [jax.numpy.array(x) for x in xs]
    for x, mask in zip(given, masks):
        if mask is not None:
            set_keras_mask(x, jax.numpy.array(mask))
    expected = theirs(given)
    np.testing.assert_allclose(ours(xs, mask=masks), expected, rtol=1e-5, atol=1e-6)
    mask, expected_mask = ours.compute_mask(xs, masks), get_keras_mask(expected)
    assert (mask is None) == (expected_mask is None)
    if mask is not None:
        np.testing.assert_array_equal(mask, expected_mask)
    masks_go_on = [mask is not None for mask in masks]
    assert ours.masked_outputs(masks_go_on, 1) == [mask is not None]


def test_masks_of_steps_end_to_end():
    xs, masks = arrays([(2, 3, 4), (2, 2, 4)]), [MASKS[0], None]
    layer = layers.Concatenate(1)
    np.testing.assert_array_equal(layer.compute_mask(xs, masks), [[1, 1, 0, 1, 1], [0, 1, 1, 1, 1]])


SYMBOLS = [[(3, 4), (4,)], [(None, 4), (3, 4)], [(None, 4), (1, 4)], [(None, 4), (None, 4)], [(1, 4), (5, 1)],
           [(3, 4), ()], [(3, None), (3, 4)], [(3, 4), (3, 4)], [(3,), (3,)]]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), [*((name, {}) for name in ELEMENTWISE), ("Concatenate", {}),
                                               ("Concatenate", {"axis": 1})], ids=str)
def test_output_shapes(name, options):
    """Of symbols; what Keras refuses is refused."""
    agreed = 0
    for shapes in SYMBOLS:
        ours, theirs = pair(name, **options)
        try:
            expected = theirs([keras.Input(shape) for shape in shapes]).shape
        except ValueError:
            with pytest.raises(ValueError, match=name):
                ours([fastrnn.Input(shape) for shape in shapes])
            continue
        symbol = ours([fastrnn.Input(shape) for shape in shapes])
        assert symbol.shape == expected == ours.compute_output_shape(*((None, *shape) for shape in shapes))
        assert ours.compute_output_shape([(None, *shape) for shape in shapes]) == expected
        agreed += 1
    assert agreed >= 2


def test_output_shapes_of_dot():
    """A size that may vary fits one that is known, which Keras refuses for symbols and takes for arrays."""
    for axes, shapes in (-1, [(3, 4), (5, 4)]), ((1, 2), [(3, None, 4), (6, 3, 2)]), (1, [(4,), (4,)]):
        ours, theirs = pair("Dot", axes=axes)
        expected = theirs([keras.Input(shape) for shape in shapes]).shape
        assert ours([fastrnn.Input(shape) for shape in shapes]).shape == expected
    assert layers.dot([fastrnn.Input((None, 4)), fastrnn.Input((3, 5))], 1).shape == (None, 4, 5)


REFUSED = [
    *((name, {}, shapes) for name, shapes in itertools.product(ELEMENTWISE, [
        [(2, 3, 4), (2, 3)], [(2, 3), (3, 3)], [(2, 3), (1, 3)], [(2, 3, 4), (2, 2, 4)], []])),
    ("Subtract", {}, [(2, 3)]), ("Subtract", {}, [(2, 3)] * 3),
    ("Concatenate", {}, [(2, 3, 4), (2, 4)]), ("Concatenate", {}, [(2, 3, 4), (2, 1, 4)]), ("Concatenate", {}, []),
    ("Concatenate", {"axis": 3}, [(2, 3, 4), (2, 3, 4)]), ("Concatenate", {"axis": 1}, [(2, 3), (1, 3)]),
    ("Dot", {"axes": 1}, [(2, 3)]), ("Dot", {"axes": 1}, [(2, 3)] * 3), ("Dot", {"axes": 1}, [(2, 3), (2, 4)]),
    ("Dot", {"axes": 1}, [(2, 3), (3, 3)]), ("Dot", {"axes": 0}, [(2, 3), (2, 3)]),
    ("Dot", {"axes": 2}, [(2, 3), (2, 3)])]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "shapes"), REFUSED, ids=str)
def test_shapes_that_do_not_fit_are_refused(name, options, shapes):
    ours, theirs = pair(name, **options)
    with pytest.raises(ValueError, match=rf"{name} '.*expected|{name} '.*out of range"):
        ours(arrays(shapes))
    with pytest.raises(Exception):  # noqa: B017  Keras's kinds of error are many
        theirs(arrays(shapes))
    if shapes:
        with pytest.raises(ValueError, match=rf"{name} '.*expected|{name} '.*out of range"):
            ours([fastrnn.Input(batch_shape=shape) for shape in shapes])


@pytest.mark.parametrize("name", NAMES)
def test_a_list_is_expected(name):
    options = {"axes": 1} if name == "Dot" else {}
    for x in np.ones((2, 3, 4)), fastrnn.Input((3, 4)):
        with pytest.raises(ValueError, match=rf"{name} '.*': expected a list of inputs, .* got one (ndarray|Symbol)"):
            getattr(layers, name)(**options)(x)
    with pytest.raises(TypeError, match="expected symbols alone"):
        getattr(layers, name)(**options)([fastrnn.Input((3,)), np.ones((2, 3))])


@pytest.mark.parametrize("name", NAMES)
def test_functions_in_small_letters(name):
    options = {"axes": 1} if name == "Dot" else {}
    xs, function = arrays([(2, 3), (2, 3)]), getattr(layers, name.lower())
    np.testing.assert_array_equal(function(xs, **options), getattr(layers, name)(**options)(xs))
    symbol = function([fastrnn.Input((3,)), fastrnn.Input((3,))], name="here", **options)
    assert symbol.name == "here" and type(symbol.node.layer).__name__ == name


def test_python_lists_are_inputs():
    np.testing.assert_array_equal(layers.add([[[1, 2]], [[3, 4]]]), [[4, 6]])


def test_whole_numbers_stay_whole_where_they_are_only_moved():
    whole, more = np.array([[1, 2]]), np.array([[3]], "int32")
    assert layers.concatenate([whole, more]).dtype == "int64"
    assert layers.concatenate([whole, np.ones((1, 1))]).dtype == "float32"
    assert layers.add([whole, whole]).dtype == "float32"
    ids = [fastrnn.Input((2,), dtype="int32"), fastrnn.Input((1,), dtype="int32")]
    joined = layers.concatenate(ids)
    assert joined.dtype == "int32"
    model = fastrnn.Model(ids, layers.Embedding(5, 3)(joined))
    assert model.predict([whole, more], verbose=0).shape == (1, 3, 3)


@pytest.mark.parametrize(("axes", "error"), [("a", TypeError), (True, TypeError), ((1, 2, 3), ValueError),
                                             ((1, "a"), ValueError)])
def test_axes_that_are_none(axes, error):
    with pytest.raises(error, match="Dot '.*' axes: expected"):
        layers.Dot(axes)
    with pytest.raises(ValueError, match="Concatenate '.*' axis: expected"):
        layers.Concatenate("a")


def test_sizes_that_vary_are_checked_when_they_are_known():
    """By the layer, with its name, in a model too."""
    a, b = fastrnn.Input((None, 4)), fastrnn.Input((None, 4))
    model = fastrnn.Model([a, b], layers.Add(name="sum")([a, b]))
    with pytest.raises(ValueError, match=r"Add 'sum': expected .*\(2, 7, 4\), \(2, 3, 4\)"):
        model.predict([np.ones((2, 7, 4)), np.ones((2, 3, 4))], verbose=0)
    assert model.predict([np.ones((2, 7, 4)), np.ones((2, 1, 4))], verbose=0).shape == (2, 7, 4)
