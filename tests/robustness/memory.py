# SPDX-License-Identifier: Apache-2.0
"""What the tests of memory run in a process of its own: `python -m tests.robustness.memory failures arrays`.

Each program prints a JSON object with what is wrong, by what was tried; an empty one is what is wanted.
"""

from __future__ import annotations

import gc
import json
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

import fastrnn
from fastrnn import layers
from tests.robustness import failing

FAILURES: dict[str, Callable[[int], AbstractContextManager[None]]] = {
    "arrays": failing.array_allocation, "python": failing.python_allocation}

#: Some allocations may fail unnoticed, as one that would only save time: so many good runs in a row are the end.
GOOD_RUNS = 30
#: How CPython and NumPy tell of some of their own allocations that have failed; the reader of files gives it on.
NOT_OURS = re.compile("returned NULL without setting an exc|error return without exception set|can't allocate lock"
                      r"|KeyError\(dtype|not PosixPath|unknown dtype")

Work = Callable[[], Any]


def small_model() -> tuple[fastrnn.Sequential, np.ndarray, np.ndarray]:
    fastrnn.utils.set_random_seed(1)
    model = fastrnn.Sequential([
        layers.Input((5,), dtype="int32"), layers.Embedding(9, 4, mask_zero=True),
        layers.Bidirectional(layers.GRU(6, return_sequences=True)), layers.LSTM(7, dropout=0.1),
        layers.Dense(3, "softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    return model, rng.integers(0, 9, (4, 5)).astype("int32"), rng.integers(0, 3, 4)


def usable(model: fastrnn.Sequential, x: np.ndarray, y: np.ndarray, expected: np.ndarray | None) -> str:
    """What is wrong with a model in which an allocation has failed; expected: what it is to predict still."""
    if not all(np.isfinite(w).all() for w in model.get_weights()):
        return "weights are not finite"
    if expected is not None and not np.array_equal(model.predict_on_batch(x), expected):
        return "it predicts something else"
    return "" if np.isfinite(model.predict_on_batch(x)).all() else "it predicts numbers that are not finite"


def injected(fails: Callable[[int], AbstractContextManager[None]], work: Work, check: Callable[[], str],
             every: int) -> str:
    """Run `work` with each of its allocations failing, one after another, or with every so many; "" if each time a
    MemoryError came out, and `check` finds nothing wrong after it."""
    number = good = errors = 0
    while good < GOOD_RUNS:
        try:
            with fails(number):
                work()
            good += 1
        except MemoryError:
            good, errors = 0, errors + 1
        except Exception as error:
            if not NOT_OURS.search(repr(error)):
                return f"allocation {number}: {error!r}"
            good, errors = 0, errors + 1
        if fault := check():
            return f"after allocation {number}: {fault}"
        number += every
    return "" if errors else "no allocation failed"


def failures(kind: str, every: str = "1") -> dict[str, str]:
    """For each thing that is done with a model: what is wrong when allocations of a kind, or some of them, fail."""
    fails = FAILURES[kind]
    model, x, y = small_model()
    model.train_on_batch(x, y)
    expected = model.predict_on_batch(x)
    layer, z = layers.LSTM(6, return_sequences=True), np.ones((3, 4, 5), "float32")
    layer(z)

    def same() -> str:
        return usable(model, x, y, expected)

    def finite() -> str:
        return usable(model, x, y, None)

    def forward_and_back() -> None:
        layer.backward(layer(z, training=True))

    def from_nothing() -> Any:
        return small_model()[0].predict_on_batch(x)

    streaming = fastrnn.Sequential([
        layers.Input((None,), dtype="int32"), layers.Embedding(9, 4), layers.LSTM(6, return_sequences=True),
        layers.LayerNormalization(), layers.Conv1D(3, 2, padding="causal"), layers.GRU(5), layers.Dense(2)])
    frozen = streaming.freeze()
    stream, words, bytes_of_slot = frozen.stream(3), x[:3], frozen.stream(1).dumps(0)

    def as_a_new_one() -> str:
        """The stream, from the beginning, is one that was just made."""
        for slot in stream.slots[3:]:       # that was opened, and then could not be closed
            stream.close(slot)
        stream.reset()
        same = np.array_equal(stream.feed(words), frozen.stream(3).feed(words))
        return "" if same else "the stream gives something else"

    def open_and_close() -> None:
        stream.close(stream.open())

    def to_and_from_bytes() -> None:
        stream.loads(stream.dumps(1), 2)
        stream.loads(bytes_of_slot, 0)

    def layer_answers() -> str:
        return "" if np.isfinite(layer(z)).all() else "numbers that are not finite"

    never_built: list[Any] = [layers.LSTM(6)]

    def first_call() -> Any:
        return never_built[-1](z)

    def next_layer() -> str:
        """The layer whose first call failed answers in the end."""
        if never_built[-1](z).shape != (3, 6) or len(never_built[-1].weights) != 3:
            return "the layer was built in part"
        never_built.append(layers.LSTM(6))
        return ""

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        model.save(path)
        tried: dict[str, tuple[Work, Callable[[], str]]] = {
            "predict_on_batch": (lambda: model.predict_on_batch(x), same),
            "predict": (lambda: model.predict(x, batch_size=3, verbose=0), same),
            "evaluate": (lambda: model.evaluate(x, y, verbose=0), same),
            "save": (lambda: model.save(path), same),
            "load": (lambda: fastrnn.models.load_model(path), same),
            "a layer, forward and back": (forward_and_back, layer_answers),
            "a layer's first call": (first_call, next_layer),
            "a new model": (from_nothing, same),
            "freeze": (lambda: streaming.freeze()(words), same),
            "a frozen model": (lambda: frozen(words), same),
            "a new stream": (lambda: frozen.stream(2).step(words[:2, 0]), as_a_new_one),
            "step": (lambda: stream.step(words[:, 0]), as_a_new_one),
            "step of some": (lambda: stream.step(words[:2, 0], slots=[2, 0]), as_a_new_one),
            "feed": (lambda: stream.feed(words, lengths=[1, 5, 0]), as_a_new_one),
            "open and close": (open_and_close, as_a_new_one),
            "dumps and loads": (to_and_from_bytes, as_a_new_one),
            "train_on_batch": (lambda: model.train_on_batch(x, y), finite),
            "fit": (lambda: model.fit(x, y, batch_size=3, verbose=0), finite),
        }
        found = {}
        for name, (work, check) in tried.items():
            work()
            if fault := injected(fails, work, check, int(every)):
                found[name] = fault
    return found


# growth --------------------------------------------------------------------------------------------------------------

def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def grown(work: Work, times: int) -> int:
    """Bytes by which so many runs let the process grow, after some to warm up."""
    for _ in range(times // 20 + 20):
        work()
    before = resident()
    for _ in range(times):
        work()
    return resident() - before


def growth(share: str) -> dict[str, str]:
    """Where the process grows: a million steps, 100,000 predictions and 1,000 loads, or a share of them, add 1 MB."""
    model, x, y = small_model()
    x_one = np.ones((1, 1, 4), "float32")
    stateful = fastrnn.Sequential([layers.Input(batch_shape=(1, 1, 4)), layers.LSTM(8, stateful=True), layers.Dense(1)])
    layer, dy = layers.GRU(5), np.ones((1, 5), "float32")
    forward = fastrnn.Sequential([layers.Input((None, 4)), layers.LSTM(8), layers.Dense(1)])
    stream, frozen = forward.freeze().stream(1), forward.freeze()

    def sessions() -> None:
        slot = stream.open()
        stream.loads(stream.dumps(0), slot)
        stream.step(x_one[:, 0], slots=[slot])
        stream.close(slot)

    def train() -> None:
        layer(x_one, training=True)
        layer.backward(dy)

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        model.save(path)
        tried: dict[str, tuple[Work, int]] = {
            "steps": (lambda: stream.step(x_one[0]), 1_000_000),
            "chunks": (lambda: stream.feed(x_one), 50_000),
            "frozen": (lambda: frozen(x_one), 50_000),
            "freeze": (forward.freeze, 1_000),
            "sessions": (sessions, 10_000),
            "stateful predictions": (lambda: stateful.predict_on_batch(x_one), 100_000),
            "predictions": (lambda: model.predict_on_batch(x), 100_000),
            "predict": (lambda: model.predict(x, verbose=0), 5_000),
            "forward and back": (train, 20_000),
            "training steps": (lambda: model.train_on_batch(x, y), 5_000),
            "loads": (lambda: fastrnn.models.load_model(path), 1_000),
            "interpreted": (lambda: model(x), 5_000),
        }
        for name, (work, times) in tried.items():
            times = max(200, int(times * float(share)))
            if (more := grown(work, times)) > 1e6:
                found[name] = f"{more / 1e6:.2f} MB more after {times} runs"
    return found


PROGRAMS: dict[str, Callable[..., dict[str, str]]] = {"failures": failures, "growth": growth}

if __name__ == "__main__":
    print(json.dumps(PROGRAMS[sys.argv[1]](*sys.argv[2:])), flush=True)
