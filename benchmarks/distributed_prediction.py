# SPDX-License-Identifier: Apache-2.0
"""Prediction on Dask, Ray and Spark beside `model.predict` on the same two cores: the same bits, sequences a second,
and how much more memory a worker comes to take than when it has loaded the model.

    python benchmarks/distributed_prediction.py [--samples 200000] [--engines dask,ray,spark]

Each engine predicts once before it is timed, so that its processes run and have loaded the model.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import fastrnn
from fastrnn.distribution import dask as on_dask
from fastrnn.distribution import ray as on_ray
from fastrnn.distribution import spark as on_spark
from fastrnn.layers import LSTM, Dense, Input

SHAPE, CHUNKS = (30, 8), 40


def peak_bytes(*_: Any) -> float:
    """The most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def timed(call: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Seconds of a call, and what it gives."""
    start = time.perf_counter()
    found = call()
    return time.perf_counter() - start, found


def dask(path: str, x: np.ndarray) -> tuple[float, np.ndarray, float]:
    """Seconds, predictions, and the most memory of a worker beyond what it held before."""
    import dask.array
    from distributed import Client

    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        chunk = -(-len(x) // CHUNKS)
        lazy = dask.array.from_array(x, chunks=(chunk, *SHAPE))
        on_dask.predict(path, lazy[: 2 * chunk]).compute()
        before = client.run(peak_bytes)
        seconds, found = timed(on_dask.predict(path, lazy).compute)
        after = client.run(peak_bytes)
        return seconds, found, max(after[worker] - before[worker] for worker in after)


class Measured(on_ray.Predictor):
    """Says what memory it takes beyond that of its start."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._before = peak_bytes()

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        return {**super().__call__(batch), "peak": np.full(len(batch["data"]), peak_bytes() - self._before)}


def ray(path: str, x: np.ndarray) -> tuple[float, np.ndarray, float]:
    """As `dask`; the time has the start of the actors, as Ray Data starts them for each run."""
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    chunk = -(-len(x) // CHUNKS)

    def predict() -> np.ndarray:
        data = ray.data.from_numpy([x[start : start + chunk] for start in range(0, len(x), chunk)])
        data.context.execution_options.preserve_order = True
        found = data.map_batches(Measured, fn_constructor_kwargs={"path": path, "inputs": "data"}, batch_size=chunk,
                                 concurrency=2)
        batches = list(found.iter_batches(batch_size=None))
        peaks.append(max(float(batch["peak"].max()) for batch in batches))
        return np.concatenate([batch["prediction"] for batch in batches])

    peaks: list[float] = []
    seconds, found = timed(predict)
    ray.shutdown()
    return seconds, found, peaks[0]


def spark(path: str, x: np.ndarray) -> tuple[float, np.ndarray, float]:
    """As `dask`, from and to files of Parquet, as Spark's data come; the memory is not known."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    import pyarrow
    from pyarrow import parquet
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    with tempfile.TemporaryDirectory() as folder:
        flat = pyarrow.FixedSizeListArray.from_arrays(x.ravel(), x[0].size).cast(pyarrow.list_(pyarrow.float32()))
        parquet.write_table(pyarrow.table({"id": np.arange(len(x)), "x": flat}), f"{folder}/x.parquet",
                            row_group_size=-(-len(x) // CHUNKS))
        frame = session.read.parquet(f"{folder}/x.parquet")
        predict = on_spark.predict_udf(path, [SHAPE], batch_size=4096)

        def run(rows: int, name: str) -> str:
            frame.filter(frame.id < rows).select("id", predict("x").alias("y")).write.parquet(f"{folder}/{name}")
            return f"{folder}/{name}"

        run(1000, "first")
        start = time.perf_counter()
        where = run(len(x), "all")
        seconds = time.perf_counter() - start
        found = np.stack(parquet.read_table(where).sort_by("id")["y"].to_numpy())
    session.stop()
    return seconds, found, float("nan")


ENGINES = {"dask": dask, "ray": ray, "spark": spark}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--engines", default=",".join(ENGINES))
    args = parser.parse_args()

    fastrnn.utils.set_random_seed(0)
    model = fastrnn.Sequential([Input((None, SHAPE[1])), LSTM(128), Dense(2)])
    x = np.random.default_rng(0).standard_normal((args.samples, *SHAPE)).astype("float32")
    print(f"{args.samples} sequences of {SHAPE}; a chunk is {x.nbytes / CHUNKS / 1e6:.1f} MB\n\n"
          "| engine | sequences a second | of predict | the same bits | memory a worker adds |\n"
          "|---|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.safetensors")
        model.save(path)
        model.predict(x[:1000], 256, verbose=0)
        alone, expected = timed(lambda: model.predict(x, 256, verbose=0))
        print(f"| `model.predict`, 2 threads | {len(x) / alone:.0f} | 1.00x | | |")
        for name in args.engines.split(","):
            seconds, found, peak = ENGINES[name](path, x)
            same = "yes" if (found == expected).all() else "no"
            memory = "not known" if np.isnan(peak) else f"{peak / 1e6:.0f} MB"
            print(f"| {name} | {len(x) / seconds:.0f} | {alone / seconds:.2f}x | {same} | {memory} |")


if __name__ == "__main__":
    main()
