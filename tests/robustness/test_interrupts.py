# SPDX-License-Identifier: Apache-2.0
"""A signal ends a call within a second, inside a long kernel, too; what it leaves behind can be used."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastrnn
from fastrnn import layers

pytestmark = [pytest.mark.alone, pytest.mark.skipif(sys.platform == "win32", reason="sends itself a signal")]

CELLS = [layers.SimpleRNN, layers.LSTM, layers.GRU, layers.MinGRU]
# Sequences, time steps, units: split over units, over rows, and of so few multiply-adds that one thread does all. Of
# one feature: so many time steps take many seconds in a kernel and little memory.
LONG = [(1, 4_000_000, 256), (8, 4_000_000, 64), (1, 20_000_000, 4)]


def seconds_to_end(work: Callable[[], Any], after: float = 0.2) -> float:
    """Seconds from Ctrl-C, that many after the beginning, to the KeyboardInterrupt out of `work`."""
    sent = []

    def interrupt() -> None:
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(after, interrupt)
    timer.start()
    try:
        work()
        timer.join()
        time.sleep(0.1)     # where the work is done before: the interrupt comes here
    except KeyboardInterrupt:
        return time.monotonic() - sent[0]
    finally:
        timer.join()
    raise AssertionError("no KeyboardInterrupt")


def wave(*shape: int) -> np.ndarray:
    return np.sin(np.arange(np.prod(shape), dtype="float32")).reshape(shape)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", LONG, ids=str)
@pytest.mark.parametrize("make", CELLS)
def test_inference(make, shape, threads):
    fastrnn.set_num_threads(threads)
    batch, time_steps, units = shape
    layer, x = make(units), wave(batch, 10, 1)
    expected, long = layer(x).tobytes(), np.zeros((batch, time_steps, 1), "float32")
    assert seconds_to_end(lambda: layer(long)) < 1
    assert layer(x).tobytes() == expected


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_both_directions(threads):
    fastrnn.set_num_threads(threads)
    layer, x = layers.Bidirectional(layers.GRU(128)), wave(2, 10, 1)
    expected, long = layer(x).tobytes(), np.zeros((2, 2_000_000, 1), "float32")
    assert seconds_to_end(lambda: layer(long)) < 1
    assert layer(x).tobytes() == expected


@pytest.mark.parametrize("batch, threads, blas", [(4, 1, "never"), (4, 2, "always"), (32, 2, "never"),
                                                  (32, 2, "always")])
def test_training(batch, threads, blas):
    """Forward and back: the pass that was ended cannot be gone back through, the next one can."""
    fastrnn.set_num_threads(threads)
    fastrnn.runtime.set_blas(blas)
    layer, x = layers.LSTM(256, use_peepholes=True), wave(batch, 80_000 // batch, 64)
    assert seconds_to_end(lambda: layer(x, training=True), 0.05) < 1
    with pytest.raises((ValueError, RuntimeError), match="forward pass|training=True"):
        layer.backward(np.ones((batch, 256), "float32"))
    y = layer(x, training=True)
    assert seconds_to_end(lambda: layer.backward(y), 0.2) < 1
    y = layer(x[:, :10], training=True)
    layer.backward(y)
    found = [v.grad.copy() for v in layer.trainable_weights]
    other = layers.LSTM(256, use_peepholes=True)
    other.build(x.shape)
    other.set_weights(layer.get_weights())
    other(x[:, :10], training=True)
    other.backward(y)
    for grad, v in zip(found, other.trainable_weights, strict=True):
        np.testing.assert_array_equal(grad, v.grad)


@pytest.mark.parametrize("after", [0.02, 0.1, 0.4, 0.8, 1.2])
def test_fit(after):
    """Wherever an interrupt finds it, the model is usable, its weights finite."""
    fastrnn.utils.set_random_seed(0)
    model = fastrnn.Sequential([layers.Input((None, 8)), layers.LSTM(128, return_sequences=True), layers.GRU(64),
                                layers.Dense(1)])
    model.compile("adam", "mse")
    x, y = wave(16, 10_000, 8), wave(16, 1)
    assert seconds_to_end(lambda: model.fit(x, y, batch_size=8, epochs=1000, verbose=0), after) < 1
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert np.isfinite(model.fit(x[:, :20], y, verbose=0).history["loss"]).all()
    assert np.isfinite(model.predict(x[:, :20], verbose=0)).all()


#: Models as streams: many chunks in a second, and one whose layers take seconds for a chunk.
STREAMS = {
    "small": lambda: [layers.LSTM(32, return_sequences=True), layers.Dense(1)],
    "wide": lambda: [layers.LSTM(2048, return_sequences=True, recurrent_initializer="zeros"),
                     layers.GRU(2048, return_sequences=True, recurrent_initializer="zeros"), layers.Dense(1)],
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("inside", STREAMS.values(), ids=STREAMS)
def test_a_feed(inside, threads):
    """No slot has gone on."""
    fastrnn.set_num_threads(threads)
    stream = fastrnn.Sequential([layers.Input((None, 1)), *inside()]).freeze().stream(2)
    stream.feed(wave(2, 5, 1))
    before, other = stream.state, stream.copy()
    assert seconds_to_end(lambda: stream.feed(np.zeros((2, 4_000_000, 1), "float32"))) < 1
    for name, state in stream.state.items():
        np.testing.assert_array_equal(state, before[name])
    np.testing.assert_array_equal(stream.feed(wave(2, 5, 1)), other.feed(wave(2, 5, 1)))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_frozen_model(threads):
    fastrnn.set_num_threads(threads)
    frozen, x = fastrnn.Sequential([layers.Input((None, 1)), layers.GRU(256)]).freeze(), wave(2, 10, 1)
    expected, long = frozen(x).tobytes(), np.zeros((2, 4_000_000, 1), "float32")
    assert seconds_to_end(lambda: frozen(long)) < 1
    assert frozen(x).tobytes() == expected


@pytest.mark.parametrize("shape", [(1, 80_000, 256), (8, 80_000, 64)], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_handler_that_raises_nothing_changes_nothing(threads, shape):
    """It runs while the call does, in the caller's floating-point mode, and may call the same layer."""
    fastrnn.set_num_threads(threads)
    batch, time_steps, units = shape
    layer, x = layers.GRU(units), wave(batch, time_steps, 1)
    expected, few, tiny = layer(x).tobytes(), layer(x[:, :10]).tobytes(), np.array([5e-324])
    found = []

    def handler(*_: Any) -> None:
        found.append((tiny * 1.0)[0] > 0 and layer(x[:, :10]).tobytes() == few)

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.03, 0.03)
    try:
        start = time.monotonic()
        while time.monotonic() - start < 0.5:
            count = len(found)
            y = layer(x)
            inside = len(found) > count
            assert y.tobytes() == expected
            if inside:
                break
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert found and all(found)


def test_an_error_of_a_handler_is_the_callers():
    """Any signal's, as it is."""
    layer, long = layers.LSTM(256), np.zeros((1, 2_000_000, 1), "float32")

    def handler(*_: Any) -> None:
        raise TimeoutError("too long")

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(TimeoutError, match="too long"):
            layer(long)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
