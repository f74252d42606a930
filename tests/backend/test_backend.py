# SPDX-License-Identifier: Apache-2.0
"""Keras 2's functions: on symbols, traced, in models; and what is absent."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import fastrnn
import fastrnn.backend as K
from fastrnn import ops
from fastrnn.graph.eager import Eager, differentiated
from tests.backend.cases import CASES, CUBE, EVERY, LABELS, MASK, RNG, SPOKEN, STEPS, A, U, W, floats

#: Whose values are no functions of arrays, or random; most have tests below.
OTHERS = {
    "backend", "batch_get_value", "batch_set_value", "clear_session", "ctc_decode", "dropout", "dtype", "epsilon",
    "floatx", "get_uid", "image_data_format", "in_test_phase", "in_train_phase", "is_keras_tensor", "is_sparse",
    "is_tensor", "learning_phase", "logsumexp", "moving_average_update", "name_scope", "print_tensor",
    "random_bernoulli", "random_binomial", "random_normal", "random_normal_variable", "random_uniform",
    "random_uniform_variable", "reset_uids", "rnn", "set_epsilon", "set_floatx", "set_image_data_format", "set_value",
    "shape", "to_dense", "truncated_normal", "update", "update_add", "update_sub", "variable"}  # fmt: skip


def test_every_function_has_a_case():
    functions = {name for name in K.__all__ if inspect.isfunction(getattr(K, name))}
    assert {name.split("-")[0] for name in CASES} | OTHERS == functions


@pytest.mark.parametrize(("name", "args", "kwargs"), [
    case for case in EVERY if isinstance(case.values[1][0], np.ndarray) and case.values[0] not in (
        "eval", "get_value", "ndim", "int_shape", "count_params", "switch")])
def test_on_symbols(name, args, kwargs):
    x = fastrnn.Input(batch_shape=args[0].shape, dtype=args[0].dtype.name)
    model = fastrnn.Model(x, getattr(K, name)(x, *args[1:], **kwargs))
    np.testing.assert_allclose(model(args[0]), getattr(K, name)(*args, **kwargs), rtol=1e-6, atol=1e-6)


class TestRNN:
    """K.rnn with masks and constants; its gradient against central differences."""

    @staticmethod
    def step(x, states):
        y = K.tanh(K.dot(x, W) + K.dot(states[0], U))
        return y, [y]

    def test_time_first(self):
        one = K.rnn(self.step, STEPS, [np.zeros((2, 3), "float32")], mask=MASK)
        other = K.rnn(self.step, STEPS.swapaxes(0, 1).copy(), [np.zeros((2, 3), "float32")], mask=MASK.T,
                      time_major=True)
        np.testing.assert_array_equal(one[1], other[1].swapaxes(0, 1))

    def test_structures_and_constants(self):
        def step(x, states):
            assert len(states) == 2
            return {"y": x["a"] + states[0]}, [states[0] + x["b"] * states[1]]

        last, every, (state,) = K.rnn(step, {"a": STEPS, "b": STEPS}, [np.zeros((2, 3), "float32")],
                                      constants=[np.float32(2) * np.ones((2, 3), "float32")])
        np.testing.assert_allclose(state, 2 * STEPS.sum(axis=1), rtol=1e-5)
        np.testing.assert_allclose(last["y"], every["y"][:, -1])

    def test_gradient(self):
        x, state = STEPS.astype("float64"), floats(2, 3).astype("float64")
        weights = RNG.standard_normal((2, 5, 3))

        def total(x, state):
            return ops.sum(K.rnn(self.step, x, [state], mask=MASK)[1] * weights)

        _, back = differentiated(total, x, state)
        for index, gradient in enumerate(back(np.ones(()))):
            given = [x.copy(), state.copy()]
            expected = np.zeros_like(given[index])
            for place in np.ndindex(expected.shape):
                given[index][place] += 1e-6
                above = total(*given)
                given[index][place] -= 2e-6
                expected[place] = (above - total(*given)) / 2e-6
                given[index][place] += 1e-6
            np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)

    def test_on_symbols(self):
        x = fastrnn.Input((None, 3))
        last, every, _ = K.rnn(self.step, x, [np.zeros((1, 3), "float32")])
        model = fastrnn.Model(x, [last, every])
        expected = K.rnn(self.step, STEPS, [np.zeros((1, 3), "float32")])
        for one, other in zip(model(STEPS), expected):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)

    def test_errors(self):
        with pytest.raises(ValueError, match=r"backend.rnn mask: expected \(batch, time\).*got \(2, 4\)"):
            K.rnn(self.step, STEPS, [floats(2, 3)], mask=MASK[:, :4])
        with pytest.raises(ValueError, match="one step or more"):
            K.rnn(self.step, STEPS[:, :0], [floats(2, 3)])


class TestPhase:
    def test_in_a_model(self):
        x = fastrnn.Input((2,))
        model = fastrnn.Model(x, K.in_train_phase(lambda: x * 3, x))
        ones = np.ones((1, 2), "float32")
        np.testing.assert_array_equal(model(ones), ones)
        np.testing.assert_array_equal(model(ones, training=True), 3 * ones)
        model = fastrnn.Model(x, K.in_test_phase(x * 3, x))
        np.testing.assert_array_equal(model(ones), 3 * ones)

    def test_in_code_of_ones_own(self):
        class Layer(fastrnn.layers.Layer):
            def call(self, x):
                return K.in_train_phase(x + K.learning_phase(), x)

        ones = np.ones((1, 2), "float32")
        np.testing.assert_array_equal(Layer()(ones), ones)
        np.testing.assert_array_equal(Layer()(ones, training=True), 2 * ones)
        assert K.learning_phase() == 0
        with Eager(training=True):
            assert K.in_train_phase(1, 2) == 1
            assert K.in_train_phase(1, lambda: 1 / 0) == 1
        assert K.in_train_phase(1, 2, training=True) == 1

    def test_dropout_of_an_array(self):
        dropped = K.dropout(np.ones((2, 500), "float32"), 0.25, seed=1)
        assert set(np.unique(dropped).tolist()) == {0.0, np.float32(1 / 0.75).item()}
        rows = K.dropout(np.ones((50, 4), "float32"), 0.5, noise_shape=(None, 1), seed=1)
        assert (rows == rows[:, :1]).all()


class TestVariables:
    def test_are_set(self):
        v = K.variable([[1.0, 2.0]], name="v")
        assert v.name == "v" and v.dtype == "float32"
        K.set_value(v, [[3.0, 4.0]])
        K.update_add(v, [[1.0, 1.0]])
        K.update_sub(v, [[0.0, 2.0]])
        np.testing.assert_array_equal(K.get_value(v), [[4, 3]])
        K.moving_average_update(v, np.zeros((1, 2), "float32"), 0.75)
        K.batch_set_value([(v, 2 * K.get_value(v))])
        np.testing.assert_array_equal(K.batch_get_value([v])[0], [[6, 4.5]])

    def test_weights_of_layers(self):
        layer = fastrnn.layers.Dense(1)
        layer.build((None, 2))
        K.set_value(layer.kernel, [[1.0], [2.0]])
        np.testing.assert_array_equal(layer(np.ones((1, 2))), [[3]])

    @pytest.mark.parametrize("make", [lambda: K.variable([1.0, 1.0], name="scale"),
                                      lambda: fastrnn.Variable([1.0, 1.0], name="scale")])
    def test_of_a_layer_of_ones_own_are_its_weights(self, make, tmp_path):
        class Scale(fastrnn.layers.Layer):
            def __init__(self, **kwargs):
                super().__init__(**kwargs)
                self.scale = make()
                self.calls = fastrnn.Variable(0.0, name="calls", trainable=False)
                self.same = self.scale

            def call(self, x):
                return x * self.scale

        model = fastrnn.Sequential([fastrnn.Input((2,)), Scale(name="one")])
        assert [weight.path for weight in model.weights] == ["one/scale", "one/calls"]
        assert len(model.trainable_weights) == 1
        model.compile("sgd", "mse")
        x = floats(16, 2)
        model.fit(x, x * [2.0, -1.0], epochs=400, batch_size=16, verbose=0)
        np.testing.assert_allclose(model.get_weights()[0], [2, -1], atol=0.05)
        model.save(tmp_path / "model.keras")
        loaded = fastrnn.models.load_model(tmp_path / "model.keras", custom_objects={"Scale": Scale})
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))

    def test_are_made_as_in_keras(self):
        v = fastrnn.Variable(fastrnn.initializers.Ones(), shape=(2, 3))
        assert v.shape == (2, 3) and v.dtype == "float32" and v.trainable and v.data.all()
        assert fastrnn.Variable(np.zeros(2), dtype="float32").dtype == fastrnn.Variable([1, 2]).dtype == "float32"
        assert fastrnn.Variable(np.zeros(2)).dtype == "float64"

    def test_errors(self):
        with pytest.raises(TypeError, match=r"set_value: expected a variable, got float.*learning_rate"):
            K.set_value(0.1, 0.2)
        with pytest.raises(TypeError, match="no values before a model runs"):
            K.get_value(fastrnn.Input((2,)))
        with pytest.raises(ValueError, match="shape"):
            K.set_value(K.variable([1.0]), [1.0, 2.0])


class TestOthers:
    def test_a_loss_made_of_them(self):
        """As in programs: a loss of `K.*` trains a model as Keras's own does."""
        def loss(y_true, y_pred):
            return K.mean(K.square(y_pred - y_true), axis=-1)

        x, y = floats(8, 5, 3), floats(8, 2)
        histories = []
        for one in (loss, "mse"):
            fastrnn.utils.set_random_seed(1)
            model = fastrnn.Sequential([fastrnn.Input((5, 3)), fastrnn.layers.LSTM(4), fastrnn.layers.Dense(2)])
            model.compile("sgd", one)
            histories.append(model.fit(x, y, epochs=3, shuffle=False, verbose=0).history["loss"])
        np.testing.assert_allclose(*histories, rtol=1e-5)
        assert histories[0][-1] < histories[0][0]

    @pytest.mark.parametrize("name", ["placeholder", "function", "gradients", "GradientTape", "get_session",
                                      "set_learning_phase"])
    def test_absent_names_say_the_way_out(self, name):
        with pytest.raises(AttributeError, match=f"'fastrnn.backend' has no attribute '{name}': "):
            getattr(K, name)
        assert not hasattr(K, name)
        with pytest.raises(AttributeError, match="did you mean 'softmax'"):
            _ = K.sofmax

    def test_names(self):
        K.clear_session()
        first = fastrnn.layers.Dense(1).name
        fastrnn.layers.Dense(1)
        K.clear_session()
        assert fastrnn.layers.Dense(1).name == first == "dense"
        assert [K.get_uid("x"), K.get_uid("x"), K.get_uid("y")] == [1, 2, 1]
        K.clear_session()
        assert K.get_uid("x") == 1
        with K.name_scope("encoder") as name:
            assert name == "encoder"

    def test_random_numbers(self):
        assert K.random_normal((2, 3)).shape == K.truncated_normal((2, 3)).shape == (2, 3)
        share = K.random_bernoulli((4000,), p=0.25, seed=1)
        assert set(share.tolist()) == {0, 1} and abs(share.mean() - 0.25) < 0.03
        assert K.random_uniform_variable((2,), 3.0, 4.0).data.min() >= 3
        assert K.random_normal_variable((2, 2), 0.0, 1.0).shape == (2, 2)

    def test_errors(self):
        with pytest.raises(ValueError, match="batch_dot axes"):
            K.batch_dot(CUBE, CUBE, axes=(1, 2))
        with pytest.raises(ValueError, match=r"repeat x: expected two axes, got \(2, 3, 4\)"):
            K.repeat(CUBE, 2)
        with pytest.raises(ValueError, match="temporal_padding"):
            K.temporal_padding(A)

    def test_print_tensor(self, capsys):
        x = fastrnn.Input((1,))
        model = fastrnn.Model(x, K.print_tensor(x, "x ="))
        capsys.readouterr()
        assert model(np.full((1, 1), 7.0)) == 7
        assert capsys.readouterr().out == "x = [[7.]]\n"


