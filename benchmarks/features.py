# SPDX-License-Identifier: Apache-2.0
"""What the options of the layers cost beside the plain case, each with the most that it should.

    python benchmarks/features.py [--only 'dropout*,padded*'] [--threads 2]

The two that are compared run in turn, and of each the best round counts. Every peer leaves its fast path for most of
these options; here they are to stay on it.
"""

from __future__ import annotations

import argparse
import fnmatch
import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import limit
import memory
import numpy as np
from compare import describe_machine
from report import duration, save, table
from turns import in_turn
from workloads import sequences

import fastrnn
from fastrnn import layers, runtime

CELLS = {"LSTM": layers.LSTM, "GRU": layers.GRU, "SimpleRNN": layers.SimpleRNN}
T, H = 100, 128
KINDS = ("forward", "train")
MEAN = 30               # steps of a padded sequence


class Pair(NamedTuple):
    """Two calls to compare, and the most that the first may take in times of the second."""

    name: str
    call: Callable[[], Any]
    plain: Callable[[], Any]
    most: float | None = None


def call(layer: Any, kind: str, batch: int, dtype: str = "float32", **arguments: Any) -> Callable[[], Any]:
    """A forward pass, or one with all gradients."""
    x = sequences(batch, T, H).astype(dtype)
    if kind == "forward":
        return lambda: layer(x, **arguments)
    dy = np.ones_like(layer(x))

    def run() -> None:
        layer(x, training=True, **arguments)
        layer.backward(dy)

    return run


def padded(batch: int, after: bool) -> np.ndarray:
    """A mask of sequences of 1 to 59 steps, padded after them or before."""
    lengths = np.random.default_rng(0).permutation(np.linspace(1, 2 * MEAN - 1, batch).round().astype(int))
    mask = np.arange(T) < lengths[:, None]
    return mask if after else mask[:, ::-1].copy()


def pairs() -> Iterator[Pair]:
    for name, cell in CELLS.items():
        def layer(cell: Any = cell, **options: Any) -> Any:
            return cell(H, return_sequences=True, **options)

        yield Pair(f"recurrent_dropout: train {name}", call(layer(recurrent_dropout=0.2), "train", 128),
                   call(layer(), "train", 128), 1.10)
        for kind in KINDS:
            for where, after in (("after", True), ("before", False)):
                yield Pair(f"padded {where} to 100 from {MEAN}: {kind} {name}",
                           call(layer(), kind, 128, mask=padded(128, after)), call(layer(), kind, 128), 0.45)
            for batch in (128, 32, 1):
                yield Pair(f"Bidirectional, batch {batch}: {kind} {name}",
                           call(layers.Bidirectional(layer()), kind, batch), call(layer(), kind, batch), 2.1)
            for batch in (128, 1):
                yield Pair(f"float64, batch {batch}: {kind} {name}",
                           call(layer(dtype="float64"), kind, batch, "float64"), call(layer(), kind, batch), 1 / 0.45)
            yield from options(name, kind, layer)


def options(name: str, kind: str, layer: Callable[..., Any]) -> Iterator[Pair]:
    """What no peer has on its fast path, at batch 128 and at batch 1."""
    random = np.random.default_rng(0)
    for batch in (128, 1):
        full, half = np.ones((batch, T), bool), random.random((batch, T)) < 0.5
        state = random.standard_normal((batch, H), dtype="float32")
        states = [state, state] if name == "LSTM" else state
        for what, settings, arguments in (
            ("a mask without gaps", {}, {"mask": full}),
            ("a mask, half of it", {}, {"mask": half}),
            ("zero_output_for_mask", {"zero_output_for_mask": True}, {"mask": full}),
            ("initial_state", {}, {"initial_state": states}),
            ("go_backwards", {"go_backwards": True}, {}),
            ("relu", {"activation": "relu"}, {}),
            *([("hard_sigmoid", {"recurrent_activation": "hard_sigmoid"}, {})] if name != "SimpleRNN" else []),
            *([("reset_after=False", {"reset_after": False}, {})] if name == "GRU" else []),
            ("return_sequences=False", {"return_sequences": False}, {}),
        ):
            made = layer(**settings) if "return_sequences" not in settings else CELLS[name](H)
            yield Pair(f"{what}, batch {batch}: {kind} {name}", call(made, kind, batch, **arguments),
                       call(layer(), kind, batch))


