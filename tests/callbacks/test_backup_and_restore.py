# SPDX-License-Identifier: Apache-2.0
"""A training that is killed and started again comes to the bits of one that runs through."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import fastrnn
from fastrnn.callbacks import BackupAndRestore, LambdaCallback
from fastrnn.layers import GRU, LSTM, RNN, Bidirectional, Dense, GRUCell, LSTMCell

#: A program with everything that draws random numbers: weights, the order of samples, dropout of two kinds.
PROGRAM = """
import os, signal, sys
import numpy as np
import fastrnn
from fastrnn.layers import LSTM, Dense, Dropout

folder, result, dies_in, suffix = sys.argv[1:]
fastrnn.utils.set_random_seed(3)
rng = np.random.default_rng(0)
x, y = rng.standard_normal((40, 6, 3)), rng.standard_normal((40, 1))
model = fastrnn.Sequential([fastrnn.Input((6, 3)), LSTM(5, dropout=0.3, recurrent_dropout=0.2), Dropout(0.4, seed=5),
                            Dense(1)])
model.compile(fastrnn.optimizers.Nadam(0.01, use_ema=True, gradient_accumulation_steps=2), "mse")
model.optimizer.learning_rate = 0.02

def die(epoch, logs):
    if epoch == int(dies_in):
        os.kill(os.getpid(), signal.SIGKILL)

callbacks = [fastrnn.callbacks.BackupAndRestore(folder, double_checkpoint=True)] if folder else []
callbacks += [fastrnn.callbacks.LambdaCallback(on_epoch_begin=die)]
history = model.fit(x, y, batch_size=7, epochs=6, verbose=0, callbacks=callbacks)
np.savez(result, loss=history.history["loss"], epochs=history.epoch, *model.get_weights(),
         **{f"slot{i}": slot for i, slot in enumerate(model.optimizer.get_slots())})
"""


def run(folder, result, dies_in=-1):
    return subprocess.run([sys.executable, "-c", PROGRAM, str(folder), str(result), str(dies_in), ""],
                          env={**os.environ}, timeout=120).returncode


def test_a_killed_training_goes_on_bit_for_bit(tmp_path):
    folder, through, again = tmp_path / "backup", tmp_path / "through.npz", tmp_path / "again.npz"
    assert run("", through) == 0
    assert run(folder, again, dies_in=2) == -signal.SIGKILL and run(folder, again, dies_in=4) == -signal.SIGKILL
    assert sorted(os.listdir(folder)) == ["latest.npz", "latest.npz.bkp"] and not again.exists()
    assert run(folder, again) == 0
    assert not folder.exists()
    expected, got = np.load(through), np.load(again)
    assert list(got["epochs"]) == [4, 5] and list(expected["epochs"]) == list(range(6))
    np.testing.assert_array_equal(got["loss"], expected["loss"][4:])
    for name in set(expected.files) - {"loss", "epochs"}:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)


def model_and_data(units=3):
    model = fastrnn.Sequential([fastrnn.Input((2,)), fastrnn.layers.Dense(units)])
    model.compile("adam", "mse")
    return model, np.ones((8, 2)), np.ones((8, units))


def interrupted(folder, epoch=2, **options):
    """A model whose training was broken off when an epoch began."""
    def stop(now, logs):
        if now == epoch:
            raise KeyboardInterrupt

    model, x, y = model_and_data()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, epochs=5, verbose=0, batch_size=2,
                  callbacks=[BackupAndRestore(folder, **options), LambdaCallback(on_epoch_begin=stop)])
    return model


def test_a_broken_backup(tmp_path):
    """The one before is taken, if there is one; nothing of the broken one is."""
    interrupted(tmp_path, double_checkpoint=True)
    path = tmp_path / "latest.npz"
    path.write_bytes(path.read_bytes()[:300])
    model, x, y = model_and_data()
    history = model.fit(x, y, epochs=3, verbose=0, callbacks=[BackupAndRestore(tmp_path, delete_checkpoint=False)])
    assert history.epoch == [1, 2]
    path.write_bytes(b"PK nothing")
    (tmp_path / "latest.npz.bkp").unlink()
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"BackupAndRestore: cannot read .*latest.npz: .*; delete the folder to begin"):
        model.fit(x, y, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_killed_between_the_two_files(tmp_path):
    interrupted(tmp_path)
    os.rename(tmp_path / "latest.npz", tmp_path / "latest.npz.bkp")
    model, x, y = model_and_data()
    assert model.fit(x, y, epochs=3, verbose=0, callbacks=[BackupAndRestore(tmp_path)]).epoch == [2]


def test_the_backup_of_another_model(tmp_path):
    interrupted(tmp_path)
    model, x, y = model_and_data(units=4)
    with pytest.raises(ValueError, match="is the backup of another model; give each training a folder of its own"):
        model.fit(x, y, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    np.savez(tmp_path / "latest.npz", other=np.ones(3))
    with pytest.raises(ValueError, match="is no backup of a training"):
        model.fit(x, y, verbose=0, callbacks=[BackupAndRestore(tmp_path)])


def test_after_batches(tmp_path):
    """The epoch that was broken off begins anew, with the weights of the backup."""
    model = interrupted(tmp_path, epoch=1, save_freq=3)     # after batches 0, 1, 2 of epoch 0; epoch 0 has 4
    assert model.optimizer.iterations == 4
    again, x, y = model_and_data()
    keep = BackupAndRestore(tmp_path, save_freq=3)
    seen = []
    look = LambdaCallback(on_train_begin=lambda logs: seen.append(int(again.optimizer.iterations)))
    assert again.fit(x, y, epochs=2, verbose=0, callbacks=[keep, look]).epoch == [0, 1] and seen == [3]


def test_files_of_others_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    model, x, y = model_and_data()
    model.fit(x, y, epochs=2, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_errors(tmp_path):
    with pytest.raises(ValueError, match="backup_dir: expected a folder, got ''"):
        BackupAndRestore("")
    for bad in "week", 0, True:
        with pytest.raises(ValueError, match="save_freq: expected 'epoch' or a number of batches"):
            BackupAndRestore(tmp_path, save_freq=bad)
    model = fastrnn.Sequential([fastrnn.layers.Dense(1)])
    with pytest.raises(ValueError, match=r"BackupAndRestore: .* is not built; begin it with an Input"):
        fastrnn.callbacks.CallbackList(BackupAndRestore(tmp_path), model=model).on_train_begin()


@pytest.mark.parametrize("make", [lambda: LSTM(3, stateful=True), lambda: Bidirectional(GRU(3, stateful=True)),
                                  lambda: RNN([LSTMCell(3), GRUCell(2)], stateful=True)])
def test_stateful_layers_go_on_from_their_states(tmp_path, make):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((8, 5, 2)), rng.standard_normal((8, 1))

    def training(callbacks, weights=None):
        model = fastrnn.Sequential([fastrnn.Input(batch_shape=(4, 5, 2)), make(), Dense(1)])
        if weights is not None:
            model.set_weights(weights)
        model.compile("adam", "mse")
        begin = model.get_weights()
        try:
            return begin, model.fit(x, y, batch_size=4, epochs=4, shuffle=False, verbose=0, callbacks=callbacks).history
        except KeyboardInterrupt:
            return begin, None

    def interrupt(epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    begin, through = training([])
    backup = BackupAndRestore(tmp_path / "backup")
    assert training([backup, LambdaCallback(on_epoch_begin=interrupt)], begin)[1] is None
    again = training([BackupAndRestore(tmp_path / "backup")])[1]
    assert again["loss"] == through["loss"][2:]
