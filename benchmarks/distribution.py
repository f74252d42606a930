# SPDX-License-Identifier: Apache-2.0
"""Training by several processes: two ranks with a thread each beside one process with two threads, where the time of a
step goes, and what follows for more machines.

    python benchmarks/distribution.py [--rounds 5] [--cases film,lstm512]

Measured: samples a second of both, in turn; of a rank's step the seconds that sums over ranks take and the rest, and
the bytes it sends; the memory's speed, and that of MPI over the loopback. Calculated, and labelled so: what 4 to 64
machines would do that are as fast as a core of this one, each with the batch that a rank has here, by

    t = t_compute + 3 bytes / memory + 2 (R - 1) (latency + bytes / (R bandwidth))

an Allreduce of all gradients in a ring, which does not overlap with computing; whole tables, too, since the rows that
many machines' batches name come to as much.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np

import fastrnn
from fastrnn import distribution, runtime
from fastrnn.layers import LSTM, Dense, Embedding, Input

MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_hwloc_base_binding_policy": "core",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
}  # fmt: skip


def film() -> tuple[Any, np.ndarray, np.ndarray, int]:
    """The film reviews' model and its sizes; words by the law that their frequencies follow."""
    rng = np.random.default_rng(0)
    x = np.minimum(rng.zipf(1.3, (2048, 100)), 9999)
    model = fastrnn.Sequential([Input((100,), dtype="int32"), Embedding(10000, 128),
                                LSTM(128, dropout=0.2, recurrent_dropout=0.2), Dense(1, "sigmoid")])
    return model, x, rng.integers(0, 2, len(x)).astype("float32"), 128


