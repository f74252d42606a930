# SPDX-License-Identifier: Apache-2.0
"""What this machine can do: multiply-adds a second, and bytes a second from its caches and its memory.

    python benchmarks/limit.py [--isa avx2] [--threads 2]

A small C program, made and run on the spot, measures it with nothing but vector instructions, so that it owes nothing
to the library that is judged by it. Without a C compiler a NumPy product stands in for it, which is no true limit.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

#: For each instruction set: bytes of a vector, chains of multiply-adds that run side by side, compiler flags. The
#: chains must hide the latency of both pipes and fit the registers.
ISAS = {
    "avx512": (64, 24, ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mavx2", "-mfma"]),
    "avx2": (32, 12, ["-mavx2", "-mfma"]),
    "neon": (16, 24, []),
    "baseline": (16, 12, []),
}
#: Bytes that each thread reads over and over, from what fits the second cache to what fits none; and less, from what
#: fits the first, which is what single steps of small layers read.
SIZES = [256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20, 8 << 20, 16 << 20, 64 << 20]
SMALL_SIZES = [32 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20]

PROBE = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef float vec __attribute__((vector_size(VECTOR)));
typedef long long whole __attribute__((vector_size(VECTOR)));
enum { LANES = VECTOR / 4 };

#define EACH_12(S) S(0) S(1) S(2) S(3) S(4) S(5) S(6) S(7) S(8) S(9) S(10) S(11)
#define EACH_24(S) EACH_12(S) S(12) S(13) S(14) S(15) S(16) S(17) S(18) S(19) S(20) S(21) S(22) S(23)
#define JOIN(a, b) a##b
#define EACH_OF(n) JOIN(EACH_, n)
#define EACH EACH_OF(CHAINS)

static int threads, waiting;
static long bytes;              /* read by each thread, or 0: multiply-adds instead */
static long passes;
static double began[256], ended[256];
static volatile float sink[256];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

static void multiply_add(int id, long n) {
  vec m, c, sum = {0};
  for (int l = 0; l < LANES; l++) { m[l] = 0.999f - 1e-4f * id; c[l] = 0.001f; }
#define START(k) vec a##k = c * (float)(k + 1);
#define NEXT(k) a##k = a##k * m + c;
#define ADD(k) sum += a##k;
  EACH(START)
  for (long i = 0; i < n; i++) { EACH(NEXT) }
  EACH(ADD)
  sink[id] = sum[0];
}

static void read_all(int id, const whole *p, long n) {
  whole s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}, s4 = {0}, s5 = {0}, s6 = {0}, s7 = {0};
  for (long pass = 0; pass < n; pass++) {
    const whole *q = p, *end = p + bytes / VECTOR;
    for (; q < end; q += 8) {
      s0 |= q[0]; s1 |= q[1]; s2 |= q[2]; s3 |= q[3]; s4 |= q[4]; s5 |= q[5]; s6 |= q[6]; s7 |= q[7];
    }
    __asm__ volatile("" ::: "memory");          /* or one pass would do */
  }
  s0 |= s1 | s2 | s3 | s4 | s5 | s6 | s7;
  sink[id] = (float)s0[0];
}

static void *work(void *argument) {
  int id = (int)(long)argument;
  char *buffer = NULL;
  if (bytes) {
    if (posix_memalign((void **)&buffer, 4096, bytes)) exit(1);
    for (long i = 0; i < bytes; i++) buffer[i] = (char)(i + id);
    read_all(id, (whole *)buffer, 1);
  } else multiply_add(id, passes / 4);          /* awake, at full clock */
  __atomic_add_fetch(&waiting, 1, __ATOMIC_ACQ_REL);
  while (__atomic_load_n(&waiting, __ATOMIC_ACQUIRE) < threads) { }
  began[id] = now();
  if (bytes) read_all(id, (whole *)buffer, passes); else multiply_add(id, passes);
  ended[id] = now();
  free(buffer);
  return NULL;
}

/* arguments: threads bytes passes; prints operations or bytes a second of all threads */
int main(int count, char **arguments) {
  pthread_t team[256];
  double first = 1e300, last = 0;
  if (count != 4 || (threads = atoi(arguments[1])) < 1 || threads > 256) return 2;
  bytes = atol(arguments[2]);
  passes = atol(arguments[3]);
  for (long i = 0; i < threads; i++) pthread_create(&team[i], NULL, work, (void *)i);
  for (int i = 0; i < threads; i++) pthread_join(team[i], NULL);
  for (int i = 0; i < threads; i++) {
    if (began[i] < first) first = began[i];
    if (ended[i] > last) last = ended[i];
  }
  printf("%.6e\n", (bytes ? (double)bytes : 2.0 * LANES * CHAINS) * passes * threads / (last - first));
  return 0;
}
"""


