# SPDX-License-Identifier: Apache-2.0
"""Stateful models: a batch that does not fit is refused while every layer's states are as they were."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn import layers

T, D = 5, 3


def make_model(batch: int | None, kind: str = "stack") -> fastrnn.Sequential:
    fastrnn.utils.set_random_seed(0)
    below = layers.LSTM(4, stateful=True, return_sequences=True)
    above = layers.GRU(4, stateful=True)
    stack = {
        "stack": [below, above],
        "bidirectional": [layers.Bidirectional(below), above],
        "nested": [below, fastrnn.Sequential([above])],
    }[kind]
    model = fastrnn.Sequential([layers.Input(batch_shape=(batch, None, D)), *stack, layers.Dense(2)])
    model.compile("sgd", "mse")
    return model


def data(samples: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((samples, T, D)).astype("float32"), rng.standard_normal((samples, 2))


def states(model: fastrnn.Sequential) -> list:
    return [None if layer._states is None else [state.copy() for state in layer._states] for layer in model._stateful]


def source(samples: int):
    yield data(samples)


USES = {
    "predict": lambda model, n: model.predict(data(n)[0], verbose=0),
    "predict at once": lambda model, n: model.predict(data(n)[0], batch_size=n, verbose=0),
    "predict_on_batch": lambda model, n: model.predict_on_batch(data(n)[0]),
    "call": lambda model, n: model(data(n)[0], training=True),
    "fit": lambda model, n: model.fit(*data(n), verbose=0),
    "fit a source": lambda model, n: model.fit(source(n), verbose=0),
    "evaluate": lambda model, n: model.evaluate(*data(n), verbose=0),
    "train_on_batch": lambda model, n: model.train_on_batch(*data(n)),
    "validation": lambda model, n: model.fit(*data(1), batch_size=1, validation_data=data(n), validation_batch_size=n,
                                             verbose=0),
}


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("kind", ["stack", "bidirectional", "nested"])
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_another_batch_than_it_was_built_for(use, kind, warm):
    model = make_model(1, kind)
    if warm:
        model.predict(data(1)[0], verbose=0)
    before, weights = states(model), model.get_weights()
    with pytest.raises(ValueError, match=r"is stateful and built for a batch of 1, got a batch of 3[23]; pass batch"):
        use(model, 33)
    np.testing.assert_equal(states(model), before)
    np.testing.assert_equal(model.get_weights(), weights)
    assert model.predict(data(1)[0], verbose=0).shape == (1, 2)


def test_keras_refuses_it_too():
    model = keras.Sequential([keras.Input(batch_shape=(1, None, D)), keras.layers.LSTM(4, stateful=True)])
    with pytest.raises(ValueError, match="Expected batch size: 1"):
        model.predict(data(33)[0], verbose=0)


@pytest.mark.parametrize("use", ["predict", "fit", "evaluate"])
def test_samples_that_leave_a_smaller_batch(use):
    """Which would fail once all others had been through."""
    model = make_model(None)
    with pytest.raises(ValueError, match=f"{use}: Sequential .* is stateful: expected whole batches of 32, "
                                         "got 33; leave out 1 of them, or pass another batch_size"):  # fmt: skip
        USES[use](model, 33)
    assert states(model) == [None, None]
    for samples in 32, 64:
        USES[use](model, samples)
    model.reset_states()
    USES[use](model, 10)
    assert model.predict(data(33)[0][:10], steps=1, verbose=0).shape == (10, 2)
    model.reset_states()
    assert model.predict(data(33)[0], batch_size=11, verbose=0).shape == (33, 2)
    model.reset_states()
    assert model.predict(data(33)[0], batch_size=32, steps=1, verbose=0).shape == (32, 2)


@pytest.mark.parametrize("kind", ["stack", "bidirectional", "nested"])
def test_a_layer_that_fails_leaves_the_states_below_as_they_were(kind):
    model = make_model(None, kind)
    model.predict_on_batch(data(2)[0])
    model.layers[0].reset_states()      # so that it would take any batch, and the layer above fails
    before = states(model)
    with pytest.raises(ValueError, match="stateful with states for a batch of 2, got a batch of 3"):
        model.predict_on_batch(data(3)[0])
    np.testing.assert_equal(states(model), before)
    model.predict_on_batch(data(2)[0])


def test_an_interruption_leaves_them_too(monkeypatch):
    model = make_model(2)
    expected = [model.predict_on_batch(data(2)[0]) for _ in range(2)][1]
    model.reset_states()
    model.predict_on_batch(data(2)[0])

    def interrupted(*arguments, **keywords):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(layers.Dense, "forward", interrupted)
        model.forget()              # the schedule, which has the method
        with pytest.raises(KeyboardInterrupt):
            model.predict_on_batch(data(2)[0])
    model.forget()
    np.testing.assert_array_equal(model.predict_on_batch(data(2)[0]), expected)


def test_which_models_are_stateful():
    assert make_model(1).stateful and make_model(None, "nested").stateful
    model = make_model(None)
    model.pop(), model.pop(), model.pop()
    assert not model.stateful
    model = fastrnn.Sequential([layers.Input(batch_shape=(1, None, D)), layers.LSTM(4)])
    assert not model.stateful and model.predict(data(33)[0], verbose=0).shape == (33, 4)
