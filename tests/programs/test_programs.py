# SPDX-License-Identifier: Apache-2.0
"""Every program of these folders runs on fastrnn and gives Keras's numbers, from the same weights."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.programs import running

PROGRAMS = sorted(str(path.relative_to(running.HERE)) for path in running.HERE.glob("*/*.py"))
TOLERANCE = 2e-4


@pytest.fixture(scope="module")
def keras_results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Keras gives for each program that is to be tested; one process a backend, as importing one takes seconds."""
    here = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    wanted = sorted({item.callspec.params["program"] for item in here})
    found: dict[str, Any] = {}
    for backend in "torch", "tensorflow", "jax":
        programs = [p for p in wanted if running.backend((running.HERE / p).read_text()) == backend]
        if programs:
            results = tmp_path_factory.mktemp("keras") / "results"
            command = [sys.executable, "-m", "tests.programs.running", str(results), *programs]
            done = subprocess.run(command, cwd=running.HERE.parents[1],
                                  env={**os.environ, "KERAS_BACKEND": backend, "OMP_NUM_THREADS": "1"},
                                  capture_output=True, text=True, timeout=900)
            assert done.returncode == 0, done.stderr
            found |= pickle.loads(results.read_bytes())
    return found


@pytest.mark.parametrize("program", PROGRAMS)
def test_program(program: str, keras_results: dict[str, Any]) -> None:
    keras = keras_results[program]
    assert "error" not in keras, f"Keras: {keras.get('error')}"
    results = running.with_fastrnn(running.HERE / program, keras["weights"])
    assert_same(results, keras["results"], Path(program).stem)


def assert_same(found: Any, expected: Any, what: str) -> None:
    """Equal words, counts and names; numbers within the tolerance, and finite."""
    if isinstance(expected, dict):
        assert isinstance(found, dict) and set(found) == set(expected), f"{what}: {sorted(found)}, {sorted(expected)}"
        for name in expected:
            assert_same(found[name], expected[name], f"{what}, {name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), f"{what}: {len(found)} for {len(expected)}"
        for i in range(len(expected)):
            assert_same(found[i], expected[i], f"{what} {i}")
    elif isinstance(expected, np.ndarray) and expected.dtype.kind in "fiub":
        assert np.isfinite(np.asarray(expected, "float64")).all(), f"{what}: Keras gives {expected}"
        np.testing.assert_allclose(np.asarray(found, "float64"), np.asarray(expected, "float64"), TOLERANCE, TOLERANCE,
                                   err_msg=what)
    else:
        assert np.array_equal(found, expected), f"{what}: {found!r}, Keras: {expected!r}"


def test_imports_alone_are_changed() -> None:
    source = ("import keras\nfrom keras import layers\n    from tensorflow.keras.models import Model\n"
              "keras.x = 'keras'\n")
    assert running.on_fastrnn(source) == ("import fastrnn as keras\nfrom fastrnn import layers\n"
                                          "    from fastrnn.models import Model\nkeras.x = 'keras'\n")