def lstm512() -> tuple[Any, np.ndarray, np.ndarray, int]:
    """An LSTM of 512 units over 50 steps of 64 features."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((512, 50, 64)).astype("float32")
    model = fastrnn.Sequential([Input((50, 64)), LSTM(512), Dense(1, "sigmoid")])
    return model, x, rng.integers(0, 2, len(x)).astype("float32"), 64


CASES = {"film": film, "lstm512": lstm512}


# one process, or one rank -------------------------------------------------------------------------------------------

def child(case: str, kind: str) -> dict[str, float]:
    """Samples a second in an epoch after the first, and the costs of its steps."""
    team = None
    if kind != "alone":
        team = distribution.DataParallel(shards=8 if kind == "shards" else None)
        distribution.set_distribution(team)
    fastrnn.utils.set_random_seed(0)
    model, x, y, batch = CASES[case]()
    model.compile("adam", "binary_crossentropy")
    model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
    before = team.costs() if team else {}
    start = time.perf_counter()
    model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
    seconds, steps = time.perf_counter() - start, -(-len(x) // batch)
    found = {"samples_a_second": len(x) / seconds, "parameters": float(model.count_params())}
    if team:
        found |= {name: (value - before[name]) / steps for name, value in team.costs().items()}
    return found


def loopback() -> dict[str, float]:
    """Between two ranks: the seconds of a message of 8 bytes, and bytes a second of one of 16 MB, each way at once."""
    from mpi4py import MPI

    comm, found = MPI.COMM_WORLD, {}
    for name, size, repeats in (("latency", 8, 2000), ("bandwidth", 16 << 20, 20)):
        out, into = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
        times = []
        for _ in range(5):
            comm.Barrier()
            start = time.perf_counter()
            for _ in range(repeats):
                comm.Sendrecv(out, 1 - comm.rank, recvbuf=into, source=1 - comm.rank)
            times.append((time.perf_counter() - start) / repeats)
        found[name] = min(times) if name == "latency" else size / min(times)
    return found


# the measurement ---------------------------------------------------------------------------------------------------

def run(ranks: int, *arguments: str, threads: int = 1, tcp: bool = False) -> dict[str, float]:
    """What rank 0 of so many says; 0 ranks are a process without MPI."""
    mpirun = shutil.which("mpirun")
    if not mpirun:
        sys.exit("this needs MPI: apt install openmpi-bin")
    environment = {**os.environ, **MPI, "FASTRNN_NUM_THREADS": str(threads)}
    if tcp:
        environment |= {"OMPI_MCA_btl": "self,tcp", "OMPI_MCA_btl_tcp_if_include": "lo"}
    command = [*([mpirun, "-n", str(ranks)] if ranks else []), sys.executable, __file__, "--child", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))


def memory_bandwidth() -> float:
    """Bytes a second of adding one large array to another, two read and one written, on one core."""
    a, b = np.zeros(16 << 20, np.float32), np.ones(16 << 20, np.float32)
    times = []
    for _ in range(7):
        start = time.perf_counter()
        a += b
        times.append(time.perf_counter() - start)
    return 3 * a.nbytes / min(times)


def measure(case: str, rounds: int) -> dict[str, dict[str, float]]:
    """The medians of some rounds, in each of which all kinds run."""
    found: dict[str, list[dict[str, float]]] = {"alone": [], "ranks": [], "shards": []}
    for _ in range(rounds):
        found["alone"].append(run(0, case, "alone", threads=2))
        found["ranks"].append(run(2, case, "ranks"))
        found["shards"].append(run(2, case, "shards"))
    return {kind: {name: statistics.median(one[name] for one in every) for name in every[0]}
            for kind, every in found.items()}


def report(case: str, found: dict[str, dict[str, float]], batch: int, memory: float) -> None:
    """What was measured, and what follows."""
    alone, ranks = found["alone"], found["ranks"]
    print(f"\n## {case}\n\n| | samples a second | of one process | step | sums over ranks | the rest | sent a step |\n"
          "|---|--:|--:|--:|--:|--:|--:|")
    print(f"| 1 process, 2 threads | {alone['samples_a_second']:.0f} | 1.00x | | | | |")
    for kind, title in (("ranks", "2 ranks, 1 thread each"), ("shards", "the same, shards=8")):
        one = found[kind]
        rest = one["seconds"] - one["seconds_in_sums"]
        print(f"| {title} | {one['samples_a_second']:.0f} | {one['samples_a_second'] / alone['samples_a_second']:.2f}x "
              f"| {one['seconds'] * 1e3:.1f} ms | {one['seconds_in_sums'] * 1e3:.2f} ms | {rest * 1e3:.1f} ms "
              f"| {one['bytes_sent'] / 1e6:.2f} MB |")
    compute = ranks["seconds"] - ranks["seconds_in_sums"]
    summed = 4 * ranks["parameters"]
    print(f"\nCalculated, not measured: machines with a batch of {batch // 2} each, 50 us a message.\n\n"
          "| machines | 10 Gbit/s: step | of the speed without sums | 25 Gbit/s: step | of the speed without sums |\n"
          "|--:|--:|--:|--:|--:|")
    for machines in (4, 8, 16, 32, 64):
        cells = []
        for gigabits in (10, 25):
            part = 50e-6 + summed / machines / (gigabits * 1e9 / 8)
            step = compute + 3 * summed / memory + 2 * (machines - 1) * part
            cells.append(f"{step * 1e3:.1f} ms | {compute / step:.0%}")
        print(f"| {machines} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        if args.child == ["loopback"]:
            distribution.set_distribution(distribution.DataParallel())
        found = loopback() if args.child == ["loopback"] else child(*args.child)
        if distribution.distribution() is None or distribution.distribution().rank == 0:
            print(json.dumps(found), flush=True)
        return
    memory, shared, tcp = memory_bandwidth(), run(2, "loopback"), run(2, "loopback", tcp=True)
    print(f"{runtime.config()['processor']}: memory {memory / 1e9:.1f} GB/s in a sum, one core; MPI between two ranks")
    for way, of in (("shared memory", shared), ("TCP on the loopback", tcp)):
        print(f"by {way}: {of['latency'] * 1e6:.1f} us a message, {of['bandwidth'] / 1e9:.2f} GB/s each way at once")
    for case in args.cases.split(","):
        report(case, measure(case, args.rounds), CASES[case]()[3], memory)


if __name__ == "__main__":
    main()
