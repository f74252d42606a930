# SPDX-License-Identifier: Apache-2.0
"""The libraries that are compared, each called the way its documentation says is fastest.

`compare.py` runs this file once for each engine and round, as a process of its own: their pools of threads would spin
against each other. It prints a JSON object a line: the versions first, then one for each case.

    python benchmarks/engines.py torch --cases 'fwd/lstm/*' --threads 2 --seconds 0.5
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from cases import STRINGS, Case, select
from keras_engine import FastRnn, KerasJax, KerasTensorFlow, KerasTensorFlowXla
from workloads import Engine, Unsupported, charcopy_data, sentiment_data, sequences


class Torch(Engine):
    """PyTorch: nn.LSTM, nn.GRU, nn.RNN with oneDNN or its own kernels, as it chooses."""

    def __init__(self, threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        self.layers = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}

    def versions(self) -> str:
        return f"PyTorch {self.torch.__version__}"

    def forward(self, case: Case) -> Callable[[], Any]:
        torch = self.torch
        layer = self.layers[case.cell](case.D, case.H, batch_first=True).eval()
        x = torch.from_numpy(sequences(case.N, case.T, case.D))

        def run() -> None:
            with torch.inference_mode():
                layer(x)

        return run

    def train(self, case: Case) -> Callable[[], Any]:
        torch = self.torch
        layer = self.layers[case.cell](case.D, case.H, batch_first=True)
        x = torch.from_numpy(sequences(case.N, case.T, case.D)).requires_grad_(True)
        dy = torch.from_numpy(sequences(case.N, case.T, case.H))

        def run() -> None:
            x.grad = None
            for parameter in layer.parameters():
                parameter.grad = None
            layer(x)[0].backward(dy)

        return run

    def model(self, case: Case) -> Any:
        nn = self.torch.nn

        class Charcopy(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.rnn, self.dense = nn.RNN(case.D, case.H, batch_first=True), nn.Linear(case.H, case.O)

            def forward(self, x: Any) -> Any:
                return self.dense(self.rnn(x)[0])

        class Sentiment(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.embedding, self.dropout = nn.Embedding(10000, case.D), nn.Dropout(0.2)
                self.lstm, self.dense = nn.LSTM(case.D, case.H, batch_first=True), nn.Linear(case.H, 1)

            def forward(self, x: Any) -> Any:
                return self.dense(self.lstm(self.dropout(self.embedding(x)))[0][:, -1])[:, 0]

        return Charcopy() if case.model == "charcopy" else Sentiment()

    def _batches(self, case: Case, samples: int) -> tuple[Any, Any]:
        x, y = (charcopy_data if case.model == "charcopy" else sentiment_data)(samples)
        targets = y.argmax(-1) if case.model == "charcopy" else y[:, 0]
        return self.torch.from_numpy(x), self.torch.from_numpy(targets)

    def _step(self, case: Case, model: Any) -> Callable[[Any, Any], float]:
        functional, adam = self.torch.nn.functional, self.torch.optim.Adam(model.parameters())

        def step(x: Any, y: Any) -> float:
            adam.zero_grad()
            if case.model == "charcopy":
                loss = functional.cross_entropy(model(x).reshape(-1, case.O), y.reshape(-1))
            else:
                loss = functional.binary_cross_entropy_with_logits(model(x), y)
            loss.backward()
            adam.step()
            return loss.item()

        return step

    def fit(self, case: Case) -> Callable[[], Any]:
        x, y = self._batches(case, case.N)
        step = self._step(case, self.model(case))
        return lambda: step(x, y)

    def predict(self, case: Case) -> Callable[[], Any]:
        model = self.model(case).eval()
        x, _ = self._batches(case, case.N)

        def run() -> None:
            with self.torch.inference_mode():
                model(x).numpy()

        return run

    def program(self, case: Case, epochs: int) -> list[float]:
        if case.model == "sentiment":
            raise Unsupported("nn.LSTM has no recurrent dropout")
        torch, model, times = self.torch, self.model(case), []
        (x, y), (val_x, val_y) = self._batches(case, STRINGS), self._batches(case, STRINGS)
        step = self._step(case, model)
        for _ in range(epochs):
            start = time.perf_counter()
            for rows in torch.randperm(STRINGS).split(case.N):
                step(x[rows], y[rows])
            with torch.inference_mode():
                for val, target in zip(val_x.split(case.N), val_y.split(case.N)):
                    logits = model(val)
                    torch.nn.functional.cross_entropy(logits.reshape(-1, case.O), target.reshape(-1)).item()
                    (logits.argmax(-1) == target).float().mean().item()
            times.append(time.perf_counter() - start)
        return times


def onnx_layer(case: Case) -> bytes:
    """An ONNX model of one recurrent layer, time first, as both runtimes want it."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weights = {"W": random.standard_normal((1, case.columns, case.D)) / 12,
               "R": random.standard_normal((1, case.columns, case.H)) / 12, "B": np.zeros((1, 2 * case.columns))}
    extra = {"linear_before_reset": 1} if case.cell == "gru" else {}
    node = helper.make_node(case.cell.upper(), ["X", "W", "R", "B"], ["Y"], hidden_size=case.H, **extra)
    graph = helper.make_graph(
        [node], "layer", [helper.make_tensor_value_info("X", TensorProto.FLOAT, [case.T, case.N, case.D])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [case.T, 1, case.N, case.H])],
        [numpy_helper.from_array(value.astype("float32"), name) for name, value in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    return model.SerializeToString()


class OnnxRuntime(Engine):
    def __init__(self, threads: int) -> None:
        import onnx
        import onnxruntime

        self.runtime, self.onnx, self.threads = onnxruntime, onnx, threads

    def versions(self) -> str:
        return f"ONNX Runtime {self.runtime.__version__}"

    def forward(self, case: Case) -> Callable[[], Any]:
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3
        session = self.runtime.InferenceSession(onnx_layer(case), options, providers=["CPUExecutionProvider"])
        x = sequences(case.T, case.N, case.D)
        return lambda: session.run(None, {"X": x})


class OpenVino(Engine):
    def __init__(self, threads: int) -> None:
        import onnx
        import openvino

        self.openvino, self.onnx, self.threads = openvino, onnx, threads

    def versions(self) -> str:
        return f"OpenVINO {self.openvino.__version__}"

    def forward(self, case: Case) -> Callable[[], Any]:
        core = self.openvino.Core()
        settings = {"INFERENCE_NUM_THREADS": self.threads, "PERFORMANCE_HINT": "LATENCY",
                    "INFERENCE_PRECISION_HINT": "f32"}      # where it may, it computes in less than float32
        request = core.compile_model(core.read_model(onnx_layer(case)), "CPU", settings).create_infer_request()
        x = sequences(case.T, case.N, case.D)
        return lambda: request.infer({0: x})


ENGINES: dict[str, type[Engine]] = {
    "fastrnn": FastRnn, "torch": Torch, "keras-tf": KerasTensorFlow, "keras-tf-xla": KerasTensorFlowXla,
    "keras-jax": KerasJax, "onnxruntime": OnnxRuntime, "openvino": OpenVino,
}


def clock(run: Callable[[], Any], seconds: float) -> float:
    """Median seconds of a call, calls of less than 20 ms being timed several at once."""
    for _ in range(3):
        run()
    start = time.perf_counter()
    run()
    repeats = max(1, int(0.02 / max(time.perf_counter() - start, 1e-7)))
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        for _ in range(repeats):
            run()
        times.append((time.perf_counter() - start) / repeats)
    return statistics.median(times)


def measure(engine: Engine, case: Case, seconds: float) -> float:
    """Seconds of one call; of a program, of `case.epochs` epochs after one that is left out."""
    if case.kind == "program":
        return sum(engine.program(case, case.epochs + 1)[1:])
    return clock(getattr(engine, case.kind)(case), seconds)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("--cases", default="*")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.5)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):        # not every engine can be told a number of threads
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:arguments.threads])
    try:
        engine = ENGINES[arguments.engine](arguments.threads)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), flush=True)
        return
    print(json.dumps({"versions": engine.versions()}), flush=True)
    for case in select(arguments.cases):
        result: dict[str, Any] = {"case": case.name}
        try:
            result["seconds"] = measure(engine, case, arguments.seconds)
        except Unsupported as reason:
            result["unsupported"] = str(reason)
        except Exception as error:              # whatever a peer may raise: it is told in the report
            result["error"] = f"{type(error).__name__}: {error}"[:300]
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
