# SPDX-License-Identifier: Apache-2.0
"""The example package that has a model inside an extension, built as its README says."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastrnn
from tests.example_programs import EXAMPLES
from tests.serving.capi.library import compile_c

STEPS = 200


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Any:
    """The module `forecaster`, with a model that was trained a little."""
    folder = tmp_path_factory.mktemp("embed") / "embed"
    shutil.copytree(EXAMPLES / "embed", folder)
    path = os.pathsep.join([str(Path(fastrnn.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    for program in (["make_model.py", "--epochs", "3"], ["setup.py", "--quiet", "build_ext", "--inplace"]):
        run = subprocess.run([sys.executable, *program], cwd=folder, capture_output=True, text=True,
                             env={**os.environ, "PYTHONPATH": path})  # fmt: skip
        assert run.returncode == 0, run.stderr
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("forecaster")
    finally:
        sys.path.remove(str(folder))


def by_hand(package: Any, history: np.ndarray) -> np.ndarray:
    """The same from Python, step by step."""
    stream = fastrnn.models.load_model(package.MODEL).freeze().stream()
    values = []
    for height in history:
        y = stream.step(height.reshape(1, 1))
    for _ in range(STEPS):
        values.append(y[0, 0])
        y = stream.step(y)
    return np.array(values, "float32")


def history_of(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(48).astype("float32")


@pytest.mark.parametrize("name", ["Forecaster", "CythonForecaster"])
class TestForecaster:
    def test_the_bits_of_a_stream(self, package, name):
        forecaster = getattr(package, name)(package.MODEL)
        for seed in range(3):
            out = np.zeros(STEPS, "float32")
            forecaster.forecast(history_of(seed), out)
            assert np.array_equal(out, by_hand(package, history_of(seed)))

    def test_a_thread_each(self, package, name):
        outs = np.zeros((6, STEPS), "float32")

        def work(seed: int) -> None:
            getattr(package, name)(package.MODEL).forecast(history_of(seed), outs[seed])

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(len(outs))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for seed, out in enumerate(outs):
            assert np.array_equal(out, by_hand(package, history_of(seed)))

    def test_bad_arguments(self, package, name, tmp_path):
        cls = getattr(package, name)
        with pytest.raises(FileNotFoundError):
            cls(tmp_path / "absent.safetensors")
        wide = fastrnn.Sequential([fastrnn.Input((None, 2)), fastrnn.layers.GRU(3)])
        wide.save(tmp_path / "wide.safetensors")
        with pytest.raises(ValueError, match="from one number to one number"):
            cls(tmp_path / "wide.safetensors")
        forecaster, fine = cls(package.MODEL), np.zeros(3, "float32")
        for history, out in ((np.zeros(3), fine), (fine, np.zeros((2, 2), "float32"))):
            with pytest.raises(ValueError):
                forecaster.forecast(history, out)


def test_compiles_without_a_warning(tmp_path):
    compile_c(EXAMPLES / "embed" / "forecaster" / "forecast.c", tmp_path / "forecast.so")


def test_make_model_learns(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES / "embed")
    make_model = importlib.import_module("make_model").make_model
    _, error = make_model(epochs=12)
    assert error < 0.1      # of waves a metre high
