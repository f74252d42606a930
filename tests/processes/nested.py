# SPDX-License-Identifier: Apache-2.0
"""What the tests of nested threads run in a process of its own: `python -m tests.processes.nested joblib threading`.

The caller has workers, and each calls a model. Each program prints a JSON object with what is wrong; an empty one is
what is wanted.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastrnn
from tests.processes.probe import Faults, make_model, thread_count

WORKERS = 2

# Each thread of the region calls what it is given, as a program of C or Cython would.
IN_PARALLEL = """
void in_parallel(int threads, int calls, void (*call)(int)) {
  #pragma omp parallel for num_threads(threads) schedule(static)
  for (int i = 0; i < calls; i++) call(i);
}
"""


def most_threads(work: Callable[[], Any]) -> tuple[Any, int]:
    """What `work` gives, and the most threads that the process had meanwhile, without the one that counts them."""
    most, over = 0, threading.Event()

    def count() -> None:
        nonlocal most
        while not over.wait(0.001):
            most = max(most, thread_count() - 1)

    counting = threading.Thread(target=count)
    counting.start()
    try:
        return work(), most
    finally:
        over.set()
        counting.join()


def answer(model: Any, x: np.ndarray, times: int = 20) -> tuple[bytes, int, int]:
    """In a worker: the bits of a prediction, the most threads of its process, and those of a call."""
    def predict() -> list[np.ndarray]:
        return [model.predict_on_batch(x) for _ in range(times)]

    before = thread_count()
    found, most = most_threads(predict)
    return found[-1].tobytes(), most - before + 1, fastrnn.get_num_threads()


def joblib(backend: str) -> Faults:
    """Workers of joblib: threads of this process share its helpers; processes have what joblib gives each."""
    from joblib import Parallel, delayed

    model, x = make_model()
    expected = model.predict_on_batch(x).tobytes()
    if backend == "threading":
        before = thread_count()
        calls = [delayed(model.predict_on_batch)(x) for _ in range(60)]
        answers, most = most_threads(lambda: Parallel(WORKERS, backend=backend)(calls))
        # joblib has a pool of WORKERS threads and some of its own that hand tasks on
        allowed = before + WORKERS + 3 + fastrnn.get_num_threads() - 1
        found = {y.tobytes() for y in answers}
        fault = "" if most <= allowed else f"{most} threads, expected {allowed} at most"
    else:
        each = max(1, (os.cpu_count() or 1) // WORKERS)
        answers = Parallel(WORKERS, backend=backend)(delayed(answer)(model, x) for _ in range(4))
        found = {bits for bits, _, _ in answers}
        fault = "" if all(most <= each and set_to <= each for _, most, set_to in answers) else (
            f"{[(most, set_to) for _, most, set_to in answers]} threads in the workers, expected {each} at most")
    if found != {expected}:
        fault = fault or "other bits from the workers"
    return {backend: fault} if fault else {}


def openmp(threads: str) -> Faults:
    """A parallel region of the caller's own, whose threads call a layer with the helpers that there are."""
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "region.c"), Path(folder, "region.so")
        source.write_text(IN_PARALLEL)
        subprocess.run(["gcc", "-fopenmp", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
        in_parallel = ctypes.CDLL(str(library)).in_parallel
    model, x = make_model()
    expected = model.predict_on_batch(x).tobytes()
    answers: list[bytes] = []
    each = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda _: answers.append(model.predict_on_batch(x).tobytes()))
    before = thread_count()
    _, most = most_threads(lambda: in_parallel(int(threads), 60, each))
    allowed = before + int(threads) - 1 + fastrnn.get_num_threads() - 1
    if most > allowed:
        return {"OpenMP": f"{most} threads, expected {allowed} at most"}
    return {} if answers == [expected] * 60 else {"OpenMP": "other bits, or none, from the region's threads"}


PROGRAMS: dict[str, Callable[..., Faults]] = {program.__name__: program for program in (joblib, openmp)}

if __name__ == "__main__":
    from tests.processes import nested  # under its own name, by which workers find what they run

    print(json.dumps(nested.PROGRAMS[sys.argv[1]](*sys.argv[2:])), flush=True)
