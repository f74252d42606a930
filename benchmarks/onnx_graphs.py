# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs run by fastrnn and by ONNX Runtime: `python benchmarks/onnx_graphs.py [--threads 1]`.

One recurrent layer with its states as inputs and outputs, batch 1, as both of PyTorch's exporters and fastrnn write it,
and one Gemm whose weights lie at an odd byte of the file. Both run in one process, in turn.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from compare import describe_machine
from report import duration, save, table, times

import fastrnn
from fastrnn import runtime
from fastrnn.saving import export_onnx, load_onnx

UNITS, STEPS = (32, 64, 128), (1, 100)
#: Seconds of calls of one before the other has its turn, and of a pause: ONNX Runtime's threads spin for a while.
SLICE, PAUSE = 0.05, 0.03


class Stream(torch.nn.Module):
    """A recurrent layer whose states come in and go out, batch first."""

    def __init__(self, cell: str, units: int) -> None:
        super().__init__()
        self.layer = getattr(torch.nn, cell)(units, units, batch_first=True)

    def forward(self, x: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y, last = self.layer(x, states if len(states) > 1 else states[0])
        return (y, *last) if len(states) > 1 else (y, last)


def by_torch(cell: str, units: int, steps: int, path: Path, dynamo: bool) -> None:
    torch.manual_seed(0)
    states = [torch.randn(1, 1, units) for _ in range(2 if cell == "LSTM" else 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Stream(cell, units).eval(), (torch.randn(1, steps, units), *states), str(path), dynamo=dynamo,
                          verbose=False)


def by_fastrnn(cell: str, units: int, steps: int, path: Path) -> None:
    fastrnn.utils.set_random_seed(0)
    layer = getattr(fastrnn.layers, cell)(units, return_sequences=True)
    export_onnx(fastrnn.Sequential([fastrnn.Input((None, units)), layer]), path, states=True)


def gemm(path: Path) -> None:
    """(20, 1024) by (8210, 1024) transposed."""
    helper, rng = onnx.helper, np.random.default_rng(0)
    constant = onnx.numpy_helper.from_array(rng.standard_normal((8210, 1024)).astype("float32"), "w")
    node = helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)
    made = helper.make_graph([node], "gemm", [helper.make_tensor_value_info("x", 1, [20, 1024])],
                             [helper.make_tensor_value_info("y", 1, [20, 8210])], [constant])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    while model.SerializeToString().index(constant.raw_data[:64]) % 2 == 0:
        model.producer_name += "x"
    path.write_bytes(model.SerializeToString())


def cases(folder: Path, wanted: str) -> Iterator[tuple[str, Path, int]]:
    """Each graph with that in its name: its name, its file, and its time steps."""
    for cell in ("LSTM", "GRU"):
        for units in UNITS:
            for steps in STEPS:
                for exporter in ("torch", "torch, TorchScript", "fastrnn"):
                    name, path = f"{cell} {units}, T {steps}, {exporter}", folder / f"{cell}{units}.onnx"
                    if wanted not in name:
                        continue
                    if exporter == "fastrnn":
                        by_fastrnn(cell, units, steps, path)
                    else:
                        by_torch(cell, units, steps, path, dynamo=exporter == "torch")
                    yield name, path, steps
    if wanted in "Gemm at an odd byte":
        gemm(folder / "gemm.onnx")
        yield "Gemm at an odd byte", folder / "gemm.onnx", 1


def in_blocks(calls: Mapping[str, Callable[[], Any]], seconds: float) -> dict[str, dict[str, float]]:
    """The least and the median seconds of single calls, made in turn for so long in all."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not all(found.values()):
        for name, call in calls.items():
            time.sleep(PAUSE)               # until the threads of the other one are asleep
            until = time.perf_counter() + SLICE
            call()                          # what the other one left in the caches is not its own
            while (start := time.perf_counter()) < until:
                call()
                found[name].append(time.perf_counter() - start)
    return {name: {"least": min(each), "median": statistics.median(each)} for name, each in found.items()}


def measure(path: Path, steps: int, threads: int, seconds: float) -> dict[str, dict[str, float]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    model, rng = load_onnx(path), np.random.default_rng(0)
    feeds = {value.name: rng.standard_normal([size or (steps if axis == 1 and len(value.shape) == 3 else 1)
                                              for axis, size in enumerate(value.shape)]).astype("float32")
             for value in model.inputs}
    for got, expected in zip(model.run(feeds), session.run(None, feeds), strict=True):
        np.testing.assert_allclose(got, expected, 1e-4, 1e-4)
    return in_blocks({"fastrnn": lambda: model.run(feeds), "onnxruntime": lambda: session.run(None, feeds)}, seconds)


def report(results: dict[str, Any]) -> str:
    rows = []
    for name, found in results["cases"].items():
        row = [name]
        for figure in ("least", "median"):
            ours, theirs = found["fastrnn"][figure], found["onnxruntime"][figure]
            row += [duration(ours), duration(theirs), times(theirs / ours)]
        rows.append(row)
    return ("Single calls, the least and the median; a ratio above 1 is in fastrnn's favour.\n\n"
            + table(["graph", "fastrnn", "ONNX Runtime", "ratio", "median", "ONNX Runtime", "ratio"], rows))


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare ONNX graphs in fastrnn and ONNX Runtime.")
    parser.add_argument("--threads", type=int, default=runtime.get_num_threads(), help="of both (%(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each graph (%(default)s)")
    parser.add_argument("--only", default="", help="graphs whose names have this in them")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder (%(default)s)")
    arguments = parser.parse_args()
    runtime.set_num_threads(arguments.threads)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        found = {name: measure(path, steps, arguments.threads, arguments.seconds)
                 for name, path, steps in cases(Path(folder), arguments.only)}
    results = {"machine": describe_machine(arguments.threads), "cases": found}
    save("onnx_graphs", report(results), results, arguments.out)


if __name__ == "__main__":
    main()
