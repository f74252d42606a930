# SPDX-License-Identifier: Apache-2.0
"""The callbacks, and how a run calls them."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import fastrnn
from fastrnn.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from fastrnn.layers import Dense

x = np.random.default_rng(0).standard_normal((10, 3)).astype("float32")
y = x.sum(axis=1, keepdims=True)


@pytest.fixture
def model() -> fastrnn.Sequential:
    model = fastrnn.Sequential([fastrnn.Input((3,)), Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


class Record(Callback):
    """Every hook that was called, with the names in its logs."""

    def __init__(self):
        self.calls = []

    def __getattribute__(self, name):
        if not name.startswith("on_"):
            return super().__getattribute__(name)
        if name in ("on_batch_begin", "on_batch_end"):
            return lambda *args, **kwargs: None
        return lambda *args, logs=None: self.calls.append((name, *args))


def test_the_order_of_the_hooks(model):
    record = Record()
    model.fit(x, y, batch_size=5, epochs=2, validation_data=(x[:4], y[:4]), verbose=0, callbacks=[record])
    names = [call[0] for call in record.calls]
    epoch = (["on_epoch_begin"] + ["on_train_batch_begin", "on_train_batch_end"] * 2
             + ["on_test_begin", "on_test_batch_begin", "on_test_batch_end", "on_test_end", "on_epoch_end"])
    assert names == ["on_train_begin", *epoch, *epoch, "on_train_end"]
    assert [call[1] for call in record.calls if call[0] == "on_train_batch_end"] == [0, 1, 0, 1]
    assert record.params == {"verbose": 0, "epochs": 2, "steps": 2}
    assert record.model is model

    record.calls.clear()
    model.evaluate(x, y, batch_size=5, verbose=0, callbacks=[record])
    assert [call[0] for call in record.calls] == [
        "on_test_begin", *["on_test_batch_begin", "on_test_batch_end"] * 2, "on_test_end"]
    record.calls.clear()
    model.predict(x, batch_size=5, verbose=0, callbacks=[record])
    assert [call[0] for call in record.calls] == [
        "on_predict_begin", *["on_predict_batch_begin", "on_predict_batch_end"] * 2, "on_predict_end"]


def test_logs(model):
    seen = []

    class Logs(Callback):
        def on_batch_end(self, batch, logs=None):  # the older name
            seen.append(dict(logs))

        def on_epoch_end(self, epoch, logs=None):
            seen.append(dict(logs))
            logs["mine"] = 7.0

        def on_predict_batch_end(self, batch, logs=None):
            seen.append(logs["outputs"].shape)

    history = model.fit(x, y, batch_size=5, validation_split=0.2, verbose=0, callbacks=Logs())
    assert [list(logs) for logs in seen] == [["loss", "mae"]] * 2 + [["loss", "mae", "val_loss", "val_mae"]]
    assert seen[1] == {name: seen[2][name] for name in ("loss", "mae")}  # averages so far
    assert history.history["mine"] == [7.0]
    seen.clear()
    model.predict(x, batch_size=6, verbose=0, callbacks=[Logs()])
    assert seen == [(6, 1), (4, 1)]


def test_a_callback_without_init(model):
    class Bare(Callback):
        def __init__(self):
            pass

        def on_train_end(self, logs=None):
            self.model.mark = list(logs)

    model.fit(x, y, verbose=0, callbacks=[[Bare()]])
    assert model.mark == ["loss", "mae"]


def test_a_history_of_the_users_own(model):
    mine = History()
    assert model.fit(x, y, epochs=2, verbose=0, callbacks=[mine]) is mine is model.history
    model.fit(x, y, epochs=3, initial_epoch=2, verbose=0, callbacks=[mine])
    assert len(mine.history["loss"]) == 3 and mine.epoch == [2]


@pytest.mark.parametrize("bad", [EarlyStopping, "early", [1], object()])
def test_what_is_no_callback(model, bad):
    with pytest.raises(TypeError, match="callbacks: expected instances of Callback"):
        model.fit(x, y, verbose=0, callbacks=bad)


def test_only_overridden_batch_hooks_are_called():
    class Ends(Callback):
        def on_train_batch_end(self, batch, logs=None):
            pass

    assert not CallbackList([History(), EarlyStopping()]).wants_train_logs
    assert CallbackList([Ends()]).wants_train_logs and not CallbackList([Ends()]).wants_test_logs
    assert CallbackList([LambdaCallback(on_train_batch_end=print)]).wants_train_logs


class Losses(Callback):
    """Puts values of the test's own in place of the loss."""

    def __init__(self, *values, name="val_loss"):
        self.values = values
        self.name = name

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.values[epoch]
        self.model.set_weights([np.full((3, 1), epoch), [0]])


