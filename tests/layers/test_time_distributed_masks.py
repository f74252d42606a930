# SPDX-License-Identifier: Apache-2.0
"""TimeDistributed under masks: what the layer inside gets, what the layers above get, the loss, and the gradients."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn import Input, Sequential
from fastrnn.layers import GRU, LSTM, Activation, Bidirectional, Dense, Dropout, Embedding, SimpleRNN, TimeDistributed
from fastrnn.layers.base import Layer
from tests.conftest import assert_close

#: Sentences of words, some of them all padding, with holes.
WORDS = np.array([[[1, 2, 0, 0], [3, 0, 0, 0], [0, 0, 0, 0]], [[0, 4, 0, 5], [6, 7, 8, 9], [0, 0, 2, 0]]])
N, S, T, D = *WORDS.shape, 3

#: What may be inside, of any library with Keras's API. Those of the first list use up the mask of each step.
DROPS = {
    **{cell: lambda k, cell=cell: getattr(k.layers, cell)(2) for cell in ("SimpleRNN", "LSTM", "GRU")},
    "go_backwards": lambda k: k.layers.GRU(2, go_backwards=True),
    "zero_output": lambda k: k.layers.LSTM(2, zero_output_for_mask=True),
    "Bidirectional": lambda k: k.layers.Bidirectional(k.layers.LSTM(2)),
    "Sequential": lambda k: k.Sequential([k.layers.Dropout(0.2), k.layers.Dense(3), k.layers.LayerNormalization(),
                                          k.layers.LSTM(2)]),
    "two levels": lambda k: k.Sequential([k.Sequential([k.layers.GRU(3, return_sequences=True)]), k.layers.LSTM(2)]),
}
KEEPS = {
    **{f"{cell} sequences": lambda k, cell=cell: getattr(k.layers, cell)(2, return_sequences=True)
       for cell in ("SimpleRNN", "LSTM", "GRU")},
    "go_backwards sequences": lambda k: k.layers.LSTM(2, return_sequences=True, go_backwards=True),
    "Bidirectional sequences": lambda k: k.layers.Bidirectional(k.layers.GRU(2, return_sequences=True), "sum"),
    "Sequential sequences": lambda k: k.Sequential([k.layers.LSTM(3, return_sequences=True), k.layers.Dropout(0.2),
                                                    k.layers.GRU(2, return_sequences=True)]),
    "Dense": lambda k: k.layers.Dense(2),
}
INNER = DROPS | KEEPS


def randomize(model, seed=0):
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(-0.7, 0.7, w.shape) for w in model.get_weights()])
    return model


@pytest.fixture
def x(rng):
    return rng.standard_normal((N, S, T, D)).astype("float32")


@pytest.mark.parametrize("inner", INNER)
def test_each_step_gets_its_mask(inner, x):
    theirs = keras.layers.TimeDistributed(INNER[inner](keras))
    theirs.build(x.shape)
    ours = TimeDistributed(INNER[inner](fastrnn))
    ours.build(x.shape)
    randomize(ours)
    theirs.set_weights(ours.get_weights())
    expected = np.asarray(theirs(x, mask=WORDS != 0))
    np.testing.assert_allclose(ours(x, mask=WORDS != 0), expected, atol=1e-6)
    if inner != "Dense":
        assert np.abs(ours(x) - expected).max() > 1e-3


def test_an_embedding_below():
    stack = [lambda k: k.layers.Embedding(10, D, mask_zero=True),
             lambda k: k.layers.TimeDistributed(k.layers.LSTM(2))]
    theirs = keras.Sequential([make(keras) for make in stack])
    theirs.build((None, S, T))
    ours = Sequential([Input((S, T)), *(make(fastrnn) for make in stack)])
    randomize(ours)
    theirs.set_weights(ours.get_weights())
    expected = theirs.predict(WORDS, verbose=0)
    np.testing.assert_allclose(ours.predict(WORDS, verbose=0), expected, atol=1e-6)
    assert not expected[0, 2].any()             # all padding: the initial state


@pytest.mark.parametrize("inner", INNER)
def test_gradients_are_those_of_one_long_batch(inner, x, rng):
    """All steps are one batch to the layer inside, with a mask of as many rows."""
    layer = TimeDistributed(INNER[inner](fastrnn))
    layer.build(x.shape)
    randomize(layer)
    for dropout in layer.walk():
        if isinstance(dropout, Dropout):
            dropout.rate = 0.0
    y = layer(x, training=True, mask=WORDS != 0)
    dy = rng.standard_normal(y.shape).astype("float32")
    dx = layer.backward(dy)
    gradients = [v.grad.copy() for v in layer.weights]
    long = layer.layer(x.reshape(N * S, T, D), training=True, mask=(WORDS != 0).reshape(N * S, T))
    np.testing.assert_array_equal(y, long.reshape(y.shape))
    np.testing.assert_array_equal(dx, layer.layer.backward(dy.reshape(long.shape)).reshape(x.shape))
    for one, variable in zip(gradients, layer.weights, strict=True):
        np.testing.assert_array_equal(one, variable.grad)
    if inner != "Dense":
        assert not dx[WORDS == 0].any()


@pytest.mark.parametrize("inner", [
    LSTM(2, dtype="float64"), Sequential([Dense(3, dtype="float64"), LSTM(2, dtype="float64")]),
    Bidirectional(GRU(2, return_sequences=True, dtype="float64"), "sum")])
def test_gradients_are_central_differences(inner, rng):
    layer = TimeDistributed(inner)
    x, mask = rng.standard_normal((N, S, T, D)), WORDS != 0
    layer.build(x.shape)
    randomize(layer)
    y = layer(x, training=True, mask=mask)
    dy = rng.standard_normal(y.shape)
    dx = layer.backward(dy)
    differences, step = np.empty_like(x), 1e-6
    for at in np.ndindex(x.shape):
        moved = [x.copy(), x.copy()]
        moved[0][at] += step
        moved[1][at] -= step
        up, down = ((layer(m, mask=mask) * dy).sum() for m in moved)
        differences[at] = (up - down) / (2 * step)
    assert_close(dx, differences, 1e-7)
    assert not dx[~mask].any()


@pytest.mark.parametrize("inner", KEEPS)
def test_a_mask_that_goes_on_is_the_inner_layers(inner, x):
    layer = TimeDistributed(KEEPS[inner](fastrnn))
    layer(x)
    np.testing.assert_array_equal(layer.compute_mask(x, WORDS != 0), WORDS != 0)


@pytest.mark.parametrize("inner", DROPS)
def test_a_mask_used_up_leaves_that_of_the_steps(inner, x):
    layer = TimeDistributed(DROPS[inner](fastrnn))
    layer(x)
    np.testing.assert_array_equal(layer.compute_mask(x, WORDS != 0), [[True, True, False], [True, True, True]])


@pytest.mark.parametrize("top", [LSTM(3, name="top"), Bidirectional(GRU(3, return_sequences=True)), SimpleRNN(3)])
def test_a_recurrent_layer_on_top(top):
    """It steps over sentences that are all padding."""
    words = Sequential([Input((S, T)), Embedding(10, D, mask_zero=True), TimeDistributed(LSTM(2))])
    model = randomize(Sequential([*words.layers, Dropout(0.5), top]))
    expected = top(words.predict(WORDS, verbose=0), mask=(WORDS != 0).any(axis=2))
    np.testing.assert_allclose(model.predict(WORDS, verbose=0), expected, atol=1e-7)


def test_wrappers_in_wrappers(rng):
    x, mask = rng.standard_normal((2, N, S, T, D)).astype("float32"), np.stack([WORDS, WORDS[::-1]]) != 0
    inner = LSTM(2)
    layer = TimeDistributed(TimeDistributed(inner))
    np.testing.assert_allclose(layer(x, mask=mask)[1], TimeDistributed(inner)(x[1], mask=mask[1]), atol=1e-7)
    np.testing.assert_array_equal(layer.compute_mask(x, mask), mask.any(axis=3))


def test_one_after_the_other(x):
    """The second gets the mask that the first one passes on, as in Keras."""
    stack = [lambda k: k.layers.TimeDistributed(k.layers.GRU(4, return_sequences=True)),
             lambda k: k.layers.TimeDistributed(k.layers.LSTM(2))]
    theirs, ours = (k.Sequential([k.Input((S, T)), k.layers.Embedding(10, D, mask_zero=True), *(m(k) for m in stack)])
                    for k in (keras, fastrnn))
    theirs.set_weights(randomize(ours).get_weights())
    np.testing.assert_allclose(ours.predict(WORDS, verbose=0), theirs.predict(WORDS, verbose=0), atol=1e-6)


def test_no_mask_comes_out_of_a_layer_that_makes_one_inside():
    """As in Keras: the mask of an Embedding inside stays there."""
    inner = [Embedding(10, D, mask_zero=True), LSTM(2, return_sequences=True)]
    for layer in TimeDistributed(inner[0]), TimeDistributed(Sequential(inner)):
        layer(WORDS)
        assert layer.compute_mask(WORDS) is None


class TestTraining:
    """Beside Keras: the loss is a mean over the steps that count, and the weights go the same way."""

    @staticmethod
    def pair(make):
        models = []
        for k in keras, fastrnn:
            model = k.Sequential([k.Input((S, T)), *make(k)])
            model.compile(k.optimizers.SGD(0.5), "mse", weighted_metrics=["mae"])
            models.append(model)
        models[0].set_weights(randomize(models[1]).get_weights())
        return models

    @pytest.mark.parametrize("make", [
        lambda k: [k.layers.Embedding(10, D, mask_zero=True),
                   k.layers.TimeDistributed(k.layers.Bidirectional(k.layers.LSTM(2, return_sequences=True))),
                   k.layers.TimeDistributed(k.layers.Dense(1))],
        lambda k: [k.layers.TimeDistributed(k.Sequential([k.layers.Embedding(10, D, mask_zero=True), k.layers.GRU(2)])),
                   k.layers.LSTM(3), k.layers.Dense(1)]])
    def test_beside_keras(self, make, rng):
        theirs, ours = self.pair(make)
        y = rng.standard_normal(theirs.predict(WORDS, verbose=0).shape)
        expected = theirs.evaluate(WORDS, y, verbose=0)
        np.testing.assert_allclose(ours.evaluate(WORDS, y, verbose=0), expected, rtol=1e-5)
        losses = [model.fit(WORDS, y, epochs=3, batch_size=2, shuffle=False, verbose=0).history["loss"]
                  for model in (theirs, ours)]
        np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
        for one, two in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(one, two, atol=1e-5)

    def test_sentences_of_padding_do_not_count(self, rng):
        model = Sequential([Input((S, T)), Embedding(10, D, mask_zero=True), TimeDistributed(LSTM(2)), Dense(1)])
        randomize(model)
        model.compile("sgd", "mse", metrics=["mae"])
        y = rng.standard_normal((N, S, 1))
        error = (model.predict(WORDS, verbose=0) - y)[(WORDS != 0).any(axis=2)]
        assert model.evaluate(WORDS, y, verbose=0) == pytest.approx([(error**2).mean(), abs(error).mean()], rel=1e-5)
        model.fit(WORDS, y, epochs=2, verbose=0)


class TestMasksThatDoNotFit:
    @pytest.mark.parametrize(("layer", "mask", "said"), [
        (lambda: LSTM(2, name="top"), (N, S, T),
         r"LSTM 'top' mask: expected bool \(batch, time\) = \(2, 3\), got \(2, 3, 4\) of bool"),
        (lambda: Dense(2, name="top"), (N, T), r"Dense 'top' mask: .*= \(2, 3\), got \(2, 4\)"),
        (lambda: TimeDistributed(LSTM(2), name="top"), (N, T, S),
         r"TimeDistributed 'top' mask: expected bool \(batch, time\) = \(2, 3\) or \(batch, time, ...\) = \(2, 3, 4\), "
         r"got \(2, 4, 3\) of bool"),
        (lambda: TimeDistributed(LSTM(2), name="top"), (N,), r"TimeDistributed 'top' mask: .*got \(2,\)"),
        (lambda: TimeDistributed(LSTM(2), name="top"), (N, S, T, D), r"TimeDistributed 'top' mask: .*\(2, 3, 4, 3\)"),
        (lambda: TimeDistributed(Bidirectional(LSTM(2)), name="top"), (N, S, 1), "TimeDistributed 'top' mask"),
    ])
    def test_given(self, layer, mask, said, rng):
        layer = layer()
        x = rng.standard_normal((N, S, T, D) if isinstance(layer, TimeDistributed) else (N, S, T))
        with pytest.raises(ValueError, match=said):
            layer(x, mask=np.ones(mask, bool))
        assert np.isfinite(layer(x)).all()

    def test_without_a_time_axis(self):
        with pytest.raises(ValueError, match="Dense 'top' mask: expected None, there is no time axis, got"):
            Dense(2, name="top")(np.ones((2, 3)), mask=np.ones((2, 3), bool))

    @pytest.mark.parametrize("top", [LSTM(2, name="top"), Bidirectional(GRU(2), name="top"),
                                     Sequential([SimpleRNN(2, name="top")])])
    def test_from_a_layer_below(self, top):
        """A layer of the user's own that takes the words' axis away, and leaves it to the mask."""

        class Sum(Layer):
            supports_masking = True

            def compute_output_shape(self, *input_shapes):
                input_shape = input_shapes[0]
                return (*input_shape[:2], *input_shape[3:])

            def forward(self, x, *, call):
                return x.sum(axis=2)

        model = Sequential([Input((S, T)), Embedding(10, D, mask_zero=True), Sum(), top])
        with pytest.raises(ValueError, match=r"'top' mask: expected bool \(batch, time\) = \(2, 3\), got \(2, 3, 4\)"):
            model.predict_on_batch(WORDS)

    def test_a_mask_of_the_steps_alone(self, x, rng):
        """It says nothing to the layer inside, and goes on."""
        layer, mask = TimeDistributed(LSTM(2)), rng.random((N, S)) < 0.5
        np.testing.assert_array_equal(layer(x, mask=mask), layer(x))
        np.testing.assert_array_equal(layer.compute_mask(x, mask), mask)
        top = Sequential([TimeDistributed(LSTM(2)), TimeDistributed(Activation("tanh")), LSTM(3)])
        expected = top.layers[2](top.layers[1](top.layers[0](x)), mask=mask)
        np.testing.assert_allclose(top(x, mask=mask), expected, atol=1e-7)
