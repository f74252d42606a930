# SPDX-License-Identifier: Apache-2.0
"""fastrnn beside PyTorch, Keras, ONNX Runtime and OpenVINO, and beside the limits of the machine.

    python benchmarks/compare.py
    python benchmarks/compare.py --cases 'fwd/lstm/*,charcopy/*' --engines fastrnn,torch --threads 1

Each round measures the limits first; then each engine runs all cases in a process of its own, one engine after the
other: what disturbs the machine for a while falls on all of them. Prints the table, and writes it to the folder
`--out` as Markdown, JSON and, where matplotlib is installed, as a picture. See README.md for what the figures mean.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import limit
import report
from cases import CASES, Case, select
from engines import ENGINES

from fastrnn import _core, runtime


def environment(threads: int) -> dict[str, str]:
    """For the engines' processes: the number of threads, and no setting of NumPy's BLAS, which knows best what suits
    the processor."""
    kept = {key: value for key, value in os.environ.items() if key not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    return kept | {name: str(threads) for name in ("OMP_NUM_THREADS", "FASTRNN_NUM_THREADS", "OPENBLAS_NUM_THREADS")}


def run_engine(engine: str, cases: list[Case], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """What the engine's process prints, and for each case that it did not come to, why."""
    command = [sys.executable, str(Path(__file__).with_name("engines.py")), engine,
               "--cases", ",".join(case.name for case in cases), "--threads", str(arguments.threads),
               "--seconds", str(arguments.seconds)]
    try:
        done = subprocess.run(command, env=environment(arguments.threads), capture_output=True, text=True,
                              timeout=arguments.timeout)
        output, end = done.stdout, (done.stderr.strip().splitlines() or [""])[-1][:200]
        reason = f"the process ended with {done.returncode}: {end}"
    except subprocess.TimeoutExpired as error:
        output = error.stdout.decode() if isinstance(error.stdout, bytes) else error.stdout or ""
        reason = f"the process took more than {arguments.timeout:g} s"
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{") and line.endswith("}")]
    if any("missing" in line for line in lines):
        return lines
    told = {line.get("case") for line in lines}
    return lines + [{"case": case.name, "error": reason} for case in cases if case.name not in told]


def describe_machine(threads: int) -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "date": datetime.date.today().isoformat(),
        "processor": _core.cpu.processor_name() or platform.processor() or platform.machine(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "threads": threads,
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def collect(results: dict[str, Any], engine: str, lines: list[dict[str, Any]]) -> None:
    """Add a round of an engine to the results."""
    for line in lines:
        name = line.pop("case", None)
        if name is None:
            results["engines"].setdefault(engine, {}).update(line)
            continue
        entry = results["cases"][name]["engines"].setdefault(engine, {})
        if "seconds" in line:
            entry.setdefault("rounds", []).append(line["seconds"])
            entry["seconds"] = statistics.median(entry["rounds"])
        else:
            entry.update(line)


def measure(arguments: argparse.Namespace, cases: list[Case]) -> dict[str, Any]:
    """All rounds; the files are written anew after each, so that a long run that is stopped is not lost."""
    machine = describe_machine(arguments.threads)
    if (machine["load"] or 0) > 0.5:
        print(f"note: the machine is busy (load {machine['load']}): the figures will not be reliable", flush=True)
    results: dict[str, Any] = {
        "machine": machine, "engines": {},
        "cases": {case.name: {"flops": case.flops, "limit_rounds": [], "engines": {}} for case in cases},
    }
    limits = []
    for number in range(arguments.rounds):
        limits.append(limit.measure(threads=arguments.threads))
        print("\n".join(limits[-1].lines()), flush=True)
        results["limit"] = limit.median(limits)._asdict()
        for case in cases:
            results["cases"][case.name]["limit_rounds"].append(case.seconds(limits[-1]))
        for engine in arguments.engines:
            if "missing" in results["engines"].get(engine, {}):
                continue
            wanted = [case for case in cases if number == 0
                      or "seconds" in results["cases"][case.name]["engines"].get(engine, {})]
            if not wanted:
                continue
            print(f"round {number + 1} of {arguments.rounds}: {engine}", flush=True)
            collect(results, engine, run_engine(engine, wanted, arguments))
        report.write(results, arguments.out)
    return results


def parse(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure fastrnn beside its peers and the machine's limits.")
    parser.add_argument("--cases", default="*", metavar="GLOBS", help="comma-separated patterns of names (all)")
    parser.add_argument("--engines", default=",".join(ENGINES), help="comma-separated (all: %(default)s)")
    parser.add_argument("--threads", type=int, default=runtime.get_num_threads(), help="of every engine (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="the median of which counts (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.3, help="for each case, engine and round (%(default)s)")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds that a process may take (%(default)g)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder (%(default)s)")
    parser.add_argument("--list", action="store_true", help="list the cases and stop")
    arguments = parser.parse_args(words)
    arguments.engines = [name.strip() for name in arguments.engines.split(",")]
    for name in arguments.engines:
        if name not in ENGINES:
            parser.error(f"--engines: expected some of {', '.join(ENGINES)}, got {name!r}")
    if arguments.threads < 1 or arguments.rounds < 1:
        parser.error("--threads, --rounds: expected at least 1")
    if not select(arguments.cases):
        parser.error(f"--cases: {arguments.cases!r} matches none of {', '.join(case.name for case in CASES)}")
    return arguments


def main() -> None:
    arguments = parse()
    cases = select(arguments.cases)
    if arguments.list:
        print("\n".join(case.name for case in cases))
        return
    results = measure(arguments, cases)
    print("\n" + report.markdown(results))
    print("\n".join(f"written: {path}" for path in report.write(results, arguments.out)))


if __name__ == "__main__":
    main()
