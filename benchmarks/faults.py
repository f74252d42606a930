# SPDX-License-Identifier: Apache-2.0
"""What a service meets on a bad day, in fastrnn, Keras, PyTorch and ONNX Runtime: threads, forks, bad input, signals.

    python benchmarks/faults.py [--engines fastrnn torch] [--checks fork]

Each check is a process of its own that is ended when it takes minutes. The model is LSTM(64) and Dense(2) on 16
features, or Embedding(20, 8) and GRU(8); every library has weights of its own, and is compared with itself.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

LIMIT = 150.0           # seconds of a check
FEATURES, WORDS = 16, 20


class FastRnn:
    """A frozen model."""

    def __init__(self, threads: int = 2) -> None:
        import fastrnn
        fastrnn.set_num_threads(threads)
        fastrnn.utils.set_random_seed(0)
        self.numbers = keras_like(fastrnn).freeze()
        self.indices = keras_text(fastrnn).freeze()


class Keras:
    """`predict_on_batch` on JAX."""

    def __init__(self, threads: int | None = None) -> None:
        if threads is not None:
            raise LookupError("no setting in a process")
        os.environ["KERAS_BACKEND"] = "jax"
        import keras
        keras.utils.set_random_seed(0)
        numbers, text = keras_like(keras), keras_text(keras)
        self.numbers = lambda x: np.asarray(numbers.predict_on_batch(x))
        self.indices = lambda x: np.asarray(text.predict_on_batch(x))


class Torch:
    """`torch.nn` in inference mode."""

    def __init__(self, threads: int = 2) -> None:
        import torch
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        lstm, dense = torch.nn.LSTM(FEATURES, 64, batch_first=True), torch.nn.Linear(64, 2)
        table, gru = torch.nn.Embedding(WORDS, 8), torch.nn.GRU(8, 8, batch_first=True)

        def numbers(x: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return dense(lstm(torch.from_numpy(x))[0][:, -1]).numpy()

        def indices(x: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                return gru(table(torch.from_numpy(x)))[0].numpy()

        self.numbers, self.indices = numbers, indices


class OnnxRuntime:
    """The graph that fastrnn exports."""

    def __init__(self, threads: int = 2) -> None:
        import onnxruntime

        import fastrnn
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        fastrnn.utils.set_random_seed(0)
        runs = []
        with tempfile.TemporaryDirectory() as folder:
            for make in (keras_like, keras_text):
                make(fastrnn).save(f"{folder}/model.safetensors")
                fastrnn.saving.convert(f"{folder}/model.safetensors", f"{folder}/model.onnx")
                session = onnxruntime.InferenceSession(f"{folder}/model.onnx", options)
                runs.append(lambda x, session=session: session.run(None, {session.get_inputs()[0].name: x})[0])
        self.numbers, self.indices = runs


def keras_like(k: Any) -> Any:
    return k.Sequential([k.Input((None, FEATURES)), k.layers.LSTM(64), k.layers.Dense(2)])


def keras_text(k: Any) -> Any:
    return k.Sequential([k.Input((None,), dtype="int32"), k.layers.Embedding(WORDS, 8), k.layers.GRU(8)])


ENGINES: dict[str, Any] = {"fastrnn": FastRnn, "keras": Keras, "torch": Torch, "onnxruntime": OnnxRuntime}


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((*shape, FEATURES), "float32")


def difference(one: np.ndarray, other: np.ndarray) -> str:
    if one.tobytes() == other.tobytes():
        return "same bits"
    return f"up to {np.abs(one - other).max():.1e} apart"


def alone(make: Callable[..., Any]) -> str:
    """A sequence by itself, and in a batch of 37"""
    run, x = make().numbers, numbers(37, 50)
    whole = run(x)
    return difference(np.concatenate([run(row[None]) for row in x]), whole)


def threads(make: Callable[..., Any]) -> str:
    """A batch of 37 on one thread, and on two"""
    try:
        return difference(*(make(count).numbers(numbers(37, 50)).copy() for count in (1, 2)))
    except LookupError as error:
        return str(error)


def concurrent(make: Callable[..., Any]) -> str:
    """Eight threads that call one model"""
    run, xs = make().numbers, [numbers(n, 50) for n in range(1, 9)]
    expected = [run(x).tobytes() for x in xs]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: run(xs[n % 8]).tobytes() == expected[n % 8], range(400)))
    return f"{found.count(False)} of {len(found)} answers differ"


def fork(make: Callable[..., Any]) -> str:
    """A child that is forked after a call"""
    run, x = make().numbers, numbers(64, 200)
    expected = run(x).tobytes()
    child = os.fork()
    if not child:
        os._exit(0 if run(x).tobytes() == expected else 1)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return {0: "same bits", 1: "other bits"}.get(code, f"ends with {code}")
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "no answer in 20 s"


def refused(run: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> str:
    try:
        y = run(x)
    except Exception as error:
        return type(error).__name__
    return "NaN" if np.isnan(y).any() else "numbers"


def width(make: Callable[..., Any]) -> str:
    """An input of 15 features"""
    return refused(make().numbers, numbers(2, 5)[..., :15].copy())


def above(make: Callable[..., Any]) -> str:
    """The index 20 of an Embedding of 20"""
    return refused(make().indices, np.array([[3, 20]], "int32"))


def below(make: Callable[..., Any]) -> str:
    """The index -1"""
    return refused(make().indices, np.array([[3, -1]], "int32"))


def nan(make: Callable[..., Any]) -> str:
    """NaN in a sequence of a batch: the others"""
    run, x = make().numbers, numbers(9, 20)
    expected, x[4, 3] = run(x).copy(), np.nan
    y = run(x)
    return difference(np.delete(expected, 4, 0), np.delete(y, 4, 0)) if np.isnan(y[4]).all() else "NaN is gone"


def interrupt(make: Callable[..., Any]) -> str:
    """Ctrl-C after 0.1 s of a call of 1,000,000 time steps"""
    run, x = make().numbers, np.zeros((1, 1_000_000, FEATURES), "float32")
    run(x)                      # some compile
    start = time.monotonic()
    run(x)
    whole = time.monotonic() - start
    sent: list[float] = []

    def send() -> None:
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.1, send)
    timer.start()
    try:
        run(x)
        timer.join()
        time.sleep(0.1)         # where the call was done before
    except KeyboardInterrupt:
        return f"ends {time.monotonic() - sent[0]:.2f} s later, of {whole:.2f} s"
    return "no KeyboardInterrupt"


def memory(make: Callable[..., Any]) -> str:
    """16 MB left for a call on 128 MB of input"""
    run, x, small = make().numbers, numbers(2000, 1000), numbers(2, 5)
    expected = run(small).tobytes()
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (16 << 20), resource.RLIM_INFINITY))
    try:
        run(x)
        said = "answers"
    except Exception as error:
        said = type(error).__name__
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return f"{said}, then {'the same as before' if run(small).tobytes() == expected else 'other bits'}"


CHECKS = {check.__name__: check for check in (alone, threads, concurrent, fork, width, above, below, nan, interrupt,
                                              memory)}


def outcome(engine: str, check: str) -> str:
    """What a check finds, in a process of its own."""
    command = [sys.executable, __file__, "--one", engine, check]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return f"no end in {LIMIT:.0f} s"
    if run.returncode < 0:
        return f"the process is ended by {signal.Signals(-run.returncode).name}"
    if run.returncode:
        return f"ends with {(run.stderr.strip().splitlines() or ['?'])[-1][:90]}"
    return run.stdout.strip().splitlines()[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description="What a service meets on a bad day.")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--checks", nargs="+", choices=CHECKS, default=list(CHECKS))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(CHECKS[given.one[1]](ENGINES[given.one[0]]))
        return
    print(f"| | {' | '.join(given.engines)} |\n|---|{'---|' * len(given.engines)}")
    for check in given.checks:
        cells = [outcome(engine, check) for engine in given.engines]
        print(f"| {(CHECKS[check].__doc__ or '').strip()} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
