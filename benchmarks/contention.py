# SPDX-License-Identifier: Apache-2.0
"""How long calls take while other processes keep the cores busy, beside one thread, ONNX Runtime and PyTorch.

    python benchmarks/contention.py
    python benchmarks/contention.py --loads 6 --cases 'fwd/lstm/N1T1H256' --engines fastrnn,fastrnn-1 --rounds 3

It starts the busy processes itself, so that it needs a machine that does nothing else. Each engine has a process of its
own with the threads that it chooses by default, and sleeps until it is told to call; they take turns in short slices,
in another order each round, so that all of them meet the same conditions. Every call is timed.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from cases import Case, layer
from compare import describe_machine
from engines import ENGINES
from report import duration, save, table
from workloads import Engine, Unsupported

from fastrnn import runtime

CASES = [
    *(layer("forward", "lstm", N, T, H) for N, T, H in ((1, 1, 256), (1, 30, 128), (1, 100, 128), (32, 100, 128))),
    # One step of Adam: one-hot letters, SimpleRNN(100, return_sequences=True), Dense(52, activation="softmax").
    Case("fit/rnn/N128T5D52H100", "fit", "rnn", "charcopy", 128, 5, 52, 100, 52),
]
OWN, ALONE = "fastrnn", "fastrnn-1"
TITLES = {OWN: "fastrnn", ALONE: "fastrnn, one thread", "onnxruntime": "ONNX Runtime", "torch": "PyTorch"}
SETTINGS = ("FASTRNN_NUM_THREADS", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
STATISTICS: dict[str, Callable[[Any], float]] = {
    "mean": np.mean, "median": np.median, "p99": lambda times: np.percentile(times, 99), "max": np.max}
RATIO, LONGEST = 1.25, 5.0      # what the best of the others may be passed by; its p99, by any single call
SLOW = 1.5                      # slices that an engine may take for one of its own, or it misses the next ones
PAUSE = 0.03                    # seconds in which the threads of the engine before fall asleep
# A loop that ends when whoever started it does, however that may be.
BUSY = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
while True: pass
"""


# the processes -----------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that compute without a pause."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            processes.append(subprocess.Popen([sys.executable, "-S", "-c", BUSY], stdin=subprocess.PIPE,
                                              start_new_session=True))      # Ctrl-C is for this process alone
        time.sleep(0.1 * count)                 # until all of them do
        yield
        if any(process.poll() is not None for process in processes):
            raise RuntimeError("a busy process ended by itself: there was less load than was told")
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.communicate()


class Runner:
    """An engine's process; `told` has its versions, and for each case that it cannot do, why."""

    def __init__(self, name: str, cases: list[Case]) -> None:
        kept = {key: value for key, value in os.environ.items() if key not in SETTINGS}
        command = [sys.executable, __file__, "--child", name, "--cases", ",".join(case.name for case in cases)]
        self.process = subprocess.Popen(command, text=True, env=kept, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        start_new_session=True)
        self.told = self._answer()

    def calls(self, case: str, seconds: float) -> list[float]:
        """The seconds of each call that the engine does within so many."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps([case, seconds]) + "\n")
        self.process.stdin.flush()
        return [nanoseconds / 1e9 for nanoseconds in self._answer()]

    def _answer(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the engine's process ended with {self.process.wait()}")
        return json.loads(line)

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


def make_engine(name: str) -> Engine:
    """With the threads that it has when nobody says anything, but for `fastrnn-1`."""
    if name in (OWN, ALONE):
        return ENGINES["fastrnn"](1 if name == ALONE else runtime.get_num_threads())
    if name == "onnxruntime":
        return ENGINES[name](0)                 # its word for the default
    import torch

    return ENGINES[name](torch.get_num_threads())


def child(name: str, cases: list[Case]) -> None:
    """An engine's process: first what it is and can, then for each line that comes in the nanoseconds of each call."""
    engine, runs = make_engine(name), {}
    told: dict[str, Any] = {"versions": engine.versions(), "unsupported": {}}
    for case in cases:
        try:
            runs[case.name] = getattr(engine, case.kind)(case)
        except Unsupported as reason:
            told["unsupported"][case.name] = str(reason)
            continue
        for _ in range(5):
            runs[case.name]()
    print(json.dumps(told), flush=True)
    for line in sys.stdin:
        case_name, seconds = json.loads(line)
        print(json.dumps(timed(runs[case_name], seconds)), flush=True)


def timed(run: Callable[[], Any], seconds: float) -> list[int]:
    """Nanoseconds of each call, after one that brings data into the caches and wakes threads."""
    times: list[int] = []
    run()
    start = time.perf_counter_ns()
    end = start + int(seconds * 1e9)
    while start < end:
        run()
        now = time.perf_counter_ns()
        times.append(now - start)
        start = now
    return times


# the measurement ---------------------------------------------------------------------------------------------------

def measure(arguments: argparse.Namespace, cases: list[Case]) -> None:
    """All loads, one after the other; a run that is stopped tells of those that it has."""
    results: dict[str, Any] = {"machine": describe_machine(runtime.get_num_threads()), "versions": {}, "loads": {}}
    runners: dict[str, Runner] = {}
    try:
        for name in arguments.engines:
            runners[name] = Runner(name, cases)
            results["versions"][name] = runners[name].told["versions"]
        for load in arguments.loads:
            print(f"{load} busy processes", flush=True)
            with busy(load):
                results["loads"][str(load)] = under_load(arguments, cases, runners)
    finally:
        for runner in runners.values():
            runner.stop()
        if results["loads"]:
            save("contention", text(results), results, arguments.out)


