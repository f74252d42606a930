# SPDX-License-Identifier: Apache-2.0
"""The example programs on several processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.distribution.running import ranks
from tests.processes.running import ROOT, environment

pytestmark = pytest.mark.alone


def test_several_processes():
    one, two = (ranks(count, str(ROOT / "examples" / "several_processes.py"), "--epochs", 1, "--reviews", 400)
                for count in (1, 2))
    assert one.code == two.code == 0, one.errors + two.errors
    assert one.out.splitlines()[-1].startswith("1 processes, weights ")
    assert two.out.splitlines()[-1].split(", ")[1] == one.out.splitlines()[-1].split(", ")[1]


def test_dask():
    done = subprocess.run([sys.executable, ROOT / "examples" / "predict_on_dask.py", "--samples", "4000"], text=True,
                          env=environment(), capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    error = float(done.stdout.split()[-1])
    assert done.stdout.startswith("4000 sequences on 2 processes: mean error ") and error < 0.1
