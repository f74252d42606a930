# SPDX-License-Identifier: Apache-2.0
"""What share of `fit` the kernels have, on the program that copies strings: `python benchmarks/kernel_share.py`.

Each function of the compiled module is replaced by one that adds up the time of its calls. That costs time itself,
which falls outside the kernels: the share is told of an epoch with the watches and, the kernels' time being what it is,
of one without them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from cases import select
from compare import describe_machine
from keras_engine import FastRnn
from report import duration, save, table

from fastrnn import _core, runtime


class _Ready:
    """A call that is ready, whose `run` is watched."""

    def __init__(self, call: Any, watches: Watches) -> None:
        self._call = call
        self._run = watches._watched(f"{type(call).__name__}.run", call.run)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    def run(self, other: _Ready | None = None, threads: int = 0) -> None:
        self._run(None if other is None else other._call, threads)


class Watches:
    """The time and the number of calls of each kernel, between `start` and `stop`."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.originals = {name: value for name, value in vars(module).items()
                          if callable(value) and not name.startswith("_")}
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)

    def start(self) -> None:
        for name, kernel in self.originals.items():
            watched = self._watched_class if isinstance(kernel, type) else self._watched
            setattr(self.module, name, watched(name, kernel))

    def stop(self) -> None:
        for name, kernel in self.originals.items():
            setattr(self.module, name, kernel)

    def _watched_class(self, name: str, kind: type) -> Any:
        """A class whose methods are watched, as are those of the calls that they make ready."""
        methods = {method: self._method(f"{name}.{method}", getattr(kind, method))
                   for method in dir(kind) if not method.startswith("_") and callable(getattr(kind, method))}
        return type(name, (kind,), methods) if methods else kind

    def _method(self, name: str, method: Any) -> Any:
        watched = self._watched(name, method)

        def run(instance: Any, *arguments: Any, **options: Any) -> Any:
            made = watched(instance, *arguments, **options)
            return _Ready(made, self) if hasattr(made, "run") else made

        return run

    def _watched(self, name: str, kernel: Any) -> Any:
        seconds, calls, clock = self.seconds, self.calls, time.perf_counter

        def run(*arguments: Any, **options: Any) -> Any:
            begin = clock()
            result = kernel(*arguments, **options)
            seconds[name] += clock() - begin
            calls[name] += 1
            return result

        return run


def measure(name: str, epochs: int, threads: int) -> dict[str, Any]:
    """Seconds of an epoch without and with watches, and of each kernel in it."""
    engine, watches, [case] = FastRnn(threads), Watches(_core.kernels("float32")), select(name)
    plain = statistics.median(engine.program(case, epochs + 1)[1:])
    watches.start()
    try:
        watched = sum(engine.program(case, epochs))
    finally:
        watches.stop()
    kernels = {key: {"seconds": watches.seconds[key] / epochs, "calls": watches.calls[key] / epochs}
               for key in sorted(watches.seconds, key=lambda key: -watches.seconds[key])}
    return {"case": name, "epoch": plain, "watched_epoch": watched / epochs, "kernels": kernels}


def report(results: dict[str, Any]) -> str:
    epoch, watched = results["epoch"], results["watched_epoch"]
    inside = sum(kernel["seconds"] for kernel in results["kernels"].values())
    rows = [[name, duration(kernel["seconds"]), f"{kernel['calls']:.0f}", f"{kernel['seconds'] / epoch:.1%}"]
            for name, kernel in results["kernels"].items()]
    rows.append(["all kernels", duration(inside), "", f"{inside / epoch:.1%}"])
    return (f"{results['case']}: an epoch takes {duration(epoch)}, {duration(watched)} with the watches, of which "
            f"{inside / watched:.1%} is inside kernels.\n\n"
            + table(["kernel", "an epoch", "calls", "share of the epoch without watches"], rows))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what share of fit is spent inside kernels.")
    parser.add_argument("--case", default="charcopy/program", help="charcopy/program or sentiment/program")
    parser.add_argument("--epochs", type=int, default=50, help="(%(default)s)")
    parser.add_argument("--threads", type=int, default=runtime.get_num_threads(), help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder (%(default)s)")
    arguments = parser.parse_args()
    results = {"machine": describe_machine(arguments.threads),
               **measure(arguments.case, arguments.epochs, arguments.threads)}
    save("kernel_share", report(results), results, arguments.out)


if __name__ == "__main__":
    main()
