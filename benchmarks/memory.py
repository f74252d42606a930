# SPDX-License-Identifier: Apache-2.0
"""The most memory that training takes, in fastrnn, PyTorch and Keras.

    python benchmarks/memory.py [--cases charcopy/fit,train/lstm/N64T50H512] [--engines fastrnn,torch]

Each engine and case has a process of its own. What counts is how far its resident memory rises above what it holds when
the library is imported: once from there on (model and optimizer made, first steps, compilation where there is one), and
once in the later steps alone. The peaks are the kernel's own (VmHWM), which Linux alone can set back.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from cases import select
from compare import describe_machine, environment
from engines import ENGINES
from report import save, table
from workloads import Unsupported

from fastrnn import runtime

CASES = "charcopy/fit,sentiment/fit,train/lstm/N128T100H128,train/lstm/N64T50H512"
STEPS = 10


def status(field: str) -> int:
    """Bytes of that field of the process: VmRSS is what it holds now, VmHWM the most since `forget_peak`."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}")


def forget_peak() -> int:
    """Let the peak begin again; returns what the process holds."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def child(name: str, case_name: str, threads: int) -> dict[str, Any]:
    """In the process of its own."""
    [case] = select(case_name)
    try:
        engine = ENGINES[name](threads)
    except ImportError as error:
        return {"missing": str(error)}
    held = forget_peak()
    try:
        step = getattr(engine, case.kind)(case)     # makes the batch too, of at most a few megabytes
    except Unsupported as reason:
        return {"unsupported": str(reason)}
    for _ in range(3):
        step()
    first = status("VmHWM") - held
    forget_peak()
    for _ in range(STEPS):
        step()
    return {"held": held, "first": first, "later": status("VmHWM") - held}


def measure(name: str, case: str, threads: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", name, "--cases", case, "--threads", str(threads)]
    done = subprocess.run(command, env=environment(threads), capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {"error": (done.stderr.strip().splitlines() or ["?"])[-1][:200]}


def report(results: dict[str, Any]) -> str:
    engines = list(next(iter(results["cases"].values())))

    def cell(found: dict[str, Any]) -> str:
        if "first" not in found:
            return "; ".join(f"{key}: {value}" for key, value in found.items())
        return f"{found['first'] / 1e6:.0f}, {found['later'] / 1e6:.0f}"

    return ("MB above what the process holds after the import: the peak of making the model and of the first steps, "
            f"and the peak of {STEPS} later ones.\n\n"
            + table(["case", *engines], [[case, *map(cell, found.values())] for case, found in
                                         results["cases"].items()]))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the memory that training takes.")
    parser.add_argument("--cases", default=CASES, help="comma-separated (%(default)s)")
    parser.add_argument("--engines", default="fastrnn,torch,keras-jax,keras-tf", help="comma-separated (%(default)s)")
    parser.add_argument("--threads", type=int, default=runtime.get_num_threads(), help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder (%(default)s)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(arguments.child, arguments.cases, arguments.threads)))
        return
    if not os.path.exists("/proc/self/clear_refs"):
        sys.exit("memory.py: only Linux tells a process its peak of memory anew")
    results = {"machine": describe_machine(arguments.threads), "cases": {
        case.name: {name: measure(name, case.name, arguments.threads) for name in arguments.engines.split(",")}
        for case in select(arguments.cases)}}
    save("memory", report(results), results, arguments.out)


if __name__ == "__main__":
    main()
