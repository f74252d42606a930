# SPDX-License-Identifier: Apache-2.0
"""Models of graphs: structures of inputs and outputs, shared layers, surgery, copies, threads, and what is refused."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastrnn
from fastrnn import Input, Model, Sequential
from fastrnn.graph.call import Call
from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Dropout, Embedding, TimeDistributed, concatenate

N, T, D = 4, 5, 3


@pytest.fixture
def x(rng):
    return rng.standard_normal((N, T, D)).astype("float32")


def branches():
    """Two inputs, two outputs, one shared layer."""
    one, two = Input((T, D), name="one"), Input((T, D), name="two")
    shared = LSTM(3, name="shared")
    both = concatenate([shared(one), shared(two)], name="both")
    return [one, two], [Dense(2, name="first")(both), Dense(1, name="second")(both)]


# calls -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("make", [lambda: Dense(2, "tanh"), lambda: LSTM(2, return_sequences=True, dropout=0.4, seed=1),
                                  lambda: Bidirectional(GRU(2), merge_mode="mul"), lambda: Dropout(0.5, seed=3),
                                  lambda: TimeDistributed(Dense(2, "softmax")),
                                  lambda: Sequential([Dense(3), LSTM(2)])])
def test_two_calls_have_two_tapes(make, rng):
    """The gradients of each are those of the layer that made it alone."""
    xs = [rng.standard_normal((n, T, D)).astype("float32") for n in (N, N + 3)]
    layer = make()
    layer.build((None, T, D))
    calls = [Call(training=True), Call(training=True)]
    ys = [layer.forward(x, call=call) for x, call in zip(xs, calls)]
    dys = [np.ones_like(y) for y in ys]
    found = [[layer.backward(dy, call=call).copy(), *(v.grad.copy() for v in layer.weights)]
             for dy, call in zip(dys, calls)]
    other = make()
    other.build((None, T, D))
    other.set_weights(layer.get_weights())
    for x, dy, (dx, *dw) in zip(xs, dys, found, strict=True):
        other.forward(x, call=(call := Call(training=True)))
        np.testing.assert_array_equal(other.backward(dy, call=call), dx)
        for one, two in zip(other.weights, dw, strict=True):
            np.testing.assert_array_equal(one.grad, two)


# structures --------------------------------------------------------------------------------------------------------

def test_structures_of_inputs(x):
    inputs, outputs = branches()
    model = Model(inputs, outputs)
    expected = model([x, 2 * x])
    assert model.input_names == ["one", "two"] and model.output_names == ["first", "second"]
    for given in (x, 2 * x), {"two": 2 * x, "one": x, "more": 1}, [x.tolist(), 2 * x]:
        for got, y in zip(model(given), expected, strict=True):
            np.testing.assert_array_equal(got, y)
    assert [y.shape for y in expected] == [(N, 2), (N, 1)] == [(N, *s[1:]) for s in model.output_shape]
    assert model.compute_output_shape([(7, T, D), (7, T, D)]) == [(7, 2), (7, 1)]


def test_dictionaries(x):
    (one, two), (first, second) = branches()
    model = Model({"b": one, "a": two}, {"y": first, "z": second})
    found = model({"b": x, "a": 2 * x})
    expected = Model([one, two], [first, second])([x, 2 * x])
    assert list(found) == ["y", "z"] and model.input_names == ["a", "b"]
    np.testing.assert_array_equal(found["y"], expected[0])
    np.testing.assert_array_equal(found["z"], expected[1])
    np.testing.assert_array_equal(model.predict_on_batch({"b": x, "a": 2 * x})["z"], expected[1])


def test_a_layer_on_arrays_lists_and_symbols(x):
    layer, h = GRU(3), np.ones((N, 3), "float32")
    layer.build((None, T, D))
    expected = layer(x, initial_state=h)
    np.testing.assert_array_equal(layer([x, h]), expected)
    symbol, state = Input((T, D)), Input((3,))
    for y in layer(symbol, initial_state=state), layer([symbol, state]):
        np.testing.assert_array_equal(Model([symbol, state], y)([x, h]), expected)


def test_masks_and_training_on_symbols(x):
    symbol, mask = Input((T, D)), Input((T,), dtype="bool")
    layer = LSTM(3)
    model = Model([symbol, mask], layer(symbol, mask=mask))
    given = np.arange(T) < np.array([[1], [2], [3], [5]])
    np.testing.assert_array_equal(model([x, given]), layer(x, mask=given))
    fastrnn.utils.set_random_seed(0)
    always = Model(symbol, Dropout(0.5)(symbol, training=True))
    assert (always(x) == 0).any() and (always.predict(x, verbose=0) == 0).any()
    never = Model(symbol, Dense(2)(Dropout(0.5)(symbol, training=False)))
    np.testing.assert_array_equal(never(x, training=True), never(x))
    assert never.backward(np.ones((N, T, 2))).shape == x.shape


def test_one_input_of_two_kinds(rng):
    """Indices to an Embedding, numbers to a Dense layer; and numbers where the graph says indices."""
    words = Input((T,), dtype="int32")
    embedding, dense = Embedding(9, 2), Dense(2)
    model = Model(words, [embedding(words), dense(words)])
    for given in rng.integers(0, 9, (N, T)), rng.integers(0, 9, (N, T)).astype("float64"):
        got = model(given)
        np.testing.assert_array_equal(got[0], embedding(given))
        np.testing.assert_array_equal(got[1], dense(given))
    with pytest.raises(ValueError, match=r"Embedding 'embedding.*' input: expected indices from 0 to 8"):
        model(np.full((N, T), 9))


def test_indices_from_the_middle_of_a_graph_are_checked(rng):
    x = Input((T,), dtype="float32")
    model = Model(x, Embedding(5, 2, name="table")(x * 2.0))
    np.testing.assert_array_equal(model(np.ones((1, T))), model.layers[-1](np.full((1, T), 2)))
    with pytest.raises(ValueError, match=r"Embedding 'table' input: expected indices from 0 to 4.*, got 6"):
        model(np.full((1, T), 3.0))


# parts and copies --------------------------------------------------------------------------------------------------

def test_surgery_shares_the_weights(x):
    inputs, outputs = branches()
    model = Model(inputs, outputs)
    inner = Model(model.input, model.get_layer("both").output)
    assert inner([x, x]).shape == (N, 6) and inner.weights[0] is model.weights[0]
    upper = Model(model.get_layer("both").output, model.outputs[0])
    np.testing.assert_array_equal(upper(inner([x, 2 * x])), model([x, 2 * x])[0])
    assert [layer.name for layer in upper.sublayers()] == ["first"]
    assert model.get_layer("first").input is model.get_layer("both").output


def test_models_in_models(x):
    symbol = Input((T, D))
    inner = Model(symbol, LSTM(3, return_sequences=True)(symbol), name="inner")
    outer = Sequential([Input((T, D)), inner, TimeDistributed(Dense(2)), GRU(2)])
    steps = TimeDistributed(Model(symbol, GRU(2)(symbol)))
    both = Model(symbol, concatenate([outer(symbol), GRU(2)(inner(inner(symbol)))]))
    np.testing.assert_array_equal(both(x)[:, :2], outer(x))
    assert len(both.weights) == len({id(v) for v in both.weights})
    assert steps(np.stack([x, x], axis=1)).shape == (N, 2, 2)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_are_apart(copied, x):
    model = Model(*branches())
    other = copied(model)
    for one, two in zip(model([x, x]), other([x, x]), strict=True):
        np.testing.assert_array_equal(one, two)
    assert other.get_layer("shared") is not model.get_layer("shared")
    assert other.get_layer("both").output.node.layer is other.get_layer("both")
    other.set_weights([w + 1 for w in other.get_weights()])
    assert not np.array_equal(model([x, x])[0], other([x, x])[0])


def test_a_deep_graph_is_copied(x):
    y = first = Input((D,))
    for _ in range(400):
        y = Dense(D)(y)
    model = Model(first, y)
    np.testing.assert_array_equal(copy.deepcopy(model)(x[:, 0]), model(x[:, 0]))


def test_a_graph_dies_with_its_model():
    layer = Dense(2)
    kept = []
    for _ in range(3):
        symbol = Input((D,))
        kept.append(weakref.ref(Model(symbol, layer(symbol)).graph.nodes[0]))
    del symbol
    gc.collect()
    assert [node() for node in kept] == [None] * 3
    with pytest.raises(AttributeError, match=r"Dense '.*' has no output"):
        _ = layer.output


def test_threads_predict_on_one_graph(x):
    model = Model(*branches())
    batches = [(x * k, x + k) for k in range(20)]
    expected = [model(list(batch)) for batch in batches]
    with ThreadPoolExecutor(2) as pool:
        for got, wanted in zip(pool.map(lambda batch: model.predict_on_batch(list(batch)), batches * 5), expected * 5):
            for one, two in zip(got, wanted, strict=True):
                np.testing.assert_array_equal(one, two)


def test_a_sequential_inside_keeps_its_layers(x):
    inner = Sequential([Input((T, D)), LSTM(3)])
    symbol = Input((T, D))
    model = Model(symbol, Dense(1)(inner(symbol)))
    for change in lambda: inner.add(Dense(2)), inner.pop:
        with pytest.raises(ValueError, match="came after the model became a layer of another one"):
            change()
    assert model(x).shape == (N, 1)


def test_frozen_layers_and_models(x):
    symbol = Input((T, D))
    inner = Sequential([Input((T, D)), LSTM(3, return_sequences=True)], trainable=False)
    model = Model(symbol, Dense(1)(LSTM(2, trainable=False)(inner(symbol))))
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(x, np.ones((N, 1)), verbose=0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed == [False] * 6 + [True] * 2 and len(model.trainable_weights) == 2


# what is refused ---------------------------------------------------------------------------------------------------

def circle():
    symbol = Input((D,), name="start")
    one = Dense(D, name="one")(symbol)
    two = Dense(D, name="two")(one)
    one.node.inputs[0] = two
    return Model(symbol, two)


REFUSED = {
    "a gap": (lambda s, y: Model(Input((T, D)), y), ValueError, "needs the input 'x', which is not among the model's"),
    "a circle": (lambda s, y: circle(), ValueError, "the graph has a circle at Dense 'two'"),
    "an array as input": (lambda s, y: Model(np.ones(3), y), TypeError, "inputs: expected symbols.*got ndarray; make"),
    "a layer as output": (lambda s, y: Model(s, Dense(2)), TypeError, "outputs: expected symbols.*got Dense; call it"),
    "no output": (lambda s, y: Model(s, []), ValueError, "expected at least one symbol"),
    "an input twice": (lambda s, y: Model([s, s], y), ValueError, "a symbol is listed twice: x, x"),
    "names twice": (lambda s, y: Model(s, Dense(1, name="encoder")(y)), ValueError, "two layers named 'encoder'"),
    "an array among symbols": (lambda s, y: concatenate([y, np.ones((2, 3))]), TypeError, "expected symbols alone"),
    "a symbol predicted": (lambda s, y: Model(s, y).predict(s), (TypeError, ValueError), "symbol|Symbol"),
    "a symbol to NumPy": (lambda s, y: np.asarray(y), TypeError, "is not an array.*make a Model of it"),
    "the truth of a symbol": (lambda s, y: bool(y), TypeError, "has no truth value"),
    "a width": (lambda s, y: LSTM(2)(y), ValueError, r"expected input \(batch, time, features\).*got \(.*3\)"),
    "a state's width": (lambda s, y: LSTM(2)(s, initial_state=[y, y]), ValueError,
                        r"initial_state: expected \(batch, units\) = \(None, 2\), got \(None, 3\)"),
    "a state too few": (lambda s, y: LSTM(3)(s, initial_state=[y]), ValueError, "initial_state: expected 2 arrays"),
    "an array as state": (lambda s, y: GRU(3)(s, initial_state=np.ones((1, 3))), TypeError, "expected symbols alone"),
    "a second input": (lambda s, y: Dense(2)([y, y]), ValueError, "Dense 'dense.*': expected one input, got 2"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "error", "said"), REFUSED.values(), ids=REFUSED)
def test_refused(make, error, said):
    symbol = Input((T, D), name="x")
    with pytest.raises(error, match=said):
        make(symbol, LSTM(3, name="encoder")(symbol))


@pytest.mark.parametrize(("given", "said"), [
    (lambda x: x, r"expected 2 inputs \(one, two\) in a list or a dictionary, got one ndarray"),
    (lambda x: [x], r"expected 2 inputs \(one, two\).* got 1"), (lambda x: [x, x, x], "got 3"),
    (lambda x: {"one": x, "too": x}, r"expected input 'one', 'two', got a dictionary with 'one', 'too'; 'two' missing"),
    (lambda x: [x, x[:2]], r"expected as many samples in each input, got 'one': 4, 'two': 2"),
    (lambda x: [x, x[:, :4]], r"expected input 'two' of shape \(None, 5, 3\), got \(4, 4, 3\)"),
    (lambda x: [x, x[0]], r"expected input \(batch, time, 3\), got \(5, 3\)"),
    (lambda x: [x, x[..., :2]], r"LSTM 'shared': expected input \(batch, time, 3\), got \(4, 5, 2\)"),
])  # fmt: skip
def test_wrong_inputs(given, said, x):
    model = Model(*branches())
    for method in model, model.predict_on_batch, lambda x: model.predict(x, verbose=0):
        with pytest.raises(ValueError, match=said):
            method(given(x))
    model([x, x], training=True)
    with pytest.raises(ValueError, match=r"backward: expected 2 gradients, one for each output, got 1"):
        model.backward(np.ones((N, 2)))
