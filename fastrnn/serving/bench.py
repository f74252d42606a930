# SPDX-License-Identifier: Apache-2.0
"""How long a frozen model's calls take on this machine, and how many threads are worth having: ``fastrnn bench``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn import _core, runtime
from fastrnn.layers.core.embedding import Embedding
from fastrnn.serving.frozen import Frozen

#: Kinds of calls are timed in so many turns, so that what disturbs the machine for a while falls on all of them.
_TURNS = 5
#: Of a median, what does not count as a difference.
_ALIKE = 0.05
#: Load of the machine beside this process from which it is not quiet.
_BUSY = 0.5


class Latency(NamedTuple):
    """Seconds of the calls of one kind.

    Attributes:
        work: what a call does.
        threads: that it may use.
        samples: rows, or sessions, of a call.
        calls: that were timed.
        median, p90, p99, p999, longest: half of the calls took no longer than `median`, 99 % no longer than `p99`.
        mean: of all.
    """

    work: str
    threads: int
    samples: int
    calls: int
    median: float
    p90: float
    p99: float
    p999: float
    longest: float
    mean: float


def measure(frozen: Frozen, batch: int = 32, steps: int = 100, threads: Sequence[int] | None = None,
            seconds: float = 1.0) -> list[Latency]:
    """Time one step, one sequence and a batch of a model on random inputs, with each number of threads.

    A model that cannot run step by step has no row for a step; one without a time axis has samples for sequences. The
    calls are made one at a time, with all numbers of threads in turn.

    Args:
        frozen: the model.
        batch: sequences of a batch.
        steps: time steps, where the model takes any number.
        threads: numbers of threads; None for 1, 2, 4 and so on up to `runtime.get_num_threads()`.
        seconds: of each kind of call with each number of threads.

    Raises:
        ValueError: an argument is not positive.

    Example:

    >>> import fastrnn
    >>> from fastrnn.serving import bench
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)])
    >>> [row.work for row in bench.measure(model.freeze(), threads=[1], steps=5, seconds=0.01)]
    ['one step', 'one sequence of 5 steps', '32 sequences of 5 steps']
    """
    given: dict[str, float] = {"batch": batch, "steps": steps, "seconds": seconds, "threads": min(threads or [1])}
    for name, value in given.items():
        if not value > 0:
            raise ValueError(f"bench {name}: expected more than 0, got {value!r}")
    before = runtime.get_num_threads()
    calls: dict[tuple[str, int, int], Callable[[], Any]] = {}
    try:
        for count in threads or _counts(before):
            runtime.set_num_threads(count)
            for work, (samples, call) in _works(frozen, batch, steps).items():
                calls[work, samples, count] = call
        found: dict[tuple[str, int, int], list[np.ndarray]] = {kind: [] for kind in calls}
        for _ in range(_TURNS):
            for kind, call in calls.items():
                runtime.set_num_threads(kind[2])
                found[kind].append(_timed(call, seconds / _TURNS))
    finally:
        runtime.set_num_threads(before)
    order = list(dict.fromkeys(work for work, _, _ in calls))
    rows = [_latency(*kind, np.concatenate(times)) for kind, times in found.items()]
    return sorted(rows, key=lambda row: (order.index(row.work), row.threads))


def recommended(rows: Sequence[Latency]) -> dict[str, Latency]:
    """Of each kind of call the row with the fewest threads whose median is at most 5 % above the shortest.

    Args:
        rows: from `measure`.
    """
    best: dict[str, Latency] = {}
    for work in dict.fromkeys(row.work for row in rows):
        mine = sorted((row for row in rows if row.work == work), key=lambda row: row.threads)
        least = min(row.median for row in mine)
        best[work] = next(row for row in mine if row.median <= (1 + _ALIKE) * least)
    return best


def bench(frozen: Frozen, batch: int = 32, steps: int = 100, threads: Sequence[int] | None = None,
          seconds: float = 1.0) -> str:
    """Measure and report: what ``fastrnn bench`` prints. Arguments and errors are those of `measure`."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return report(frozen, measure(frozen, batch, steps, threads, seconds), load)


def report(frozen: Frozen, rows: Sequence[Latency], load: float | None = None) -> str:
    """The rows as a table, with what they were measured on and what they speak for. Where too few calls were made for a
    percentile there is a dash.

    Args:
        frozen: the model.
        rows: from `measure`.
        load: of the machine before; None where it is not known.
    """
    head = ("", "threads", "median", "p90", "p99", "p99.9", "longest", "per second")
    table = [head, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) if not column else cell.rjust(width)
                       for column, (cell, width) in enumerate(zip(line, widths))) for line in table]
    processor = _core.cpu.processor_name() or "unknown processor"
    return "\n".join([f"{frozen.network.name}, frozen in {frozen.precision}; random inputs; {processor}, {_core.isa}, "
                      f"{os.cpu_count()} cores", "", *lines, "", *_advice(frozen, rows, load)])


def _cells(row: Latency) -> tuple[str, ...]:
    p99, p999 = (_duration(value) if row.calls >= least else "-" for value, least in ((row.p99, 100), (row.p999, 1000)))
    return (row.work, str(row.threads), _duration(row.median), _duration(row.p90), p99, p999, _duration(row.longest),
            f"{row.samples / row.mean:,.0f}")


