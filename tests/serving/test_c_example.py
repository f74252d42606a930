# SPDX-License-Identifier: Apache-2.0
"""The example in C: frames from a file or a pipe, outputs, latencies."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from fastrnn.layers import GRU, Conv1D, Dense
from fastrnn.serving import export_c
from tests.serving.c_compilers import COMPILERS, STRICT, compiled
from tests.serving.c_models import line, outputs_by_step, randomized

EXAMPLE = Path(__file__).parents[2] / "examples" / "c" / "latencies.c"
STEPS = 50


@pytest.fixture(scope="module")
def model():
    return randomized(line(Conv1D(4, 2, padding="causal"), GRU(6), Dense(2)))


@pytest.fixture(scope="module", params=COMPILERS)
def program(request, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    export_c(model, folder / "model")
    return compiled(request.param, folder, *STRICT, "-O2", "-I.", str(EXAMPLE), "model.c")


def run(*arguments, frames=b""):
    return subprocess.run([*map(str, arguments)], input=frames, capture_output=True)


class TestExample:
    def test_file(self, program, model, tmp_path):
        x = np.random.default_rng(0).normal(0, 1, (STEPS, 5)).astype(np.float32)
        x.tofile(tmp_path / "frames")
        found = run(program, tmp_path / "frames", tmp_path / "outputs")
        assert found.returncode == 0, found.stderr
        y = np.fromfile(tmp_path / "outputs", np.float32).reshape(STEPS, 2)
        np.testing.assert_allclose(y, outputs_by_step(model, [x])[0], rtol=0, atol=1e-5)
        first, last, times = found.stdout.decode().splitlines()
        assert first.startswith(f"{STEPS} steps of 5 to 2 numbers; state of ")
        np.testing.assert_allclose([float(word) for word in last.split()[2:]], y[-1], rtol=1e-4)
        median, most, more, longest = map(float, re.findall(r"[0-9]+\.[0-9]{2}", times))
        assert 0 <= median <= most <= more <= longest

    def test_pipe(self, program):
        """What is left of an unfinished frame is not run."""
        found = run(program, "-", frames=np.zeros(5 * STEPS + 3, np.float32).tobytes())
        assert found.returncode == 0 and found.stdout.startswith(b"50 steps"), found.stderr

    @pytest.mark.parametrize(("arguments", "said"), [
        ([], b"expected a file of frames"), (["no such file"], b"cannot read no such file"), (["-"], b"no whole frame"),
        (["-", "no such folder/y"], b"cannot write no such folder/y")])
    def test_wrong_arguments(self, arguments, said, program):
        found = run(program, *arguments)
        assert found.returncode == 1 and said in found.stderr
