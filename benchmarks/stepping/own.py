# SPDX-License-Identifier: Apache-2.0
"""fastrnn: streams, and what is set beside them; frozen models beside the models that they were made of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from turns import in_turn
from workloads import sentiment_data

from stepping.cases import Case
from stepping.engine import Step, StreamEngine
from stepping.exported import exported

FROZEN_CASES = ("frozen/reviews/N128", "frozen/reviews/N1", "frozen/small/N1", "frozen/load/100 MB")
LOAD = """
import json, sys, time
import numpy as np
from fastrnn import serving

def first(path):
    x = np.arange(20, dtype="int32")[None] % 10
    start = time.perf_counter()
    serving.load(path)(x)
    return time.perf_counter() - start

first(sys.argv[2])          # what is imported and made once does not count
print(json.dumps(first(sys.argv[1])))
"""


class FastRnn(StreamEngine):
    def __init__(self, threads: int) -> None:
        import fastrnn

        self.module, self.threads = fastrnn, threads
        fastrnn.set_num_threads(threads)

    def versions(self) -> str:
        from fastrnn import _core

        return f"fastrnn {self.module.__version__} ({_core.isa})"

    def layers(self, case: Case) -> list[Any]:
        layers, (recurrent, dense) = self.module.layers, case.weights()
        made = [{"lstm": layers.LSTM, "gru": layers.GRU}[case.cell](case.H, return_sequences=True,
                                                                    recurrent_initializer="zeros") for _ in recurrent]
        for layer, weights in zip(made, recurrent):
            layer.build((None, None, case.H))
            layer.set_weights(weights)
        if dense:
            made.append(layers.Dense(case.O))
            made[-1].build((None, None, case.H))
            made[-1].set_weights(dense)
        return made

    def model(self, case: Case, layers: list[Any]) -> Any:
        return self.module.Sequential([self.module.Input((None, case.H)), *layers])

    def stream(self, case: Case, layers: list[Any]) -> Any:
        return self.model(case, layers).freeze().stream(slots=case.N)

    def step(self, case: Case) -> Step:
        step: Step = self.stream(case, self.layers(case)).step
        return step

    def others(self, case: Case) -> dict[str, Callable[[], Any]]:
        """One layer on one step and on some, a feed of as many; each layer of several by itself; half of the
        sessions, in any order."""
        layers, x = self.layers(case), case.inputs()
        if case.N > 1:
            half = np.random.default_rng(0).permutation(case.N)[:case.N // 2]
            stream, rows = self.stream(case, layers), np.ascontiguousarray(x[0, half])
            return {"half": lambda: stream.step(rows, slots=half)}
        if len(layers) > 1:
            steps = [self.stream(case, [layer]).step for layer in self.layers(case)]
            return {f"part {k}": partial(step, x[0]) for k, step in enumerate(steps)}
        [layer], several = layers, np.ascontiguousarray(x.swapaxes(0, 1))        # (1, STEPS, D)
        stream, one = self.stream(case, self.layers(case)), several[:, :1].copy()
        return {"layer": lambda: layer(one), "layer of some": lambda: layer(several),
                "feed": lambda: stream.feed(several)}

    def alone(self, case: Case, seconds: float) -> dict[str, float]:
        """A step of one session in C. Of many sessions a step on one thread, and what a step takes where two threads of
        Python have a stream each."""
        if case.N == 1:
            found = exported(self.model(case, self.layers(case)), case, seconds)
            return {} if found is None else {"exported": found}
        if self.threads < 2:
            return {}
        self.module.set_num_threads(1)
        try:
            steps = [partial(self.step(case), case.inputs()[0]) for _ in range(2)]
            return {"one thread": at_once(steps[:1], seconds), "two threads": at_once(steps, seconds)}
        finally:
            self.module.set_num_threads(self.threads)


def at_once(calls: list[Callable[[], Any]], seconds: float) -> float:
    """Seconds that a call takes, all calls of all threads counted, where each has a thread of its own."""
    counts = [0] * len(calls)

    def run(number: int) -> None:
        while time.perf_counter() < end:
            calls[number]()
            counts[number] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    start = time.perf_counter()
    end = start + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.perf_counter() - start) / sum(counts)


def frozen(threads: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Names, and the seconds of a call of the model and of the frozen one, or of loading and a first prediction."""
    import fastrnn

    fastrnn.set_num_threads(threads)
    layers = fastrnn.layers
    reviews = fastrnn.Sequential([fastrnn.Input((100,), dtype="int32"), layers.Embedding(10000, 128), layers.LSTM(128),
                                  layers.Dense(1, activation="sigmoid")])
    small = fastrnn.Sequential([fastrnn.Input((None, 4)), layers.LSTM(4), layers.Dense(2)])
    still = reviews.freeze()
    cases = [(reviews, still, sentiment_data(128)[0]), (reviews, still, sentiment_data(1)[0]),
             (small, small.freeze().predict, np.ones((1, 1, 4), "float32"))]
    for name, (model, call, x) in zip(FROZEN_CASES, cases):
        np.testing.assert_allclose(call(x), model.predict_on_batch(x), atol=1e-5)
        yield name, in_turn({"model": partial(model.predict_on_batch, x), "frozen": partial(call, x)})
    yield FROZEN_CASES[-1], {"frozen": loading()}


def loading() -> float:
    """Seconds from the file to the first prediction of a packed model of 100 MB, in a process that has loaded a small
    one; the file is in the system's cache."""
    import fastrnn
    from fastrnn.layers import LSTM, Dense, Embedding

    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("large.safetensors", "small.safetensors")]
        for path, words, units in zip(paths, (68_000, 10), (512, 4)):
            fastrnn.Sequential([fastrnn.Input((None,)), Embedding(words, 320), LSTM(units),
                                Dense(words // 20 + 1)]).freeze().save(path)
        root = str(Path(fastrnn.__file__).parents[1])
        times = []
        for _ in range(5):
            done = subprocess.run([sys.executable, "-c", LOAD, *paths], env={**os.environ, "PYTHONPATH": root},
                                  check=True, capture_output=True, text=True)
            times.append(float(json.loads(done.stdout.splitlines()[-1])))
        return sorted(times)[len(times) // 2]
