# SPDX-License-Identifier: Apache-2.0
"""The same bits for any number of threads, in inference, gradients and training, dropout included; and the other
things that threads and processes can spoil."""

from __future__ import annotations

import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastrnn
from fastrnn._core import threads as team
from tests import reference
from tests.conftest import CELLS, VARIANTS, make_layer, states_of

THREADS = [1, 2, 3, 5]
# One sequence of a wide layer (split over units), batches that split evenly, with a remainder, and not at all; and one
# long enough for its weights' gradients to be summed in two halves, some steps at a time.
SHAPES = [(1, 6, 64, 512), (1, 5, 3, 37), (3, 5, 20, 256), (8, 10, 32, 64), (33, 7, 20, 37), (128, 10, 64, 128),
          (70, 130, 5, 16)]

FOR_EVER = 1 << 60      # ns


@pytest.fixture(autouse=True)
def patient():
    """A call waits until all of its threads have come, and for each as long as it takes."""
    team.set_patience(FOR_EVER)
    yield
    team.set_patience()


def first(gradients):
    """That of the input, out of those of it and the states."""
    return gradients[0] if isinstance(gradients, list) else gradients


def same_bits(a, b) -> bool:
    return np.asarray(a).tobytes() == np.asarray(b).tobytes()


def everything(layer, x, mask, initial, dy, dstates) -> dict[str, np.ndarray]:
    """Copies of all that a layer computes from one input."""
    fastrnn.utils.set_random_seed(11)
    found = {"inference": layer(x, mask=mask, initial_state=initial)[0]}
    y, *states = layer(x, training=True, mask=mask, initial_state=initial)
    found |= {"y": y} | {f"state {i}": s for i, s in enumerate(states)}
    dx = layer.backward(dy, *dstates)
    found["dx"], *dinitial = dx if isinstance(dx, list) else [dx]
    found |= {v.name: v.grad for v in layer.trainable_weights}
    found |= {f"initial state {i}": g for i, g in enumerate(dinitial)}
    return {name: np.array(value) for name, value in found.items()}


def layer_and_arguments(cell, shape, dtype, options, mask, initial, rng):
    """A layer and what `everything` takes with it; mask: its kind or None; initial: whether it has initial states."""
    N, T, D, H = shape
    layer = make_layer(cell, D, H, rng, dtype=dtype, return_sequences=True, return_state=True, **options)
    x, dy = rng.standard_normal((N, T, D)).astype(dtype), rng.standard_normal((N, T, H)).astype(dtype)
    masked = reference.random_mask(mask, N, T, rng)
    states = states_of(cell, N, H, rng, dtype) if initial else None
    return layer, (x, masked, states, dy, states_of(cell, N, H, rng, dtype))


def for_any_threads(layer, arguments) -> dict[str, np.ndarray]:
    """What a layer computes, after seeing that it is the same bits for any number of threads, also where they do not
    wait for one that is late, and thread 0 goes on alone."""
    fastrnn.set_num_threads(1)
    expected = everything(layer, *arguments)
    for threads, patience in itertools.product(THREADS[1:], (FOR_EVER, 0)):
        fastrnn.set_num_threads(threads)
        team.set_patience(patience)
        for name, value in everything(layer, *arguments).items():
            assert same_bits(value, expected[name]), f"{name} differs between 1 and {threads} threads, {patience} ns"
    team.set_patience(FOR_EVER)
    return expected


