# SPDX-License-Identifier: Apache-2.0
"""Callers with workers of their own, threads or processes: their threads, the helpers and no more; the same bits."""

from __future__ import annotations

import sys

import pytest

from tests.processes.running import faults

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell threads")


@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
def test_joblib(backend):
    variables = {"FASTRNN_NUM_THREADS": "2"} if backend == "threading" else {}      # else joblib sets a number
    assert faults("joblib", backend, module="nested", **variables) == {}


@pytest.mark.parametrize("threads", [2, 3])
def test_openmp(threads):
    assert faults("openmp", str(threads), module="nested", FASTRNN_NUM_THREADS="2") == {}
