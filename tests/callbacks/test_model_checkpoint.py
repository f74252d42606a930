# SPDX-License-Identifier: Apache-2.0
"""ModelCheckpoint: which models are saved, and where."""

from __future__ import annotations

import os

import numpy as np
import pytest

import fastrnn
from fastrnn.callbacks import LambdaCallback, ModelCheckpoint
from fastrnn.callbacks.callback_list import CallbackList
from fastrnn.layers import Dense
from fastrnn.saving import load_model

x = np.random.default_rng(0).standard_normal((10, 3)).astype("float32")
y = x.sum(axis=1, keepdims=True)


@pytest.fixture
def model() -> fastrnn.Sequential:
    model = fastrnn.Sequential([fastrnn.Input((3,)), Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def fit(model, checkpoint, epochs=3, losses=None, **options):
    """Train with a checkpoint; `losses` are put in place of the epochs' own."""
    def replace(epoch, logs):
        if losses:
            logs["loss"] = losses[epoch]
    watchers = [LambdaCallback(on_epoch_end=replace), checkpoint]
    return model.fit(x, y, epochs=epochs, batch_size=5, verbose=0, callbacks=watchers, **options)


class TestWhere:
    def test_each_epoch(self, model, tmp_path):
        history = fit(model, ModelCheckpoint(tmp_path / "a" / "{epoch:02d}-{val_loss:.3f}.keras"), validation_split=0.2)
        expected = [f"{i + 1:02d}-{loss:.3f}.keras" for i, loss in enumerate(history.history["val_loss"])]
        assert sorted(os.listdir(tmp_path / "a")) == expected
        last = load_model(tmp_path / "a" / expected[-1])
        np.testing.assert_array_equal(last.get_weights()[0], model.get_weights()[0])
        assert last.optimizer.iterations == model.optimizer.iterations

    @pytest.mark.parametrize("name", ["m.safetensors", "m.weights.h5", "m"])
    def test_weights_alone(self, name, model, tmp_path):
        fit(model, ModelCheckpoint(tmp_path / name, save_weights_only=True))
        other = fastrnn.Sequential([fastrnn.Input((3,)), Dense(1)])
        other.load_weights(tmp_path / name)
        np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])

    def test_a_name_that_is_not_there(self, model, tmp_path):
        with pytest.raises(KeyError, match=r"has 'val_loss', which is not there; there are: epoch, loss, mae"):
            fit(model, ModelCheckpoint(tmp_path / "{val_loss}.keras"))


class TestWhich:
    def test_the_best_only(self, model, tmp_path, capsys):
        checkpoint = ModelCheckpoint(tmp_path / "{epoch}.keras", "loss", verbose=1, save_best_only=True)
        fit(model, checkpoint, 5, [3.0, 2.0, 2.5, 1.0, float("nan")])
        assert sorted(os.listdir(tmp_path)) == ["1.keras", "2.keras", "4.keras"]
        assert checkpoint.best == 1.0
        assert "Epoch 3: loss did not improve from 2\n" in capsys.readouterr().out

    def test_the_largest(self, model, tmp_path):
        fit(model, ModelCheckpoint(tmp_path / "{epoch}.keras", "loss", save_best_only=True, mode="max"), 3,
            [1.0, 3.0, 2.0])
        assert sorted(os.listdir(tmp_path)) == ["1.keras", "2.keras"]

    def test_better_than_a_threshold(self, model, tmp_path):
        checkpoint = ModelCheckpoint(tmp_path / "{epoch}.keras", "loss", save_best_only=True,
                                     initial_value_threshold=2.2)
        fit(model, checkpoint, 3, [3.0, 2.0, 2.1])
        assert os.listdir(tmp_path) == ["2.keras"]

    def test_a_metric_that_is_not_there(self, model, tmp_path):
        with pytest.warns(UserWarning, match="'val_loss' is not available"):
            fit(model, ModelCheckpoint(tmp_path / "{epoch}.keras", save_best_only=True), 2)
        assert sorted(os.listdir(tmp_path)) == ["1.keras", "2.keras"]

    def test_after_so_many_batches(self, model, tmp_path):
        fit(model, ModelCheckpoint(tmp_path / "{epoch}-{batch}.keras", save_freq=3), 3)     # two batches an epoch
        assert sorted(os.listdir(tmp_path)) == ["2-1.keras", "3-2.keras"]

    def test_a_run_by_epochs_pays_for_no_batch(self, tmp_path):
        assert not CallbackList([ModelCheckpoint(tmp_path / "m")]).wants_train_logs
        assert CallbackList([ModelCheckpoint(tmp_path / "m", save_freq=2)]).wants_train_logs

    @pytest.mark.parametrize("frequency", ["batch", 0, 1.5, True, None])
    def test_bad_frequency(self, frequency, tmp_path):
        with pytest.raises(ValueError, match="expected save_freq 'epoch' or a number of batches"):
            ModelCheckpoint(tmp_path / "m", save_freq=frequency)