@pytest.mark.parametrize("options", [{}, {"dropout": 0.3, "recurrent_dropout": 0.3}], ids=["", "dropout"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("cell", [*CELLS, *VARIANTS])
def test_layers(cell, shape, dtype, options, rng):
    layer, arguments = layer_and_arguments(cell, shape, dtype, options, "right" if options else None, True, rng)
    for_any_threads(layer, arguments)


@pytest.mark.parametrize("shape", [*SHAPES, (2, 3, 10, 64)], ids=str)
@pytest.mark.parametrize("cell", [*CELLS, "LSTM peepholes"])
def test_from_zeros(cell, shape, rng):
    """Without initial states a call has less to do, and may be spread in another way: (2, 3, 10, 64) of an LSTM is not
    spread at all. And threads may change between the passes."""
    layer, arguments = layer_and_arguments(cell, shape, "float32", {}, None, False, rng)
    expected = for_any_threads(layer, arguments)
    x, _, _, dy, dstates = arguments
    for forward, backward in itertools.permutations(THREADS, 2):
        fastrnn.set_num_threads(forward)
        layer(x, training=True)
        fastrnn.set_num_threads(backward)
        assert same_bits(first(layer.backward(dy, *dstates)), expected["dx"])
        for variable in layer.trainable_weights:
            assert same_bits(variable.grad, expected[variable.name])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("cell", [*CELLS, "LSTM peepholes"])
def test_plans(cell, shape, rng):
    """The same bits however the work is spread, and wherever the input is projected."""
    N, T, D, H = shape
    layer = make_layer(cell, D, H, rng, return_sequences=True, return_state=True)
    x, dy = rng.standard_normal((N, T, D), "float32"), rng.standard_normal((N, T, H), "float32")
    arguments = x, None, None, dy, states_of(cell, N, H, rng, "float32")
    kernels = fastrnn._core.kernels("float32")
    fastrnn.set_num_threads(1)
    expected = everything(layer, *arguments)
    fastrnn.set_num_threads(2)
    try:
        for plan in itertools.product((1, 2), (False, True), (False, True)):
            kernels.force_plan(*plan)
            team, split, fused = kernels.planned(layer.cell, N, T, D, H, 2)
            assert team == min(plan[0], -(-H // kernels.VECTOR_LENGTH) if plan[1] else N)
            assert (split, fused) == (plan[1] and team > 1, plan[2] and layer.has_recurrent_kernel)
            for name, value in everything(layer, *arguments).items():
                assert same_bits(value, expected[name]), f"{name} differs with {plan}"
    finally:
        kernels.force_plan()


@pytest.mark.parametrize("options", [{}, {"dropout": 0.3, "recurrent_dropout": 0.3}], ids=["", "dropout"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("cell", [*CELLS, *VARIANTS])
def test_long_tapes(cell, shape, dtype, options, rng):
    """The same bits whether what the backward pass reads is stored past the caches or not."""
    mask = "holes" if options else None
    layer, arguments = layer_and_arguments(cell, shape, dtype, options, mask, bool(options), rng)
    kernels = fastrnn._core.kernels(dtype)
    fastrnn.set_num_threads(2)
    found = []
    for size in (-1, 0):
        before = kernels.set_long_tape(size)
        try:
            layer.forget()
            found.append(everything(layer, *arguments))
        finally:
            kernels.set_long_tape(before)
    for name, value in found[1].items():
        assert same_bits(value, found[0][name]), f"{name} differs if the tape is a long one"


@pytest.mark.parametrize("shape", [*SHAPES, (1, 8, 32, 32)], ids=str)
@pytest.mark.parametrize("cell", [*CELLS, "LSTM peepholes"])
def test_both_directions(cell, shape, rng):
    """At once, with an even number of threads, or one after the other; of (1, 8, 32, 32) by more threads than rows."""
    N, T, D, H = shape
    layer = fastrnn.layers.Bidirectional(make_layer(cell, D, H, rng, return_sequences=True))
    x, dy = rng.standard_normal((N, T, D), "float32"), rng.standard_normal((N, T, 2 * H), "float32")
    mask = reference.random_mask("right", N, T, rng)
    expected: dict[str, np.ndarray] = {}
    for threads, patience in [(1, FOR_EVER), *itertools.product((2, 3, 4, 6, 32), (FOR_EVER, 0))]:
        fastrnn.set_num_threads(threads)
        team.set_patience(patience)
        found = {"inference": layer(x, mask=mask), "y": layer(x, training=True, mask=mask), "dx": layer.backward(dy)}
        found |= {v.path: v.grad.copy() for v in layer.trainable_weights}
        expected = expected or found
        for name, value in found.items():
            assert same_bits(value, expected[name]), f"{name} differs between 1 and {threads} threads"


def trained(cell: str, bidirectional: bool, threads: int):
    """Losses, weights and predictions after three steps of a small model."""
    fastrnn.set_num_threads(threads)
    fastrnn.utils.set_random_seed(7)
    layers = fastrnn.layers
    made = getattr(layers, cell)
    rnn = made(48, dropout=0.2, **({"recurrent_dropout": 0.2} if made.has_recurrent_kernel else {}))
    model = fastrnn.Sequential([
        layers.Input((12,), dtype="int32"),
        layers.Embedding(100, 24, mask_zero=True),
        layers.Bidirectional(rnn) if bidirectional else rnn,
        layers.Dropout(0.3),
        layers.Dense(3, activation="softmax"),
    ])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 100, (70, 12)), rng.integers(0, 3, 70)
    losses = [model.train_on_batch(x, y) for _ in range(3)]
    return [np.asarray(losses), *model.get_weights(), model.predict(x, verbose=0)]


@pytest.mark.parametrize("bidirectional", [False, True], ids=["", "bidirectional"])
@pytest.mark.parametrize("cell", CELLS)
def test_training(cell, bidirectional):
    expected = trained(cell, bidirectional, 1)
    for threads in THREADS[1:]:
        for got, wanted in zip(trained(cell, bidirectional, threads), expected, strict=True):
            assert same_bits(got, wanted), f"1 and {threads} threads differ"


@pytest.mark.parametrize("cell", CELLS)
def test_many_python_threads_predict_at_once(cell, rng):
    """One layer, called from eight Python threads with inputs of different shapes."""
    layer = make_layer(cell, 16, 64, rng, return_sequences=True)
    fastrnn.set_num_threads(2)
    inputs = [rng.standard_normal((N, T, 16)).astype("float32") for N, T in [(1, 9), (4, 30), (40, 5), (64, 20)] * 8]
    expected = [layer(x).copy() for x in inputs]
    with ThreadPoolExecutor(8) as pool:
        for got, wanted in zip(pool.map(layer, inputs * 5), expected * 5):
            assert same_bits(got, wanted)


@pytest.mark.parametrize("cell", CELLS)
def test_the_first_calls_after_an_update_come_at_once(cell, rng):
    """Weights are packed by whichever call comes first; the others must not see them half packed."""
    layer, other = (make_layer(cell, 64, 200, rng) for _ in range(2))
    x = rng.standard_normal((2, 3, 64)).astype("float32")
    with ThreadPoolExecutor(8) as pool:
        for _ in range(25):
            weights = reference.random_weights(cell, 64, 200, rng)
            other.set_weights(weights)
            expected = other(x)
            layer.set_weights(weights)
            assert all(same_bits(got, expected) for got in pool.map(layer, [x] * 16))


def test_a_forked_child_computes(rng):
    """What the parent's thread pool did before the fork must not hang the child, or the parent after it."""
    script = """
import os
import numpy as np
import fastrnn
fastrnn.set_num_threads(2)
layer = fastrnn.layers.LSTM(64, return_sequences=True)
x = np.random.default_rng(0).standard_normal((64, 20, 32)).astype("float32")
expected = layer(x, training=True).tobytes()
dx = layer.backward(np.ones((64, 20, 64), "float32")).tobytes()
child = os.fork()
same = layer(x, training=True).tobytes() == expected
same = same and layer.backward(np.ones((64, 20, 64), "float32")).tobytes() == dx
if child == 0:
    os._exit(0 if same else 1)
assert same and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "two", None, True])
def test_bad_number_of_threads(threads):
    before = fastrnn.get_num_threads()
    with pytest.raises((ValueError, TypeError), match="thread"):
        fastrnn.set_num_threads(threads)
    assert fastrnn.get_num_threads() == before