def epochs_run(model, *callbacks) -> int:
    return len(model.fit(x, y, epochs=8, verbose=0, callbacks=callbacks).epoch)


@pytest.mark.parametrize(("options", "values", "epochs"), [
    ({}, [3, 2, 2, 1], 3),
    ({"patience": 2}, [3, 2, 2, 1, 1, 1, 0, 0], 6),
    ({"patience": 1, "min_delta": 0.5}, [3, 2.8, 2.7, 1], 2),
    ({"patience": 2, "baseline": 1.5}, [3, 2.9, 2.9, 1], 3),
    ({"patience": 1, "start_from_epoch": 3}, [1, 2, 3, 4, 5, 6], 5),
    ({"patience": 1, "mode": "max"}, [1, 2, 1, 5], 3),
    ({"patience": 1}, [np.nan, 2, 1, 1, 5], 4),
    ({"patience": 2}, [2, np.nan, np.nan, 1], 3),
])
def test_early_stopping(model, options, values, epochs):
    stop = EarlyStopping(**options)
    assert epochs_run(model, Losses(*values, *[9] * 8), stop) == epochs
    assert stop.stopped_epoch == epochs - 1
    assert model.get_weights()[0][0, 0] == epochs - 1


def test_early_stopping_restores_the_best_weights(model, capsys):
    stop = EarlyStopping(patience=2, restore_best_weights=True, verbose=1)
    assert epochs_run(model, Losses(3, 1, 2, 2, 2), stop) == 4
    assert model.get_weights()[0][0, 0] == stop.best_epoch == 1
    assert capsys.readouterr().out == "Epoch 4: early stopping\nRestoring the weights of the best epoch, 2\n"
    # The best weights come back too where training ends before patience does.
    model.fit(x, y, epochs=3, verbose=0, callbacks=[Losses(3, 1, 2), stop])
    assert model.get_weights()[0][0, 0] == 1


def test_early_stopping_on_accuracy_and_on_what_is_not_there(model):
    assert epochs_run(model, Losses(0.1, 0.2, 0.1, 0.1, name="val_accuracy"), EarlyStopping("val_accuracy")) == 3
    with pytest.warns(UserWarning, match="'val_loss' is not available; there are: loss, mae"):
        assert epochs_run(model, EarlyStopping()) == 8
    with pytest.raises(ValueError, match="'val_oddness'.*mode="):
        epochs_run(model, Losses(*range(8), name="val_oddness"), EarlyStopping("val_oddness"))
    with pytest.raises(ValueError, match="mode"):
        EarlyStopping(mode="upwards")


def test_reduce_lr_on_plateau(model, capsys):
    model.optimizer.learning_rate = 1.0
    reduce = ReduceLROnPlateau(factor=0.5, patience=2, cooldown=1, min_lr=0.25, verbose=1)
    history = model.fit(x, y, epochs=8, verbose=0, callbacks=[Losses(3, 2, 2, 2, 2, 2, 2, 2), reduce])
    assert history.history["learning_rate"] == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25]
    assert "Epoch 4: ReduceLROnPlateau sets the learning rate to 0.5" in capsys.readouterr().out
    with pytest.raises(ValueError, match="factor"):
        ReduceLROnPlateau(factor=1.0)


