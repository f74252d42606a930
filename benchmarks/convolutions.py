# SPDX-License-Identifier: Apache-2.0
"""Conv1D against PyTorch's conv1d, and as a share of what the machine can multiply.

    python benchmarks/convolutions.py [--threads 2] [--rounds 25] [--channels 64 128] [--taps 3 5]

Both have the same number of threads and take turns; a pass in training is the outputs, and the gradients of the input
and of all weights. The kernels' own passes are shown beside the layer's.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import limit
import numpy as np
import torch
from turns import in_turn

import fastrnn
from fastrnn.graph.call import Call
from fastrnn.layers import Conv1D

N, T = 32, 200


def passes(channels: int, taps: int, threads: int) -> dict[str, tuple[float, Callable[[], Any]]]:
    """By name, how many products of the size of the forward pass's a call is, and the call."""
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((N, T, channels)).astype("float32") for _ in range(2))
    layer = Conv1D(channels, taps, padding="same")
    layer.build(x.shape)
    inference, training = Call(), Call(training=True)
    around, runner = layer.windows((T,)), layer.kernel_runner()
    images, dz, out = x[:, None], dy[:, None], np.empty_like(x)[:, None]
    dw, db = np.empty_like(layer.kernel.data), np.empty_like(layer.bias.data)
    scratch = np.empty(runner.scratch_size(threads), "float32")

    def train() -> None:
        layer.forward(x, call=training)
        layer.backward(dy, call=training)

    given, gradient = (torch.tensor(np.moveaxis(array, 1, 2).copy()) for array in (x, dy))
    weight, bias = torch.tensor(np.transpose(layer.kernel.data, (2, 1, 0)).copy()), torch.tensor(layer.bias.data)
    tensors = [tensor.clone().requires_grad_() for tensor in (given, weight, bias)]

    def torch_forward() -> None:
        with torch.no_grad():
            torch.nn.functional.conv1d(given, weight, bias, padding=taps // 2)

    def torch_train() -> None:
        for tensor in tensors:
            tensor.grad = None
        torch.nn.functional.conv1d(*tensors, padding=taps // 2).backward(gradient)

    return {
        "forward": (1, lambda: layer.forward(x, call=inference)), "torch forward": (1, torch_forward),
        "train": (3, train), "torch train": (3, torch_train),
        "outputs": (1, lambda: runner.output(images, out, *around, threads)),
        "input's gradient": (1, lambda: runner.input_gradient(dz, out, *around, threads)),
        "weights' gradients": (1, lambda: runner.weight_gradients(images, dz, dw, db, scratch, *around, threads)),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Conv1D against PyTorch's.")
    parser.add_argument("--threads", type=int, default=fastrnn.get_num_threads())
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--channels", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--taps", type=int, nargs="+", default=[3, 5])
    arguments = parser.parse_args()
    fastrnn.set_num_threads(arguments.threads)
    torch.set_num_threads(arguments.threads)
    for channels in arguments.channels:
        for taps in arguments.taps:
            calls = passes(channels, taps, arguments.threads)
            before = limit.measure(threads=arguments.threads, seconds=0.05).peak
            seconds = in_turn({name: call for name, (_, call) in calls.items()}, rounds=arguments.rounds)
            peak = max(before, limit.measure(threads=arguments.threads, seconds=0.05).peak)
            print(f"{channels} channels, {taps} taps, batch {N}, {T} steps, {arguments.threads} threads, "
                  f"peak {peak / 1e9:.0f} GFLOP/s")
            for name, (products, _) in calls.items():
                share = products * 2 * N * T * channels * channels * taps / seconds[name] / peak
                beside = seconds.get(f"torch {name}")
                print(f"  {name:18} {seconds[name] * 1e3:8.3f} ms  {share:6.1%} of peak"
                      + (f"  {beside / seconds[name]:.2f}x PyTorch" if beside else ""), flush=True)


if __name__ == "__main__":
    main()
