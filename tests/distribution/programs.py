# SPDX-License-Identifier: Apache-2.0
"""Programs that every rank runs, `python -m tests.distribution.programs NAME ARGUMENT ...`; rank 0 prints what it found
as one line of JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

import numpy as np

import fastrnn
from fastrnn.callbacks import BackupAndRestore, Callback, CSVLogger, EarlyStopping, LambdaCallback, ModelCheckpoint
from fastrnn.distribution import DataParallel, set_distribution
from tests.distribution import models


def parallel(**options: Any) -> DataParallel:
    team = DataParallel(**options)
    set_distribution(team)
    return team


def every(shards: str, dropout: str) -> Any:
    """All models, trained."""
    parallel(shards=int(shards) or None)
    return {name: models.trained(name, float(dropout)) for name in models.MODELS}


def reviews(path: str) -> Any:
    """The film reviews, with shards."""
    parallel(shards=8)
    data = np.load(path)
    fastrnn.utils.set_random_seed(0)
    model = fastrnn.Sequential([
        fastrnn.Input((None,), dtype="int32"), fastrnn.layers.Embedding(10000, 32),
        fastrnn.layers.LSTM(32, dropout=0.2, recurrent_dropout=0.2), fastrnn.layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(data["x"], data["y"], batch_size=128, epochs=2, validation_split=0.2, verbose=0).history
    return {"history": history, "weights": models.digest(model.get_weights())}


def agree(folder: str) -> Any:
    """What every rank sees, and who writes."""
    team = parallel()
    model, (x, y) = models.reviews(0.0)
    seen: list[Any] = []
    note = LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(dict(logs)),
                          on_epoch_end=lambda epoch, logs: seen.append(dict(logs)))
    stop = EarlyStopping("loss", patience=0, min_delta=10.0, verbose=1)
    path = os.path.join(folder, "model.keras")
    history = model.fit(x, y, batch_size=20, epochs=5, verbose=2, validation_split=0.2,
                        callbacks=[note, stop, CSVLogger(os.path.join(folder, "log.csv")), ModelCheckpoint(path)])
    model.save(os.path.join(folder, "again.keras"), overwrite=False)
    model.summary()
    single = model.train_on_batch(x[:30], y[:30], return_dict=True), model.test_on_batch(x[:30], y[:30])
    weights = models.digest(model.get_weights())
    found = team._comm.allgather((seen, history.history, model.stop_training, weights, single))
    return {"same": all(one == found[0] for one in found), "epochs": len(history.epoch), "files": os.listdir(folder),
            "costs": team.costs()}


def sources(whole: str) -> Any:
    """Batches from a generator of whole ones, or from one of each rank's part, of which the last rank has more."""
    team = parallel(auto_shard_dataset=whole == "whole")
    fastrnn.utils.set_random_seed(1)
    model, (x, y) = models.reviews(0.0)
    if whole == "whole":
        batches = [(x[i : i + 20], y[i : i + 20]) for i in range(0, 80, 20)]
    else:
        part = 20 // team.size
        own = slice(team.rank * part, (team.rank + 1) * part)
        batches = [(x[i : i + 20][own], y[i : i + 20][own]) for i in range(0, 80, 20)]
        if team.rank == team.size - 1:
            batches.append((x[80:], y[80:]))
    stop = LambdaCallback(on_epoch_begin=lambda epoch, logs: setattr(model, "stop_training", team.rank > 0))
    history = model.fit(iter(batches), epochs=1, verbose=0, callbacks=[stop]).history
    return {"history": history, "weights": [w.tolist() for w in model.get_weights()[1:]]}


# what goes wrong ---------------------------------------------------------------------------------------------------

def wrong(what: str) -> Any:
    """An argument that is wrong, or differs, on a rank; the errors of all ranks."""
    team = parallel(**({"shards": 6} if what == "shards" else {"shards": 1} if what == "few shards" else {}))
    model, (x, y) = models.reviews(0.0)
    arguments: dict[str, Any] = {"batch_size": 20}
    last = team.rank == team.size - 1
    if what == "batch_size":
        arguments["batch_size"] = team.size - 1
    elif what == "lengths" and last:
        x, y = x[:-1], y[:-1]
    elif what == "models" and last:
        model = fastrnn.Sequential([fastrnn.Input((None,), dtype="int32"), fastrnn.layers.Embedding(5000, 4),
                                    fastrnn.layers.LSTM(3), fastrnn.layers.Dense(1)])
        model.compile("adam", "mse")
    elif what == "targets" and last:
        y = y[:-1]
    elif what == "sources":
        x, y, arguments = iter([(x[: 20 - last], y[: 20 - last])]), None, {}
    elif what == "stateful":
        model = fastrnn.Sequential([fastrnn.Input(batch_shape=(20, 7)), fastrnn.layers.Reshape((7, 1)),
                                    fastrnn.layers.LSTM(3, stateful=True), fastrnn.layers.Dense(1)])
        model.compile("adam", "mse")
    elif what == "drift":
        arguments["callbacks"] = [LambdaCallback(
            on_epoch_end=lambda epoch, logs: last and model.layers[-1].bias.assign([1.0]))]
    try:
        model.fit(x, y, verbose=0, **arguments)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    return {"errors": team._comm.allgather(said)}


class Fails(Callback):
    """Fails on the last rank in a batch of the second epoch."""

    def __init__(self, team: DataParallel, how: str) -> None:
        self.team, self.how, self.epoch = team, how, 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.team.rank != self.team.size - 1 or (self.epoch, batch) != (1, 1):
            return
        if self.how == "error":
            raise KeyError("no such thing")
        os.kill(os.getpid(), signal.SIGINT if self.how == "interrupt" else signal.SIGKILL)


def fail(how: str, shards: str = "0", folder: str = "") -> Any:
    """A training that fails on the last rank, or that goes on from its backup."""
    if how == "import" and os.environ.get("OMPI_COMM_WORLD_RANK", os.environ.get("PMI_RANK")) == "1":
        parallel()
        raise ImportError("only here")
    team = parallel(shards=int(shards) or None)
    fastrnn.utils.set_random_seed(1)
    model, (x, y) = models.reviews(0.2)
    if how == "nan" and team.rank == team.size - 1:
        y = np.full_like(y, np.nan)
    callbacks = [BackupAndRestore(folder)] if folder else []
    callbacks += [Fails(team, how)] if how not in ("nan", "import", "no") else []
    print(f"began {time.time()}", file=sys.stderr, flush=True)
    history = model.fit(x, y, batch_size=16, epochs=3, verbose=0, callbacks=callbacks)
    return {"weights": models.digest(model.get_weights()), "epochs": history.epoch}


if __name__ == "__main__":
    result = globals()[sys.argv[1]](*sys.argv[2:])
    if fastrnn.ranks.is_first():
        print(json.dumps(result), flush=True)
