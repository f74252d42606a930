# SPDX-License-Identifier: Apache-2.0
"""How the cost of a layer grows with time steps, batch, units, input and threads, and whether it does without a cliff.

    python benchmarks/growth.py [--engines fastrnn,onnxruntime,torch] [--rounds 3]

Each engine runs in processes of its own, as in `compare.py`. The sizes of `AWKWARD` are compared with a smooth curve:
what a multiplication costs there with what it costs at the regular sizes around, interpolated on logarithmic axes.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import limit
import numpy as np
from cases import Case, layer, select
from compare import describe_machine, run_engine
from report import save, shorten, table

from fastrnn import runtime

KINDS = [("forward", "lstm"), ("forward", "gru"), ("forward", "rnn"), ("train", "lstm")]
#: What grows -> the other sizes.
AXES: dict[str, dict[str, Any]] = {
    "T": {"N": 8, "H": 128}, "N": {"T": 50, "H": 128}, "H": {"N": 32, "T": 20}, "H at N = 1": {"N": 1, "T": 100},
    "D": {"N": 32, "T": 20, "H": 128},
}
REGULAR = {
    "T": [10, 30, 100, 300, 1000, 3000, 10000], "N": [2**k for k in range(11)], "H": [2**k for k in range(4, 11)],
    "D": [2**k for k in range(3, 10)],
}
AWKWARD = {"N": [3, 7, 17, 33], "H": [96, 100, 129, 200, 1000], "D": [1, 3, 300]}
#: What grows with threads: a batch that is split, and a layer that is.
THREADED: list[dict[str, Any]] = [{"N": 128, "T": 50, "H": 128}, {"N": 1, "T": 100, "H": 512}]
CLIFF = 1.25            # times the smooth curve


def curve(kind: str, cell: str, axis: str, sizes: list[int]) -> list[Case]:
    """A case for each size."""
    return [layer(kind, cell, **AXES[axis], **{axis[0]: size}) for size in sizes]


def threaded(kind: str, cell: str) -> list[Case]:
    return [layer(kind, cell, **sizes) for sizes in THREADED]


def run(arguments: argparse.Namespace, engine: str, cases: list[Case], threads: int) -> dict[str, float]:
    """The best median of the rounds for each case that the engine can do."""
    best: dict[str, float] = {}
    arguments = argparse.Namespace(**{**vars(arguments), "threads": threads})
    for number in range(arguments.rounds if engine == "fastrnn" else 1):
        print(f"{engine}, {threads} threads, round {number + 1}", flush=True)
        failed: dict[str, list[str]] = {}
        for line in run_engine(engine, cases, arguments):
            if "seconds" in line:
                best[line["case"]] = min(line["seconds"], best.get(line["case"], math.inf))
            elif "error" in line or "missing" in line:
                failed.setdefault(line.get("error") or line["missing"], []).append(line.get("case", "all"))
        for reason, names in failed.items():
            print(f"  {reason} ({shorten(names)})", flush=True)
    return best


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    most = arguments.threads
    counts = sorted({most, *(2**k for k in range(most.bit_length()) if 2**k < most)})
    results: dict[str, Any] = {"machine": describe_machine(most), "threads": {}}
    before = {count: limit.measure(threads=count) for count in counts}
    for count in counts:
        cases = [case for kind in KINDS for case in threaded(*kind)]
        if count == most:
            cases += [case for kind in KINDS for axis in AXES for case in curve(*kind, axis, REGULAR[axis[0]])]
        awkward = [case for kind in KINDS for axis in AXES for case in curve(*kind, axis, AWKWARD.get(axis[0], []))]
        entry: dict[str, Any] = {"limit": {}, "engines": {}}
        for engine in arguments.engines.split(","):
            own = cases + (awkward if engine == "fastrnn" and count == most else [])
            # neighbours one after the other: the machine is then the same for them
            unique = {case.name: case for case in sorted(own, key=lambda c: (c.kind, c.cell, c.N, c.T, c.D, c.H))}
            entry["engines"][engine] = run(arguments, engine, list(unique.values()), count)
            entry["limit"] |= {case.name: case.seconds(before[count]) for case in unique.values()}
        after = limit.measure(threads=count)        # a machine that was busy at the start had no limit to tell
        entry["peak"] = before[count].peak, after.peak
        entry["limit"] = {name: min(least, select(name)[0].seconds(after)) for name, least in entry["limit"].items()}
        results["threads"][count] = entry
    return results


def point(entry: dict[str, Any], case: Case) -> tuple[float | None, float | None, float]:
    """Seconds of fastrnn, of the fastest peer, and the limit."""
    peers = [times[case.name] for engine, times in entry["engines"].items()
             if engine != "fastrnn" and case.name in times]
    return entry["engines"].get("fastrnn", {}).get(case.name), min(peers, default=None), entry["limit"][case.name]


def growth(results: dict[str, Any]) -> str:
    """A table for each axis: share of the limit, and ratio to the best peer."""

    def cell(entry: dict[str, Any], case: Case) -> str:
        own, peer, least = point(entry, case)
        if own is None:
            return ""
        return f"{least / own:.0%}" + (f", {peer / own:.2f}x" if peer else "")

    entry = results["threads"][max(results["threads"])]
    first, last = entry["peak"]
    text = (f"Peak {first / 1e9:.0f} GFLOP/s before and {last / 1e9:.0f} after: where they differ, the machine was "
            "busy. Share of the limit, and how many times faster than the best peer.\n")
    for axis, rest in AXES.items():
        sizes = REGULAR[axis[0]]
        rows = [[f"{kind} {name}", *(cell(entry, case) for case in curve(kind, name, axis, sizes))]
                for kind, name in KINDS]
        fixed = ", ".join(f"{letter} = {value}" for letter, value in rest.items())
        text += f"\n{axis[0]} grows; {fixed}{'' if axis == 'D' else ', D = H'}:\n\n"
        text += table([axis[0], *map(str, sizes)], rows)
    text += "\nThreads grow:\n\n"
    return text + table(["case", *(f"{count}" for count in results["threads"]), "times as fast with all"], [
        [case.name, *(cell(one, case) for one in results["threads"].values()), speedup(results, case)]
        for kind in KINDS for case in threaded(*kind)])


def speedup(results: dict[str, Any], case: Case) -> str:
    own = [point(entry, case)[0] for entry in results["threads"].values()]
    return f"{own[0] / own[-1]:.2f}" if own[0] and own[-1] else ""


def cliffs(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Each awkward size and the cost of a multiplication there over that of the smooth curve."""
    entry = results["threads"][max(results["threads"])]
    own = entry["engines"].get("fastrnn", {})

    def cost(case: Case) -> float:
        return math.log(own[case.name] / case.flops)

    found = []
    for kind in KINDS:
        for axis in AXES:
            regular = [case for case in curve(*kind, axis, REGULAR[axis[0]]) if case.name in own]
            places = [math.log(getattr(case, axis[0])) for case in regular]
            for case in curve(*kind, axis, AWKWARD.get(axis[0], [])):
                if case.name in own and regular:
                    smooth = np.interp(math.log(getattr(case, axis[0])), places, [cost(c) for c in regular])
                    found.append({"case": case.name, "axis": axis, "over": math.exp(cost(case) - float(smooth))})
    return found


