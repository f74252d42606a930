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
from tests.conftest import CELLS, make_layer, states_of

N, T, D, H, V = 4, 3, 5, 6, 8

#: Functions of the kernels that take no arrays.
WITHOUT_ARRAYS = {"BackwardCall", "CModel", "CStream", "ForwardCall", "Lent", "Packed", "Program", "RecurrentCall",
                  "RecurrentTape", "Runner", "Splits", "Windows", "bind_blas", "ctc_room", "force_plan",
                  "layers_in_python", "model_capsule", "planned", "set_blas_mode", "set_long_tape",
                  "threads_each"}  # fmt: skip


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.1, 0.9, shape).astype("float32")


def line(size: int) -> np.ndarray:
    """A buffer, with room to be aligned in."""
    buffer = arrays.aligned_empty(size, "float32")
    buffer[:] = 0.5
    return buffer


def indices(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, V, shape).astype("int32")


def recurrent_layer(cell: str, **options: Any) -> Any:
    peepholes = {"use_peepholes": True} if cell == "LSTM" else {}
    return make_layer(cell, D, H, np.random.default_rng(0), **peepholes, **options)


def weights_of(layer: Any) -> tuple[np.ndarray, ...]:
    return tuple(variable.data for variable in layer.weights)


def forward_arguments(cell: str, *, training: bool = False, rows: bool = False) -> dict[str, np.ndarray]:
    """Every array that a forward pass can be given."""
    states = states_of(cell, N, H, np.random.default_rng(0), "float32")
    given = {"x": numbers(N, T, D), "mask": np.ones((N, T), bool), "y": np.zeros((N, T, H), "f4"),
             **dict(zip(("h0", "c0"), states))}  # fmt: skip
    if rows:
        given.update(x=numbers(V, D), index=indices(N, T))
    if training:
        given["x_drop"] = numbers(N, D)
        if cell != "MinGRU":
            given["h_drop"] = numbers(N, H)
    return given


def backward_arguments(cell: str, layer: Any) -> dict[str, np.ndarray]:
    """Every array that a backward pass can be given."""
    first, last = (states_of(cell, N, H, np.random.default_rng(seed), "float32") for seed in (1, 2))
    names = ["dW", *(["dU"] if cell != "MinGRU" else []), "db", *(["dpeephole"] if cell == "LSTM" else [])]
    return {"dy": numbers(N, T, H), "dx": numbers(N, T, D), **dict(zip(("dhT", "dcT"), last)),
            **dict(zip(("dh0", "dc0"), first)),
            **{name: numbers(*variable.shape) for name, variable in zip(names, layer.weights, strict=True)}}


def forward(layer: Any, training: bool) -> Callable[..., Any]:
    def run(kernels: Any, weights: Any, given: dict[str, np.ndarray]) -> None:
        for variable in layer.weights:
            variable.touch()        # so that it is packed from what it is now
        tape = kernels.RecurrentTape() if training else None
        layer.kernel_runner().forward_call(2, **given, final=layer.state_count, tape=tape).run()

    return run


