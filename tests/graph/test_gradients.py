# SPDX-License-Identifier: Apache-2.0
"""Gradients of whole graphs: against central differences, and by what a training with them comes to, against Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.graph.schedule import Schedule
from fastrnn.layers.base import reset_names
from tests.graph import graphs as zoo

graphs = pytest.mark.parametrize("graph", zoo.GRAPHS.values(), ids=zoo.GRAPHS)


def model_of(graph: zoo.Graph, dtype: str = "float64") -> fastrnn.Model:
    inputs, outputs = graph.make(fastrnn, dtype=dtype)
    model = fastrnn.Model(inputs, outputs)
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(-0.7, 0.7, w.shape) for w in model.weights])
    return model


def flat(structure: Any) -> list[Any]:
    return list(structure) if isinstance(structure, (list, tuple)) else [structure]


def loss(model: fastrnn.Model, xs: list[np.ndarray], dys: list[np.ndarray]) -> float:
    return sum(float((y * dy).sum()) for y, dy in zip(flat(model(xs)), dys, strict=True))


def differences(model: fastrnn.Model, values: np.ndarray, xs: list[np.ndarray], dys: list[np.ndarray]) -> np.ndarray:
    """Central differences of the loss by each element of `values`, in place."""
    found, step = np.empty_like(values), 1e-6
    for at in np.ndindex(values.shape):
        before, sides = values[at], []
        for side in before + step, before - step:
            values[at] = side
            for variable in model.weights:
                variable.touch()
            sides.append(loss(model, xs, dys))
        values[at] = before
        found[at] = (sides[0] - sides[1]) / (2 * step)
    for variable in model.weights:
        variable.touch()
    return found


@graphs
def test_central_differences(graph):
    model, xs = model_of(graph), zoo.data(graph)
    rng = np.random.default_rng(2)
    ys = flat(model(xs, training=True))
    dys = [rng.standard_normal(y.shape) for y in ys]
    dxs = flat(model.backward(*dys))
    grads = {v.path: v.grad.copy() for v in model.trainable_weights}
    assert len(grads) == len(model.trainable_weights)
    for variable in model.trainable_weights:
        np.testing.assert_allclose(grads[variable.path], differences(model, variable.data, xs, dys), rtol=1e-6,
                                   atol=1e-6, err_msg=variable.path)
    for x, dx in zip(xs, dxs, strict=True):
        if graph.indices:
            assert dx is None
        else:
            np.testing.assert_allclose(dx, differences(model, x, xs, dys), rtol=1e-6, atol=1e-6)


@graphs
def test_two_passes_are_alike(graph):
    """Nothing of a pass is left for the next, and one that only predicts changes nothing."""
    model, xs = model_of(graph), zoo.data(graph)
    found = []
    for _ in range(2):
        ys = flat(model(xs, training=True))
        model(xs)
        dxs = flat(model.backward(*(np.ones_like(y) for y in ys)))
        found.append([*ys, *(dx for dx in dxs if dx is not None), *(v.grad.copy() for v in model.trainable_weights)])
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


@graphs
def test_the_same_bits_for_any_number_of_threads(graph):
    model, xs = model_of(graph, "float32"), zoo.data(graph)
    found = []
    for threads in 1, 2, 3, 5:
        fastrnn.set_num_threads(threads)
        ys = flat(model(xs, training=True))
        dxs = flat(model.backward(*(np.ones_like(y) for y in ys)))
        found.append([*flat(model(xs)), *ys, *(dx for dx in dxs if dx is not None),
                      *(v.grad.copy() for v in model.trainable_weights)])
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            assert one.tobytes() == two.tobytes()


@graphs
def test_a_training_schedule_goes_where_there_is_something_to_train(graph):
    """To the same gradients as one that makes all of them."""
    model, xs = model_of(graph), zoo.data(graph)
    xs = model.prepare(xs)
    ys, _ = Schedule(model.graph).forward(xs)
    dys = [np.ones_like(y) for y in ys]
    whole, part = Schedule(model.graph), Schedule(model.graph, frozen=True)
    grads = []
    for schedule in whole, part:
        schedule.forward(xs)
        schedule.backward(dys)
        grads.append([v.grad.copy() for v in model.trainable_weights])
    for one, two in zip(*grads, strict=True):
        np.testing.assert_array_equal(one, two)
    assert {id(v) for v in part.variables} == {id(v) for v in model.trainable_weights}
    assert len(part.variables) == len(model.trainable_weights)


@graphs
def test_as_keras(graph):
    """From the same weights: predictions, three epochs' history, and the weights they end with."""
    keras.utils.clear_session()         # names of layers that have none begin anew
    reset_names()
    inputs, outputs = graph.make(keras)
    theirs = keras.Model(inputs, outputs)
    inputs, outputs = graph.make(fastrnn)
    ours = fastrnn.Model(inputs, outputs)
    assert [layer.name for layer in ours.layers if layer.weights] == [
        layer.name for layer in theirs.layers if layer.weights]
    rng = np.random.default_rng(3)
    weights = [rng.uniform(-0.7, 0.7, w.shape).astype("float32") for w in theirs.get_weights()]
    assert [w.shape for w in weights] == [w.shape for w in ours.weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    xs = [x.astype("int32" if graph.indices else "float32") for x in zoo.data(graph)]
    for got, expected in zip(flat(ours.predict(xs, verbose=0)), flat(theirs.predict(xs, verbose=0)), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    ys = [rng.standard_normal(y.shape).astype("float32") for y in flat(ours.predict(xs, verbose=0))]
    histories = []
    for model in ours, theirs:
        model.compile("adam", graph.losses)
        histories.append(model.fit(xs, ys if len(ys) > 1 else ys[0], batch_size=2, epochs=3, shuffle=False,
                                   verbose=0).history)
    assert histories[0].keys() == histories[1].keys()
    for name, values in histories[1].items():
        np.testing.assert_allclose(histories[0][name], values, rtol=2e-4, atol=2e-4, err_msg=name)
    for got, expected in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, atol=2e-4)
    for got, expected in zip(flat(ours.predict(xs, verbose=0)), flat(theirs.predict(xs, verbose=0)), strict=True):
        np.testing.assert_allclose(got, expected, atol=2e-4)
