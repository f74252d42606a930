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


def run(library, swap_on_epoch):
    """The history, the weights after each epoch as another callback sees them, and those in the end."""
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((12, 4, 2)).astype("float32"), rng.standard_normal((12, 1)).astype("float32")
    model, seen = compiled(library), []
    swap = library.callbacks.SwapEMAWeights(swap_on_epoch)
    look = library.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.extend(model.get_weights()))
    history = model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0, callbacks=[swap, look],
                        validation_data=None if swap_on_epoch else (x, y)).history
    return history, seen, model.get_weights(), model.evaluate(x, y, verbose=0)


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_is_keras(swap_on_epoch):
    if keras.backend.backend() == "jax" and swap_on_epoch:
        pytest.skip("on JAX the callback sees no weights at the end of an epoch")
    ours, theirs = run(fastrnn, swap_on_epoch), run(keras, swap_on_epoch)
    assert ours[0].keys() == theirs[0].keys()
    for name in ours[0]:
        np.testing.assert_allclose(ours[0][name], theirs[0][name], rtol=2e-4)
    for a, b in zip([*ours[1], *ours[2]], [*theirs[1], *theirs[2]], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(ours[3], theirs[3], rtol=2e-4)


def test_needs_averages():
    model = compiled(fastrnn, use_ema=False)
    x = np.ones((4, 4, 2))
    with pytest.raises(ValueError, match="SwapEMAWeights: expected an optimizer made with use_ema=True, got Adam"):
        model.evaluate(x, np.ones((4, 1)), verbose=0, callbacks=[fastrnn.callbacks.SwapEMAWeights()])