def report(results: dict[str, Any]) -> str:
    found = results["cliffs"] = cliffs(results)
    worst = sorted(found, key=lambda f: -f["over"])
    bad = sum(f["over"] > CLIFF for f in found)
    rows = [[f["case"], f["axis"], f"{f['over']:.2f}", "**cliff**" if f["over"] > CLIFF else ""]
            for f in worst[:max(10, bad)]]
    return (f"{growth(results)}\nCliffs: {bad} of {len(found)} awkward sizes cost more than {CLIFF:g} times the smooth "
            f"curve. The worst:\n\n{table(['case', 'axis', 'times the curve', ''], rows)}")


def picture(results: dict[str, Any], path: Path) -> None:
    """GFLOP/s over each axis: fastrnn, the best peer, the limit."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    entry = results["threads"][max(results["threads"])]
    figure, grid = pyplot.subplots(len(KINDS), len(AXES), figsize=(16, 11), sharex="col", sharey=True,
                                   layout="constrained", squeeze=False)
    for line, (kind, cell) in zip(grid, KINDS):
        for axes, (axis, rest) in zip(line, AXES.items()):
            cases = curve(kind, cell, axis, REGULAR[axis[0]])
            odd = curve(kind, cell, axis, AWKWARD.get(axis[0], []))
            for which, chosen, style in (
                (2, cases, {"color": "#d1242f", "linewidth": 1, "label": "limit of the machine"}),
                (1, cases, {"color": "#8b949e", "marker": ".", "label": "best peer"}),
                (0, cases, {"color": "#1f6feb", "marker": "o", "markersize": 4, "label": "fastrnn"}),
                (0, odd, {"color": "#1f6feb", "marker": "x", "linestyle": "", "label": "fastrnn, awkward sizes"}),
            ):
                known = [(getattr(case, axis[0]), case.flops / time / 1e9) for case in chosen
                         if (time := point(entry, case)[which])]
                axes.plot(*zip(*known) if known else ([], []), **style)
            axes.set(xscale="log", yscale="log")
            axes.grid(color="#eeeeee")
            axes.spines[["top", "right"]].set_visible(False)
            if kind == KINDS[0][0] and cell == KINDS[0][1]:
                axes.set_title(f"{axis[0]} grows; " + ", ".join(f"{k} = {v}" for k, v in rest.items()), fontsize=10)
        line[0].set_ylabel(f"{kind} {cell}: GFLOP/s")
    for axes, axis in zip(grid[-1], AXES):
        axes.set_xlabel(axis[0])
    figure.legend(*grid[0][1].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how the cost of a layer grows.")
    parser.add_argument("--engines", default="fastrnn,onnxruntime,torch", help="comma-separated (%(default)s)")
    parser.add_argument("--threads", type=int, default=runtime.get_num_threads(), help="at most (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of fastrnn, the best of which counts (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.1, help="for each case and round (%(default)s)")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds that a process may take (%(default)g)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder (%(default)s)")
    arguments = parser.parse_args()
    results = measure(arguments)
    save("growth", report(results), results, arguments.out)
    picture(results, arguments.out / "growth.png")


if __name__ == "__main__":
    main()
