# SPDX-License-Identifier: Apache-2.0
"""A real server whose workers are forked from a parent with a warm model."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.processes.running import ROOT, environment, started

DEADLINE = 15.0     # seconds for what takes milliseconds on a quiet machine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs a system with fork")


def address(log: Path) -> str:
    """Where the server says that it listens."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if found := re.search(r"Listening at: (http://127\.0\.0\.1:\d+)", log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise TimeoutError(f"gunicorn does not listen:\n{log.read_text()}")


def ask(url: str, log: Path) -> tuple[int, str]:
    """The worker's number and its answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=DEADLINE) as response:
            worker, answer = response.read().decode().split()
    except OSError as error:
        raise AssertionError(f"no answer: {error}\n{log.read_text()}") from error
    return int(worker), answer


@pytest.mark.parametrize("variables", [{"FASTRNN_NUM_THREADS": "2"}, {"OMP_NUM_THREADS": "1"}], ids=str)
def test_preloaded_workers(variables, tmp_path):
    log, expected = tmp_path / "log", tmp_path / "expected"
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--bind", "127.0.0.1:0",
               "--no-control-socket", "--timeout", "60", "tests.processes.application:application"]
    with log.open("w") as output, started(*command, cwd=ROOT, stdout=output, stderr=output,
                                          env=environment(EXPECTED_ANSWER=str(expected), **variables)) as server:
        url, answers, workers, end = address(log), set(), set(), time.monotonic() + DEADLINE
        with ThreadPoolExecutor(4) as pool:
            while len(workers) < 2 and time.monotonic() < end:      # one may be faster than the other
                for worker, answer in pool.map(lambda _: ask(url, log), range(10)):
                    workers.add(worker)
                    answers.add(answer)
        server.send_signal(signal.SIGTERM)
        assert server.wait(DEADLINE) == 0, log.read_text()
    assert answers == {expected.read_text()}
    assert len(workers) == 2 and server.pid not in workers
    assert not any(os.path.exists(f"/proc/{worker}") for worker in workers)
