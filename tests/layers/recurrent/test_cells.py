# SPDX-License-Identifier: Apache-2.0
"""The cells by themselves: one step, on arrays and on symbols, beside Keras and against central differences."""

from __future__ import annotations

import copy
import json
import pickle

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.layers import (
    RNN,
    GRUCell,
    LSTMCell,
    MinGRU,
    MinGRUCell,
    SimpleRNNCell,
    StackedRNNCells,
    deserialize,
    serialize,
)
from fastrnn.layers.recurrent.cell import Cell
from fastrnn.layers.table import registry
from fastrnn.saving import load_model
from tests.conftest import assert_close

N, D, H = 3, 4, 5

CELLS = {
    "SimpleRNNCell": lambda k, **kw: k.layers.SimpleRNNCell(H, **kw),
    "LSTMCell": lambda k, **kw: k.layers.LSTMCell(H, **kw),
    "GRUCell": lambda k, **kw: k.layers.GRUCell(H, **kw),
    "GRUCell before": lambda k, **kw: k.layers.GRUCell(H, reset_after=False, use_bias=False, **kw),
    "LSTMCell gelu": lambda k, **kw: k.layers.LSTMCell(H, activation="gelu", recurrent_activation="softplus", **kw),
    "StackedRNNCells": lambda k, **kw: k.layers.StackedRNNCells(
        [k.layers.LSTMCell(H, dtype=kw.get("dtype")), k.layers.GRUCell(2, dtype=kw.get("dtype")),
         k.layers.SimpleRNNCell(3, dtype=kw.get("dtype"))], **kw),
}
every_cell = pytest.mark.parametrize("make", CELLS.values(), ids=CELLS)


def flat(structure):
    return [leaf for part in structure for leaf in flat(part)] if isinstance(structure, (list, tuple)) else [structure]


def built(make, rng, **keywords):
    cell = make(fastrnn, **keywords)
    cell.build((None, D))
    cell.set_weights([rng.standard_normal(w.shape) * 0.5 for w in cell.get_weights()])
    return cell


def states_for(cell, rng, dtype="float32"):
    """Random ones, nested as the cell nests them."""
    def filled(part):
        return [filled(one) for one in part] if isinstance(part, list) else \
            rng.standard_normal(np.shape(part)).astype(dtype)

    return filled(cell.get_initial_state(N))


def test_every_cell_is_here():
    assert {cls.__name__ for cls in registry.objects.values() if issubclass(cls, Cell)} == {
        name.split()[0] for name in CELLS} | {"MinGRUCell"}


@every_cell
def test_a_step_is_kerass(make, rng):
    ours, theirs = built(make, rng), make(keras)
    theirs.build((N, D))
    theirs.set_weights(ours.get_weights())
    x, states = rng.standard_normal((N, D)).astype("float32"), states_for(ours, rng)
    y, new = ours(x, states)
    expected, their_new = theirs(x, states)
    assert_close(y, expected, 1e-5)
    assert isinstance(new, list) and len(new) == len(their_new)
    for one, other in zip(flat(new), flat(their_new), strict=True):
        assert_close(one, other, 1e-5)
    assert ours.state_size == theirs.state_size and ours.output_size == theirs.output_size
    for one, other in zip(flat(ours.get_initial_state(N)), flat(theirs.get_initial_state(N)), strict=True):
        np.testing.assert_array_equal(one, np.asarray(other))
    np.testing.assert_array_equal(ours(x)[0], ours(x, ours.get_initial_state(N))[0])


@every_cell
def test_gradients_are_central_differences(make, rng):
    cell = built(make, rng, dtype="float64")
    x, states = rng.standard_normal((N, D)), flat(states_for(cell, rng, "float64"))
    structure = cell.get_initial_state(1)
    y, new = cell(x, fill(structure, states), training=True)
    weights = [rng.standard_normal(part.shape) for part in (y, *flat(new))]
    found = [*cell.backward(*weights), *(v.grad.copy() for v in cell.weights)]

    def loss():
        for variable in cell.weights:
            variable.touch()
        y, new = cell(x, fill(structure, states))
        return sum((part * w).sum() for part, w in zip((y, *flat(new)), weights, strict=True))

    for values, gradient in zip([x, *states, *(v.data for v in cell.weights)], found, strict=True):
        expected = np.empty_like(values)
        for at in np.ndindex(values.shape):
            before, sides = values[at], []
            for side in before + 1e-6, before - 1e-6:
                values[at] = side
                sides.append(loss())
            values[at], expected[at] = before, (sides[0] - sides[1]) / 2e-6
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)


def fill(structure, leaves):
    leaves = iter(leaves)

    def walk(part):
        return [walk(one) for one in part] if isinstance(part, list) else next(leaves)

    return walk(structure)


