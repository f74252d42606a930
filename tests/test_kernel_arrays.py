# SPDX-License-Identifier: Apache-2.0
"""Every kernel that takes arrays: one that it writes to must be writable, and one that it reads may lie anywhere."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from fastrnn import _core, arrays
from fastrnn.layers.variable import Variable
from tests.conftest import make_layer, states_of

N, T, D, H, V = 4, 3, 5, 6, 8
CELLS = ["SimpleRNN", "LSTM", "GRU", "MinGRU"]

#: Functions of the kernels that take no arrays.
WITHOUT_ARRAYS = {"Lent", "backward_scratch", "bind_blas", "Packed", "Runner", "force_plan", "planned",
                  "set_blas_mode", "set_long_tape", "tape_size", "threads_each"}  # fmt: skip


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.1, 0.9, shape).astype("float32")


def line(size: int) -> np.ndarray:
    """A buffer, with room to be aligned in."""
    buffer = arrays.aligned_empty(size, "float32")
    buffer[:] = 0.5
    return buffer


def indices(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, V, shape).astype("int32")


def forward_arguments(cell: str, *, training: bool, rows: bool = False) -> tuple[Any, ...]:
    """Of a call with everything that a kernel can be given or asked for."""
    rng = np.random.default_rng(0)
    layer = make_layer(cell, D, H, rng, return_state=True, recurrent_dropout=0.5 if training else 0, seed=0)
    states = [*states_of(cell, N, H, rng, "float32")]
    x: Any = arrays.Rows(numbers(V, D), indices(N, T)) if rows else numbers(N, T, D)
    return layer.forward_call(x, np.zeros((N, T, H), "float32"), training, np.ones((N, T), bool), states, 2).arguments


def backward_arguments(cell: str) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    layer = make_layer(cell, D, H, rng, return_sequences=True, return_state=True, dropout=0.5, recurrent_dropout=0.5,
                       seed=0)  # fmt: skip
    states = states_of(cell, N, H, rng, "float32")
    layer(numbers(N, T, D), training=True, mask=np.ones((N, T), bool), initial_state=states)
    return layer.backward_call(numbers(N, T, H), np.zeros((N, T, D), "float32"), states, 2)


def variable() -> tuple[Any, ...]:
    slots = {name: numbers(V, D) / 1000 for name in ("momentum", "velocity", "velocity_hat", "average_gradient")}
    return numbers(V, D), -numbers(V, D), np.ones(V, np.uint8), 1.0, 0.1, slots


def inference(kernels: Any, *arguments: Any) -> None:
    *layer, x = arguments
    kernels.Inference(*layer).output(x, 2, True)


def inference_run(kernels: Any, *arguments: Any) -> None:
    *layer, x, y, mask, h = arguments
    kernels.Inference(*layer).run(x, y, mask, h, None, False, 1, 2)


def dense(kernels: Any, w: np.ndarray, b: np.ndarray, x: np.ndarray) -> None:
    kernels.DenseRunner(Variable(w, "kernel"), Variable(b, "bias"), 0, True).output(x, 2)


def dense_back(kernels: Any, w: np.ndarray, x: np.ndarray, dz: np.ndarray, dw: np.ndarray, db: np.ndarray,
               scratch: np.ndarray) -> None:
    kernels.DenseRunner(Variable(w, "kernel"), None, 0).backward(x, dz, True, dw, db, scratch, 2)


def of_layer(name: str) -> Callable[..., Any]:
    return lambda kernels, *arguments: getattr(kernels, name)(2, arguments)


def of_variable(name: str, *numbers: Any) -> Callable[..., Any]:
    return lambda kernels, *part: getattr(kernels, name)([part], 1.0, *numbers, 2)


def plain(name: str) -> Callable[..., Any]:
    return lambda kernels, *arguments: getattr(kernels, name)(*arguments)


def calls() -> Iterator[tuple[str, str, Callable[..., Any], tuple[Any, ...]]]:
    """A call of each kernel, under its name: what runs it, and its arguments."""
    kernels = _core.kernels("float32")
    for cell in CELLS:
        for training, rows in (True, False), (False, False), (False, True):
            arguments = forward_arguments(cell, training=training, rows=rows)
            yield "forward", f"{cell} {training} {rows}", of_layer("forward"), arguments
        yield "backward", cell, of_layer("backward"), backward_arguments(cell)
    layer = make_layer("GRU", D, H, np.random.default_rng(0))
    _, w, u, b, b_recurrent, _ = layer._pack()
    made_of = layer.cell, H, *layer._codes, w, u, b, b_recurrent, layer.kernel.data, layer.weights
    yield "Inference", "", inference, (*made_of, numbers(N, T, D))
    yield ("Inference", "with states", inference_run,
           (*made_of, numbers(N, T, D), np.zeros((N, T, H), "f4"), np.ones((N, T), bool), numbers(N, H)))  # fmt: skip
    yield "DenseRunner", "", dense, (numbers(D, H), numbers(H), numbers(N, D))
    yield ("DenseRunner", "back", dense_back, (numbers(D, H), numbers(N, D), numbers(N, H), numbers(D, H), numbers(H),
                                               line(20_000)))  # fmt: skip
    yield "pack", "", plain("pack"), (numbers(D, H), H, (0,), line(1000))
    yield "pack_t", "", plain("pack_t"), (numbers(D, H), H, (0,), line(1000))
    yield "same_largest", "", plain("same_largest"), (numbers(N, H), numbers(N, H), np.zeros(N, bool), 2)
    yield ("crossentropy_rows", "", plain("crossentropy_rows"),
           (numbers(N, H), numbers(N, H), numbers(N), numbers(N, H), 2))  # fmt: skip
    yield "softmax_rows", "", plain("softmax_rows"), (numbers(N, H), np.zeros((N, H), "f4"), 2)
    yield "softmax_rows_backward", "", plain("softmax_rows_backward"), (numbers(N, H), numbers(N, H), numbers(N, H), 2)
    yield "gather_rows", "", plain("gather_rows"), (numbers(V, D), indices(N), np.zeros((N, D), "f4"), 2, numbers(N, D))
    yield ("scatter_rows", "", plain("scatter_rows"),
           (numbers(N, D), indices(N), np.zeros((V, D), "f4"), np.zeros(V, np.uint8), 2))  # fmt: skip
    yield "scale_rows", "", plain("scale_rows"), (numbers(N, T, D), numbers(N, D), np.zeros((N, T, D), "f4"), 2)
    yield "add", "", plain("add"), (numbers(N, D), numbers(N, D), 2)
    yield "activate_array", "", plain("activate_array"), (3, numbers(N), np.zeros(N, "f4"))
    yield "sum_of_squares", "", plain("sum_of_squares"), (numbers(V, D), np.ones(V, np.uint8), 2)
    yield "sgd_update", "", of_variable("sgd_update", 0.1, 0.9, False), variable()
    yield "rmsprop_update", "", of_variable("rmsprop_update", 0.1, 0.9, 0.9, 1e-7), variable()
    yield "adam_update", "", of_variable("adam_update", 0.1, 0.9, 0.9, 1e-7), variable()


def arrays_of(arguments: Any) -> list[np.ndarray]:
    values = arguments.values() if isinstance(arguments, dict) else arguments
    found: list[np.ndarray] = []
    for value in values:
        if isinstance(value, np.ndarray):
            found.append(value)
        elif isinstance(value, (tuple, dict)):
            found += arrays_of(value)
    return found


CALLS = list(calls())


@pytest.mark.parametrize(("name", "run", "arguments"), [(name, *call) for name, _, *call in CALLS],
                         ids=[f"{name} {case}".strip() for name, case, *_ in CALLS])  # fmt: skip
def test_what_is_written_to_must_be_writable_and_nothing_else(name, run, arguments):
    """Which arrays a kernel writes to shows in what a call changes: those, and no others, are refused if read-only."""
    kernels = _core.kernels("float32")
    found = arrays_of(arguments)
    before = [array.copy() for array in found]
    run(kernels, *arguments)
    changed = [not np.array_equal(old, new, equal_nan=True) for old, new in zip(before, found, strict=True)]
    for array, old, written in zip(found, before, changed, strict=True):
        for other, value in zip(found, before, strict=True):
            other[...] = value
        array.flags.writeable = False
        try:
            run(kernels, *arguments)
            assert not written
        except ValueError as error:
            argument, expected = str(error).split(": ", 1)
            assert expected == "expected an array that can be written to, got a read-only one; pass a copy of it"
            assert written or argument.split("'")[1] in ("tape", "scratch")     # which small problems leave as they are
        np.testing.assert_array_equal(array, old)
        array.flags.writeable = True
    assert any(changed) or name in ("Inference", "DenseRunner", "sum_of_squares")


def test_every_kernel_is_called_above():
    kernels = _core.kernels("float32")
    functions = {name for name, value in vars(kernels).items() if not name.startswith("_")
                 and (inspect.isbuiltin(value) or inspect.isclass(value))}  # fmt: skip
    assert functions - WITHOUT_ARRAYS == {call[0] for call in CALLS}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_cell_that_is_not_in_the_table_is_refused(dtype):
    kernels = _core.kernels(dtype)
    for number in -1, len(kernels.CELLS), 10**6:
        for call in (lambda n: kernels.tape_size(n, N, T, D, H, True, False, 1),
                     lambda n: kernels.planned(n, N, T, D, H, 1),
                     lambda n: kernels.backward_scratch(n, N, T, D, H, 1)):  # fmt: skip
            with pytest.raises(ValueError, match="kernel argument 'cell': expected a number from 0 to"):
                call(number)
