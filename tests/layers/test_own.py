# SPDX-License-Identifier: Apache-2.0
"""Layers with a `call` of the user's own: gradients, masks, states, training, what is inside, errors."""

from __future__ import annotations

import copy
import threading

import numpy as np
import pytest

import fastrnn
from fastrnn import ops
from fastrnn.graph import tape as tapes
from fastrnn.layers import GRU, LSTM, Dense, Embedding, Input, Layer, Variable

RNG = np.random.default_rng(3)


class Attention(Layer):
    """Weighs steps by a Dense layer and a vector of its own; takes a mask."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.score = Dense(units, activation="tanh", dtype=self.dtype)
        self.units = units

    def build(self, input_shape):
        self.v = self.add_weight(shape=(self.units, 1), initializer="glorot_uniform", name="v")
        super().build(input_shape)

    def call(self, x, mask=None):
        energy = self.score(x) @ self.v
        weights = ops.exp(energy)
        if mask is not None:
            weights = weights * mask[..., None]
        return ops.sum(weights / ops.sum(weights, axis=1, keepdims=True) * x, axis=1)


class Twice(Layer):
    """One LSTM over its input, and over its own output; shares its weights with itself, and takes states."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.rnn = LSTM(3, return_sequences=True, return_state=True, dtype=self.dtype)

    def call(self, x):
        y, h, c = self.rnn(x)
        y, h, c = self.rnn(y, initial_state=[h * 0.5, c])
        return [y, h + c]


def central_differences(function, array, step=1e-6):
    found = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + step
        above = function()
        array[index] = kept - step
        below = function()
        array[index] = kept
        found[index] = (above - below) / (2 * step)
    return found


@pytest.mark.parametrize("make", [Attention, Twice])
def test_gradients_against_central_differences(make):
    layer = make(dtype="float64")
    x = RNG.standard_normal((2, 4, 3))
    outputs = layer(x)
    every = outputs if isinstance(outputs, list) else [outputs]
    dys = [RNG.standard_normal(y.shape) for y in every]

    def total():
        y = layer(x)
        return sum((one * dy).sum() for one, dy in zip(y if isinstance(y, list) else [y], dys))

    layer(x, training=True)
    dx = layer.backward(*dys)
    gradients = [v.grad.copy() for v in layer.trainable_weights]
    np.testing.assert_allclose(dx, central_differences(total, x), atol=1e-6)
    for variable, gradient in zip(layer.trainable_weights, gradients):
        def changed(variable=variable):
            variable.touch()
            return total()
        np.testing.assert_allclose(gradient, central_differences(changed, variable.data), atol=1e-6)


def test_shapes_are_known_from_runs_on_zeros():
    x = Input((None, 3))
    y, state = Twice()(x)
    assert (y.shape, state.shape, y.dtype) == ((None, None, 3), (None, 3), "float32")
    assert Attention()(Input((5, 3))).shape == (None, 3)

    class Windows(Layer):       # which needs more steps than the first run has
        def call(self, x):
            if x.shape[1] < 100:
                raise ValueError("too short")
            return x[:, 99:]

    assert Windows()(Input((None, 2))).shape == (None, None, 2)


def test_masks_reach_the_code_and_go_on():
    class Shifted(Layer):
        supports_masking = True

        def call(self, x, mask=None):
            self.seen = mask
            return x + 1

    layer = Shifted()
    x = Input((None,), dtype="int32")
    hidden = Embedding(9, 3, mask_zero=True)(x)
    model = fastrnn.Model(x, LSTM(2)(layer(hidden)))
    words = np.array([[1, 2, 0], [3, 0, 0]])
    model.predict(words, verbose=0)
    np.testing.assert_array_equal(layer.seen, words != 0)

    class Stops(Shifted):
        def compute_mask(self, inputs, mask=None):
            return None

    other = fastrnn.Model(x, model.layers[-1](Stops()(hidden)))
    assert not np.allclose(other.predict(words, verbose=0), model.predict(words, verbose=0))


