# SPDX-License-Identifier: Apache-2.0
"""Predictions for more sequences than one process should hold, on the processes of a Dask cluster."""

from __future__ import annotations

import argparse
import os
import tempfile

import dask.array
import numpy as np
from dask.distributed import Client

import fastrnn
import fastrnn.distribution.dask
from fastrnn.layers import LSTM, Dense, Input


def make_model():
    """The next value of a wave, from the 30 before."""
    fastrnn.utils.set_random_seed(0)
    time = np.arange(2000)[:, None] * 0.1 + np.arange(31)[None] * 0.1
    wave = np.sin(time).astype("float32")[..., None]
    model = fastrnn.Sequential([Input((None, 1)), LSTM(32), Dense(1)])
    model.compile("adam", "mse")
    model.fit(wave[:, :-1], wave[:, -1], epochs=3, batch_size=64, verbose=0)
    return model


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Predict on the processes of a Dask cluster.")
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args(arguments)

    model = make_model()
    start = dask.array.linspace(0, 100, args.samples, chunks=-(-args.samples // 8), dtype="float32")
    x = dask.array.sin(start[:, None] + 0.1 * np.arange(30, dtype="float32"))[..., None]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.safetensors")
        model.save(path)            # which the workers map into memory, one copy for all of them
        with Client(n_workers=args.workers, threads_per_worker=1, dashboard_address=None):
            predicted = fastrnn.distribution.dask.predict(path, x)
            error = abs(predicted[:, 0] - dask.array.sin(start + 3.0)).mean().compute()
    print(f"{args.samples} sequences on {args.workers} processes: mean error {error:.4f}")


if __name__ == "__main__":
    main()
