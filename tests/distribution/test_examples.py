# SPDX-License-Identifier: Apache-2.0
"""The example programs on several processes, and those of docs/distribution.md."""

from __future__ import annotations

import re
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


PAGE = ROOT / "docs" / "distribution.md"
#: The programs of the page, which begin with imports, by the engine of their section.
PROGRAMS = {} if not PAGE.is_file() else {
    section.partition("\n")[0]: program
    for section in PAGE.read_text("utf-8").split("\n## ")[1:]
    for program in re.findall(r"```python\n(import .*?)```", section, re.DOTALL)}


@pytest.mark.parametrize("section", [
    pytest.param(section, marks=pytest.mark.slow) if section.endswith(("Ray", "Spark")) else section
    for section in PROGRAMS])
def test_the_page(section, tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAMS[section], "utf-8")
    if section == "Training: MPI":
        done = ranks(2, str(path))
        assert done.code == 0, done.errors
        return
    done = subprocess.run([sys.executable, path], text=True, cwd=tmp_path, capture_output=True, timeout=300,
                          env=environment(PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1"))
    assert done.returncode == 0 and done.stdout.strip(), done.stderr


def test_the_page_has_a_program_for_each_engine():
    assert not PAGE.is_file() or list(PROGRAMS) == [
        "Training: MPI", "Larger than memory on one machine", "Prediction: Dask", "Prediction: Ray",
        "Prediction: Spark", "Searches: joblib"]
