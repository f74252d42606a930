# SPDX-License-Identifier: Apache-2.0
"""The caller's floating-point mode is what it was, after the import and every call; denormals cost no time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import fastrnn
from fastrnn import layers
from tests.processes.recipes import RECIPES
from tests.processes.running import ROOT, environment
from tests.robustness import floating_point

tells = pytest.mark.skipif(not floating_point.KNOWN, reason="the system's floating-point mode is not known here")


@tells
def test_an_unusual_mode_can_be_seen():
    def look() -> tuple[Any, ...]:
        before = floating_point.mode()
        floating_point.set_unusual()
        return before, floating_point.mode(), float(np.array(5e-324) * 1.0)

    with ThreadPoolExecutor(1) as pool:
        before, after, tiny = pool.submit(look).result()
    assert before == floating_point.mode() != after and tiny == 0


@tells
@pytest.mark.parametrize("unusual", [False, True])
def test_import(unusual):
    """All modules of the package."""
    script = f"""
import pkgutil, importlib
import numpy, scipy.linalg.cython_blas
from tests.robustness import floating_point
if {unusual}:
    floating_point.set_unusual()
before = floating_point.mode()
import fastrnn
for module in pkgutil.walk_packages(fastrnn.__path__, "fastrnn."):
    if not module.name.endswith("__main__") and "._core." not in module.name and "sklearn" not in module.name:
        importlib.import_module(module.name)
fastrnn.layers.LSTM(3)(numpy.ones((2, 3, 4)))
assert floating_point.mode() == before, (floating_point.mode(), before)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120, cwd=ROOT, env=environment())


@tells
@pytest.mark.parametrize("unusual", [False, True])
@pytest.mark.parametrize("blas", ["never", "always"])
def test_every_entry_point(blas, unusual):
    """From a thread of the caller's own, with a helper: none leaves another mode."""
    fastrnn.set_num_threads(2)
    fastrnn.runtime.set_blas(blas)

    def changed() -> list[str]:
        found = []
        for name, recipe in RECIPES.items():
            run = recipe.prepare("float32")
            if unusual:
                floating_point.set_unusual()
            before = floating_point.mode()
            run()
            if floating_point.mode() != before:
                found.append(name)
        return found

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(changed).result() == []


@tells
def test_training_and_errors():
    """A whole training, a call that is refused."""
    before = floating_point.mode()
    model = fastrnn.Sequential([layers.LSTM(8), layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3, 2)), np.ones((4, 1)), epochs=2, verbose=0)
    assert floating_point.mode() == before
    with pytest.raises(ValueError):
        model.predict(np.ones((4, 3, 3)))
    assert floating_point.mode() == before


def fastest(calls: list[Callable[[], Any]], rounds: int = 5) -> list[float]:
    """The least seconds of each call, which take turns."""
    least = [np.inf] * len(calls)
    for _ in range(rounds):
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            least[i] = min(least[i], time.perf_counter() - start)
    return least


@pytest.mark.alone
@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.parametrize("make", [layers.SimpleRNN, layers.LSTM, layers.GRU, layers.MinGRU])
def test_decaying_states_take_no_longer(make, batch):
    """States halve at each step of zeros: from some 130 steps on they would be denormals, 100,000 steps long. So do
    gradients on the way back."""
    layer = make(16, activation="linear", use_bias=False)
    layer.build((None, None, 1))
    kernel, *recurrent = layer.get_weights()
    if recurrent:       # h U: half of h where there are no gates, which stand at a half without it
        recurrent[0][...] = np.eye(16) * 0.5 if make is layers.SimpleRNN else 0
    layer.set_weights([kernel, *recurrent])
    steps = 100_000 // batch
    zeros, numbers = np.zeros((batch, steps, 1), "float32"), np.ones((batch, steps, 1), "float32")
    zeros[:, 0] = 1
    states = [np.ones((batch, 16), "float32")] * (2 if make is layers.LSTM else 1)
    tiny = layer(zeros[:, :100], initial_state=states)
    assert 0 < np.abs(tiny).max() < 1e-20       # they do decay
    dy = np.ones_like(tiny)

    def train(x: np.ndarray) -> None:
        layer(x, training=True)
        layer.backward(dy)

    for passes in (layer, train):
        least = [np.inf, np.inf]
        for _ in range(20):     # of a busy machine the best
            found = fastest([lambda passes=passes: passes(zeros), lambda passes=passes: passes(numbers)])
            least = [min(both) for both in zip(least, found, strict=True)]
            if least[0] < 1.2 * least[1]:
                break
        assert least[0] < 1.2 * least[1]
