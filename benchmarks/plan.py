# SPDX-License-Identifier: Apache-2.0
"""Whether the kernels' plan (src/recurrent/plan.pxi) is the fastest one: threads over the batch, over the units, or one
alone; the input projected ahead of the steps, or with each step.

    python benchmarks/plan.py [--cells lstm,gru,rnn] [--kinds forward,train] [--threads 2]

Forces each plan on each shape of a grid, in turn, and names the shapes where the chosen one takes more than 5 % longer
than the best. A shape that seems so is measured once more, and longer, before it is named. Ctrl-C stops it, and what it
has measured is told.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases import Case, layer
from compare import describe_machine
from keras_engine import FastRnn
from report import duration, save, table
from turns import in_turn

from fastrnn import _core, runtime

BATCHES = [1, 2, 3, 4, 8, 16, 32, 128]
UNITS = [16, 32, 64, 128, 256, 512]
TIMES = [1, 5, 50]      # and 50 steps of four numbers, where all else is as wide as the layer
LARGEST = 5e8           # FLOPs of a case
WITHIN = 1.05

Choice = tuple[int, bool, bool]     # team, split_units, fused


def name(choice: Choice) -> str:
    team, split, fused = choice
    return f"{f'{team} over units' if split else f'{team} over batch' if team > 1 else 'alone'}, " \
           f"{'fused' if fused else 'ahead'}"


def choices(case: Case, threads: int) -> list[Choice]:
    """Whatever the plan could be; how the input is projected matters to the forward pass alone."""
    teams = sorted({threads, *(2**k for k in range(1, threads.bit_length()) if 2**k < threads)} - {1})
    vectors = -(-case.H // _core.kernels("float32").VECTOR_LENGTH)
    spread = [(1, False), *((team, False) for team in teams if team <= case.N),
              *((team, True) for team in teams if team <= vectors)]
    return [(*how, fused) for how in spread for fused in (False, True)]


def grid(kinds: list[str], cells: list[str]) -> list[Case]:
    cases = [layer(kind, cell, N, T, H, D)
             for kind, cell, N, H in itertools.product(kinds, cells, BATCHES, UNITS)
             for T, D in (*((T, H) for T in TIMES), (50, 4))]
    random.Random(0).shuffle(cases)             # a run that is stopped has seen something of everything
    return [case for case in cases if case.flops <= LARGEST]


def forced(choice: Choice, call: Callable[[], Any]) -> Callable[[], Any]:
    """The call under that plan."""
    force = _core.kernels("float32").force_plan

    def run() -> None:
        force(*choice)
        call()

    return run


def measure(case: Case, engine: FastRnn, threads: int, longer: int = 1) -> dict[str, Any]:
    """Seconds under each plan, the chosen one, and its time over the best."""
    kernels, call = _core.kernels("float32"), getattr(engine, case.kind)(case)
    kernels.force_plan()
    cell = kernels.CELLS[{"rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}[case.cell]]["number"]
    chosen = kernels.planned(cell, case.N, case.T, case.D, case.H, threads)
    try:
        times = in_turn({choice: forced(choice, call) for choice in choices(case, threads)}, 0.002 * longer,
                        2 + longer)
    finally:
        kernels.force_plan()
    best = min(times, key=lambda choice: times[choice])
    return {"case": case.name, "chosen": name(chosen), "best": name(best), "over": times[chosen] / times[best],
            "seconds": {name(choice): seconds for choice, seconds in times.items()}}


def report(rows: list[dict[str, Any]]) -> str:
    bad = sorted((row for row in rows if row["over"] > WITHIN), key=lambda row: -row["over"])
    mean = math.exp(sum(math.log(row["over"]) for row in rows) / len(rows))
    text = (f"{len(rows)} shapes: the chosen plan is within {WITHIN - 1:.0%} of the best for {len(rows) - len(bad)}; "
            f"on the average it takes {mean - 1:.1%} longer than the best.\n\n")
    return text + table(["case", "chosen", "best", "chosen takes", "times the best"], [
        [row["case"], row["chosen"], row["best"], duration(row["seconds"][row["chosen"]]), f"{row['over']:.2f}"]
        for row in bad])


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure whether the kernels choose the fastest plan.")
    parser.add_argument("--cells", default="lstm,gru,rnn", help="comma-separated (%(default)s)")
    parser.add_argument("--kinds", default="forward,train", help="comma-separated (%(default)s)")
    parser.add_argument("--threads", type=int, default=runtime.get_num_threads(), help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder (%(default)s)")
    arguments = parser.parse_args()
    machine, engine, rows = describe_machine(arguments.threads), FastRnn(arguments.threads), []
    try:
        for case in grid(arguments.kinds.split(","), arguments.cells.split(",")):
            row = measure(case, engine, arguments.threads)
            rows.append(row if row["over"] <= WITHIN else measure(case, engine, arguments.threads, longer=5))
    except KeyboardInterrupt:
        print("stopped")
    save("plan", report(rows), {"machine": machine, "shapes": rows}, arguments.out)


if __name__ == "__main__":
    main()
