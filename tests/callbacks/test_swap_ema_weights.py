# SPDX-License-Identifier: Apache-2.0
"""SwapEMAWeights gives Keras's histories, evaluations and weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn


def compiled(library, use_ema=True):
    model = library.Sequential([library.Input((4, 2)), library.layers.LSTM(3), library.layers.Dense(1)])
    model.set_weights([np.random.default_rng(i).uniform(-1, 1, w.shape) for i, w in enumerate(model.get_weights())])
    model.compile(library.optimizers.Adam(0.05, use_ema=use_ema, ema_momentum=0.7), "mse")
    return model


def run(library):
    """The history, the weights in the end, and an evaluation."""
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((12, 4, 2)).astype("float32"), rng.standard_normal((12, 1)).astype("float32")
    model = compiled(library)
    history = model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0, validation_data=(x, y),
                        callbacks=[library.callbacks.SwapEMAWeights()]).history
    return history, model.get_weights(), model.evaluate(x, y, verbose=0)


def test_is_keras():
    ours, theirs = run(fastrnn), run(keras)
    assert ours[0].keys() == theirs[0].keys()
    for name in ours[0]:
        np.testing.assert_allclose(ours[0][name], theirs[0][name], rtol=2e-4)
    for a, b in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(ours[2], theirs[2], rtol=2e-4)


def test_callbacks_after_it_see_the_means():
    """Which are those of a training without it, whose weights they take the place of between two epochs only."""
    x, y = np.ones((8, 4, 2)), np.ones((8, 1))

    def fit(callbacks):
        model, seen, means = compiled(fastrnn), [], []
        look = fastrnn.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: (
            seen.append(model.get_weights()), means.append(model.optimizer.get_slots()[:5])))
        history = model.fit(x, y, batch_size=4, epochs=3, verbose=0, callbacks=[*callbacks, look]).history
        return history, seen, means, model.get_weights()

    swapped, plain = fit([fastrnn.callbacks.SwapEMAWeights(swap_on_epoch=True)]), fit([])
    assert swapped[0] == plain[0]
    for seen, means, in zip(swapped[1], plain[2], strict=True):
        for a, b in zip(seen, means, strict=True):
            np.testing.assert_array_equal(a, b)
    for a, b in zip(swapped[3], plain[2][-1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_needs_averages():
    model = compiled(fastrnn, use_ema=False)
    x = np.ones((4, 4, 2))
    with pytest.raises(ValueError, match="SwapEMAWeights: expected an optimizer made with use_ema=True, got Adam"):
        model.evaluate(x, np.ones((4, 1)), verbose=0, callbacks=[fastrnn.callbacks.SwapEMAWeights()])
