# SPDX-License-Identifier: Apache-2.0
"""Steps with state in fastrnn beside LiteRT, MNN, ncnn, ONNX Runtime, OpenVINO and PyTorch; frozen models.

    python benchmarks/streaming.py
    python benchmarks/streaming.py --cases 'step/lstm/*' --engines fastrnn,litert --threads 1 --rounds 1 --calls 0

Each engine has a process of its own; they take turns, and each of its results is compared with the formula before it is
timed. Then each takes `--calls` steps on an idle machine and as many beside busy processes. Prints the tables, and
writes them to the folder `--out`. See README.md for what the figures mean.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import limit
from compare import describe_machine, environment
from contention import busy
from report import save
from stepping.cases import CASES, select
from stepping.child import ENGINES, FROZEN, run
from stepping.own import FROZEN_CASES
from stepping.tables import OWN, markdown, middle

from fastrnn import runtime

TAILS = "step/lstm/H64"     # of which the slowest of many steps are told


def run_engine(name: str, cases: Iterable[str], threads: int, arguments: argparse.Namespace,
               calls: int = 0) -> list[dict[str, Any]]:
    """What the engine's process prints, and for each case that it did not come to, why."""
    command = [sys.executable, __file__, "--child", name, "--cases", ",".join(cases),
               "--threads", str(threads), "--seconds", str(arguments.seconds), "--calls", str(calls)]
    try:
        done = subprocess.run(command, env=environment(threads), capture_output=True, text=True, errors="replace",
                              timeout=arguments.timeout)
        output, end = done.stdout, (done.stderr.strip().splitlines() or [""])[-1][:200]
        reason = f"the process ended with {done.returncode}: {end}"
    except subprocess.TimeoutExpired as error:
        output = error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else error.stdout or ""
        reason = f"the process took more than {arguments.timeout:g} s"
    lines = [json.loads(line) for line in output.splitlines() if line.startswith('{"') and line.endswith("}")]
    if any("missing" in line for line in lines):
        return lines
    told = {line.get("case") for line in lines}
    return lines + [{"case": case, "error": reason} for case in cases if case not in told]


def collect(results: dict[str, Any], part: str, kind: int, name: str, lines: list[dict[str, Any]]) -> None:
    """Add a round of an engine: what it is; and to that part, of so many threads or busy processes, each case's
    figures."""
    for line in lines:
        case = line.pop("case", None)
        if case is None:
            results["engines"].setdefault(name, {}).update(line)
        else:
            results[part].setdefault(str(kind), {}).setdefault(case, {}).setdefault(name, []).append(line)


def present(arguments: argparse.Namespace, results: dict[str, Any]) -> list[str]:
    """The engines that are installed, as far as is known."""
    return [name for name in arguments.engines if "missing" not in results["engines"].get(name, {})]


def measure(arguments: argparse.Namespace, results: dict[str, Any]) -> None:
    """All rounds, then the slowest of many steps; what is measured is in the results at once."""
    names = [case.name for case in arguments.cases]
    limits: dict[int, list[limit.Limit]] = {threads: [] for threads in arguments.threads}
    for number in range(arguments.rounds):
        for threads, found in limits.items():
            found.append(limit.measure(threads=threads, sizes=limit.SMALL_SIZES))
            least = limit.median(found)
            results["limits"][str(threads)] = least._asdict()
            results["limit_seconds"][str(threads)] = {case.name: case.seconds(least) for case in arguments.cases}
            for name in present(arguments, results):
                print(f"round {number + 1} of {arguments.rounds}, threads {threads}: {name}", flush=True)
                collect(results, "steps", threads, name, run_engine(name, names, threads, arguments))
            if OWN in arguments.engines:
                collect(results, "frozen", threads, FROZEN, run_engine(FROZEN, FROZEN_CASES, threads, arguments))
    for load in arguments.loads if arguments.calls else ():
        with busy(load):
            for name in present(arguments, results):
                print(f"{arguments.calls} steps, {load} busy processes: {name}", flush=True)
                lines = run_engine(name, [TAILS], threads_of(name, results), arguments, arguments.calls)
                collect(results, "tails", load, name, lines)


def threads_of(name: str, results: dict[str, Any]) -> int:
    """The threads with which the slowest of an engine's steps are told: fastrnn's own choice of all that there are; of
    the others the number that was faster."""
    if name == OWN:
        return max(map(int, results["steps"]))
    medians = {int(threads): middle(cases.get(TAILS, {}).get(name, []), "median")
               for threads, cases in results["steps"].items()}
    known = {threads: median for threads, median in medians.items() if median}
    return min(known, key=lambda threads: known[threads], default=1)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure steps with state, and frozen models, beside other libraries.")
    parser.add_argument("--cases", default="*", metavar="GLOBS", help="comma-separated patterns of names (all)")
    parser.add_argument("--engines", default=",".join(ENGINES), help="comma-separated (all: %(default)s)")
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, runtime.get_num_threads()}),
                        help="of every engine (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="the median of which counts (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.3, help="for each case, engine and round (%(default)s)")
    parser.add_argument("--calls", type=int, default=100_000, help="steps whose slowest are told, or 0 (%(default)s)")
    parser.add_argument("--loads", type=int, nargs="+", default=[0, 6], help="busy processes beside them (%(default)s)")
    parser.add_argument("--timeout", type=float, default=900, help="seconds that a process may take (%(default)g)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder (%(default)s)")
    parser.add_argument("--child", choices=[*ENGINES, FROZEN], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.engines = [name.strip() for name in arguments.engines.split(",")]
    for name in arguments.engines:
        if name not in ENGINES:
            parser.error(f"--engines: expected some of {', '.join(ENGINES)}, got {name!r}")
    if min(arguments.threads) < 1 or arguments.rounds < 1 or min(arguments.loads) < 0 or arguments.calls < 0:
        parser.error("--threads, --rounds: expected at least 1; --loads, --calls: no negative number")
    matching = select(arguments.cases)
    if not matching and arguments.child != FROZEN:
        parser.error(f"--cases: nothing matches; there are {', '.join(case.name for case in CASES)}")
    arguments.cases = matching
    return arguments


def main() -> None:
    arguments = parse()
    if arguments.child:
        run(arguments.child, arguments.cases, arguments.threads[0], arguments.seconds, arguments.calls)
        return
    machine = describe_machine(max(arguments.threads))
    if (machine["load"] or 0) > 0.5:
        print(f"note: the machine is busy (load {machine['load']}): the figures will not be reliable", flush=True)
    results: dict[str, Any] = {part: {} for part in ("engines", "limits", "limit_seconds", "steps", "frozen", "tails")}
    results |= {"machine": machine, "calls": arguments.calls}
    try:
        measure(arguments, results)
    except KeyboardInterrupt:       # a run that is stopped tells what it has
        print("stopped", flush=True)
    if results["steps"]:
        save("streaming", markdown(results), results, arguments.out)


if __name__ == "__main__":
    main()
