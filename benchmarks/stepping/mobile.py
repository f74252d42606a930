# SPDX-License-Identifier: Apache-2.0
"""LiteRT, MNN and ncnn, each in the way that has measured fastest."""

from __future__ import annotations

import importlib.metadata
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from workloads import Unsupported

from stepping.cases import Case, blocks
from stepping.engine import Step, StreamEngine
from stepping.graphs import onnx_graph


class Mnn(StreamEngine):
    def __init__(self, threads: int) -> None:
        import MNN
        import onnx

        self.MNN, self.onnx, self.threads = MNN, onnx, threads

    def versions(self) -> str:
        return f"MNN {self.MNN.version()}"

    def _convert(self, graph: bytes, folder: str) -> str:
        """The path of the graph as a file of MNN's. By the converter itself: the command of its name installs a
        package and reports to a server."""
        import _tools

        source, target = Path(folder, "step.onnx"), Path(folder, "step.mnn")
        source.write_bytes(graph)
        _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", str(source), "--MNNModel", str(target),
                           "--keepInputFormat"])
        return str(target)

    def step(self, case: Case) -> Step:
        with tempfile.TemporaryDirectory() as folder:
            net = self.MNN.Interpreter(self._convert(onnx_graph(case, whole=False), folder))
        session = net.createSession({"backend": "CPU", "numThread": self.threads, "precision": "high"})
        shape, kind, layout = (1, case.N, case.H), self.MNN.Halide_Type_Float, self.MNN.Tensor_DimensionType_Caffe

        def buffer(values: np.ndarray) -> Any:
            return self.MNN.Tensor(values.shape, kind, values, layout)

        x_in = net.getSessionInput(session, "x")
        states = [(net.getSessionInput(session, state), net.getSessionOutput(session, f"out_{state}"),
                   buffer(np.zeros(shape, "float32"))) for state in case.states]
        y_out = net.getSessionOutput(session, "y" if case.O else f"out_h{case.layers - 1}")
        y = buffer(np.zeros((1, case.N, case.O or case.H), "float32"))

        def step(x: np.ndarray) -> np.ndarray:
            x_in.copyFrom(buffer(x.reshape(shape)))
            for into, _, state in states:
                into.copyFrom(state)
            net.runSession(session)
            for _, out, state in states:
                out.copyToHostTensor(state)
            y_out.copyToHostTensor(y)
            return y.getNumpyData().reshape(case.N, -1)

        return step


class Ncnn(StreamEngine):
    """The last states of an extractor are the first of the next one, as ncnn's own matrices."""

    def __init__(self, threads: int) -> None:
        import ncnn

        self.ncnn, self.threads = ncnn, threads

    def versions(self) -> str:
        return f"ncnn {self.ncnn.__version__}"

    def step(self, case: Case) -> Step:
        if case.N > 1:
            raise Unsupported("a sequence at a time")
        ncnn, last = self.ncnn, "y" if case.O else f"y{case.layers - 1}"
        net = ncnn.Net()
        net.opt.num_threads = self.threads
        for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(net.opt, option, False)
        with tempfile.TemporaryDirectory() as folder:
            lines, weights = ncnn_files(case)
            Path(folder, "step.param").write_text(lines)
            Path(folder, "step.bin").write_bytes(weights)
            if net.load_param(str(Path(folder, "step.param"))) or net.load_model(str(Path(folder, "step.bin"))):
                raise RuntimeError("ncnn does not take the files")
        states = {state: ncnn.Mat(np.zeros((1, case.H), "float32")).clone() for state in case.states}

        def step(x: np.ndarray) -> np.ndarray:
            extractor = net.create_extractor()
            extractor.input("x", ncnn.Mat(x))
            for state, value in states.items():
                extractor.input(state, value)
            _, y = extractor.extract(last)
            for state in states:
                _, states[state] = extractor.extract(f"out_{state}")
            return np.array(y)

        return step


