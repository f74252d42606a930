# SPDX-License-Identifier: Apache-2.0
"""Python threads in the kernels at once, with helpers that come, leave and are given up at any moment: the right bits,
and, when `make sanitize-threads` runs this, no access that another thread's could meet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastrnn
from fastrnn import layers
from fastrnn._core import threads as team

#: How long each test goes on.
SECONDS = float(os.environ.get("FASTRNN_RACE_SECONDS", 1.5))
#: Sequences, time steps, units: split over units, over rows, too small to be split.
SHAPES = [(1, 1, 256), (1, 30, 128), (8, 10, 128), (3, 20, 200), (32, 20, 32), (2, 3, 5)]
MAKES: dict[str, Callable[[int], layers.Layer]] = {
    "SimpleRNN": layers.SimpleRNN,
    "LSTM": lambda units: layers.LSTM(units, use_peepholes=True),
    "GRU": lambda units: layers.GRU(units, reset_after=False),
    "MinGRU": layers.MinGRU,
    "Bidirectional": lambda units: layers.Bidirectional(layers.GRU(units)),
    "Dense": layers.Dense,
}

Call = Callable[[], bytes]


@pytest.fixture(autouse=True)
def patience():
    yield
    team.set_patience()


def inference(make: str, shape: tuple[int, int, int], rng: np.random.Generator) -> Call:
    layer, x = MAKES[make](shape[2]), rng.standard_normal(shape, "float32")
    return lambda: layer(x).tobytes()


def training(make: str, shape: tuple[int, int, int], rng: np.random.Generator) -> Call:
    layer, x = MAKES[make](shape[2]), rng.standard_normal(shape, "float32")

    def run() -> bytes:
        dx = layer.backward(layer(x, training=True))
        return b"".join([dx.tobytes(), *(v.grad.tobytes() for v in layer.trainable_weights)])

    return run


def repeated(calls: list[Call], expected: list[bytes], seed: int) -> None:
    """The calls in any order, with threads that wait for one another or not, until the time is over."""
    rng, end = np.random.default_rng(seed), time.monotonic() + SECONDS
    while time.monotonic() < end:
        team.set_patience(int(rng.integers(-1, 30000)))
        for i in rng.permutation(len(calls)):
            assert calls[i]() == expected[i]


def alone(calls: list[Call]) -> list[bytes]:
    """What they give on one thread."""
    fastrnn.set_num_threads(1)
    return [call() for call in calls]


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_threads_that_share_layers(threads, rng):
    calls = [inference(make, shape, rng) for make in MAKES for shape in SHAPES]
    expected = alone(calls)
    fastrnn.set_num_threads(threads)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda seed: repeated(calls, expected, seed), range(3)))


@pytest.mark.parametrize("threads", [2, 4])
def test_threads_that_train_layers_of_their_own(threads, rng):
    calls = [[training(make, shape, rng) for make in MAKES for shape in SHAPES] for _ in range(2)]
    expected = [alone(own) for own in calls]
    fastrnn.set_num_threads(threads)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(repeated, calls, expected, range(2)))


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_threads_with_streams_of_one_frozen_model(threads, rng):
    """Each has a stream of its own, and they share the model, and call it as well."""
    model = fastrnn.Sequential([layers.Input((None, 20)), layers.LSTM(64, return_sequences=True),
                                layers.LayerNormalization(), layers.GRU(48, return_sequences=True), layers.Dense(8)])
    frozen, x = model.freeze(), rng.standard_normal((32, 9, 20), "float32")
    fastrnn.set_num_threads(1)
    expected = frozen(x)
    fastrnn.set_num_threads(threads)

    def serve(seed: int) -> None:
        stream, own, end = frozen.stream(32), np.random.default_rng(seed), time.monotonic() + SECONDS
        while time.monotonic() < end:
            team.set_patience(int(own.integers(-1, 30000)))
            stream.reset()
            at = int(own.integers(1, 8))
            parts = stream.feed(x[:, :at]), stream.step(x[:, at])[:, None], stream.feed(x[:, at + 1:])
            assert np.array_equal(np.concatenate(parts, axis=1), expected)
            assert np.array_equal(frozen(x), expected)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(serve, range(3)))


def test_predictions_while_weights_change(rng):
    """Each answer is that of one set of weights, packed anew by whichever call comes first. No thread is left
    behind: one might read the weights while they are packed for the next call, though nobody reads what it computes."""
    team.set_patience(1 << 60)
    layer, x = layers.GRU(64), rng.standard_normal((4, 5, 64), "float32")
    layer(x)
    weights = [[rng.standard_normal(w.shape, "float32") / 8 for w in layer.get_weights()] for _ in range(2)]
    fastrnn.set_num_threads(2)
    end = time.monotonic() + SECONDS
    with ThreadPoolExecutor(3) as pool:
        while time.monotonic() < end:
            for some in weights:
                layer.set_weights(some)
                answers = list(pool.map(lambda _: layer(x).tobytes(), range(12)))
                assert len(set(answers)) == 1
