# SPDX-License-Identifier: Apache-2.0
"""BackupAndRestore: go on with a training that was broken off."""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

import numpy as np

from fastrnn import runtime
from fastrnn.callbacks.base import Callback, Logs
from fastrnn.layers.recurrent.states import States


class BackupAndRestore(Callback):
    """Keep a backup of a training, and begin with it where the program is started again.

    The backup has the weights, the states of stateful layers, what the optimizer keeps, where the generators of random
    numbers stand, and the epoch.
    So a program that is killed and started again comes to the same bits as one that runs through, if it sets a seed,
    and its data come from arrays. The history has the epochs since then. With a number of batches as `save_freq`, an
    epoch that was broken off begins anew, with the weights of the backup, as in Keras.

    A backup is replaced as a whole: a program that is killed while it writes has the one before.

    Args:
        backup_dir: folder of the backup, for one training alone.
        save_freq: `"epoch"`, or a number of batches.
        double_checkpoint: keep the backup before, too, and begin with it where the last one cannot be read.
        delete_checkpoint: delete the backup, and the folder if that is all, when the training has ended.

    Raises:
        ValueError: another `save_freq`, no folder; or, when a training begins, a model that is not built, or a backup
            of another model.

    Example:

    >>> import tempfile, numpy as np, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((1,)), fastrnn.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> keep = fastrnn.callbacks.BackupAndRestore(tempfile.mkdtemp())
    >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=3, verbose=0, callbacks=[keep])
    """

    writes = True

    def __init__(self, backup_dir: str | os.PathLike[str], save_freq: str | int = "epoch",
                 double_checkpoint: bool = False, delete_checkpoint: bool = True) -> None:
        if not backup_dir:
            raise ValueError("BackupAndRestore backup_dir: expected a folder, got ''")
        if save_freq != "epoch" and (not isinstance(save_freq, int) or isinstance(save_freq, bool) or save_freq < 1):
            raise ValueError(f"BackupAndRestore save_freq: expected 'epoch' or a number of batches, got {save_freq!r}")
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._path = os.path.join(self.backup_dir, "latest.npz")
        self._epoch = 0
        self._batches = 0       # since the last backup
        if save_freq != "epoch":    # only then, since a run pays for whoever looks at its batches
            self.on_train_batch_end = self._after_batch  # type: ignore[method-assign]

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if not self.model.built:
            raise ValueError(f"BackupAndRestore: {self.model} is not built; begin it with an Input, or call it once")
        self._epoch, self._batches = self.model.first_epoch, 0
        from zipfile import BadZipFile  # which np.load imports

        broken: Exception | None = None
        for path in filter(os.path.exists, (self._path, f"{self._path}.bkp")):
            try:
                with np.load(path, allow_pickle=False) as backup:
                    stored = {name: backup[name] for name in backup.files}
            except (OSError, EOFError, ValueError, AttributeError, BadZipFile) as error:
                broken = broken or error    # no such file, or no array of numbers
            else:
                return self._restore(path, stored)
        if broken is not None:
            raise ValueError(f"BackupAndRestore: cannot read {self._path}: {broken}; delete the folder to begin anew")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch + 1
        if self.save_freq == "epoch":
            self._save()

    def _after_batch(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self._batches == self.save_freq:
            self._batches = 0
            self._save()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.delete_checkpoint:
            for path in self._path, f"{self._path}.bkp":
                with contextlib.suppress(OSError):
                    os.remove(path)
            with contextlib.suppress(OSError):      # where somebody put more in it
                os.rmdir(self.backup_dir)

    def _generators(self) -> list[np.random.Generator]:
        """That of the process, then those of layers with a seed."""
        own = (getattr(layer, "_rng", None) for layer in self.model.walk())
        return [runtime.rng(), *(generator for generator in own if generator is not None)]

    def _stateful(self) -> list[States]:
        """The layers that go on from states which they keep."""
        return [layer for layer in self.model.walk() if isinstance(layer, States) and layer.stateful]

    def _save(self) -> None:
        optimizer = self.model.optimizer
        rate = optimizer._learning_rate
        states = [layer._states or [] for layer in self._stateful()]
        about = {
            "epoch": self._epoch,
            "batches": optimizer.batches,
            "learning_rate": rate if isinstance(rate, float) else None,
            "random": [runtime.generator_state(generator) for generator in self._generators()],
            "states": [len(kept) for kept in states],
        }
        arrays = {f"weight_{i}": variable.data for i, variable in enumerate(self.model.weights)}
        arrays |= {f"slot_{i}": slot for i, slot in enumerate(optimizer.get_slots())}
        arrays |= {f"state_{i}": state for i, state in enumerate(state for kept in states for state in kept)}
        os.makedirs(self.backup_dir, exist_ok=True)
        new = f"{self._path}.{os.getpid()}"
        try:
            with open(new, "wb") as file:
                np.savez(file, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)
                file.flush()
                os.fsync(file.fileno())
            if self.double_checkpoint and os.path.exists(self._path):
                os.replace(self._path, f"{self._path}.bkp")
            os.replace(new, self._path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.remove(new)

    def _restore(self, path: str, stored: dict[str, np.ndarray]) -> None:
        """Set everything to what a backup has, or nothing."""
        model, optimizer = self.model, self.model.optimizer
        try:
            about: dict[str, Any] = json.loads(stored.pop("about").tobytes())
            weights = _numbered(stored, "weight")
            slots = _numbered(stored, "slot")
            states = iter(_numbered(stored, "state"))
            kept = [[next(states) for _ in range(count)] for count in about.get("states", ())]
            epoch, batches, rate, random = (about[key] for key in ("epoch", "batches", "learning_rate", "random"))
        except (KeyError, ValueError, TypeError, StopIteration) as error:
            raise ValueError(f"BackupAndRestore: {path} is no backup of a training: {error!r}") from None
        generators = self._generators()
        if [w.shape for w in weights] != [v.shape for v in model.weights] or len(random) != len(generators):
            raise ValueError(f"BackupAndRestore: {path} is the backup of another model; give each training a folder of "
                             "its own, or delete it")
        for layer, own in zip(self._stateful(), kept):
            layer.reset_states(own or None)
        if slots:
            optimizer.build(model.trainable_weights)
            optimizer.set_slots(slots)
        model.set_weights(weights)
        optimizer.batches = int(batches)
        if rate is not None and isinstance(optimizer._learning_rate, float):
            optimizer.learning_rate = rate
        for generator, state in zip(generators, random):
            runtime.set_generator_state(generator, state)
        self._epoch = model.first_epoch = int(epoch)


def _numbered(stored: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    """The arrays of a name and a number, in order."""
    return [stored[f"{name}_{i}"] for i in range(sum(key.startswith(f"{name}_") for key in stored))]
