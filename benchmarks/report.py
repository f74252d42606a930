# SPDX-License-Identifier: Apache-2.0
"""The results of `compare.py` as a table, as JSON and as a picture; and what the other programs need to write theirs.

    python benchmarks/report.py benchmarks/results/compare.json     # the table and the picture once more
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from cases import CASES

BY_NAME = {case.name: case for case in CASES}


def table(head: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table, the first column to the left."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(str(value) for value in line)} |" for line in lines) + "\n"


def preface(machine: dict[str, Any]) -> str:
    """What the figures were measured on, as a sentence."""
    return (f"{machine['processor']}, {machine['threads']} of {machine['cores']} cores, {machine['system']}, Python "
            f"{machine['python']}, {machine['date']}, load {machine['load']} at the start. float32.")


def save(name: str, text: str, results: dict[str, Any], folder: Path) -> None:
    """Print the machine and the text; write them and the results to the folder as `name`.md and `name`.json."""
    folder.mkdir(parents=True, exist_ok=True)
    text = f"{preface(results['machine'])}\n\n{text}"
    (folder / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    print(f"{text}\nwritten: {folder / name}.json, .md", flush=True)


class Row:
    """One case's results, compared."""

    def __init__(self, name: str, entry: dict[str, Any]) -> None:
        self.name, self.case = name, BY_NAME[name]
        self.limit: float = statistics.median(entry["limit_rounds"])
        self.flops: float = entry["flops"]
        times = {engine: value["seconds"] for engine, value in entry["engines"].items() if "seconds" in value}
        self.own: float | None = times.pop("fastrnn", None)
        self.best = min(times, key=lambda engine: times[engine], default=None)
        self.best_time = times[self.best] if self.best else None
        keras = [value for engine, value in times.items() if engine.startswith("keras")]
        self.keras = min(keras, default=None)
        rounds = {engine: value["rounds"] for engine, value in entry["engines"].items() if "seconds" in value}
        # of each round of fastrnn its time, and the share of the limit that was measured in it
        self.own_rounds = [(own, limit / own) for own, limit in zip(rounds.pop("fastrnn", []), entry["limit_rounds"])]
        self.best_fastest: float | None = min(map(min, rounds.values()), default=None)

    def share(self) -> str:
        """The share of the limit."""
        return f"{statistics.median(share for _, share in self.own_rounds):.0%}" if self.own_rounds else ""

    def fastest_rounds(self) -> str:
        """The ratio and the share of the limit, of each engine's fastest round: the one that whatever else ran on the
        machine, or beside it on its host, disturbed least."""
        if not self.own_rounds:
            return ""
        own, share = min(self.own_rounds)
        ratio = times(self.best_fastest / own if self.best_fastest else None)
        return f"{ratio} {share:.0%}".strip()

    def ratio(self) -> float | None:
        """Best peer / fastrnn: above 1 fastrnn is faster."""
        return self.best_time / self.own if self.best_time and self.own else None

    def keras_ratio(self) -> float | None:
        return self.keras / self.own if self.keras and self.own else None

    def goal(self) -> str:
        """The ratio to reach, and whether it is."""
        goal, got = (self.case.goal, self.ratio()) if self.case.goal else (self.case.keras_goal, self.keras_ratio())
        if goal is None:
            return ""
        text = f"{goal:g}x" + (" of Keras" if self.case.keras_goal else "")
        return text + ("" if got is None else " yes" if got >= goal else " **no**")


def duration(seconds: float | None) -> str:
    """Microseconds, milliseconds or seconds with three digits."""
    if seconds is None:
        return ""
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}" if seconds < 100 * scale else f"{seconds / scale:.0f} {unit}"
    return f"{seconds * 1e6:.3g} us"


def times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}x"


def cell(entry: dict[str, Any]) -> str:
    """What the table of all engines says of one."""
    if "seconds" in entry:
        return duration(entry["seconds"])
    return "failed" if "error" in entry else "-"


