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
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import limit
from compare import describe_machine, environment
from contention import busy
from report import save
from stepping.cases import CASES, Case, select
from stepping.child import ENGINES, FIGURES, FROZEN, run
from stepping.tables import markdown

from fastrnn import runtime

TAILS = "step/lstm/H64"     # of which the slowest of many steps are told


def run_engine(name: str, cases: list[Case], threads: int, arguments: argparse.Namespace,
               calls: int = 0) -> list[dict[str, Any]]:
    """What the engine's process prints, and for each case that it did not come to, why."""
    command = [sys.executable, __file__, "--child", name, "--cases", ",".join(case.name for case in cases),
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
    if name == FROZEN:
        return lines if told else [{"case": FROZEN, "error": reason}]
    return lines + [{"case": case.name, "error": reason} for case in cases if case.name not in told]


def collect(results: dict[str, Any], where: dict[str, Any], name: str, lines: list[dict[str, Any]]) -> None:
    """Add a round of an engine: what it is to the results, each case's figures to `where`."""
    for line in lines:
        case = line.pop("case", None)
        if case is None:
            results["engines"].setdefault(name, {}).update(line)
        else:
            where.setdefault(case, {}).setdefault(name, []).append(line)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    machine = describe_machine(max(arguments.threads))
    if (machine["load"] or 0) > 0.5:
        print(f"note: the machine is busy (load {machine['load']}): the figures will not be reliable", flush=True)
    results: dict[str, Any] = {"machine": machine, "engines": {}, "limits": {}, "limit_seconds": {}, "steps": {},
                               "frozen": {}, "tails": {}, "calls": arguments.calls}
    for threads in map(str, arguments.threads):
        for part in ("steps", "frozen"):
            results[part][threads] = {}
    limits: dict[str, list[limit.Limit]] = {str(threads): [] for threads in arguments.threads}
    for number in range(arguments.rounds):
        for threads in arguments.threads:
            limits[str(threads)].append(limit.measure(threads=threads))
            for name in [*arguments.engines, FROZEN]:
                if "missing" in results["engines"].get(name, {}) or name == FROZEN and "fastrnn" not in arguments.engines:
                    continue
                print(f"round {number + 1} of {arguments.rounds}, {threads} threads: {name}", flush=True)
                where = results["frozen" if name == FROZEN else "steps"][str(threads)]
                collect(results, where, name, run_engine(name, arguments.cases, threads, arguments))
    for threads, found in limits.items():
        middle = limit.median(found)
        results["limits"][threads] = middle._asdict()
        results["limit_seconds"][threads] = {case.name: case.seconds(middle) for case in arguments.cases}
    for load in arguments.loads if arguments.calls else ():
        results["tails"][str(load)] = {}
        with busy(load):
            for name in arguments.engines:
                if "missing" in results["engines"].get(name, {}):
                    continue
                print(f"{arguments.calls} steps, {load} busy processes: {name}", flush=True)
                lines = run_engine(name, select(TAILS), max(arguments.threads), arguments, arguments.calls)
                collect(results, results["tails"][str(load)], name, lines)
    return results


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
    results = measure(arguments)
    save("streaming", markdown(results), results, arguments.out)


if __name__ == "__main__":
    main()