def backward(layer: Any) -> Callable[..., Any]:
    def run(kernels: Any, weights: Any, given: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
        for variable in layer.weights:
            variable.touch()
        runner, tape = layer.kernel_runner(), kernels.RecurrentTape()
        runner.forward_call(2, **given, tape=tape).run()
        runner.backward_call(2, tape, **wanted).run()

    return run


def windows(kernels: Any) -> tuple[Any, Any]:
    """Of one row of 6 columns, 3 wide, in all 4 places."""
    return kernels.Windows(1, 1, 1, 1, 1, 0), kernels.Windows(6, 4, 3, 1, 1, 0)


def convolution(kernels: Any, w: np.ndarray, b: np.ndarray) -> Any:
    return kernels.ConvolutionRunner(Variable(w, "kernel"), Variable(b, "bias"), 0, 1, False)


def convolved(kernels: Any, w: np.ndarray, b: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    convolution(kernels, w, b).output(x, y, *windows(kernels), 2)


def convolved_back(kernels: Any, w: np.ndarray, b: np.ndarray, dz: np.ndarray, dx: np.ndarray) -> None:
    convolution(kernels, w, b).input_gradient(dz, dx, *windows(kernels), 2)


def convolved_sums(kernels: Any, w: np.ndarray, b: np.ndarray, x: np.ndarray, dz: np.ndarray, dw: np.ndarray,
                   db: np.ndarray, scratch: np.ndarray) -> None:
    convolution(kernels, w, b).weight_gradients(x, dz, dw, db, scratch, *windows(kernels), 2)


def over_windows(name: str, *more: Any) -> Callable[..., Any]:
    return lambda kernels, *arguments: getattr(kernels, name)(*arguments, *windows(kernels), *more, 2)


def spread(kernels: Any, *arguments: np.ndarray) -> None:
    *read, work = arguments
    x, labels, label_lengths, lengths, values, gradient = read
    kernels.ctc(x, labels, label_lengths, lengths, 0, values, gradient, work, True, 2)


def of_windows(kernels: Any) -> Iterator[tuple[str, str, Callable[..., Any], tuple[Any, ...]]]:
    """The kernels whose outputs are each made of a window of the input."""
    w, b, x, y = numbers(1, 3, D, H), numbers(H), numbers(N, 1, 6, D), numbers(N, 1, 4, H)
    size = convolution(kernels, w, b).scratch_size(2)
    yield "ConvolutionRunner", "output", convolved, (w, b, x, np.zeros_like(y))
    yield "ConvolutionRunner", "back", convolved_back, (w, b, y, np.zeros_like(x))
    sums = np.zeros_like(w), np.zeros_like(b), line(size)[:size]
    yield "ConvolutionRunner", "sums", convolved_sums, (w, b, x, y, *sums)
    small, taps = numbers(N, 1, 4, D), numbers(1, 3, D)
    yield "depthwise", "", over_windows("depthwise", 0), (x, taps, numbers(D), np.zeros_like(small))
    yield "depthwise_input_gradient", "", over_windows("depthwise_input_gradient"), (small, taps, np.zeros_like(x))
    yield "depthwise_weight_gradient", "", over_windows("depthwise_weight_gradient"), (x, small, np.zeros_like(taps))
    yield "pool", "", over_windows("pool", False), (x, np.zeros_like(small))
    yield "pool_backward", "", over_windows("pool_backward", False), (x, small, small.copy(), np.zeros_like(x))


def variable() -> tuple[Any, ...]:
    slots = {name: numbers(V, D) / 1000 for name in (
        "momentum", "velocity", "velocity_hat", "average_gradient", "norm", "accumulator", "accumulated_grad",
        "accumulated_delta_var")}
    return numbers(V, D), -numbers(V, D), np.ones(V, np.uint8), 1.0, 0.1, slots


def output(layer: Any) -> Callable[..., Any]:
    return lambda kernels, weights, x: layer.runner().output(x, 2)


def dense(kernels: Any, w: np.ndarray, b: np.ndarray, x: np.ndarray) -> None:
    kernels.DenseRunner(Variable(w, "kernel"), Variable(b, "bias"), 0, True).output(x, 2)


def dense_back(kernels: Any, w: np.ndarray, given: dict[str, np.ndarray]) -> None:
    kernels.DenseRunner(Variable(w, "kernel"), None, 0).backward(**given, wanted=True, threads=2)


def dense_arguments(kernels: Any) -> dict[str, np.ndarray]:
    size = kernels.DenseRunner(Variable(numbers(D, H), "kernel"), None, 0).scratch_size(numbers(N, D), 2)
    return {"x": numbers(N, D), "dz": numbers(N, H), "dW": numbers(D, H), "db": numbers(H),
            "scratch": line(size)[:size]}


def streamed(layer: Any) -> Callable[..., Any]:
    def run(kernels: Any, weights: Any, given: dict[str, np.ndarray]) -> None:
        program = kernels.Program(D, 0)
        program.recurrent(layer.kernel_runner(), 0, "layer")
        kernels.StreamRunner(program, V, 2).feed(**given)

    return run


def in_line(kernels: Any, w: np.ndarray, x: np.ndarray) -> None:
    kernels.LineRunner([kernels.DenseRunner(Variable(w, "kernel"), None, 0)], (-1, D)).output(x, 2)


def of_variable(name: str, *numbers: Any) -> Callable[..., Any]:
    return lambda kernels, *part: getattr(kernels, name)([part], 1.0, *numbers, 2)


def plain(name: str) -> Callable[..., Any]:
    return lambda kernels, *arguments: getattr(kernels, name)(*arguments)


def calls() -> Iterator[tuple[str, str, Callable[..., Any], tuple[Any, ...]]]:
    """A call of each kernel, under its name: what runs it, and its arguments."""
    kernels = _core.kernels("float32")
    for cell in CELLS:
        layer = recurrent_layer(cell)
        for training, rows in (True, False), (False, False), (False, True):
            yield ("RecurrentRunner", f"{cell} {training} {rows}", forward(layer, training),
                   (weights_of(layer), forward_arguments(cell, training=training, rows=rows)))  # fmt: skip
        given = forward_arguments(cell, training=True)
        del given["y"]
        yield ("RecurrentRunner", f"{cell} back", backward(layer),
               (weights_of(layer), given, backward_arguments(cell, layer)))  # fmt: skip
        yield "RecurrentRunner", f"{cell} output", output(layer), (weights_of(layer), numbers(N, T, D))
    yield "DenseRunner", "output", dense, (numbers(D, H), numbers(H), numbers(N, D))
    yield "DenseRunner", "back", dense_back, (numbers(D, H), dense_arguments(kernels))
    layer = recurrent_layer("GRU")
    yield ("StreamRunner", "feed", streamed(layer),
           (weights_of(layer), {"x": numbers(N, T, D), "y": np.zeros((N, T, H), "f4"), "lengths": np.full(N, T, "i4"),
                                "slots": np.arange(N, dtype="i4")}))  # fmt: skip
    yield ("scale_features", "", plain("scale_features"),
           (numbers(N, D), numbers(D), numbers(D), np.zeros((N, D), "f4"), 2))  # fmt: skip
    yield ("normalize_rows", "", plain("normalize_rows"),
           (numbers(N, D), numbers(D), numbers(D), 1e-3, True, np.zeros((N, D), "f4"), 2))  # fmt: skip
    yield "LineRunner", "output", in_line, (numbers(D, H), numbers(N, D))
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
    yield "nadam_update", "", of_variable("nadam_update", 0.1, 0.1, 0.9, 0.9, 1e-7), variable()
    yield "adamax_update", "", of_variable("adamax_update", 0.1, 0.9, 0.9, 1e-7), variable()
    yield "adagrad_update", "", of_variable("adagrad_update", 0.1, 1e-7), variable()
    yield "adadelta_update", "", of_variable("adadelta_update", 0.1, 0.9, 1e-7), variable()
    yield "lion_update", "", of_variable("lion_update", 0.1, 0.9, 0.9), variable()
    yield from of_windows(kernels)
    room = 2 * kernels.ctc_room(T, 1, True)
    yield ("ctc", "", spread, (numbers(N, T, V), np.ones((N, 1), "i4"), np.ones(N, "i4"), np.full(N, T, "i4"),
                               np.zeros(N, "f4"), np.zeros((N, T, V), "f4"), np.zeros(room, "f4")))  # fmt: skip


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


@pytest.mark.parametrize(("name", "case", "run", "arguments"), CALLS,
                         ids=[f"{name} {case}".strip() for name, case, *_ in CALLS])  # fmt: skip
def test_what_is_written_to_must_be_writable_and_nothing_else(name, case, run, arguments):
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
    assert any(changed) or case.endswith("output") or name == "sum_of_squares"


def test_every_kernel_is_called_above():
    kernels = _core.kernels("float32")
    functions = {name for name, value in vars(kernels).items() if not name.startswith("_")
                 and (inspect.isbuiltin(value) or inspect.isclass(value))}  # fmt: skip
    assert functions - WITHOUT_ARRAYS == {call[0] for call in CALLS}


def wrong_ones(array: np.ndarray, name: str) -> Iterator[tuple[str, np.ndarray]]:
    """What a kernel must not take in an array's place."""
    kind = {"f": "f8", "b": "u1", "i": "i8"}[array.dtype.kind]
    yield "dtype", array.astype(kind)
    yield "shape", array[..., :-1].copy()
    yield "rank", array.reshape(-1)[1:].copy()
    if name not in ("mask", "index"):       # of which any strides will do
        yield "strides", np.repeat(array, 2, axis=-1)[..., ::2]
    if array.itemsize > 1:
        room = np.zeros(array.nbytes + 1, np.uint8)
        room[1:] = array.reshape(-1).view(np.uint8)
        yield "alignment", room[1:].view(array.dtype).reshape(array.shape)
        yield "byte order", array.astype(array.dtype.newbyteorder())


NAMED = [(name, case, run, arguments) for name, case, run, arguments in CALLS if isinstance(arguments[-1], dict)
         and name.endswith("Runner")]


@pytest.mark.parametrize(("name", "case", "run", "arguments"), NAMED, ids=[f"{call[0]} {call[1]}" for call in NAMED])
def test_runners_refuse_an_array_of_another_kind(name, case, run, arguments):
    """Each array in turn, by an error that names it, or the one that it does not go with."""
    kernels = _core.kernels("float32")
    for place, given in enumerate(arguments):
        for argument in given if isinstance(given, dict) else ():
            for kind, wrong in wrong_ones(given[argument], argument):
                changed = (*arguments[:place], {**given, argument: wrong}, *arguments[place + 1:])
                with pytest.raises(ValueError, match="^kernel argument '"):
                    run(kernels, *changed)
                    pytest.fail(f"{argument} of another {kind} was taken")


@pytest.mark.parametrize("make", [lambda: recurrent_layer("LSTM").runner(), lambda: in_place("DenseRunner"),
                                  lambda: in_place("LineRunner")])  # fmt: skip
def test_runners_have_no_output_for_an_array_of_another_kind(make):
    runner, x = make(), numbers(N, T, D)
    assert runner.output(x, 1) is not None
    for kind, wrong in wrong_ones(x, "x"):
        assert runner.output(wrong, 1) is None, kind
    for wrong in x.tolist(), None, x[0, 0], np.ma.array(x), numbers():
        assert runner.output(wrong, 1) is None


def in_place(name: str) -> Any:
    kernels = _core.kernels("float32")
    dense = kernels.DenseRunner(Variable(numbers(D, H), "kernel"), None, 0)
    return dense if name == "DenseRunner" else kernels.LineRunner([dense], (-1, T, D))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_cell_that_is_not_in_the_table_is_refused(dtype):
    kernels = _core.kernels(dtype)
    for number in -1, len(kernels.CELLS), 10**6:
        for call in (lambda n: kernels.planned(n, N, T, D, H, 1),
                     lambda n: kernels.RecurrentRunner(n, 0, 0, Variable(numbers(D, H), "kernel"), None, None, None, H,
                                                       True)):  # fmt: skip
            with pytest.raises(ValueError, match="kernel argument 'cell': expected a number from 0 to"):
                call(number)


class TestCalls:
    """A call that is ready runs once, on what it was made for."""

    def setup_method(self):
        self.kernels, self.layer = _core.kernels("float32"), recurrent_layer("LSTM")
        self.runner, self.x, self.tape = self.layer.kernel_runner(), numbers(N, T, D), self.kernels.RecurrentTape()

    def test_it_runs_once(self):
        for make in (lambda: self.runner.forward_call(1, self.x, tape=self.tape),
                     lambda: self.runner.backward_call(1, self.tape)):  # fmt: skip
            call = make()
            call.run()
            with pytest.raises(RuntimeError, match="it was run before"):
                call.run()
        call = self.runner.forward_call(1, self.x)
        with pytest.raises(RuntimeError, match="it was run before"):
            call.run(call, 2)

    def test_a_tape_is_used_up(self):
        with pytest.raises(ValueError, match="kernel argument 'tape'"):
            self.runner.backward_call(1, self.tape)
        self.runner.forward_call(1, self.x, tape=self.tape).run()
        other = recurrent_layer("GRU")
        with pytest.raises(ValueError, match="kernel argument 'tape'"):
            other.kernel_runner().backward_call(1, self.tape)
        self.runner.backward_call(1, self.tape).run()
        with pytest.raises(ValueError, match="kernel argument 'tape'"):
            self.runner.backward_call(1, self.tape)

    def test_a_tape_that_grows_leaves_a_call_its_memory(self):
        """The first call's tape is no longer the tape's own, and stays while the call does."""
        first = self.runner.forward_call(1, self.x, y=(y := np.zeros((N, T, H), "f4")), tape=self.tape)
        self.runner.forward_call(1, numbers(50 * N, T, D), tape=self.tape).run()
        first.run()
        expected = np.zeros_like(y)
        self.runner.forward_call(1, self.x, y=expected).run()
        np.testing.assert_array_equal(y, expected)

    def test_two_at_once_must_share_the_threads(self):
        for first, second in (1, 2), (2, 2), (4, 4):
            one, two = (self.runner.forward_call(threads, self.x) for threads in (first, second))
            with pytest.raises(ValueError, match=r"made for threads_each\(2\)"):
                one.run(two, 2)

    def test_weights_of_another_shape_are_refused(self):
        self.layer.recurrent_kernel.data = numbers(H, H)
        with pytest.raises(ValueError, match="kernel argument 'recurrent_kernel'"):
            self.runner.output(self.x, 1)
        with pytest.raises(ValueError, match="kernel argument 'recurrent_kernel'"):
            self.runner.output(self.x, 1)       # nor later
