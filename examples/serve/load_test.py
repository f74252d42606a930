# SPDX-License-Identifier: Apache-2.0
"""What the web service stands: clients on this machine ask it as fast as it answers, for so many requests or seconds.

    python examples/serve/load_test.py [FILE] [--clients 1 8 64] [--windows 0 200] [--requests 2000] [--seconds 5]
    python examples/serve/load_test.py --workers 2

It starts `fastrnn serve`, or gunicorn with so many workers, for each window on a free port of 127.0.0.1, and checks
every answer: one that is not the bits of the model itself is an error. Without a FILE of a frozen model it takes one
with random weights, as fast as a trained one. The clients share the machine's cores with the service.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from websockets.asyncio.client import connect

import fastrnn

START = 30.0            # seconds for the service to listen
MOST_REQUESTS, MOST_SECONDS, MOST_CLIENTS = 100_000, 60, 500     # of a row of the table


class Work(NamedTuple):
    """One kind of request: what a client does, with a budget of requests to take from, and its times in seconds."""

    name: str
    label: str
    client: Callable[[str, Budget], Awaitable[None]]


class Budget:
    """Requests and seconds that the clients of a row share, and what came of them."""

    def __init__(self, requests: int, seconds: float) -> None:
        self._left, self._end = requests, time.monotonic() + seconds
        self.times: list[float] = []
        self.errors = 0

    def take(self) -> bool:
        """Whether one more request is to be made."""
        self._left -= 1
        return self._left >= 0 and time.monotonic() < self._end

    def count(self, start: float, right: bool) -> None:
        """A request that was begun at `start` is answered."""
        self.times.append(time.perf_counter() - start)
        self.errors += not right


def predictions(frozen: fastrnn.serving.Frozen, steps: int) -> Work:
    """Clients that keep a connection and send one sequence after the other, as bytes."""
    x = np.random.default_rng(0).standard_normal((1, steps, frozen.network.inputs[0].shape[-1]), "float32")
    expected, body = frozen(x).tobytes(), x.tobytes()
    head = (f"POST /v1/predict?shape={','.join(map(str, x.shape))} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Content-Type: application/octet-stream\r\nContent-Length: {len(body)}\r\n\r\n").encode()

    async def client(address: str, budget: Budget) -> None:
        host, _, port = address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        while budget.take():
            start = time.perf_counter()
            writer.write(head + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            size = re.search(rb"content-length: (\d+)", answer)
            content = await reader.readexactly(int(size[1]) if size else 0)
            budget.count(start, answer.startswith(b"http/1.1 200 ") and content == expected)
        writer.close()

    return Work(f"one sequence of {steps} steps", "predict", client)


def sessions(frozen: fastrnn.serving.Frozen, steps: int) -> Work:
    """Clients that each go on with a session of their own."""
    x = np.random.default_rng(0).standard_normal((steps, frozen.network.inputs[0].shape[-1]), "float32")
    stream = frozen.stream()
    expected = [stream.step(row[None]).tobytes() for row in x]

    async def client(address: str, budget: Budget) -> None:
        at = 0
        async with connect(f"ws://{address}/v1/stream", proxy=None, compression=None, open_timeout=START) as session:
            while budget.take():
                if at == steps:
                    at = 0
                    await session.send('{"reset": true}')
                    await session.recv()
                start = time.perf_counter()
                await session.send(x[at].tobytes())
                budget.count(start, await session.recv() == expected[at])
                at += 1

    return Work("one step of a session", "step", client)


async def load(work: Work, address: str, clients: int, requests: int, seconds: float) -> tuple[Budget, float]:
    """Run so many clients at once; returns their times, and the seconds that all took."""
    budget, start = Budget(requests, seconds), time.perf_counter()
    async with asyncio.timeout(seconds + START):
        await asyncio.gather(*(work.client(address, budget) for _ in range(clients)))
    return budget, time.perf_counter() - start


@contextmanager
def service(file: Path, window: int, workers: int) -> Iterator[str]:
    """The address of a service that listens; on gunicorn, if it has workers."""
    variables = {**os.environ, "FASTRNN_SERVE_MODEL": str(file), "FASTRNN_SERVE_WINDOW_US": str(window)}
    with tempfile.TemporaryDirectory() as counts, tempfile.TemporaryFile("w+") as log:
        if workers:
            variables |= {"WEB_CONCURRENCY": str(workers), "PROMETHEUS_MULTIPROC_DIR": counts}
        process = subprocess.Popen(command(file, workers), stdout=log, stderr=log, env=variables)
        try:
            end, found = time.monotonic() + START, None
            while found is None:
                if process.poll() is not None or time.monotonic() > end:
                    log.seek(0)
                    raise RuntimeError(f"the service does not listen:\n{log.read()}")
                time.sleep(0.05)
                log.seek(0)
                found = re.search(r"(?:running on|Listening at:) http://(127\.0\.0\.1:\d+)", log.read())
            yield found[1]
        finally:
            process.terminate()
            process.wait()


def command(file: Path, workers: int) -> list[str]:
    """What starts it."""
    if workers:
        return [sys.executable, "-m", "gunicorn", "--config", str(Path(__file__).with_name("gunicorn.conf.py")),
                "--bind", "127.0.0.1:0", "--no-control-socket"]
    return [sys.executable, "-m", "fastrnn", "serve", str(file), "--port", "0"]


def batched(address: str, label: str) -> np.ndarray:
    """Requests and batches until now, as the service counts them (2,)."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    text = opener.open(f"http://{address}/metrics", timeout=START).read().decode()
    found = [re.search(rf'^fastrnn_batch_requests_{what}{{work="{label}"}} (\S+)', text, re.MULTILINE)
             for what in ("sum", "count")]
    return np.array([float(one[1]) if one else 0 for one in found])


