# SPDX-License-Identifier: Apache-2.0
"""Microbenchmarks of the kernels, for use while developing: `pytest benchmarks/test_kernels.py`.

Each is called through its layer or optimizer, whose call is one kernel call: so the figures of two commits compare
even where a kernel's arguments have changed. Letters: N batch, T time, D input, H units (here D = H), M rows.
"""

from __future__ import annotations

import numpy as np
import pytest

from fastrnn import _core, layers, optimizers, runtime
from fastrnn.graph.call import INFERENCE, Call

CELLS = {"lstm": layers.LSTM, "gru": layers.GRU, "rnn": layers.SimpleRNN}
SHAPES = [(1, 1, 128), (1, 100, 128), (1, 100, 512), (8, 100, 128), (32, 50, 64), (32, 100, 128), (128, 5, 128),
          (128, 100, 128), (64, 50, 512)]
TRAINED = [(1, 100, 128), (32, 50, 64), (128, 5, 128), (128, 100, 128), (64, 50, 512)]
OPTIONS = {
    "plain": {}, "relu": {"activation": "relu"}, "backwards": {"go_backwards": True},
    "dropout": {"dropout": 0.2}, "recurrent_dropout": {"recurrent_dropout": 0.2},
    "last_only": {"return_sequences": False},
}
MASKS = ["mask_full", "mask_mean30"]


def name(shape):
    return "N{}T{}H{}".format(*shape)


def normal(*shape, dtype="float32"):
    return np.random.default_rng(0).standard_normal(shape, dtype=dtype)


def recurrent(cell, shape, dtype="float32", **options):
    """The layer, built, and its input."""
    batch, time, units = shape
    layer = CELLS[cell](units, dtype=dtype, **{"return_sequences": True, **options})
    layer.build((batch, time, units))
    return layer, normal(batch, time, units, dtype=dtype)


def products(cell, shape):
    """FLOPs of one product for all steps with both the input's and the state's weights."""
    batch, time, units = shape
    return 4.0 * batch * time * CELLS[cell].gates * units * units


def rounds_for(flops):
    """So that a benchmark whose calls are timed one by one takes about half a second."""
    return int(np.clip(0.5 * 1e11 / max(flops, 1), 10, 1000))


@pytest.fixture
def measure(benchmark):
    """Run a benchmark, and keep beside its times what it was run with and its GFLOP/s."""

    def run(group, call, flops=0.0, moved=0.0, setup=None):
        benchmark.group = group
        benchmark.extra_info.update(isa=_core.isa, threads=runtime.get_num_threads())
        if setup is None:
            benchmark(call)
        else:
            benchmark.pedantic(call, setup=setup, rounds=rounds_for(flops), warmup_rounds=2)
        if benchmark.stats is not None:     # --benchmark-disable has none
            median = benchmark.stats.stats.median
            rates = {"GFLOP/s": flops / median / 1e9, "GB/s": moved / median / 1e9}
            benchmark.extra_info.update({unit: round(rate, 1) for unit, rate in rates.items() if rate})

    return run


@pytest.mark.parametrize("shape", SHAPES, ids=name)
@pytest.mark.parametrize("cell", CELLS)
def test_forward(measure, cell, shape):
    layer, x = recurrent(cell, shape)
    measure(f"forward {cell}", lambda: layer.forward(x, call=INFERENCE), products(cell, shape))


@pytest.mark.parametrize("shape", TRAINED, ids=name)
@pytest.mark.parametrize("cell", CELLS)
def test_forward_training(measure, cell, shape):
    layer, x = recurrent(cell, shape)
    measure(f"forward, training {cell}", lambda: layer.forward(x, call=layer.default_call), products(cell, shape))


