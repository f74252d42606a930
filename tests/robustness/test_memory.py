# SPDX-License-Identifier: Apache-2.0
"""Memory: none is lost; an allocation that fails is a MemoryError and spoils nothing; arrays may have 2^31 elements."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import fastrnn
from fastrnn import layers
from tests.processes.running import ROOT, environment

linux = pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell the memory of a process")


def faults(*arguments: str) -> dict[str, str]:
    """What a program of `memory.py` finds wrong."""
    done = subprocess.run([sys.executable, "-m", "tests.robustness.memory", *arguments], cwd=ROOT, env=environment(),
                          capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-5000:]
    found: dict[str, str] = json.loads(done.stdout)
    return found


@linux
def test_nothing_grows():
    assert faults("growth", "1") == {}


def test_each_array_that_cannot_be_had():
    assert faults("failures", "arrays") == {}


@pytest.mark.parametrize("every", [13, pytest.param(1, marks=pytest.mark.slow)])
def test_each_allocation_of_python_that_fails(every):
    pytest.importorskip("_testcapi", reason="this Python has no module to make its allocations fail")
    assert faults("failures", "python", str(every)) == {}


# more than 2^31 elements ---------------------------------------------------------------------------------------------

FAR = 2**31 + 64    # elements, whose offset no 32 bits hold


@pytest.fixture(scope="module")
def far() -> np.ndarray:
    """More than 2^31 numbers, of which the system gives memory to those alone that are written to."""
    try:
        return np.zeros(FAR + 4096, "float32")
    except MemoryError:
        pytest.skip("the system does not promise 8 GB of memory")


def two_rows(of: np.ndarray, *shape: int) -> np.ndarray:
    """(2, ...) of which the second lies beyond 2^31 elements."""
    strides = np.cumprod([4, *shape[:0:-1]])[::-1]
    return np.lib.stride_tricks.as_strided(of, (2, *shape), (4 * FAR, *strides))


def test_rows_of_a_table(far):
    kernels, table = fastrnn._core.kernels("float32"), far[:FAR // 64 * 64 + 64].reshape(-1, 64)
    table[-1] = np.arange(64)
    found = np.empty((2, 64), "float32")
    kernels.gather_rows(table, np.array([0, len(table) - 1], "int32"), found, 1)
    np.testing.assert_array_equal(found, [np.zeros(64), np.arange(64)])


@pytest.mark.parametrize("make", [layers.SimpleRNN, layers.LSTM, layers.GRU, layers.MinGRU])
def test_rows_of_a_batch(make, far, rng):
    """Input, output and their gradients."""
    x, values = two_rows(far, 5, 8), rng.standard_normal((2, 5, 8), "float32")
    x[...] = values
    layer = make(8, return_sequences=True)
    expected = layer(values, training=True)
    tape, runner = layer.new_tape(), layer.kernel_runner()
    y = two_rows(far[64:], 5, 8)
    runner.forward_call(1, x, None, None, None, None, y, 0, False, tape, None, None).run()
    np.testing.assert_array_equal(y, expected)
    dx, grads = two_rows(far[128:], 5, 8), [np.empty(v.shape, "float32") for v in layer.weights]
    dw, du, db = grads if len(grads) == 3 else (grads[0], None, grads[1])
    runner.backward_call(1, tape, y, None, None, dx, dw, du, db, None, None, None).run()
    np.testing.assert_array_equal(dx, layer.backward(expected))
    for grad, variable in zip(grads, layer.weights, strict=True):
        np.testing.assert_array_equal(grad, variable.grad)


@pytest.mark.slow
def test_a_dense_layer_of_many_rows(far, rng):
    x = far[:FAR // 16 * 16].reshape(-1, 16)
    x[-3:] = rng.standard_normal((3, 16))
    layer = layers.Dense(1)
    y = layer(x)
    np.testing.assert_array_equal(y[-3:], layer(x[-3:].copy()))
    assert not y[512:-3].any()


@pytest.mark.parametrize("make", [lambda: layers.Dense(1 << 40), lambda: layers.LSTM(1 << 30),
                                  lambda: layers.Embedding(1 << 50, 1 << 13)])
def test_more_than_any_machine_has(make):
    layer: Any = make()
    with pytest.raises((MemoryError, ValueError), match="allocate|too big|too large|Maximum"):
        layer.build((None, None, 1 << 10))
