# SPDX-License-Identifier: Apache-2.0
"""What `streaming.py` measured, as tables."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

from report import duration, table, times

from stepping.cases import CASES, STEPS

BY_NAME = {case.name: case for case in CASES}
OWN = "fastrnn"
# What is to be reached.
OF_LAYER = 1.3          # a step over one layer call on one step
OF_PARTS = 1e-6         # seconds of a stack's step over the sum of its layers'
OF_PEERS = {name: 2.0 for cell in ("lstm", "gru") for name in (f"step/{cell}/H32", f"step/{cell}/H64")}
OF_PEAK = 0.75          # of multiply-adds, many sessions
OF_FEED = 1.1           # a feed over one layer call on as many steps
P99, P999 = 3, 20       # over the median: idle, beside busy processes
OF_MODEL = {"frozen/reviews/N128": 1.5, "frozen/reviews/N1": 1.15, "frozen/small/N1": 1.0}
LOADING = 5e-3          # seconds


def goal(text: str, reached: bool) -> str:
    """What is not reached is bold."""
    return text if reached else f"**{text}**"


def middle(rounds: list[dict[str, Any]], *path: str) -> float | None:
    """The median over the rounds of a figure, if there is one."""
    found = []
    for entry in rounds:
        for key in path:
            entry = entry.get(key, {})
        if isinstance(entry, float):
            found.append(entry)
    return statistics.median(found) if found else None


class Row:
    """One case with so many threads: the medians over the rounds."""

    def __init__(self, name: str, threads: str, found: dict[str, list[dict[str, Any]]], least: float) -> None:
        self.name, self.threads, self.least, self.found = name, threads, least, found
        self.own, self.p99 = self.figure("median"), self.figure("p99")
        peers = {engine: middle(rounds, "median") for engine, rounds in found.items() if engine != OWN}
        present = {engine: value for engine, value in peers.items() if value}
        self.best = min(present, key=lambda engine: present[engine], default=None)
        self.best_time = present[self.best] if self.best else None

    def figure(self, *path: str) -> float | None:
        return middle(self.found.get(OWN, []), *path)

    def other(self, name: str) -> float | None:
        """A call of fastrnn's that is set beside the step."""
        return self.figure("others", name, "median")

    def peer(self) -> list[str]:
        """The best peer's time, and how many times fastrnn's it is."""
        if not self.own or not self.best_time:
            return [f"{duration(self.best_time)} {self.best}" if self.best else "", ""]
        ratio, wanted = self.best_time / self.own, OF_PEERS.get(self.name)
        told = times(ratio) if wanted is None else goal(f"{ratio:.2f}x", ratio >= wanted)
        return [f"{duration(self.best_time)} {self.best}", told]

    def head(self) -> list[str]:
        return [self.name, self.threads, duration(self.own)]