def markdown(results: dict[str, Any]) -> str:
    """The tables, the machine and the versions."""
    machine, limit = results["machine"], results["limit"]
    rows = [Row(name, entry) for name, entry in results["cases"].items()]
    present = [engine for engine, value in results["engines"].items() if "missing" not in value]
    lines = [
        preface(machine),
        "",
        f"Limits ({limit['isa']}): {limit['peak'] / 1e9:.0f} GFLOP/s, {limit['core_peak'] / 1e9:.0f} of one core; read "
        + ", ".join(f"{rate / 1e9:.0f} GB/s from {int(size) >> 10} KB" for size, rate in limit["bandwidths"].items())
        + " each." + (f" Note: {limit['note']}." if limit["note"] else ""),
        "",
        "; ".join(value["versions"] for value in results["engines"].values() if "versions" in value) + ".",
    ]
    missing = [f"{engine} ({value['missing']})" for engine, value in results["engines"].items() if "missing" in value]
    if missing:
        lines += ["", "Not installed, so not measured: " + ", ".join(missing) + "."]
    lines += ["",
              "| case | fastrnn | best peer | ratio | goal | ratio to Keras | GFLOP/s | limit | share of the limit | "
              "fastest rounds: ratio, share |",
              "|---|--:|--:|--:|---|--:|--:|--:|--:|--:|"]
    for row in rows:
        best = f"{duration(row.best_time)} {row.best}" if row.best else ""
        rate = f"{row.flops / row.own / 1e9:.1f}" if row.own else ""
        lines.append(f"| {row.name} | {duration(row.own)} | {best} | {times(row.ratio())} | {row.goal()} | "
                     f"{times(row.keras_ratio())} | {rate} | {duration(row.limit)} | {row.share()} | "
                     f"{row.fastest_rounds()} |")
    lines += ["", "Medians of all engines:", "", "| case | " + " | ".join(present) + " |",
              "|---|" + "--:|" * len(present)]
    for name, entry in results["cases"].items():
        lines.append(f"| {name} | " + " | ".join(cell(entry["engines"].get(engine, {})) for engine in present) + " |")
    reasons: dict[str, list[str]] = {}
    for name, entry in results["cases"].items():
        for engine, value in entry["engines"].items():
            for kind in ("unsupported", "error"):
                if kind in value and "seconds" not in value:
                    reasons.setdefault(f"{engine}: {value[kind]}", []).append(name)
    lines += [""] + [f"- {reason} ({shorten(names)})" for reason, names in reasons.items()]
    return "\n".join(lines).rstrip() + "\n"


def shorten(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} others"


def picture(results: dict[str, Any], path: Path) -> bool:
    """Bars of the share of the limit, fastrnn's above the best peer's; False without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [row for row in (Row(name, entry) for name, entry in results["cases"].items()) if row.own or row.best_time]
    if not rows:
        return False
    figure, axes = pyplot.subplots(figsize=(9, 1.6 + 0.42 * len(rows)), layout="constrained")
    for at, (color, label, side) in enumerate((("#1f6feb", "fastrnn", -0.2), ("#b0b7c3", "best peer", 0.2))):
        values = [row.own if at == 0 else row.best_time for row in rows]
        shares = [100 * row.limit / value if value else 0 for row, value in zip(rows, values)]
        axes.barh([i + side for i in range(len(rows))], shares, 0.38, color=color, label=label)
        for i, (row, share, value) in enumerate(zip(rows, shares, values)):
            if value:
                name = duration(value) + (f" ({row.best})" if at else "")
                axes.text(share + 0.8, i + side, name, va="center", fontsize=7, color="#444444")
    axes.axvline(100, color="#d1242f", linewidth=1, label="limit of the machine")
    axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 118)
    axes.set_xlabel("% of what the machine could do at most")
    machine = results["machine"]
    title = f"{machine['processor']}, {machine['threads']} threads, {results['limit']['isa']}, float32"
    axes.set_title(title, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return True


def write(results: dict[str, Any], folder: Path) -> list[Path]:
    """Write compare.json, compare.md and compare.png; returns those that were written."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "compare.json", folder / "compare.md", folder / "compare.png"]
    paths[0].write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    paths[1].write_text(markdown(results), encoding="utf-8")
    return paths if picture(results, paths[2]) else paths[:2]


if __name__ == "__main__":
    source = Path(sys.argv[1])
    loaded = json.loads(source.read_text(encoding="utf-8"))
    write(loaded, source.parent)
    print(markdown(loaded))