class Limit(NamedTuple):
    """What the machine can do with `threads` threads."""

    isa: str
    threads: int
    core_peak: float                # FLOP/s of one thread
    peak: float                     # and of all of them
    core_bandwidth: dict[int, float]    # bytes/s that one thread reads from so many bytes
    bandwidths: dict[int, float]        # and all threads together, from so many bytes each
    note: str = ""

    def bandwidth(self, size: float) -> float:
        """Bytes a second at which all threads together read `size` bytes over and over, each its share."""
        share = size / self.threads
        fits = [measured for measured in self.bandwidths if measured >= share]
        return self.bandwidths[min(fits) if fits else max(self.bandwidths)]

    def lines(self) -> list[str]:
        """To be printed."""
        each = "1 thread" if self.threads == 1 else f"1 thread, then {self.threads} threads"
        table = [f"instruction set {self.isa}; {each}",
                 f"  multiply-adds     {self.core_peak / 1e9:8.1f} {self.peak / 1e9:8.1f} GFLOP/s"]
        for size, rate in self.bandwidths.items():
            name = f"{size >> 10} KB" if size < 1 << 20 else f"{size >> 20} MB"
            table.append(f"  read {name:>7} each {self.core_bandwidth[size] / 1e9:8.1f} {rate / 1e9:8.1f} GB/s")
        return table + ([f"  note: {self.note}"] if self.note else [])


def _compile(isa: str, folder: str) -> str:
    """The path of the probe. Raises OSError or CalledProcessError if it cannot be had."""
    compiler = os.environ.get("CC", "").split() or [shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")]
    if compiler[0] is None:
        raise OSError("no C compiler")
    vector, chains, flags = ISAS[isa]
    source, program = Path(folder, "probe.c"), str(Path(folder, "probe"))
    source.write_text(PROBE)
    subprocess.run([*compiler, "-O2", "-ffp-contract=fast", *flags, f"-DVECTOR={vector}", f"-DCHAINS={chains}",
                    str(source), "-o", program, "-pthread"], check=True, capture_output=True, text=True)
    return program


def _rate(program: str, isa: str, threads: int, size: int, seconds: float, rounds: int) -> float:
    """The best of some runs: whatever else the machine does can only slow one down."""

    def run(passes: int) -> float:
        done = subprocess.run([program, str(threads), str(size), str(passes)], check=True, capture_output=True,
                              text=True)
        return float(done.stdout)

    vector, chains, _ = ISAS[isa]
    work = (size if size else vector // 2 * chains) * threads       # bytes or operations of a pass
    passes = max(2, round((1 << 28) / work))
    passes = max(2, round(run(passes) * seconds / work))
    return max(run(passes) for _ in range(rounds))


def _numpy(isa: str, threads: int, reason: str) -> Limit:
    a = np.ones((1024, 1024), "float32")
    best = 1e30
    for _ in range(8):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    copy = np.ones(1 << 18, "float32")
    start = time.perf_counter()
    for _ in range(100):
        copy.max()
    read = 100 * copy.nbytes / (time.perf_counter() - start)
    note = f"{reason}: these are NumPy's figures (a product of 1024 x 1024 matrices, max of 1 MB), no true limits"
    return Limit(isa, threads, 2 * 1024**3 / best, 2 * 1024**3 / best, {1 << 20: read}, {1 << 20: read}, note)


def best_isa() -> str:
    """What `FASTRNN_ISA` forces, else the widest instruction set of this processor."""
    from fastrnn._core import cpu

    return os.environ.get("FASTRNN_ISA") or cpu.instruction_sets()[0]


def measure(isa: str | None = None, threads: int = 1, seconds: float = 0.1, rounds: int = 5,
            sizes: Sequence[int] = SIZES) -> Limit:
    """Measure the limits.

    Args:
        isa: instruction set, `best_isa()` if None.
        threads: how many run at once.
        seconds, rounds: of each of the figures the best round counts.
        sizes: bytes that are read.
    """
    isa = isa or best_isa()
    with tempfile.TemporaryDirectory(prefix=f"fastrnn-{isa}-") as folder:
        try:
            program = _compile(isa, folder)
            core_peak = _rate(program, isa, 1, 0, seconds, rounds)
        except subprocess.CalledProcessError as error:
            return _numpy(isa, threads, f"the probe failed ({(error.stderr or str(error)).strip().splitlines()[-1]})")
        except OSError as error:
            return _numpy(isa, threads, str(error))
        core = {size: _rate(program, isa, 1, size, seconds, rounds) for size in sizes}
        if threads == 1:
            return Limit(isa, 1, core_peak, core_peak, core, core)
        peak = _rate(program, isa, threads, 0, seconds, rounds)
        return Limit(isa, threads, core_peak, peak, core,
                     {size: _rate(program, isa, threads, size, seconds, rounds) for size in sizes})


def median(limits: Sequence[Limit]) -> Limit:
    """The median of each figure of limits that were measured alike: clocks move by some percent within minutes."""

    def each(rates: Sequence[dict[int, float]]) -> dict[int, float]:
        return {size: statistics.median(rate[size] for rate in rates) for size in rates[0]}

    return limits[0]._replace(
        core_peak=statistics.median(one.core_peak for one in limits),
        peak=statistics.median(one.peak for one in limits),
        core_bandwidth=each([one.core_bandwidth for one in limits]),
        bandwidths=each([one.bandwidths for one in limits]),
    )


def main() -> None:
    from fastrnn import runtime

    parser = argparse.ArgumentParser(description="Measure multiply-adds and read bandwidth of this machine.")
    parser.add_argument("--isa", choices=ISAS, help="instruction set (what fastrnn uses)")
    parser.add_argument("--threads", type=int, default=runtime.get_num_threads())
    parser.add_argument("--seconds", type=float, default=0.1, help="length of a round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds for each figure, the best of which counts")
    arguments = parser.parse_args()
    print("\n".join(measure(arguments.isa, arguments.threads, arguments.seconds, arguments.rounds).lines()))


if __name__ == "__main__":
    main()
