# SPDX-License-Identifier: Apache-2.0
"""Cases trained by Keras, in a process of its own for each backend.

    python -m tests.parity.running RESULTS NUMBER...     trains the cases of these numbers
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from tests.parity.building import build, precision, trained
from tests.parity.cases import CASES, Case
from tests.programs.running import sum_repeated_rows


def backend(case: Case) -> str:
    """PyTorch, which is the quickest. But there Keras overwrites the states of stateful layers, and goes on at steps
    that a mask leaves out."""
    return "torch" if case.mask == "none" and case.option != "stateful" else "tensorflow"


def with_keras(case: Case) -> dict[str, Any]:
    """The weights that the model begins with, and what training makes of it; or the traceback."""
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    try:
        with precision(keras, case):
            model = build(keras, case)
            begin = [np.array(w) for w in model.get_weights()]
            return {"begin": begin, **trained(model, keras, case, run_eagerly=True)}
    except Exception:
        return {"error": traceback.format_exc()}


def on_keras(cases: list[Case]) -> dict[Case, dict[str, Any]]:
    """The cases' results, from one process for each backend."""
    found: dict[Case, dict[str, Any]] = {}
    for name in ("torch", "tensorflow"):
        numbers = [str(CASES.index(case)) for case in cases if backend(case) == name]
        if not numbers:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "results")
            environment = {**os.environ, "KERAS_BACKEND": name, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
            subprocess.run([sys.executable, "-m", "tests.parity.running", str(path), *numbers], check=True,
                           env=environment, cwd=Path(__file__).parents[2])
            found |= pickle.loads(path.read_bytes())
    return found


if __name__ == "__main__":
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        sum_repeated_rows()
    chosen = [CASES[int(number)] for number in sys.argv[2:]]
    Path(sys.argv[1]).write_bytes(pickle.dumps({case: with_keras(case) for case in chosen}))
