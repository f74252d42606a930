# SPDX-License-Identifier: Apache-2.0
"""The helper threads: they come when they are wanted, sleep when they are not, hold no call up when they cannot run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.alone
LINUX = sys.platform == "linux"

# A helper that gets no core: it shares one with a process of a far higher priority, the caller has another for itself.
STARVED = """
import os, subprocess, sys, threading, time
import numpy as np
import fastrnn
from fastrnn.layers import LSTM, Bidirectional

cores = sorted(os.sched_getaffinity(0))[:2]
rng = np.random.default_rng(0)
calls, waits = [], []
for N, T, H in [(1, 1, 256), (1, 50, 256), (64, 20, 64), (24, 10, 256)]:
    layer = LSTM(H, return_sequences=True)
    both = Bidirectional(LSTM(H, return_sequences=True))
    x, dy = rng.standard_normal((N, T, H), "float32"), rng.standard_normal((N, T, H), "float32")
    def train(layer=layer, x=x, dy=dy):
        layer(x, training=True)
        return layer.backward(dy)
    calls += [lambda layer=layer, x=x: layer(x), lambda both=both, x=x: both(x), train]
    waits += [N > 8, True, True]    # what a helper has begun with, the call may have to wait for
fastrnn.set_num_threads(1)
expected = [call().tobytes() for call in calls]
fastrnn.set_num_threads(2)
own = set(os.listdir("/proc/self/task"))
for call in calls:
    call()
[helper] = set(os.listdir("/proc/self/task")) - own
os.sched_setaffinity(0, {cores[1]})
os.sched_setaffinity(int(helper), {cores[0]})
busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
try:
    os.sched_setaffinity(busy.pid, {cores[0]})
    os.sched_setscheduler(busy.pid, os.SCHED_FIFO, os.sched_param(1))
    slowest, end = [0.0, 0.0], time.monotonic() + 4
    while time.monotonic() < end:
        for call, bits, wait in zip(calls, expected, waits):
            start = time.monotonic()
            assert call().tobytes() == bits
            slowest[wait] = max(slowest[wait], time.monotonic() - start)
finally:
    busy.kill()
print(*slowest)
"""


@pytest.mark.skipif(not LINUX or len(os.sched_getaffinity(0)) < 2, reason="needs Linux and two cores to pin threads to")
def test_a_helper_that_gets_no_core_holds_nobody_up():
    done = subprocess.run([sys.executable, "-c", STARVED], capture_output=True, text=True, timeout=120)
    if "PermissionError" in done.stderr:
        pytest.skip("may not run a process at real-time priority here")
    assert done.returncode == 0, done.stderr
    split, others = map(float, done.stdout.split())
    assert split < 0.1, "a call with split units waited for the helper"
    assert others < 2, "a call waited for the helper again and again"


HASTY = """
import time
import numpy as np
import fastrnn
from fastrnn._core import threads
from fastrnn.layers import GRU, Bidirectional
rng = np.random.default_rng(0)
calls = []
for N, T, H in [(1, 1, 256), (1, 30, 128), (8, 10, 128), (3, 20, 200)]:
    x = rng.standard_normal((N, T, H), "float32")
    for layer in (GRU(H), GRU(H, reset_after=False), Bidirectional(GRU(H))):
        calls.append(lambda layer=layer, x=x: layer(x))
fastrnn.set_num_threads(1)
expected = [call().tobytes() for call in calls]
fastrnn.set_num_threads({threads})
end = time.monotonic() + 4
while time.monotonic() < end:
    threads.set_patience(int(rng.integers(0, 30000)))
    for call, bits in zip(calls, expected):
        for _ in range(int(rng.integers(1, 30))):
            assert call().tobytes() == bits
    if rng.random() < 0.1:
        time.sleep(0.001)
threads.set_patience()
time.sleep(0.2)
assert threads.started() == threads.at_hand() == {threads} - 1, (threads.started(), threads.at_hand())
"""


@pytest.mark.parametrize("threads", [2, 5])
def test_teams_that_break_up_lose_nobody(threads):
    """Threads give each other up at every moment; all helpers are free in the end, and all bits are right."""
    subprocess.run([sys.executable, "-c", HASTY.format(threads=threads)], check=True, timeout=120)


ALWAYS_LEAVES = """
import time
import numpy as np
import fastrnn
from fastrnn._core import kernels, threads
layer = fastrnn.layers.SimpleRNN(32)
x = np.zeros((1, 200, 4), "float32")
layer(x)
fastrnn.set_num_threads(2)
kernels("float32").force_plan(2, True)
threads.set_patience(0)
end = time.monotonic() + 6
while time.monotonic() < end:
    layer(x)
threads.set_patience()
time.sleep(0.2)
assert threads.started() == threads.at_hand() == 1
"""


def test_a_thread_that_is_left_behind_comes_back():
    """The caller leaves at each meeting that it comes to first, in a layer so small that both come at once."""
    subprocess.run([sys.executable, "-c", ALWAYS_LEAVES], check=True, timeout=120)


SLEEPS = """
import time
import numpy as np
import fastrnn
fastrnn.set_num_threads(2)
layer = fastrnn.layers.LSTM(128)
x = np.zeros((64, 50, 128), "float32")
for _ in range(5):
    layer(x)
assert fastrnn._core.threads.started() == 1
time.sleep(0.05)
before = time.process_time()
time.sleep(0.5)
print(time.process_time() - before)
"""


def test_helpers_sleep_when_there_is_nothing_to_do():
    done = subprocess.run([sys.executable, "-c", SLEEPS], capture_output=True, text=True, check=True, timeout=60)
    assert float(done.stdout) < 0.02, "seconds of work in half a second of rest"


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
def test_an_interrupt_ends_a_loop_of_calls():
    script = """
import numpy as np
import fastrnn
fastrnn.set_num_threads(2)
layer = fastrnn.layers.LSTM(128)
x = np.zeros((64, 50, 128), "float32")
layer(x)
print("ready", flush=True)
try:
    while True:
        layer(x)
except KeyboardInterrupt:
    layer(x)
    print("interrupted")
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[0] == "interrupted\n"
    assert process.returncode == 0
