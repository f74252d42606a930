# SPDX-License-Identifier: Apache-2.0
"""PyTorch, ONNX Runtime and OpenVINO, each in the way that has measured fastest."""

from __future__ import annotations

import numpy as np

from stepping.cases import Case, blocks
from stepping.engine import Step, StreamEngine
from stepping.graphs import onnx_graph


class Torch(StreamEngine):
    """PyTorch's cells; nn.LSTM and nn.GRU take longer for a single step."""

    def __init__(self, threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)

    def versions(self) -> str:
        return f"PyTorch {self.torch.__version__}"

    def step(self, case: Case) -> Step:
        torch, (recurrent, dense) = self.torch, case.weights()
        order = {"lstm": "ifco", "gru": "rzh"}[case.cell]
        cells, state = [], []
        for weights in recurrent:
            cell = {"lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}[case.cell](case.H, case.H)
            kernel, recurrent_kernel, bias = (torch.from_numpy(blocks(value, case.cell, order)) for value in weights)
            cell.weight_ih.data, cell.weight_hh.data = kernel.T.contiguous(), recurrent_kernel.T.contiguous()
            cell.bias_ih.data, cell.bias_hh.data = (bias, torch.zeros_like(bias)) if case.cell == "lstm" else bias
            cells.append(cell.eval())
            h = torch.zeros(case.N, case.H)
            state.append((h, h) if case.cell == "lstm" else h)
        linear = None
        if dense:
            linear = torch.nn.Linear(case.H, case.O)
            linear.weight.data, linear.bias.data = torch.from_numpy(dense[0].T.copy()), torch.from_numpy(dense[1])

        def step(x: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                y = torch.from_numpy(x)
                for k, cell in enumerate(cells):
                    state[k] = cell(y, state[k])
                    y = state[k][0] if case.cell == "lstm" else state[k]
                return (linear(y) if linear else y).numpy()

        return step


class OnnxRuntime(StreamEngine):
    """States are inputs and outputs, bound to two sets of buffers that change places after each step."""

    def __init__(self, threads: int) -> None:
        import onnx
        import onnxruntime

        self.runtime, self.onnx, self.threads = onnxruntime, onnx, threads

    def versions(self) -> str:
        return f"ONNX Runtime {self.runtime.__version__}"

    def step(self, case: Case) -> Step:
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3
        session = self.runtime.InferenceSession(onnx_graph(case), options, providers=["CPUExecutionProvider"])
        shape = (1, case.N, case.H)
        x_in = np.zeros(shape, "float32")
        sides = [{state: np.zeros(shape, "float32") for state in case.states} for _ in range(2)]
        y_out = np.zeros((1, case.N, case.O), "float32") if case.O else None
        turns = []
        for before, after in (sides, sides[::-1]):
            binding = session.io_binding()
            for name, buffer in {"x": x_in, **before}.items():
                binding.bind_input(name, "cpu", 0, np.float32, buffer.shape, buffer.ctypes.data)
            given = {f"out_{state}": buffer for state, buffer in after.items()}
            for name, buffer in (given if y_out is None else {"y": y_out, **given}).items():
                binding.bind_output(name, "cpu", 0, np.float32, buffer.shape, buffer.ctypes.data)
            turns.append((binding, (after[f"h{case.layers - 1}"] if y_out is None else y_out)[0], before))

        def step(x: np.ndarray) -> np.ndarray:
            binding, y, _ = turns[0]        # which keep the buffers
            turns.reverse()
            x_in[0] = x
            session.run_with_iobinding(binding)
            return y

        return step


class OpenVino(StreamEngine):
    """The states are OpenVINO's own variables; the input and the output are its buffers."""

    def __init__(self, threads: int) -> None:
        import onnx
        import openvino

        self.openvino, self.onnx, self.threads = openvino, onnx, threads

    def versions(self) -> str:
        return f"OpenVINO {self.openvino.__version__}"

    def step(self, case: Case) -> Step:
        from openvino._offline_transformations import apply_make_stateful_transformation

        core = self.openvino.Core()
        model = core.read_model(onnx_graph(case))
        if not case.O:      # what becomes a variable is an output no longer
            last = model.output(f"out_h{case.layers - 1}").get_node().input_value(0)
            model.add_results([self.openvino.opset13.result(last)])
        apply_make_stateful_transformation(model, {state: f"out_{state}" for state in case.states})
        settings = {"INFERENCE_NUM_THREADS": self.threads, "PERFORMANCE_HINT": "LATENCY",
                    "INFERENCE_PRECISION_HINT": "f32"}      # where it may, it computes in less than float32
        request = core.compile_model(model, "CPU", settings).create_infer_request()
        x_in = np.zeros((1, case.N, case.H), "float32")
        request.set_input_tensor(self.openvino.Tensor(x_in, shared_memory=True))

        def step(x: np.ndarray) -> np.ndarray:
            x_in[0] = x
            request.infer()
            return request.get_output_tensor(0).data[0]

        return step
