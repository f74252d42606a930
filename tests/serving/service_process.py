# SPDX-License-Identifier: Apache-2.0
"""The web service as a process of its own, on a port of this machine that is free."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.processes.running import ROOT, environment, started

DEADLINE = 30.0     # seconds for what takes less than one on a quiet machine
SAYS = re.compile(r"(?:running on|Listening at:) http://(127\.0\.0\.1:\d+)")


class Running(NamedTuple):
    """A service that answers."""

    process: subprocess.Popen[str]
    address: str
    log: Path

    def post(self, body: Any, path: str = "/v1/predict", kind: str = "application/json") -> httpx.Response:
        """An answer to JSON, or to bytes as they are."""
        given = {"content": body} if isinstance(body, (bytes, str)) else {"json": body}
        with httpx.Client(trust_env=False, timeout=DEADLINE) as client:
            return client.post(f"http://{self.address}{path}", headers={"content-type": kind}, **given)

    def get(self, path: str) -> httpx.Response:
        with httpx.Client(trust_env=False, timeout=DEADLINE) as client:
            return client.get(f"http://{self.address}{path}")

    def session(self) -> ClientConnection:
        return connect(f"ws://{self.address}/v1/stream", proxy=None, open_timeout=DEADLINE, max_size=None)

    def metric(self, name: str) -> float:
        """The value of one line of the metrics; 0 if it is not there yet."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def becomes(self, name: str, value: float) -> bool:
        """Whether a metric has a value before long."""
        end = time.monotonic() + DEADLINE
        while self.metric(name) != value and time.monotonic() < end:
            time.sleep(0.02)
        return self.metric(name) == value


@contextmanager
def running(command: list[str], log: Path, **variables: str) -> Iterator[Running]:
    """The service that a command starts, once it answers."""
    with log.open("w") as output, started(sys.executable, "-m", *command, cwd=ROOT, stdout=output, stderr=output,
                                          env=environment(**variables)) as process:
        yield Running(process, _address(process, log), log)


def served(file: Path, log: Path, *options: str, **variables: str) -> Any:
    """`fastrnn serve`."""
    return running(["fastrnn", "serve", str(file), "--port", "0", *options], log, **variables)


def _address(process: subprocess.Popen[str], log: Path) -> str:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end and process.poll() is None:
        if found := SAYS.search(log.read_text()):
            try:
                if httpx.get(f"http://{found[1]}/health", trust_env=False, timeout=DEADLINE).status_code == 200:
                    return found[1]
            except httpx.TransportError:
                pass
        time.sleep(0.05)
    raise AssertionError(f"the service does not answer:\n{log.read_text()}")
