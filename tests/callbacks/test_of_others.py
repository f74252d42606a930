# SPDX-License-Identifier: Apache-2.0
"""Callbacks written for Keras, of other packages, and in the manner of Keras 1 and 2."""

from __future__ import annotations

import io

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn import callbacks


def fit(*given, epochs=3, **options):
    model = fastrnn.Sequential([fastrnn.Input((2,)), fastrnn.layers.Dense(1)])
    model.compile(fastrnn.optimizers.SGD(0.1), "mse", metrics=["mae"])
    x = np.random.default_rng(0).standard_normal((8, 2))
    return model.fit(x, x[:, :1], epochs=epochs, batch_size=2, verbose=0, callbacks=list(given), **options)


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_tqdm(verbose):
    from tqdm.keras import TqdmCallback  # whose base class is Keras's Callback

    out = io.StringIO()
    callback = TqdmCallback(verbose=verbose, file=out, mininterval=0)
    fit(callback)
    assert (callback.epoch_bar.n, callback.epoch_bar.total) == (3, 3)
    if verbose:
        assert (callback.batch_bar.n, callback.batch_bar.total) == (4, 4)
    text = out.getvalue()
    assert "3/3" in text and "loss=" in text and "mae=" in text


def test_a_callback_of_keras():
    class Seen(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.hooks = []

        def on_train_batch_end(self, batch, logs=None):
            self.hooks.append((batch, sorted(logs)))
            self.model.stop_training = batch == 2

    seen = Seen()
    history = fit(seen)
    assert seen.hooks == [(batch, ["loss", "mae"]) for batch in range(3)] and history.epoch == [0]
    assert seen.params == {"verbose": 0, "epochs": 3, "steps": 4} and seen.model is history.model


def test_keras_callbacks_that_need_a_model_alone(tmp_path):
    stop = keras.callbacks.EarlyStopping("loss", mode="min", min_delta=1e9, patience=1, restore_best_weights=True)
    history = fit(stop, keras.callbacks.CSVLogger(str(tmp_path / "log.csv")), keras.callbacks.TerminateOnNaN())
    assert history.epoch == [0, 1]
    assert (tmp_path / "log.csv").read_text().split()[0] == "epoch,loss,mae,val_loss,val_mae"


def test_hooks_of_keras_2():
    class Old(callbacks.Callback):
        def on_train_begin(self, logs={}):      # noqa: B006 - as programs of the time have it
            self.losses = []

        def on_batch_begin(self, batch, logs={}):       # noqa: B006
            self.begun = batch

        def on_batch_end(self, batch, logs={}):         # noqa: B006
            self.losses.append(logs.get("loss"))

    old = Old()
    fit(old)
    assert len(old.losses) == 12 and old.begun == 3 and all(np.isfinite(old.losses))


def test_arguments_of_keras_2(tmp_path):
    fit(callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras"), monitor="loss", period=2), epochs=5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.keras", "4.keras"]
    for bad in 0, 1.5, True:
        with pytest.raises(ValueError, match="ModelCheckpoint period: expected a number of epochs"):
            callbacks.ModelCheckpoint("m.keras", period=bad)
    assert callbacks.ReduceLROnPlateau(epsilon=0.3).min_delta == 0.3
    history = fit(callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, epsilon=1e9), epochs=3)
    assert history.history["learning_rate"] == pytest.approx([0.1, 0.1, 0.05])


def test_lists():
    """As Keras makes them."""
    seen = []
    model = object()
    given = callbacks.CallbackList([callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(epoch))],
                                   add_history=True, add_progbar=True, model=model, epochs=2, steps=3, verbose=0)
    assert [type(callback).__name__ for callback in given.callbacks] == ["LambdaCallback", "History", "ProgbarLogger"]
    assert given.params == {"epochs": 2, "steps": 3, "verbose": 0}
    assert all(callback.model is model for callback in given.callbacks)
    more = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append((batch, logs)))
    given.append(more)
    given.on_epoch_begin(7)
    given.on_batch_end(1, {"loss": 2.0})
    assert seen == [7, (1, {"loss": 2.0})] and more.params is given.params


def test_every_name_of_keras():
    """But for Orbax's checkpoints, which are JAX's."""
    assert set(dir(keras.callbacks)) - set(callbacks.__all__) <= {"OrbaxCheckpoint"} | {
        name for name in dir(keras.callbacks) if name.startswith("_")}
