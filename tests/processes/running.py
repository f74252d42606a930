# SPDX-License-Identifier: Apache-2.0
"""Starting the processes that these tests look at, and ending them with all of their children."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastrnn

ROOT = Path(__file__).parents[2]
#: Set by the tests alone: what the caller's environment has of them is left out.
THREADS = ("FASTRNN_NUM_THREADS", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "FASTRNN_BLAS")


def environment(**variables: str) -> dict[str, str]:
    """The caller's, with this package on the path, and these variables in place of any that are about threads."""
    path = os.pathsep.join([str(Path(fastrnn.__file__).parents[1]), str(ROOT), os.environ.get("PYTHONPATH", "")])
    kept = {name: value for name, value in os.environ.items() if name not in THREADS}
    return {**kept, "PYTHONPATH": path, **variables}


@contextlib.contextmanager
def started(*command: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process with a group of its own, of which nothing is left in the end."""
    process = subprocess.Popen(command, text=True, start_new_session=True, **options)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def faults(program: str, *arguments: str, module: str = "probe", **variables: str) -> dict[str, str]:
    """What a program of `probe.py`, or of another module here, finds wrong, with these variables in its environment."""
    with started(sys.executable, "-m", f"tests.processes.{module}", program, *arguments, cwd=ROOT,
                 env=environment(**variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out, errors = process.communicate(timeout=90)
        assert process.returncode == 0, errors
        return json.loads(out)
