# SPDX-License-Identifier: Apache-2.0
"""The readers under files that were changed at random: 20,000 for each format here, 1,000,000 by `make fuzz`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("runs", [500, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("suffix", [".safetensors", ".keras", ".h5"])
def test_a_model_or_an_error(suffix, runs):
    """In a process of its own: a crash is told, with the file that did it."""
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.hostile.fuzz", suffix, str(runs)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True,
                         env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    assert run.returncode == 0, run.stderr[-5000:]
    assert run.stdout.startswith(f"{suffix}: ")
    models, refused = (int(part.split()[0]) for part in run.stdout.split(", ")[1:3])
    # Both happen, or what was changed was nothing that a reader looks at.
    assert models > runs // 100 and refused > runs // 10
