# SPDX-License-Identifier: Apache-2.0
"""Load the files named on standard input, each in a process of its own, and say what each did.

A process may have 6 GB of addresses. Everything that a good file needs was imported before, so that whatever is
imported, run, opened or connected to while a file is loaded is the file's doing.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback

import numpy as np

import fastrnn
import fastrnn.saving.inspection
from fastrnn.saving import ModelFileError, from_torch, load_model

ALLOWED = ("mmap.__new__", "object.", "sys._getframe", "sys.unraisablehook", "cpython.", "os.fspath", "gc.",
           "builtins.id", "array.__new__", "warnings.")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
SECONDS = 20


def peak() -> int:
    """Most memory that this process has had, in bytes."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM:"))


def memory_from_here() -> int:
    """The peak as it is when it starts anew."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")
    return peak()


def load(path: str, how: str) -> None:
    if how == "weights":
        model = fastrnn.Sequential([
            fastrnn.Input((None,)), fastrnn.layers.Embedding(7, 4),
            fastrnn.layers.Bidirectional(fastrnn.layers.LSTM(3, return_sequences=True)),
            fastrnn.layers.TimeDistributed(fastrnn.layers.Dense(2)), fastrnn.layers.LSTM(2), fastrnn.layers.Dense(1)])
        model.load_weights(path)
    elif how == "onnx":
        model = fastrnn.saving.load_onnx(path)
        model.run({value.name: np.ones([size or 2 for size in value.shape or ()], value.dtype)
                   for value in model.inputs})
    elif how == "inspect":
        fastrnn.saving.inspect(path)
    elif how == "torch":
        from_torch(path)
    else:
        load_model(path)


def attempt(path: str, how: str) -> dict:
    """What happens when the file is loaded."""
    events: list[str] = []
    on = True

    def allowed(name: object, flags: int) -> bool:
        """The file itself, to be read; and what lies beside an ONNX file, if no link is followed."""
        beside = how == "onnx" and flags & os.O_NOFOLLOW and os.path.dirname(str(name)) == os.path.dirname(path)
        return (name == path or bool(beside)) and not flags & WRITING

    def hook(event: str, arguments: tuple) -> None:
        if not on or event.startswith(ALLOWED):
            return
        if event == "open" and allowed(arguments[0], arguments[2] or 0):
            return
        events.append(f"{event} {arguments!r}"[:300])

    before = memory_from_here()
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    sys.addaudithook(hook)
    start, error, lines = time.process_time(), None, ""
    try:
        load(path, how)
    except ModelFileError as problem:
        error = ["ModelFileError", str(problem)]
    except BaseException as problem:
        error = [type(problem).__name__, str(problem)]
        lines = traceback.format_exc()
    seconds = time.process_time() - start
    on = False
    return {"error": error, "seconds": seconds, "memory": peak() - before, "events": events, "traceback": lines}


def main() -> None:
    jobs = json.load(sys.stdin)
    for path, how in jobs["warm"]:
        load(path, how)
    for path, how in jobs["files"]:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            os.write(writer, json.dumps(attempt(path, how)).encode()[:60_000])
            os._exit(0)
        os.close(writer)
        deadline = time.monotonic() + SECONDS
        while os.waitpid(child, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                os.kill(child, 9)
            time.sleep(0.0005)
        text = os.read(reader, 1 << 16).decode()
        os.close(reader)
        print(text or json.dumps({"error": ["killed", "crashed, or took too long"], "seconds": SECONDS, "memory": 0,
                                  "events": [], "traceback": ""}), flush=True)


if __name__ == "__main__":
    main()