def steps_table(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        layer, beside, ratio = row.other("layer"), "", ""
        parts = [part for k in range(8) if (part := row.other(f"part {k}")) is not None]
        if layer and row.own:
            beside, ratio = duration(layer), goal(f"{row.own / layer:.2f}x", row.own <= OF_LAYER * layer)
        elif parts and row.own:
            beside = f"{duration(sum(parts))} its parts"
            ratio = goal(f"{(row.own - sum(parts)) * 1e6:+.2f} us", row.own <= sum(parts) + OF_PARTS)
        share = f"{row.least / row.own:.0%}" if row.own else ""
        lines.append([*row.head(), duration(row.p99), beside, ratio, *row.peer(), duration(row.least), share,
                      duration(row.other("exported"))])
    return (f"A step of one session: at most {OF_LAYER:g}x of `layer(x)` at T = 1, at most {OF_PARTS * 1e6:g} us more "
            "than a stack's parts, and twice as fast as the best peer at H = 32 and 64.\n\n"
            + table(["case", "threads", "fastrnn", "p99", "layer(x)", "step over it", "best peer", "ratio", "limit",
                     "share of the limit", "exported C"], lines))


def sessions_table(rows: list[Row], limits: dict[str, Any]) -> str:
    lines = []
    for row in rows:
        peak, flops, half = limits[row.threads]["peak"], BY_NAME[row.name].flops, row.other("half")

        def share(seconds: float | None, work: float, peak: float = peak) -> str:
            return goal(f"{work / seconds / peak:.0%}", work / seconds / peak >= OF_PEAK) if seconds else ""

        one, two = row.other("one thread"), row.other("two threads")
        lines.append([*row.head(), share(row.own, flops), duration(half), share(half, flops / 2), *row.peer(),
                      times(one / two if one and two else None)])
    return (f"A step of many sessions: {OF_PEAK:.0%} of the peak of multiply-adds or more, of all of them and of a "
            "random half. The last column: how many times the steps of one thread two threads of Python take, with a "
            "stream each.\n\n"
            + table(["case", "threads", "fastrnn", "share of the peak", "half", "share of the peak", "best peer",
                     "ratio", "two threads"], lines))


def feeds_table(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        feed, layer = row.other("feed"), row.other("layer of some")
        if feed and layer:
            lines.append([row.name, row.threads, duration(feed), duration(layer),
                          goal(f"{feed / layer:.2f}x", feed <= OF_FEED * layer)])
    if not lines:
        return ""
    return (f"{STEPS} steps in one `feed`: at most {OF_FEED:g}x of one `layer(x)` at T = {STEPS}.\n\n"
            + table(["case", "threads", "feed", "layer(x)", "feed over it"], lines))


def engines_table(results: dict[str, Any], rows: list[Row]) -> str:
    present = [name for name, told in results["engines"].items() if "missing" not in told]

    def cell(rounds: list[dict[str, Any]]) -> str:
        median = middle(rounds, "median")
        if median is not None:
            return f"{duration(median)} ({duration(middle(rounds, 'p99'))})"
        return "failed" if any("error" in entry for entry in rounds) else "-"

    lines = [[row.name, row.threads, *(cell(row.found.get(name, [])) for name in present)] for row in rows]
    return "Medians, and p99, of all engines:\n\n" + table(["case", "threads", *present], lines)


def tails_table(results: dict[str, Any]) -> str:
    lines = []
    for load, cases in results["tails"].items():
        for name, engines in cases.items():
            for engine, rounds in engines.items():
                found = {figure: middle(rounds, figure) for figure in ("median", "p99", "p999", "max")}
                if found["median"] is None:
                    continue
                p99, p999 = ((found[figure] or 0) / found["median"] for figure in ("p99", "p999"))
                told = [f"{p99:.1f}x", f"{p999:.1f}x"]
                if engine == OWN:
                    told = [goal(told[0], load != "0" or p99 <= P99), goal(told[1], load == "0" or p999 <= P999)]
                lines.append([name, load, engine, *(duration(value) for value in found.values()), *told])
    return (f"The slowest of {results['calls']} steps: fastrnn's p99 at most {P99}x its median on an idle machine, "
            f"p99.9 at most {P999}x beside busy processes.\n\n"
            + table(["case", "busy processes", "engine", "median", "p99", "p99.9", "longest", "p99 / median",
                     "p99.9 / median"], lines))


def frozen_table(results: dict[str, Any]) -> str:
    lines = []
    for threads, cases in results["frozen"].items():
        for name, engines in cases.items():
            [rounds] = engines.values()
            model, still = middle(rounds, "model"), middle(rounds, "frozen")
            if not still:
                continue
            ratio = goal(f"{model / still:.2f}x", model / still >= OF_MODEL[name]) if model else ""
            told = duration(still) if model else goal(duration(still), still <= LOADING)
            wanted = f"{OF_MODEL[name]:g}x" if model else f"at most {duration(LOADING)}"
            lines.append([name, threads, duration(model), told, ratio, wanted])
    return ("Frozen models beside `predict_on_batch` of the same model, in turn: called, the small one by `predict`; "
            "loading with a first prediction.\n\n"
            + table(["case", "threads", "predict_on_batch", "frozen", "ratio", "goal"], lines))


def reasons(results: dict[str, Any]) -> Iterator[str]:
    """Why there is no figure."""
    told: dict[str, list[str]] = {}
    for part in ("steps", "frozen", "tails"):
        for cases in results[part].values():
            for case, engines in cases.items():
                for engine, rounds in engines.items():
                    for entry in rounds:
                        if reason := entry.get("error") or entry.get("unsupported"):
                            names = told.setdefault(f"{engine}: {reason}", [])
                            if case not in names:
                                names.append(case)
    yield from (f"- {reason} ({', '.join(names)})" for reason, names in told.items())


def markdown(results: dict[str, Any]) -> str:
    """All tables; the machine is told by whoever prints them."""
    rows = [Row(name, threads, found, results["limit_seconds"][threads][name])
            for threads, cases in results["steps"].items() for name, found in cases.items()]
    rows.sort(key=lambda row: list(BY_NAME).index(row.name))
    one, many = ([row for row in rows if (BY_NAME[row.name].N > 1) == several] for several in (False, True))
    limits = "; ".join(f"{threads} thread{'s' * (threads != '1')}: {found['peak'] / 1e9:.0f} GFLOP/s, "
                       + ", ".join(f"{rate / 1e9:.0f} GB/s from {int(size) >> 10} KB"
                                   for size, rate in found["bandwidths"].items()) + " each"
                       for threads, found in results["limits"].items())
    missing = [f"{name} ({told['missing']})" for name, told in results["engines"].items() if "missing" in told]
    parts = ["; ".join(told["versions"] for told in results["engines"].values() if "versions" in told) + ".\n",
             f"Limits: {limits}. What is not reached is bold.\n"]
    if missing:
        parts.append("Not installed, so not measured: " + ", ".join(missing) + ".\n")
    if one:
        parts += [steps_table(one), feeds_table(one)]
    if many:
        parts.append(sessions_table(many, results["limits"]))
    parts.append(engines_table(results, rows))
    if results["tails"]:
        parts.append(tails_table(results))
    if any(results["frozen"].values()):
        parts.append(frozen_table(results))
    return "\n".join([*filter(None, parts), *reasons(results)])