def _advice(frozen: Frozen, rows: Sequence[Latency], load: float | None) -> list[str]:
    """What the rows recommend, and how far that goes."""
    best = recommended(rows)
    lines = []
    for work, row in best.items():
        others = [(other.median / row.median, other.threads) for other in rows
                  if other.work == work and other.threads != row.threads]
        beside = ", ".join(f"{threads} took {ratio:.2f} times as long" for ratio, threads in others)
        lines.append(f"{work}: {_threads(row.threads)}" + (f" ({beside})" if beside else ""))
    settings = sorted({row.threads for row in best.values()})
    if len(settings) == 1:
        lines.append(f"Recommended for this model on this machine: FASTRNN_NUM_THREADS={settings[0]}")
    else:
        lines.append("Recommended for this model on this machine: FASTRNN_NUM_THREADS as above, by what the process "
                     "does most")
    if len({row.threads for row in rows}) > 1:
        lines.append("Medians within 5 % count as the same; of such, the fewest threads, which leave cores to other "
                     "processes.")
    if reason := _no_stream(frozen):
        lines.append(f"No row for one step: {reason}")
    if load is not None and load > _BUSY:
        lines.append(f"Other programs ran before (load {load:.1f}). If they still did, the figures are not reliable: "
                     "measure again on a quiet machine.")
    lines.append("One call at a time was measured; processes that share the cores want fewer threads each.")
    return lines


def _no_stream(frozen: Frozen) -> str:
    """Why a model cannot run step by step; empty if it can."""
    try:
        frozen.stream()
    except ValueError as reason:
        return str(reason)
    return ""


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count != 1)}"


def _counts(most: int) -> list[int]:
    """1, 2, 4, ..., `most`."""
    return sorted({*(1 << k for k in range(most.bit_length()) if 1 << k <= most), most})


def _works(frozen: Frozen, batch: int, steps: int) -> dict[str, tuple[int, Callable[[], Any]]]:
    """By what a call does: its samples and the call, with the threads that are set now."""
    works: dict[str, tuple[int, Callable[[], Any]]] = {}
    xs = _inputs(frozen, batch, steps)
    timed = xs[0].ndim > 2 or xs[0].dtype.kind == "i"
    if not _no_stream(frozen):
        stream, features = frozen.stream(), xs[0].ndim == 2 and xs[0].dtype.kind == "f"
        row = np.ascontiguousarray(xs[0][:1] if features else xs[0][:1, 0])
        works["one step"] = 1, lambda: stream.step(row)
    each = f"sequence{{}} of {xs[0].shape[1]} steps" if timed else "sample{}"
    one, many = [x[:1] for x in xs], xs
    first, all_ = (given[0] if len(given) == 1 else given for given in (one, many))
    works["one " + each.format("")] = 1, lambda: frozen(first)
    if batch > 1:
        works[f"{batch} " + each.format("s")] = batch, lambda: frozen(all_)
    return works


def _inputs(frozen: Frozen, batch: int, steps: int) -> list[np.ndarray]:
    """Random inputs: any row of the tables that they are indices of, else normal numbers."""
    random, found = np.random.default_rng(0), []
    for symbol, takers in zip(frozen.network.inputs, frozen.network.schedule().takers):
        shape = (batch, *(steps if size is None else size for size in symbol.shape[1:]))
        tables = [taker.layer for taker in takers if isinstance(taker.layer, Embedding)]
        if any(taker.kind == "index" for taker in takers) or not symbol.dtype.startswith("float"):
            high = min((table.input_dim for table in tables), default=2)
            low = int(high > 1 and any(table.mask_zero for table in tables))        # 0 is padding then
            found.append(random.integers(low, high, shape).astype("int32"))
        else:
            found.append(random.standard_normal(shape).astype(symbol.dtype))
    return found


def _timed(call: Callable[[], Any], seconds: float) -> np.ndarray:
    """Seconds of each call of so long, two at least, after some that bring data into the caches and wake threads."""
    times: list[int] = []
    clock = time.perf_counter_ns
    for _ in range(3):
        call()
    start = clock()
    end = start + int(seconds * 1e9)
    while start < end or len(times) < 2:
        call()
        now = clock()
        times.append(now - start)
        start = now
    return np.array(times) * 1e-9


def _latency(work: str, samples: int, threads: int, times: np.ndarray) -> Latency:
    median, p90, p99, p999 = np.percentile(times, (50, 90, 99, 99.9)).tolist()
    return Latency(work, threads, samples, len(times), median, p90, p99, p999, float(times.max()), float(times.mean()))


def _duration(seconds: float) -> str:
    """Microseconds, milliseconds or seconds with three digits."""
    unit, scale = next(((unit, scale) for unit, scale in (("s", 1.0), ("ms", 1e-3)) if seconds >= scale), ("us", 1e-6))
    return f"{seconds / scale:.3g} {unit}" if seconds < 100 * scale else f"{seconds / scale:.0f} {unit}"