@pytest.mark.parametrize("shape", TRAINED, ids=name)
@pytest.mark.parametrize("cell", CELLS)
def test_backward(measure, cell, shape):
    layer, x = recurrent(cell, shape)
    dy = normal(*x.shape)

    def forward():                          # its gates are overwritten by the backward pass
        layer.forward(x, call=layer.default_call)

    measure(f"backward {cell}", lambda: layer.backward(dy), 2 * products(cell, shape), setup=forward)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_training_options(measure, cell, option):
    shape = (128, 100, 128)
    layer, x = recurrent(cell, shape, **OPTIONS[option])
    y = layer(x, training=True)
    dy = normal(*y.shape)

    def step():
        layer.forward(x, call=layer.default_call)
        layer.backward(dy)

    measure(f"training step, options {cell}", step, 3 * products(cell, shape))


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("cell", CELLS)
def test_forward_masked(measure, cell, kind):
    shape = (128, 100, 128)
    layer, x = recurrent(cell, shape)
    lengths = np.full(128, 100) if kind == "mask_full" else np.random.default_rng(0).integers(1, 60, 128)
    mask = np.arange(100) < lengths[:, None]
    measure(f"forward, masked {cell}", lambda: layer.forward(x, call=Call(mask=mask)),
            products(cell, shape) * mask.mean())


@pytest.mark.parametrize("cell", CELLS)
def test_forward_float64(measure, cell):
    shape = (32, 100, 128)
    layer, x = recurrent(cell, shape, dtype="float64")
    measure("forward, float64", lambda: layer.forward(x, call=INFERENCE), products(cell, shape))


@pytest.mark.parametrize("cell", CELLS)
def test_pack(measure, cell):
    """What an update costs the next pass: the weights in the layout of the kernels."""
    layer, x = recurrent(cell, (1, 1, 512))
    layer.forward(x, call=INFERENCE)

    def pack():
        layer.kernel.touch()
        layer.kernel_runner().pack(True)

    measure("pack, H 512", pack, moved=4.0 * layer.kernel.data.nbytes * 2)


DENSE = [(1, 128, 52), (128, 128, 1), (640, 128, 52), (128, 512, 1000), (3200, 128, 128)]


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("shape", DENSE, ids=lambda shape: "M{}D{}O{}".format(*shape))
def test_dense(measure, shape, direction):
    rows, width, units = shape
    layer = layers.Dense(units)
    layer.build((rows, width))
    x, dy = normal(rows, width), normal(rows, units)
    layer.forward(x, call=layer.default_call)
    flops = 2.0 * rows * width * units
    if direction == "forward":
        measure("dense forward", lambda: layer.forward(x, call=INFERENCE), flops)
    else:
        measure("dense backward", lambda: layer.backward(dy), 2 * flops)


@pytest.mark.parametrize("direction", ["gather", "scatter"])
@pytest.mark.parametrize("rows", [100, 12800])
def test_embedding(measure, rows, direction):
    layer = layers.Embedding(10000, 128)
    layer.build((None,))
    indices, dy = np.random.default_rng(0).integers(0, 10000, rows).astype("int32"), normal(rows, 128)
    layer.forward(indices, call=layer.default_call)
    if direction == "gather":
        measure("embedding gather", lambda: layer.forward(indices, call=INFERENCE), moved=2.0 * dy.nbytes)
    else:
        measure("embedding scatter", lambda: layer.backward(dy), moved=3.0 * dy.nbytes)


@pytest.mark.parametrize("kind", ["adam", "rmsprop", "sgd"])
@pytest.mark.parametrize("shape", [(128, 52), (256, 512), (10000, 128)], ids=lambda shape: "{}x{}".format(*shape))
def test_update(measure, kind, shape):
    """A variable with a gradient in every row."""
    layer = layers.Dense(shape[1], use_bias=False)
    layer(normal(4, shape[0]), training=True)
    layer.backward(normal(4, shape[1]))
    optimizer = optimizers.get(kind)
    variables = layer.trainable_weights
    passes = {"adam": 7, "rmsprop": 5, "sgd": 3}[kind]     # reads and writes of the variable and its slots
    measure(f"update {kind}", lambda: optimizer.apply(variables), moved=4.0 * passes * shape[0] * shape[1])


def test_update_embedding(measure):
    """Adam on a table that 12,800 indices have touched: the gradient of the other rows is not read."""
    layer = layers.Embedding(10000, 128)
    indices = np.random.default_rng(0).integers(0, 10000, (128, 100))
    dy = np.zeros_like(layer(indices, training=True))
    optimizer = optimizers.get("adam")

    def update():
        layer.backward(dy)                  # each update uses its gradient up
        optimizer.apply(layer.trainable_weights)

    measure("update adam", update, moved=4.0 * 7 * 10000 * 128)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softmax"])
def test_activation(measure, activation):
    from fastrnn import activations

    x = normal(640, 52)
    function = activations.get(activation)
    measure("activation", lambda: function(x))
