# SPDX-License-Identifier: Apache-2.0
"""What fastrnn costs beside the arithmetic: import, memory, the calls of a small model, the wheel.

    python benchmarks/overhead.py [--rounds 21] [--calls 3000]
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastrnn


def import_seconds(rounds: int) -> dict[str, float]:
    """Median seconds of `import numpy` and `import fastrnn`, each in a fresh process, in turn, from cached bytecode."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    seconds: dict[str, list[float]] = {"numpy": [], "fastrnn": []}
    for number in range(rounds + 1):
        for module, times in seconds.items():
            program = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
            done = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True,
                                  text=True)
            if number:                      # the first one writes the bytecode
                times.append(float(done.stdout))
    return {module: statistics.median(times) for module, times in seconds.items()}


def resident_bytes() -> int:
    """Memory that the process holds at the moment; where the system does not tell, the most it ever held."""
    gc.collect()
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def models() -> list[tuple[str, Any, np.ndarray, np.ndarray]]:
    """Models and a batch of data for each."""
    random = np.random.default_rng(0)
    letters = np.eye(52, dtype="float32")[random.integers(0, 52, (32, 5))]
    layers = fastrnn.layers
    copying = fastrnn.Sequential([fastrnn.Input((None, 52)), layers.SimpleRNN(128, return_sequences=True),
                                  layers.Dense(52, activation="softmax")])
    copying.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    reading = fastrnn.Sequential([fastrnn.Input((20,), dtype="int32"), layers.Embedding(1000, 32),
                                  layers.LSTM(32, dropout=0.2, recurrent_dropout=0.2),
                                  layers.Dense(1, activation="sigmoid")])
    reading.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    words, labels = random.integers(0, 1000, (32, 20)), random.integers(0, 2, (32, 1))
    return [("SimpleRNN", copying, letters, np.roll(letters, -1, 1)), ("LSTM", reading, words, labels)]


def growth_bytes(calls: int) -> dict[str, int]:
    """By how much the process grows over `calls` updates and `calls` predictions, after the first tenth of them."""
    grown = {}
    for name, model, x, y in models():

        def run(count: int, model: Any = model, x: np.ndarray = x, y: np.ndarray = y) -> None:
            for _ in range(count):
                model.train_on_batch(x, y)
                model.predict(x, verbose=0)

        run(max(3, calls // 10))
        before = resident_bytes()
        run(calls)
        grown[name] = resident_bytes() - before
    return grown


def call_seconds(call: Callable[[], Any], rounds: int) -> float:
    """Median seconds of a call, of rounds of 200 calls."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        for _ in range(200):
            call()
        times.append((time.perf_counter() - start) / 200)
    return statistics.median(times[1:])


def tiny_calls(rounds: int) -> dict[str, float]:
    """Calls with next to no arithmetic in them: batch 1, one step, four units."""
    x = np.ones((1, 1, 4), "float32")
    seconds = {}
    for cell in (fastrnn.layers.SimpleRNN, fastrnn.layers.LSTM, fastrnn.layers.GRU):
        layer = cell(4)
        layer(x)
        seconds[f"{cell.__name__}(4)(x)"] = call_seconds(lambda layer=layer: layer(x), rounds)
    model = fastrnn.Sequential([fastrnn.Input((None, 4)), fastrnn.layers.LSTM(4), fastrnn.layers.Dense(2)])
    model.compile("adam", "mse")
    y = np.ones((1, 2), "float32")
    seconds["LSTM(4), Dense(2): predict_on_batch"] = call_seconds(lambda: model.predict_on_batch(x), rounds)
    seconds["LSTM(4), Dense(2): train_on_batch"] = call_seconds(lambda: model.train_on_batch(x, y), rounds)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure import time, memory growth, small calls and the wheel.")
    parser.add_argument("--rounds", type=int, default=21, help="rounds whose median counts (%(default)s)")
    parser.add_argument("--calls", type=int, default=3000, help="calls that memory is watched over (%(default)s)")
    parser.add_argument("--dist", type=Path, default=Path("dist"), help="folder of the wheel (%(default)s)")
    arguments = parser.parse_args()

    times = import_seconds(arguments.rounds)
    print(f"import: fastrnn {times['fastrnn'] * 1e3:.1f} ms, numpy {times['numpy'] * 1e3:.1f} ms, "
          f"ratio {times['fastrnn'] / times['numpy']:.2f} (goal: 1.5 at most)")
    for name, grown in growth_bytes(arguments.calls).items():
        print(f"memory: {name} model grew by {grown / 1e6:.3f} MB over {arguments.calls} train_on_batch and "
              f"{arguments.calls} predict calls (goal: less than 1 MB)")
    for name, seconds in tiny_calls(arguments.rounds).items():
        print(f"call:   {name} {seconds * 1e6:.2f} us" + ("" if "train" in name else " (goal: less than 10 us)"))
    wheels = sorted(arguments.dist.glob("*.whl"))
    for wheel in wheels:
        print(f"wheel:  {wheel.name} {wheel.stat().st_size / 1e6:.2f} MB (goal: less than 3 MB)")
    if not wheels:
        print(f"wheel:  none in {arguments.dist}/; make wheel builds it")


if __name__ == "__main__":
    main()