@every_cell
def test_a_decoder_of_steps_in_a_graph_trains_as_in_keras(make, rng, tmp_path):
    """Three calls of one cell on symbols, each with the states of the one before."""
    models = []
    for library in keras, fastrnn:
        x = library.Input((D,))
        cell = make(library)
        cell.build((None, D))
        states = fill(cell.get_initial_state(1), [library.layers.Dense(np.shape(part)[1])(x)
                                                 for part in flat(cell.get_initial_state(1))])
        for _ in range(3):
            y, states = cell(x, states)
        models.append(library.Model(x, [y, flat(states)[0]]))
    theirs, ours = models
    theirs.set_weights([0.15 * rng.standard_normal(w.shape) for w in theirs.get_weights()])
    theirs.save(tmp_path / "a.keras")
    x = rng.standard_normal((8, D)).astype("float32")
    expected = theirs.predict(x, verbose=0)
    loaded = load_model(tmp_path / "a.keras")
    loaded.save(tmp_path / "b.keras")
    for model in loaded, keras.saving.load_model(tmp_path / "b.keras"):
        for one, other in zip(model.predict(x, verbose=0), expected, strict=True):
            assert_close(one, other, 1e-5)
    ours.set_weights(theirs.get_weights())
    targets = [rng.standard_normal(part.shape).astype("float32") for part in expected]
    losses = []
    for library, model in (fastrnn, ours), (keras, theirs):
        model.compile(library.optimizers.SGD(0.01), "mse")
        losses.append(model.fit(x, targets, epochs=3, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=2e-4)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert_close(one, other, 2e-4)


@every_cell
def test_copies_and_configurations(make, rng):
    cell = built(make, rng)
    x = rng.standard_normal((N, D)).astype("float32")
    expected = cell(x)[0]
    for other in copy.deepcopy(cell), pickle.loads(pickle.dumps(cell)):
        np.testing.assert_array_equal(other(x)[0], expected)
        other.set_weights([w * 2 for w in other.get_weights()])
        assert (other(x)[0] != expected).any()
        np.testing.assert_array_equal(cell(x)[0], expected)
    config = json.loads(json.dumps(serialize(cell)))
    for other in deserialize(config), type(cell).from_config(config["config"]):
        assert json.loads(json.dumps(serialize(other))) == config
        other.build((None, D))
        other.set_weights(cell.get_weights())
        np.testing.assert_array_equal(other(x)[0], expected)
    theirs = make(keras).get_config()
    ours = set(cell.get_config()) | {"quantization_config"}
    assert set(theirs) <= ours, set(theirs) - ours


@every_cell
def test_bad_input(make, rng):
    cell = built(make, rng, name="c")
    count = len(flat(cell.get_initial_state(1)))
    for shape in (N, D + 1), (N, 2, D), (D,):
        with pytest.raises(ValueError, match=r"Cell '.*': expected input \(batch, 4\), got"):
            cell(np.zeros(shape), states_for(cell, rng))
    with pytest.raises(ValueError, match=f"'c' states: expected {count} arrays, got {count + 1}"):
        cell(np.zeros((N, D)), [*flat(states_for(cell, rng)), np.zeros((N, H))])
    with pytest.raises(ValueError, match=r"states: expected \(batch, units\) = \(batch, "):
        cell(np.zeros((N, D)), [np.zeros((N, 7))] * count)
    with pytest.raises(ValueError, match=r"expected \(batch, units\) = "):
        cell(fastrnn.Input((D,)), [fastrnn.Input((7,))] * count)
    with pytest.raises(RuntimeError, match="backward needs a call with training=True"):
        cell.backward(np.ones((N, H)))


@pytest.mark.parametrize("cell", [SimpleRNNCell, LSTMCell, GRUCell])
def test_arguments_arrive(cell, rng):
    given = {"kernel_initializer": "zeros", "recurrent_initializer": "ones", "kernel_regularizer": "l2", "dropout": 0.5,
             "recurrent_dropout": 0.25, "seed": 3, "bias_constraint": "non_neg", "trainable": False, "name": "c"}
    made = cell(H, **given)
    made.build((None, D))
    assert not made.kernel.data.any() and made.recurrent_kernel.data.all() and made.trainable_weights == []
    assert made.kernel.regularizer is not None and made.bias.constraint is not None
    assert (made.units, made.dropout, made.recurrent_dropout, made.use_bias) == (H, 0.5, 0.25, True)
    assert cell.from_config(made.get_config()).get_config() == made.get_config()
    y, _ = made(np.ones((100, D)), training=True)
    with pytest.raises(ValueError, match="c' units: expected a positive whole number, got 0"):
        cell(0, name="c")
    assert y.shape == (100, H)


def test_min_gru_cell_is_its_layers_step(rng):
    """Keras has none."""
    layer = MinGRU(H, return_sequences=True)
    layer.build((None, None, D))
    layer.set_weights([rng.standard_normal(w.shape) for w in layer.get_weights()])
    x, states = rng.standard_normal((N, 4, D)).astype("float32"), [np.zeros((N, H), "float32")]
    expected, run = layer(x), RNN(layer.cell, return_sequences=True)
    np.testing.assert_array_equal(run(x), expected)
    for t in range(4):
        y, states = layer.cell(x[:, t], states)
        np.testing.assert_array_equal(y, expected[:, t])
    assert "recurrent_initializer" not in MinGRUCell(3).get_config()
    assert MinGRUCell.from_config(layer.cell.get_config()).get_config() == layer.cell.get_config()


def test_of_stacks_in_stacks(rng):
    inner = StackedRNNCells([GRUCell(3), LSTMCell(2)])
    cell = StackedRNNCells([inner, SimpleRNNCell(4)])
    y, ((one, two), three) = cell(np.zeros((N, D)))
    assert y.shape == (N, 4) and one[0].shape == (N, 3) and two[1].shape == (N, 2) and three[0].shape == (N, 4)
    assert RNN(cell)(np.zeros((N, 6, D))).shape == (N, 4)


@pytest.mark.parametrize("layer", [
    lambda k: k.layers.SimpleRNN(H), lambda k: k.layers.LSTM(H, dropout=0.2, return_sequences=True),
    lambda k: k.layers.GRU(H, reset_after=False, use_bias=False)], ids=["SimpleRNN", "LSTM", "GRU"])  # fmt: skip
def test_the_cell_of_a_layer(layer, rng):
    """As Keras's layers have it: of its arguments, with its weights, the same ones."""
    ours, theirs = layer(fastrnn), layer(keras)
    unbuilt = ours.cell
    assert unbuilt is ours.cell and not unbuilt.built
    for one in ours, theirs:
        one.build((None, None, D))
    ours.set_weights(theirs.get_weights())
    assert ours.cell is unbuilt and ours.cell.kernel is ours.kernel
    assert type(ours.cell).__name__ == type(theirs.cell).__name__
    assert ours.cell.state_size == theirs.cell.state_size and ours.state_size == theirs.state_size
    assert set(theirs.cell.get_config()) <= set(ours.cell.get_config()) | {"quantization_config"}
    x, states = rng.standard_normal((N, D)).astype("float32"), states_for(ours.cell, rng)
    assert_close(ours.cell(x, states)[0], theirs.cell(x, states)[0], 1e-5)
    for one, other in zip(ours.get_initial_state(N), theirs.get_initial_state(N), strict=True):
        np.testing.assert_array_equal(one, np.asarray(other))
    ours.set_weights([w * 2 for w in ours.get_weights()])
    copied = copy.deepcopy(ours)
    np.testing.assert_array_equal(copied.cell(x, states)[0], ours.cell(x, states)[0])
    assert copied.cell.kernel is copied.kernel is not ours.kernel


def test_a_cell_may_be_in_a_stack_twice(rng, tmp_path):
    """Its weights are there once, and their gradients are added up."""
    def model_of(library):
        cell = library.layers.GRUCell(D)
        return library.Sequential([library.Input((6, D)), library.layers.RNN([cell, cell], return_sequences=True)])

    ours, theirs = model_of(fastrnn), model_of(keras)
    theirs.set_weights([0.4 * rng.standard_normal(w.shape) for w in theirs.get_weights()])
    assert len(ours.weights) == len(theirs.weights) == 3
    ours.set_weights(theirs.get_weights())
    x = rng.standard_normal((8, 6, D)).astype("float32")
    for library, model in (fastrnn, ours), (keras, theirs):
        model.compile(library.optimizers.SGD(0.1), "mse")
        model.fit(x, x, epochs=3, shuffle=False, verbose=0)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert_close(one, other, 2e-4)
    assert_close(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), 2e-4)


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_a_cell_that_is_frozen_freezes_its_layer(name):
    layer = getattr(fastrnn.layers, name)(3)
    model = fastrnn.Sequential([fastrnn.Input((4, 2)), layer, fastrnn.layers.Dense(1)])
    layer.cell.trainable = False
    assert layer.trainable_weights == [] and len(model.trainable_weights) == 2
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.train_on_batch(np.ones((2, 4, 2)), np.ones((2, 1)))
    changed = [(old != new).any() for old, new in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, False, False, True, True]
    layer.cell.trainable = True
    assert len(model.trainable_weights) == 5
