# SPDX-License-Identifier: Apache-2.0
"""Starting ranks by MPI, and what becomes of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from typing import Any, NamedTuple

from tests.processes.running import ROOT, environment, started

#: Any number of ranks on any number of cores, as root too, on this machine alone.
_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_hwloc_base_binding_policy": "none", "OMPI_MCA_btl": "self,vader",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none", "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}  # fmt: skip


class Run(NamedTuple):
    """A program that has ended on all ranks."""

    code: int
    out: str
    errors: str
    seconds: float

    @property
    def result(self) -> Any:
        """What rank 0 found."""
        assert self.code == 0, self.errors[-3000:]
        return json.loads(next(line for line in self.out.splitlines() if line.startswith("{")))


def ranks(count: int, program: str, *arguments: Any, threads: int = 1) -> Run:
    """Run a program of `programs.py`, or a file, on so many ranks."""
    mpirun = shutil.which("mpirun")
    assert mpirun, "these tests need MPI: apt install openmpi-bin"
    began = time.perf_counter()
    what = [program] if program.endswith(".py") else ["-m", "tests.distribution.programs", program]
    command = [mpirun, "-n", str(count), sys.executable, *what, *map(str, arguments)]
    with started(*command, cwd=ROOT, env=environment(**_MPI, FASTRNN_NUM_THREADS=str(threads)), stdout=subprocess.PIPE,
                 stderr=subprocess.PIPE) as process:
        out, errors = process.communicate(timeout=120)
    return Run(process.returncode, out, errors, time.perf_counter() - began)