def ncnn_files(case: Case) -> tuple[str, bytes]:
    """A step as ncnn's two files, the graph and the weights; without a Dense layer the output is the last y."""
    order, tag = {"lstm": "ifoc", "gru": "rzh"}[case.cell], bytes(4)        # the tag of float32
    (recurrent, dense), blobs = case.weights(), ["x", *case.states]
    lines = [f"Input {blob} 0 1 {blob}" for blob in blobs]
    data, below = b"", "x"
    for k, weights in enumerate(recurrent):
        W, U, b = (blocks(value, case.cell, order) for value in weights)
        if case.cell == "gru":      # those of r and z as sums, then both of h
            b = np.concatenate([b.sum(0)[:2 * case.H], b[0, 2 * case.H:], b[1, 2 * case.H:]])
        states = [state for state in case.states if state.endswith(str(k))]
        outs = [f"y{k}", *(f"out_{state}" for state in states)]
        lines.append(f"{case.cell.upper()} layer{k} {len(outs)} {len(outs)} {below} {' '.join(states)} "
                     f"{' '.join(outs)} 0={case.H} 1={W.size} 2=0")
        data += b"".join(tag + np.ascontiguousarray(value).tobytes() for value in (W.T, b, U.T))
        blobs, below = blobs + outs, f"y{k}"
    if dense:
        lines.append(f"InnerProduct dense 1 1 {below} y 0={case.O} 1=1 2={dense[0].size}")
        data += tag + np.ascontiguousarray(dense[0].T).tobytes() + dense[1].tobytes()
        blobs.append("y")
    return "\n".join(["7767517", f"{len(lines)} {len(blobs)}", *lines]) + "\n", data


class LiteRt(StreamEngine):
    """TensorFlow converts the arithmetic of a step; the states are inputs and outputs. A Keras layer with
    stateful=True would be a loop around the same, and take longer."""

    def __init__(self, threads: int) -> None:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        import tensorflow
        from ai_edge_litert.interpreter import Interpreter

        self.tf, self.Interpreter, self.threads = tensorflow, Interpreter, threads

    def versions(self) -> str:
        return f"LiteRT {importlib.metadata.version('ai-edge-litert')}"

    def _convert(self, case: Case) -> bytes:
        tf, (recurrent, dense) = self.tf, case.weights()

        def lstm(x: Any, h: Any, c: Any, weights: Any) -> list[Any]:
            z = tf.concat([x, h], 1) @ tf.constant(np.concatenate(weights[:2])) + weights.bias
            i, f, g, o = tf.split(z, 4, 1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            return [tf.sigmoid(o) * tf.tanh(c), c]

        def gru(x: Any, h: Any, weights: Any) -> list[Any]:
            xz, xr, xh = tf.split(x @ tf.constant(weights.kernel) + weights.bias[0], 3, 1)
            hz, hr, hh = tf.split(h @ tf.constant(weights.recurrent_kernel) + weights.bias[1], 3, 1)
            new = tf.tanh(xh + tf.sigmoid(xr + hr) * hh)
            return [new + tf.sigmoid(xz + hz) * (h - new)]

        def step(x: Any, **states: Any) -> dict[str, Any]:
            outs, y = {}, x
            for k, weights in enumerate(recurrent):
                names = [state for state in case.states if state.endswith(str(k))]
                new = (lstm if case.cell == "lstm" else gru)(y, *(states[name] for name in names), weights)
                outs |= {f"out_{name}": value for name, value in zip(names, new)}
                y = new[0]
            return outs | ({"y": y @ tf.constant(dense[0]) + dense[1]} if dense else {})

        spec = {name: tf.TensorSpec((case.N, case.H), tf.float32, name) for name in ("x", *case.states)}
        function = tf.function(step).get_concrete_function(**spec)
        return tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()

    def step(self, case: Case) -> Step:
        interpreter = self.Interpreter(model_content=self._convert(case), num_threads=self.threads)
        interpreter.allocate_tensors()
        index = {entry["name"]: entry["index"] for entry in interpreter.get_input_details()}
        outs = [entry["index"] for entry in interpreter.get_output_details()]       # in the order of their names
        names = sorted([f"out_{state}" for state in case.states] + (["y"] if case.O else []))
        out = dict(zip(names, outs, strict=True))
        x_in, y_out = index["x"], out["y" if case.O else f"out_h{case.layers - 1}"]
        states = [[index[state], out[f"out_{state}"], np.zeros((case.N, case.H), "float32")] for state in case.states]

        def step(x: np.ndarray) -> np.ndarray:
            interpreter.set_tensor(x_in, x)
            for state in states:
                interpreter.set_tensor(state[0], state[2])
            interpreter.invoke()
            for state in states:
                state[2] = interpreter.get_tensor(state[1])
            return interpreter.get_tensor(y_out)

        return step
