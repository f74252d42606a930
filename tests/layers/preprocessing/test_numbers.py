# SPDX-License-Identifier: Apache-2.0
"""CategoryEncoding, Discretization, Rescaling and Normalization against Keras's."""

from __future__ import annotations

import json
import pickle

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.layers import CategoryEncoding, Discretization, Normalization, Rescaling
from tests.conftest import assert_gradients


def assert_same(ours, theirs, x, rtol=1e-6):
    expected = np.asarray(theirs(np.asarray(x)))
    got = ours(x)
    assert got.shape == expected.shape and got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=1e-6)


INDICES = ([1, 2], [[1], [2]], [[1, 2], [0, 0]], [[[1, 2], [0, 0], [1, 1]]], 1, np.ones((2, 3), "float32"))


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
def test_categories(mode):
    ours, theirs = (library.layers.CategoryEncoding(4, output_mode=mode) for library in (fastrnn, keras))
    for x in INDICES:
        assert_same(ours, theirs, np.asarray(x))
    with pytest.raises(ValueError, match=r"expected indices from 0 to 3, as num_tokens=4, got 4"):
        ours([[1, 4]])
    with pytest.raises(ValueError, match=r"expected indices from 0 to 3, as num_tokens=4, got -1"):
        ours([[1, -1]])


def test_weights_of_categories():
    ours, theirs = (library.layers.CategoryEncoding(4, "count") for library in (fastrnn, keras))
    x, weights = np.array([[0, 1], [0, 0]]), np.array([[0.1, 0.2], [0.3, 0.4]])
    np.testing.assert_allclose(ours(x, count_weights=weights), np.asarray(theirs(x, count_weights=weights)), rtol=1e-6)
    with pytest.raises(ValueError, match="count_weights: expected the shape of the input"):
        ours(x, count_weights=weights[0])
    with pytest.raises(ValueError, match="count_weights: need output_mode='count'"):
        CategoryEncoding(4)(x, count_weights=weights)
    with pytest.raises(ValueError, match="num_tokens: expected the number of categories, got None"):
        CategoryEncoding()


NUMBERS = ([0.5, 2.0], [[0.5], [2.0]], [[0.5, 2.0], [0.0, 9.0]], [[[0.5, 2.0], [0.0, -9.0], [1.0, 1.0]]],
           np.array([[1, 2]], "int32"))


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
def test_ranges(mode):
    ours, theirs = (library.layers.Discretization([0.0, 1.0, 2.0], output_mode=mode) for library in (fastrnn, keras))
    for x in NUMBERS:
        assert_same(ours, theirs, np.asarray(x))


@pytest.mark.parametrize("bins", [2, 5, 12])
@pytest.mark.parametrize("kind", ["array", "batches", "list", "few"])
def test_learned_ranges(bins, kind, rng):
    x = rng.standard_normal((700, 3)).astype("float32")
    data = {"array": x, "batches": [x[:300], x[300:350], x[350:]], "list": x.tolist(), "few": x[:2]}[kind]
    for epsilon in 0.01, 0.2:
        ours, theirs = (library.layers.Discretization(num_bins=bins, epsilon=epsilon) for library in (fastrnn, keras))
        for layer in ours, theirs:
            layer.adapt(data)
        np.testing.assert_allclose(ours.bin_boundaries, theirs.bin_boundaries, rtol=1e-6)
        assert_same(ours, theirs, x)
        assert ours.compute_output_shape((None, 3)) == (None, 3)
        again = Discretization.from_config(json.loads(json.dumps(ours.get_config())))
        np.testing.assert_array_equal(again(x), ours(x))
        again.adapt(data)


@pytest.mark.parametrize(("make", "message"), [
    (Discretization, "expected bin_boundaries or num_bins, got neither"),
    (lambda: Discretization([1.0], 3), "expected bin_boundaries or num_bins, got both"),
    (lambda: Discretization([1.0, 0.0]), "bin_boundaries: expected a list of numbers in order"),
    (lambda: Discretization(num_bins=0), "num_bins: expected a positive whole number"),
    (lambda: Discretization(num_bins=3)([[1.0]]), "has no boundaries; call adapt"),
    (lambda: Discretization([1.0]).adapt([1.0]), "cannot learn boundaries, as they were given"),
    (lambda: Discretization([1.0], epsilon=0), "epsilon: expected a number between 0 and 1"),
    (lambda: Discretization([1.0], sparse=True, output_mode="count"), "sparse: expected False"),
    (lambda: Rescaling([1.0, 2.0])(np.ones((4, 3))), "scale: expected a number, or an array that fits"),
    (lambda: Rescaling("a"), "scale: expected numbers"),
    (lambda: Normalization(mean=1.0), "expected mean and variance, or none of them"),
    (lambda: Normalization(mean=[1.0], variance=2.0), "expected mean and variance of one shape"),
    (lambda: Normalization(None, mean=[1.0], variance=[2.0]), "with at most 0 axes"),
    (lambda: Normalization(3)(np.ones((4, 3))), r"expected input with the axes \(3,\), got \(4, 3\)"),
    (lambda: Normalization(mean=[1.0, 2.0], variance=[1.0, 2.0])(np.ones((4, 3))), "of sizes \\(3,\\), got shape"),
    (lambda: Normalization(mean=1.0, variance=1.0).adapt(np.ones((4, 3))), "cannot learn mean and variance"),
    (lambda: Normalization().adapt(np.ones((0, 3))), "adapt: expected data, got none"),
    (lambda: Normalization().adapt([np.ones((2, 3)), np.ones((2, 4))]), r"is built for input of shape \(2, 3\)"),
    (lambda: Normalization("a"), "axis: expected a whole number"),
    (lambda: Normalization()(fastrnn.Input((None,))), "known sizes of the axes"),
])  # fmt: skip
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("options", [{"scale": 0.5}, {"scale": 2, "offset": -1}, {"scale": [1.0, 2.0, 3.0]},
                                     {"scale": np.ones(3), "offset": np.arange(3)}], ids=str)  # fmt: skip