def under_load(arguments: argparse.Namespace, cases: list[Case], runners: dict[str, Runner]) -> dict[str, Any]:
    """For each case the figures of each engine, and how fastrnn's stand to the best of the others'."""
    slices: dict[str, dict[str, list[list[float]]]] = {
        case.name: {name: [] for name, runner in runners.items() if case.name not in runner.told["unsupported"]}
        for case in cases}
    taken: dict[tuple[str, str], float] = defaultdict(float)
    for number in range(arguments.rounds):
        for case, engines in slices.items():
            order = list(engines)
            shift = number % len(order)
            for name in order[shift:] + order[:shift]:
                if taken[case, name] > SLOW * arguments.seconds * (number + 1):
                    continue                # one call of it takes longer than a slice
                time.sleep(PAUSE)
                start = time.perf_counter()
                engines[name].append(runners[name].calls(case, arguments.seconds))
                taken[case, name] += time.perf_counter() - start
    found = {}
    for case, engines in slices.items():
        figures = {name: figures_of(calls) for name, calls in engines.items() if calls}
        found[case] = {"engines": figures, **compared(figures)}
    return found


def figures_of(slices: list[list[float]]) -> dict[str, Any]:
    """Of all calls, and of each slice."""
    every = np.concatenate(slices)
    return {"calls": len(every), **{name: float(figure(every)) for name, figure in STATISTICS.items()},
            "slices": {name: [float(figure(calls)) for calls in slices] for name, figure in STATISTICS.items()}}


def compared(figures: dict[str, Any]) -> dict[str, Any]:
    """fastrnn over the best of the others, figure by figure, and its longest call over the best p99."""
    others = [value for name, value in figures.items() if name != OWN]
    if OWN not in figures or not others:
        return {}
    best = {name: min(other[name] for other in others) for name in STATISTICS}
    ratios = {name: figures[OWN][name] / best[name] for name in ("mean", "median", "p99")}
    longest = figures[OWN]["max"] / best["p99"]
    return {"ratios": ratios, "longest": longest, "longest_of_best": best["max"] / best["p99"],
            "reached": {name: ratio <= RATIO for name, ratio in ratios.items()} | {"max": longest <= LONGEST}}


def text(results: dict[str, Any]) -> str:
    """The tables."""
    rows, times = [], []
    for load, found in results["loads"].items():
        for case, entry in found.items():
            figures = entry["engines"]
            times.append([case, load, *(", ".join(duration(figures[name][key]) for key in STATISTICS)
                                        if name in figures else "-" for name in results["versions"])])
            if "ratios" in entry:
                told = [mark(f"{entry['ratios'][key]:.2f}x", entry["reached"][key]) for key in entry["ratios"]]
                rows.append([case, load, *told, mark(f"{entry['longest']:.1f}x", entry["reached"]["max"]),
                             f"{entry['longest_of_best']:.1f}x"])
    return (f"{'; '.join(dict.fromkeys(results['versions'].values()))}. Each with its default number of threads.\n\n"
            "Mean, median, p99 and longest of all calls:\n\n"
            + table(["case", "busy processes", *(TITLES[name] for name in results["versions"])], times)
            + f"\nfastrnn over the best of the others, {RATIO:g}x at most; and its longest call over the best p99, "
            f"{LONGEST:g}x at most, beside the shortest of the others' longest calls. What is not reached is bold.\n\n"
            + table(["case", "busy processes", "mean", "median", "p99", "longest", "others' longest"], rows))


def mark(figure: str, reached: bool) -> str:
    return figure if reached else f"**{figure}**"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure calls while other processes keep the cores busy.")
    parser.add_argument("--loads", type=int, nargs="+", default=[0, 2, 6, 14], help="busy processes (%(default)s)")
    parser.add_argument("--cases", default="*", metavar="GLOBS", help="comma-separated patterns of names (all)")
    parser.add_argument("--engines", default=",".join(TITLES), help="comma-separated (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.3, help="of a slice (%(default)s)")
    parser.add_argument("--rounds", type=int, default=10, help="slices of each engine, case and load (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder (%(default)s)")
    parser.add_argument("--child", choices=TITLES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.engines = [name.strip() for name in arguments.engines.split(",")]
    for name in arguments.engines:
        if name not in TITLES:
            parser.error(f"--engines: expected some of {', '.join(TITLES)}, got {name!r}")
    if arguments.rounds < 1 or min(arguments.loads) < 0:
        parser.error("--rounds, --loads: expected at least one round, and no negative number of processes")
    patterns = [glob.strip() for glob in arguments.cases.split(",")]
    arguments.cases = [case for case in CASES if any(fnmatch.fnmatchcase(case.name, glob) for glob in patterns)]
    if not arguments.cases:
        parser.error(f"--cases: nothing matches; there are {', '.join(case.name for case in CASES)}")
    return arguments


def main() -> None:
    arguments = parse()
    if arguments.child:
        child(arguments.child, arguments.cases)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))       # through every `finally`
    with contextlib.suppress(KeyboardInterrupt):
        measure(arguments, arguments.cases)


if __name__ == "__main__":
    main()