def row(work: Work, address: str, window: int, clients: int, requests: int, seconds: float) -> str:
    """A line of the table."""
    before = batched(address, work.label)
    budget, elapsed = asyncio.run(load(work, address, clients, requests, seconds))
    total, batches = batched(address, work.label) - before
    median, p99 = (f"{1e3 * value:.2f} ms" for value in np.percentile(budget.times, (50, 99)))
    return (f"| {work.name} | {window} us | {clients} | {len(budget.times)} | {budget.errors} | "
            f"{len(budget.times) / elapsed:,.0f} | {median} | {p99} | {total / max(1, batches):.1f} |")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="A load test of the web service, on this machine alone.")
    parser.add_argument("file", nargs="?", type=Path, help="of a frozen model with numbers as input")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--windows", type=int, nargs="+", default=[0, 200], help="microseconds")
    parser.add_argument("--requests", type=int, default=2000, help="of a row, at most")
    parser.add_argument("--seconds", type=float, default=5, help="of a row, at most")
    parser.add_argument("--steps", type=int, default=100, help="of a sequence")
    parser.add_argument("--workers", type=int, default=0, help="of gunicorn; 0: one process, without it")
    given = parser.parse_args(arguments)
    if not (0 < given.requests <= MOST_REQUESTS and 0 < given.seconds <= MOST_SECONDS
            and all(0 < clients <= MOST_CLIENTS for clients in given.clients)):
        parser.error(f"at most {MOST_REQUESTS} requests, {MOST_SECONDS} seconds and {MOST_CLIENTS} clients")
    with tempfile.TemporaryDirectory() as folder:
        file = given.file or Path(folder, "random.safetensors")
        if given.file is None:
            layers = fastrnn.Input((None, 16)), fastrnn.layers.LSTM(128), fastrnn.layers.Dense(1)
            fastrnn.Sequential(layers).freeze().save(file)
        frozen = fastrnn.serving.load(file)
        print("| work | window | clients | requests | errors | per second | median | p99 | requests a batch |\n"
              "|---|--:|--:|--:|--:|--:|--:|--:|--:|")
        for window in given.windows:
            with service(file, window, given.workers) as address:
                for work in (predictions(frozen, given.steps), sessions(frozen, given.steps)):
                    for clients in given.clients:
                        print(row(work, address, window, clients, given.requests, given.seconds), flush=True)


if __name__ == "__main__":
    main()