class TestCTC:
    LENGTHS = np.array([[5], [4]]), np.array([[2], [1]])

    def test_gradient_against_central_differences(self):
        x = SPOKEN.astype("float64")
        weights = np.array([[1.0], [-0.5]])

        def total(x):
            return ops.sum(K.ctc_batch_cost(LABELS, x, *self.LENGTHS) * weights)

        gradient = differentiated(total, x)[1](np.ones(()))[0]
        expected = np.zeros_like(x)
        for place in np.ndindex(x.shape):
            moved = x.copy()
            moved[place] += 1e-6
            above = total(moved)
            moved[place] -= 2e-6
            expected[place] = (above - total(moved)) / 2e-6
        np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-7)

    def test_a_model_of_it_learns(self):
        """As in Keras's example of reading pictures: the loss is the output of a Lambda of four inputs."""
        fastrnn.utils.set_random_seed(1)
        x, labels = fastrnn.Input((5, 3), name="x"), fastrnn.Input((2,), name="labels")
        steps, count = fastrnn.Input((1,), name="steps"), fastrnn.Input((1,), name="count")
        y = fastrnn.layers.Dense(4, activation="softmax")(fastrnn.layers.LSTM(8, return_sequences=True)(x))
        loss = fastrnn.layers.Lambda(lambda args: K.ctc_batch_cost(*args), name="ctc")([labels, y, steps, count])
        model = fastrnn.Model([x, labels, steps, count], loss)
        model.compile(fastrnn.optimizers.Adam(0.05), loss=lambda y_true, y_pred: y_pred)
        found = model.fit([STEPS, LABELS, *self.LENGTHS], np.zeros((2, 1)), epochs=40, verbose=0).history["loss"]
        assert found[-1] < 0.1 * found[0]
        decoded = K.ctc_decode(fastrnn.Model(x, y)(STEPS), np.array([5, 4]))[0][0]
        assert [row[row >= 0].tolist() for row in decoded] == [[1, 0], [2]]
