# SPDX-License-Identifier: Apache-2.0
"""The readers under files that were changed at random: for each format 2,000 by `make test`, 15,000 by
`make test-full`, 1,000,000 by `make fuzz`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.hostile.targets import TARGETS

ROOT = Path(__file__).parents[2]


def fuzzed(name: str, runs: int) -> subprocess.CompletedProcess[str]:
    """In a process of its own: a crash is told, with the file that did it."""
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.hostile.fuzz", name, str(runs)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})


@pytest.fixture(scope="module", params=[2_000, pytest.param(15_000, marks=pytest.mark.slow)])
def results(request) -> tuple[int, dict[str, subprocess.CompletedProcess[str]]]:
    """What became of all formats, as many at once as there are cores: these are most of the tests' time."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = pool.map(lambda name: fuzzed(name, request.param), TARGETS)
        return request.param, dict(zip(TARGETS, found, strict=True))


@pytest.mark.alone
@pytest.mark.parametrize("name", TARGETS)
def test_a_model_or_an_error(name, results):
    runs, of = results
    assert of[name].returncode == 0, of[name].stderr[-5000:]
    told = re.search(rf"^{re.escape(name)}: (\d+) files, (\d+) models, (\d+) refused", of[name].stdout, re.MULTILINE)
    files, models, refused = map(int, told.groups())
    assert files >= 0.9 * runs
    # Both happen, or what was changed was nothing that a reader looks at.
    assert models > runs // 20 and refused > runs // 10


def test_a_fault_is_found(tmp_path):
    """A reader that raises anything but fastrnn's error does not pass."""
    code = ("from tests.hostile import fuzz, torch_targets\n"
            "def broken(path):\n"
            "    if path.stat().st_size % 3 == 0: raise KeyError(path)\n"
            "torch_targets.read_torch = broken\n"
            "fuzz.run('torch.safetensors', 300)\n")
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode != 0
    assert "KeyError" in run.stderr
