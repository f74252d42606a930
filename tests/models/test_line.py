# SPDX-License-Identifier: Apache-2.0
"""A line of layers in one compiled call: the same bits as layer by layer, and the longer way where it cannot be taken."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import fastrnn
from fastrnn import layers, runtime
from fastrnn.graph.call import INFERENCE

LINES = {
    "one layer": lambda d: [layers.GRU(5, dtype=d)],
    "sequences": lambda d: [layers.LSTM(6, return_sequences=True, dtype=d), layers.Dropout(0.5, dtype=d),
                            layers.SimpleRNN(5, dtype=d), layers.Dense(3, "softmax", dtype=d)],
    "dense on steps": lambda d: [layers.LSTM(6, return_sequences=True, use_peepholes=True, dtype=d),
                                 layers.Activation("linear", dtype=d), layers.Dense(3, "tanh", dtype=d)],
    "min": lambda d: [layers.MinGRU(7, dtype=d), layers.Dense(2, use_bias=False, dtype=d)],
}
NO_LINES = {
    "an activation that the kernels lack": lambda: [layers.LSTM(4), layers.Dense(3, "gelu")],
    "backwards": lambda: [layers.LSTM(4, go_backwards=True), layers.Dense(3)],
    "states": lambda: [layers.LSTM(4, stateful=True), layers.Dense(3)],
    "both directions": lambda: [layers.Bidirectional(layers.LSTM(4)), layers.Dense(3)],
}


class Shifted(layers.Dense):
    """A layer of a user's, that does more than the kernels know."""

    def forward(self, x, *, call):
        return super().forward(x, call=call) + 1


def model_of(stack: list[layers.Layer], dtype: str = "float32", shape: tuple[int | None, ...] = (None, 4),
             batch: int | None = None) -> fastrnn.Sequential:
    model = fastrnn.Sequential([fastrnn.Input(shape, batch_size=batch, dtype=dtype), *stack])
    rng = np.random.default_rng(0)
    model.set_weights([rng.standard_normal(w.shape) for w in model.get_weights()])
    return model


def by_layers(model: fastrnn.Sequential, x: np.ndarray) -> np.ndarray:
    for layer in model.layers:
        x = layer.forward(x, call=INFERENCE)
    return x


def numbers(*shape: int, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(dtype)


@pytest.fixture(autouse=True)
def threads():
    before = runtime.get_num_threads()
    yield
    runtime.set_num_threads(before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LINES)
def test_has_the_bits_of_the_layers(name, dtype):
    model = model_of(LINES[name](dtype), dtype)
    for shape in (1, 1, 4), (3, 7, 4), (40, 30, 4):
        x = numbers(*shape, dtype=dtype)
        expected = by_layers(model, x)
        for count in 1, 2, 3, 5:
            runtime.set_num_threads(count)
            for got in model.direct(x), model.predict_on_batch(x), model(x), model.predict(x, verbose=0):
                assert got.dtype == dtype and np.array_equal(got, expected)


@pytest.mark.parametrize("name", NO_LINES)
def test_is_not_taken_where_a_layer_has_no_runner(name):
    model = model_of(NO_LINES[name](), batch=2)
    x = numbers(2, 5, 4)
    assert model.direct(x) is None
    assert model.predict_on_batch(x).shape == (2, 3)


def test_a_layer_of_the_users_own_is_not_passed_by():
    stack = [layers.LSTM(4), Shifted(3)]
    model, x = model_of(stack), numbers(2, 5, 4)
    plain = stack[1].kernel_runner().output(stack[0](x), 1)
    assert model.direct(x) is None
    for got in model.predict_on_batch(x), model(x):
        np.testing.assert_array_equal(got, plain + 1)


def test_goes_by_the_weights_as_they_are():
    model, x = model_of(LINES["sequences"]("float32")), numbers(2, 5, 4)
    for number, variable in enumerate(model.weights):
        before = model.predict_on_batch(x)
        variable.assign(variable.value + np.arange(variable.value.size).reshape(variable.shape) % 7 * 0.1)
        after = model.predict_on_batch(x)
        assert not np.array_equal(before, after), number
        np.testing.assert_array_equal(after, by_layers(model, x))
    model.compile("sgd", "mse")
    model.train_on_batch(x, np.zeros((2, 3)))
    np.testing.assert_array_equal(model.predict_on_batch(x), by_layers(model, x))


def test_a_copy_has_weights_of_its_own():
    model, x = model_of(LINES["sequences"]("float32")), numbers(2, 5, 4)
    first = model.predict_on_batch(x)
    other = copy.deepcopy(model)
    other.set_weights([weight + 1 for weight in other.get_weights()])
    np.testing.assert_array_equal(model.predict_on_batch(x), first)
    assert not np.array_equal(other.predict_on_batch(x), first)


def test_follows_the_stack():
    model, x = model_of(LINES["min"]("float32")), numbers(2, 5, 4)
    assert model.predict_on_batch(x).shape == (2, 2)
    model.pop()
    assert model.predict_on_batch(x).shape == (2, 7)
    model.add(layers.Dense(3))
    assert model.predict_on_batch(x).shape == (2, 3)


@pytest.mark.parametrize("change", [
    lambda x: x.tolist(), lambda x: x.astype("float64"), lambda x: x.astype(">f4"), lambda x: [x],
    lambda x: np.asfortranarray(x), lambda x: np.repeat(x, 2, axis=1)[:, ::2],
], ids=["list", "float64", "byte order", "in a list", "columns first", "strides"])  # fmt: skip
def test_input_that_is_not_ready_is_converted(change):
    model, x = model_of(LINES["sequences"]("float32")), numbers(3, 5, 4)
    assert model.direct(change(x)) is None
    np.testing.assert_array_equal(model.predict_on_batch(change(x)), model.predict_on_batch(x))


def test_errors_are_those_of_the_longer_way():
    model = model_of(LINES["sequences"]("float32"), shape=(5, 4))
    for wrong, message in ((numbers(2, 6, 4), "expected input of shape"), (numbers(2, 5, 3), "expected input"),
                           (numbers(5, 4), r"pass x\[None\]"), ([["a"]], "expected numbers")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            model.predict_on_batch(wrong)


def test_a_model_that_is_not_built_is_built_by_its_input():
    model, x = fastrnn.Sequential([layers.LSTM(3), layers.Dense(2)]), numbers(2, 5, 4)
    assert model.direct(x) is None
    y = model.predict_on_batch(x)
    np.testing.assert_array_equal(model.direct(x), y)


def test_without_samples_or_steps():
    model = model_of(LINES["sequences"]("float32"))
    assert model.predict_on_batch(np.zeros((0, 5, 4), "f4")).shape == (0, 3)
    assert model.predict_on_batch(np.zeros((2, 0, 4), "f4")).shape == (2, 3)


def test_a_functional_model_and_a_model_inside():
    inner = model_of(LINES["one layer"]("float32"))
    x = fastrnn.Input((None, 4))
    model = fastrnn.Model(x, layers.Dense(2)(inner(x)))
    batch = numbers(3, 5, 4)
    assert model.direct(batch) is not None
    np.testing.assert_array_equal(model.predict_on_batch(batch), model.layers[-1](inner.predict_on_batch(batch)))
    mixed = fastrnn.Model(x, layers.Dense(2, dtype="float64")(inner(x)))
    assert mixed.direct(batch) is None and mixed.predict_on_batch(batch).dtype == "float64"
    named = fastrnn.Model(x, {"y": layers.Dense(2)(inner(x))})
    assert named.direct(batch) is None and set(named.predict_on_batch(batch)) == {"y"}