def test_masks_go_from_layer_to_layer_inside():
    class Words(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.table, self.rnn = Embedding(9, 3, mask_zero=True), GRU(2)

        def call(self, x):
            return self.rnn(self.table(x))

    layer = Words()
    words = np.array([[1, 2, 0], [3, 0, 0]])
    expected = layer.rnn(layer.table(words), mask=words != 0)
    np.testing.assert_allclose(layer(words), expected, rtol=1e-6)
    x = Input((None,), dtype="int32")
    np.testing.assert_allclose(fastrnn.Model(x, layer(x)).predict(words, verbose=0), expected, rtol=1e-6)


def test_training_is_what_the_caller_says():
    seen = []

    class Noticing(Layer):
        def call(self, x, training=None):
            seen.append(training)
            return x

    class Outer(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = Noticing()

        def call(self, x, training=False):
            return self.inner(x)

    x = Input((2,))
    model = fastrnn.Model(x, Dense(1)(Outer()(x)))
    model.compile("sgd", "mse")
    del seen[:]
    model.fit(np.zeros((4, 2)), np.zeros((4, 1)), verbose=0)
    model.predict(np.zeros((4, 2)), verbose=0)
    Outer()(np.zeros((4, 2)), training=True)
    assert seen[-3:] == [True, False, True]


def test_a_variable_that_is_not_reached_has_no_gradient():
    class Idle(Layer):
        def build(self, shape):
            self.used = self.add_weight(shape=(2,), initializer="ones", name="used")
            self.idle = self.add_weight(shape=(2,), initializer="ones", name="idle")
            self.still = self.add_weight(shape=(2,), initializer="ones", name="still", trainable=False)

        def call(self, x):
            return x * self.used * self.still

    layer = Idle()
    layer(np.ones((3, 2)), training=True)
    np.testing.assert_array_equal(layer.backward(np.ones((3, 2))), np.ones((3, 2)))
    np.testing.assert_array_equal(layer.used.grad, [3, 3])
    np.testing.assert_array_equal(layer.idle.grad, [0, 0])
    assert layer.still.grad is None


def test_steps_one_after_the_other_have_gradients_of_their_own():
    x, y = RNG.standard_normal((8, 5, 3)).astype("float32"), np.zeros((8, 3), "float32")
    inputs = Input((None, 3))
    model = fastrnn.Model(inputs, Attention()(inputs))
    model.compile("sgd", "mse")
    start = model.get_weights()
    moves = []
    for _ in range(3):
        model.set_weights(start)
        model.train_on_batch(x, y)
        moves.append([after - before for after, before in zip(model.get_weights(), start)])
    for again in moves[1:]:
        for one, other in zip(moves[0], again):
            np.testing.assert_array_equal(one, other)


def test_operators_of_variables_are_traced():
    class All(Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(3,), initializer="ones", name="w")

        def call(self, x):
            array = np.ones((1, 3), "float32")
            return x + array * self.w + np.exp(self.w) - (-self.w) / 2 + self.w[0] + abs(self.w) ** 2 + 1 / self.w

    layer = All()
    layer(np.zeros((1, 3)), training=True)
    layer.backward(np.ones((1, 3)))
    np.testing.assert_allclose(layer.w.grad, 1 + np.e + 0.5 + 2 - 1 + np.array([3, 0, 0]), rtol=1e-6)


def test_layers_in_attributes_lists_and_dictionaries():
    class Holder(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.first = Dense(2)
            self.more = [Dense(2), {"x": Dense(2)}]
            self.again = self.first

        def call(self, x):
            return self.more[1]["x"](self.more[0](self.first(x)))

    layer = Holder()
    layer(np.zeros((1, 2)))
    inside = layer.first, layer.more[0], layer.more[1]["x"]
    assert list(layer.sublayers()) == list(inside)
    assert len(layer.weights) == 6
    layer.trainable = False
    assert layer.trainable_weights == []
    copied = copy.deepcopy(layer)
    assert copied.again is copied.first is not layer.first
    np.testing.assert_array_equal(copied(np.ones((1, 2))), layer(np.ones((1, 2))))


def test_build_gets_the_shapes_that_it_asks_for():
    seen = []

    class One(Layer):
        def build(self, input_shape):
            seen.append(input_shape)

        def call(self, inputs):
            return inputs[0] + inputs[1]

    class Two(Layer):
        def build(self, left_shape, right_shape):
            seen.append((left_shape, right_shape))

        def call(self, left, right):
            return left + right

    x, y = Input((2,)), Input((2,))
    One()([x, y])
    Two()(x, right=y)
    assert seen == [[(None, 2), (None, 2)], ((None, 2), (None, 2))]


def test_a_function_loss_and_a_layer_on_boxes_have_the_same_bits_for_any_number_of_threads():
    x, y = RNG.standard_normal((16, 5, 3)).astype("float32"), RNG.standard_normal((16, 3)).astype("float32")
    found, before = [], fastrnn.get_num_threads()
    for threads in (1, 2, 3):
        fastrnn.set_num_threads(threads)
        try:
            fastrnn.layers.base.reset_names()
            inputs = Input((None, 3))
            model = fastrnn.Model(inputs, Attention()(LSTM(3, return_sequences=True)(inputs)))
            model.set_weights([np.full(w.shape, 0.1, "float32") for w in model.weights])
            model.compile("adam", lambda t, p: ops.mean((t - p) ** 2, axis=-1))
            model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
            found.append(np.concatenate([w.numpy().ravel() for w in model.weights]))
        finally:
            fastrnn.set_num_threads(before)
    assert all(np.array_equal(found[0], other) for other in found[1:])


def test_threads_predict_at_once():
    x = Input((None, 3))
    model = fastrnn.Model(x, Attention()(x))
    inputs = [RNG.standard_normal((4, 5, 3)).astype("float32") for _ in range(4)]
    expected = [model.predict_on_batch(one) for one in inputs]
    wrong = []

    def work(index):
        for _ in range(50):
            if not np.array_equal(model.predict_on_batch(inputs[index]), expected[index]):
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_without_autograd_a_model_predicts_and_says_what_training_needs(monkeypatch):
    def absent():
        raise tapes.Unavailable("needs the package autograd")

    x = Input((None, 3))
    model = fastrnn.Model(x, Dense(1)(Attention()(x)))
    model.compile("sgd", "mse")
    monkeypatch.setattr(tapes, "engine", absent)
    assert model.predict(np.zeros((2, 4, 3)), verbose=0).shape == (2, 1)
    with pytest.raises(ImportError, match="needs the package autograd"):
        model.fit(np.zeros((2, 4, 3)), np.zeros((2, 1)), verbose=0)


def test_an_error_in_the_code_names_the_layer():
    class Broken(Layer):
        def call(self, x):
            return x @ np.zeros((7, 7))

    with pytest.raises(ValueError) as caught:
        Broken(name="odd")(Input((3,)))
    assert "in Broken 'odd', whose code was run on zeros" in "".join(caught.value.__notes__)


def test_the_code_cannot_write_to_what_it_is_given():
    class Writes(Layer):
        def call(self, x):
            x[:, 0] = 0
            return x

    class Hands(Layer):
        def call(self, x):
            return x

    x = np.ones((2, 3), "float32")
    with pytest.raises(ValueError, match="read-only"):
        Writes()(x)
    y = Hands()(x)
    y[...] = 7
    model = fastrnn.Model(inputs := Input((3,)), Hands()(inputs))
    model.predict_on_batch(x)[...] = 7
    np.testing.assert_array_equal(x, np.ones((2, 3)))


def test_train_step_is_refused():
    with pytest.raises(TypeError, match="train_step and test_step cannot be overridden.*train_on_batch"):
        class Own(fastrnn.Model):
            def call(self, x):
                return x

            def train_step(self, data):
                return {}


def test_add_loss_is_for_the_inside_of_call():
    with pytest.raises(RuntimeError, match="add_loss is for the inside of call"):
        Layer().add_loss(1.0)


def test_variables_assign_within_a_trace():
    v = Variable(np.zeros(2, "float32"), "total", trainable=False)
    v.assign_add([1, 2])
    v.assign_sub([1, 1])
    np.testing.assert_array_equal(v.value, [0, 1])


def test_errors_in_call_say_in_which_layers_they_are():
    class Inner(Layer):
        def call(self, x):
            return x.nothing

    class Outer(Layer):
        def __init__(self):
            super().__init__()
            self.inner = Inner(name="inner")

        def call(self, x):
            return self.inner(x)

    outer = Outer()
    with pytest.raises(AttributeError) as caught:
        outer(np.ones((2, 3), "float32"))
    assert caught.value.__notes__ == ["in call of Inner 'inner', on arrays of shapes (2, 3)",
                                      f"in call of {outer}, on arrays of shapes (2, 3)"]


def test_variables_in_lists_and_dictionaries_are_weights():
    class Kept(Layer):
        def __init__(self):
            super().__init__()
            self.grown = []
            self.grown.append(Variable(np.ones(2, "float32"), "first"))
            self.pair = {"fixed": Variable(np.full(2, 2.0, "float32"), "fixed", trainable=False)}

        def build(self, shape):
            self.rows = [self.add_weight(shape=(2,), name=f"row_{index}") for index in range(2)]
            self.grown.append(Variable(np.ones(2, "float32"), "second"))

        def call(self, x):
            return x * self.grown[0] * self.grown[1] * self.pair["fixed"] + self.rows[0] - self.rows[1]

    layer = Kept()
    assert layer([[1.0, 2.0]]).tolist() == [[2.0 + layer.rows[0][0] - layer.rows[1][0],
                                             4.0 + layer.rows[0][1] - layer.rows[1][1]]]
    assert sorted(weight.name for weight in layer.weights) == ["first", "fixed", "row_0", "row_1", "second"]
    assert len(layer.trainable_weights) == 4 and layer.grown[0].path == f"{layer.name}/first"
    model = fastrnn.Sequential([Input((2,)), layer])
    model.compile(fastrnn.optimizers.SGD(0.1), "mse")
    before = model.get_weights()
    model.train_on_batch(np.ones((3, 2)), np.zeros((3, 2)))
    changed = {weight.name for weight, old in zip(model.weights, before, strict=True) if (weight != old).any()}
    assert changed == {"first", "second", "row_0", "row_1"}