def measure(wanted: Callable[[str], bool]) -> list[dict[str, Any]]:
    rows = []
    for pair in pairs():
        if wanted(pair.name):
            times = in_turn({"call": pair.call, "plain": pair.plain}, 0.005, 5)
            rows.append({"name": pair.name, "seconds": times["call"], "plain": times["plain"],
                         "ratio": times["call"] / times["plain"], "most": pair.most})
            print(f"{pair.name}: {rows[-1]['ratio']:.2f}", flush=True)
    return rows


def prediction_memory() -> list[dict[str, Any]]:
    """What predicting the last output takes beside the input, for 100 steps and for 10,000."""
    rows = []
    for name, cell in CELLS.items():
        made = cell(H)
        model = fastrnn.Sequential([fastrnn.Input((None, H)), cell(H)])
        row: dict[str, Any] = {"name": name}
        for steps in (100, 10_000):
            x = np.ones((32, steps, H), "float32")
            made(x[:, :10])
            gc.collect()
            size = made.kernel_runner().forward_call(runtime.get_num_threads(), x).tape_size
            held = memory.forget_peak()
            made(x)
            model.predict(x, verbose=0)
            row[str(steps)] = {"workspace": 4 * size, "peak": memory.status("VmHWM") - held}
        rows.append(row)
    return rows


def adam(threads: int) -> list[dict[str, Any]]:
    """An update of a 128 wide embedding of whose rows a batch names some: weight and both means are read and written,
    and the gradient is read where there is one. A table of 10,000 words may fit the last cache, the larger does not."""
    read, found = limit.measure(threads=threads).bandwidths, []
    for words in (10_000, 200_000):
        batch = np.random.default_rng(0).integers(0, words, (128, 100))
        embedding, optimizer = layers.Embedding(words, 128), fastrnn.optimizers.Adam()
        embedding.backward(np.ones_like(embedding(batch, training=True)))
        seconds = in_turn({"": lambda e=embedding, o=optimizer: o.apply(e.trainable_weights)}, 0.05, 9)[""]
        moved = 4 * 128 * (6 * words + len(np.unique(batch)))
        found.append({"words": words, "seconds": seconds, "bytes_per_second": moved / seconds,
                      "memory": read[max(read)]})
    return found


def report(results: dict[str, Any]) -> str:
    rows = results["pairs"]
    bad = [row for row in rows if row["most"] and row["ratio"] > row["most"]]
    text = f"{len(bad)} of {sum(bool(row['most']) for row in rows)} bars are missed.\n\n" + table(
        ["what", "takes", "plain", "times the plain one", "at most"],
        [[row["name"], duration(row["seconds"]), duration(row["plain"]), f"{row['ratio']:.2f}",
          "" if not row["most"] else f"{row['most']:.2f}" + (" **no**" if row in bad else "")] for row in rows])
    if "memory" in results:
        text += "\nPredicting the last output of 32 sequences, MB beside the input:\n\n" + table(
            ["layer", *(f"{what}, T = {steps}" for steps in (100, 10_000) for what in ("workspace", "peak"))],
            [[row["name"], *(f"{row[str(steps)][what] / 1e6:.2f}" for steps in (100, 10_000)
                             for what in ("workspace", "peak"))] for row in results["memory"]])
    if "adam" in results:
        text += "\nAdam on an embedding 128 wide, and the share of what this machine reads from memory:\n\n" + table(
            ["words", "an update", "GB/s read and written", "share"],
            [[one["words"], duration(one["seconds"]), f"{one['bytes_per_second'] / 1e9:.1f}",
              f"{one['bytes_per_second'] / one['memory']:.0%}"] for one in results["adam"]])
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what the layers' options cost.")
    parser.add_argument("--only", default="*", metavar="GLOBS", help="patterns of rows; memory, adam (all)")
    parser.add_argument("--threads", type=int, default=runtime.get_num_threads(), help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder (%(default)s)")
    arguments = parser.parse_args()
    fastrnn.set_num_threads(arguments.threads)
    patterns = arguments.only.split(",")
    results: dict[str, Any] = {"machine": describe_machine(arguments.threads)}

    def wanted(name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)

    if wanted("memory"):            # first, while the process is small
        results["memory"] = prediction_memory()
    if wanted("adam"):
        results["adam"] = adam(arguments.threads)
    results["pairs"] = measure(wanted)
    save("features", report(results), results, arguments.out)


if __name__ == "__main__":
    main()