@pytest.mark.parametrize("schedule", [lambda epoch, rate: rate / 2, lambda epoch: 0.5 ** (epoch + 1),
                                      lambda *args: 0.5 ** (args[0] + 1)])
def test_learning_rate_scheduler(model, schedule):
    model.optimizer.learning_rate = 1.0
    history = model.fit(x, y, epochs=3, verbose=0, callbacks=[LearningRateScheduler(schedule)])
    assert history.history["learning_rate"] == [0.5, 0.25, 0.125]


def test_learning_rate_scheduler_refuses(model):
    with pytest.raises(ValueError, match="must return a float, got None"):
        model.fit(x, y, verbose=0, callbacks=[LearningRateScheduler(lambda epoch, rate: None)])


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:fit. the loss is nan")
def test_terminate_on_nan(model, capsys):
    bad = np.where(np.arange(10)[:, None] == 6, np.nan, x)
    history = model.fit(bad, y, batch_size=2, epochs=5, shuffle=False, verbose=0, callbacks=[TerminateOnNaN()])
    assert len(history.epoch) == 1
    assert capsys.readouterr().out == "Batch 3: the loss is nan, stopping\n"
    with pytest.raises(RuntimeError, match="nan at batch 0"):
        model.fit(bad, y, verbose=0, callbacks=[TerminateOnNaN(raise_error=True)])


def test_lambda_callback(model):
    seen = []
    tell = LambdaCallback(on_train_begin=lambda logs: seen.append("begin"),
                          on_batch_end=lambda batch, logs: seen.append(batch),
                          on_epoch_end=lambda epoch, logs: seen.append(f"end {epoch}"),
                          on_test_end=lambda logs: seen.append("tested"))
    model.fit(x, y, batch_size=5, validation_split=0.5, epochs=2, verbose=0, callbacks=[tell])
    assert seen == ["begin", 0, "tested", "end 0", 0, "tested", "end 1"]
    with pytest.raises(TypeError, match="'on_epoch_ends' is not a hook"):
        LambdaCallback(on_epoch_ends=print)
    with pytest.raises(TypeError, match="function for on_epoch_end"):
        LambdaCallback(on_epoch_end=3)


def test_csv_logger(model, tmp_path):
    path = tmp_path / "run.csv"
    model.fit(x, y, epochs=2, validation_split=0.2, validation_freq=2, verbose=0, callbacks=[CSVLogger(path)])
    model.fit(x, y, epochs=3, initial_epoch=2, verbose=0, callbacks=[CSVLogger(path, append=True)])
    rows = list(csv.DictReader(path.open()))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert list(rows[0]) == ["epoch", "loss", "mae", "val_loss", "val_mae"]
    assert [row["val_loss"] == "NA" for row in rows] == [True, False, True]
    assert float(rows[0]["loss"]) > 0
    model.fit(x, y, verbose=0, callbacks=[CSVLogger(path, separator=";")])
    assert path.read_text().startswith("epoch;loss;mae;val_loss;val_mae\n0;")


def test_what_a_callback_adds_to_the_logs_of_an_epoch_is_not_in_those_of_the_training():
    class Ends(fastrnn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.epoch = sorted(logs)

        def on_train_end(self, logs=None):
            self.training = sorted(logs)

    model = fastrnn.Sequential([fastrnn.Input((1,)), Dense(1)])
    model.compile("sgd", "mse")
    ends = Ends()
    history = model.fit(np.ones((4, 1)), np.ones((4, 1)), verbose=0,
                        callbacks=[fastrnn.callbacks.ReduceLROnPlateau("loss"), ends]).history
    assert ends.epoch == ["learning_rate", "loss"] == sorted(history)
    assert ends.training == ["loss"]