def test_rescaled(options, rng):
    ours, theirs = (library.layers.Rescaling(**options) for library in (fastrnn, keras))
    x = rng.integers(0, 255, (4, 3))
    assert_same(ours, theirs, x)
    json.dumps(ours.get_config())
    assert_gradients(Rescaling(**options, dtype="float64"), [rng.standard_normal((4, 3))])


@pytest.mark.parametrize("options", [{}, {"axis": None}, {"axis": 1}, {"axis": (1, 2)}, {"axis": (-1, 1)},
                                     {"invert": True}], ids=str)  # fmt: skip
@pytest.mark.parametrize("kind", ["array", "whole numbers", "batches", "pairs", "generator"])
def test_normalized(options, kind, rng):
    x = (rng.standard_normal((50, 4, 3)) * [1, 5, 0.0] + [3, 0, 7]).astype("float32")
    if kind == "whole numbers":
        x = (3 * x).astype("int32")
    batches = [x[:20], x[20:23], x[23:]]

    def data():
        return {"array": x, "whole numbers": x, "batches": batches, "pairs": [(one, 0) for one in batches],
                "generator": iter(batches)}[kind]

    ours, theirs = (library.layers.Normalization(**options) for library in (fastrnn, keras))
    for layer in ours, theirs:
        layer.adapt(data())
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    theirs.set_weights([w.astype(v.dtype) for w, v in zip(ours.get_weights(), theirs.weights)])
    theirs.finalize_state()
    assert_same(ours, theirs, x, rtol=1e-5)
    np.testing.assert_array_equal(ours.mean.numpy(), np.asarray(theirs.mean))
    assert ours.variance.shape == theirs.variance.shape
    assert ours.count_params() == theirs.count_params()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ours))(x), ours(x))


@pytest.mark.parametrize("options", [
    {"mean": 2.0, "variance": 4.0}, {"mean": [1.0, 2.0, 3.0], "variance": [1.0, 4.0, 0.0]},
    {"axis": (1, 2), "mean": np.ones((4, 3)), "variance": np.full((4, 3), 3.0)},
    {"axis": (1, 2), "mean": [1.0, 2.0, 3.0], "variance": [1.0, 2.0, 3.0]},
    {"axis": None, "mean": 1.0, "variance": 2.0, "invert": True}], ids=str)  # fmt: skip
def test_given_means(options, rng):
    x = rng.standard_normal((5, 4, 3)).astype("float32")
    ours, theirs = (library.layers.Normalization(**options) for library in (fastrnn, keras))
    theirs.build(x.shape)
    assert_same(ours, theirs, x)
    assert ours.weights == []
    again = Normalization.from_config(json.loads(json.dumps(ours.get_config())))
    np.testing.assert_array_equal(again(x), ours(x))
    if "[1.0, 4.0, 0.0]" not in str(options):
        assert_gradients(Normalization(**options, dtype="float64"), [x])


def test_one_mean_for_lines_of_numbers(rng):
    """Learned from (samples,), and used on (samples, 1)."""
    numbers = rng.standard_normal(40).astype("float32") * 3 + 1
    predictions = []
    for library in fastrnn, keras:
        layer = library.layers.Normalization(axis=None)
        layer.adapt(numbers)
        model = library.Sequential([library.Input((1,)), layer, library.layers.Dense(1, kernel_initializer="ones")])
        predictions.append(model.predict(numbers, verbose=0))
    np.testing.assert_allclose(*predictions, rtol=1e-5, atol=1e-6)


def test_stands_inside_a_model_that_is_trained(rng):
    x, y = rng.standard_normal((20, 5, 3)).astype("float32"), rng.standard_normal((20, 1)).astype("float32")
    weights = None
    found = []
    for library in fastrnn, keras:
        layers = library.layers
        normal = layers.Normalization()
        normal.adapt(x @ np.ones((3, 4), "float32") + np.arange(4, dtype="float32"))
        model = library.Sequential([library.Input((5, 3)), layers.Dense(4), normal, layers.Rescaling(0.5, 1.0),
                                    layers.GRU(3), layers.Dense(1)])
        weights = model.get_weights() if weights is None else weights
        model.set_weights([w.astype(v.dtype) for w, v in zip(weights, model.weights)])
        model.compile(library.optimizers.SGD(0.1), "mse")
        model.fit(x, y, epochs=3, batch_size=10, shuffle=False, verbose=0)
        found.append([*model.get_weights(), model.predict(x, verbose=0)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_within_pipelines_of_tensorflow(rng):
    import tensorflow as tf

    x = rng.uniform(0, 3, (6, 4)).astype("float32")
    normal = Normalization()
    normal.adapt(tf.data.Dataset.from_tensor_slices(x).batch(4))
    dataset = tf.data.Dataset.from_tensor_slices(x).batch(3)
    for layer in normal, Rescaling(2.0), Discretization([1.0, 2.0]), CategoryEncoding(4):
        given = dataset.map(lambda one: tf.cast(one, tf.int64)) if isinstance(layer, CategoryEncoding) else dataset
        mapped = given.map(layer)
        expected = layer(x.astype("int64") if isinstance(layer, CategoryEncoding) else x)
        assert mapped.element_spec.shape.as_list() == [None, expected.shape[1]]
        np.testing.assert_allclose(np.concatenate(list(mapped.as_numpy_iterator())), expected, rtol=1e-6)
