# SPDX-License-Identifier: Apache-2.0
"""An engine's process: it checks each case against the formula, times it, and prints a JSON object a line."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from workloads import Unsupported

from stepping.cases import NEAR, Case
from stepping.engine import Step, StreamEngine
from stepping.mobile import LiteRt, Mnn, Ncnn
from stepping.own import FastRnn, frozen
from stepping.peers import OnnxRuntime, OpenVino, Torch

ENGINES: dict[str, type[StreamEngine]] = {
    "fastrnn": FastRnn, "litert": LiteRt, "mnn": Mnn, "ncnn": Ncnn, "onnxruntime": OnnxRuntime, "openvino": OpenVino,
    "torch": Torch,
}
FROZEN = "frozen"       # fastrnn's frozen models beside its other ones
#: What is told of the times of single calls.
FIGURES: dict[str, Callable[[Any], float]] = {
    "median": np.median, "max": np.max,
    "p99": lambda found: np.percentile(found, 99), "p999": lambda found: np.percentile(found, 99.9)}


def times(run: Callable[[], Any], seconds: float, calls: int) -> np.ndarray:
    """Seconds of each call: of so many calls, or of those that so many seconds have room for if `calls` is 0."""
    for _ in range(5):
        run()
    found: list[int] = []
    clock = time.perf_counter_ns
    warm = clock() + int(seconds * 1e8)         # a tenth, for caches, clocks and threads
    while clock() < warm:
        run()
    start = clock()
    end = start + int(seconds * 1e9)
    while len(found) < calls if calls else start < end or len(found) < 20:
        run()
        now = clock()
        found.append(now - start)
        start = now
    return np.array(found) * 1e-9


def figures(run: Callable[[], Any], seconds: float, calls: int = 0) -> dict[str, float]:
    found = times(run, seconds, calls)
    return {name: float(figure(found)) for name, figure in FIGURES.items()}


def check(case: Case, step: Step) -> None:
    """Take the first steps. Raises ArithmeticError if one is not what the formula gives."""
    for number, (x, expected) in enumerate(zip(case.inputs(), case.outputs())):
        error = float(np.abs(np.asarray(step(x)) - expected).max())
        if not error <= NEAR:
            raise ArithmeticError(f"step {number} is {error:.2g} from the formula")


def run(name: str, cases: list[Case], threads: int, seconds: float, calls: int) -> None:
    """Print what the engine is, and the figures of each case: of so many calls, wherever the system has them run, or of
    some seconds if `calls` is 0."""

    def tell(line: dict[str, Any]) -> None:
        print("\n" + json.dumps(line), flush=True)      # some print lines of their own, and do not end them

    if hasattr(os, "sched_setaffinity") and not calls:      # not every engine can be told a number of threads
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    if name == FROZEN:
        for case_name, found in frozen(threads):
            tell({"case": case_name, **found})
        return
    try:
        engine = ENGINES[name](threads)
    except ImportError as error:
        tell({"missing": str(error)})
        return
    tell({"versions": engine.versions()})
    for case in cases:
        line: dict[str, Any] = {"case": case.name}
        try:
            step, x = engine.step(case), case.inputs()[0]
            check(case, step)
            line |= figures(lambda step=step, x=x: step(x), seconds, calls)  # type: ignore[misc]
            if not calls:
                line["others"] = {other: figures(call, seconds) for other, call in engine.others(case).items()}
                line["others"] |= {other: {"median": found} for other, found in engine.alone(case, seconds).items()}
        except Unsupported as reason:
            line["unsupported"] = str(reason)
        except Exception as error:              # whatever a peer may raise: it is told in the report
            line["error"] = f"{type(error).__name__}: {error}"[:300]
        tell(line)
