# SPDX-License-Identifier: Apache-2.0
"""Outputs, states and every gradient of the recurrent layers: against the NumPy reference in both precisions, and
against central differences of the layer itself in float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import fastrnn
from tests import reference
from tests.conftest import CELLS, VARIANTS, assert_close, make_layer, states_of

TOLERANCE = {"float32": 3e-5, "float64": 1e-10}  # of a sum whose terms may cancel
SHAPES = list(itertools.product([1, 5, 33], [1, 2, 7], [1, 3, 16, 37]))  # N, T, H

# What can be asked of every cell; the first value of each is the default.
FACTORS = {
    "shape": SHAPES,
    "D": [3, 1, 20],
    "initial_state": [False, True],
    "return_state": [False, True],
    "return_sequences": [True, False],
    "go_backwards": [False, True],
    "dropout": [0.0, 0.3],
    "recurrent_dropout": [0.0, 0.4],
    "mask": [None, "right", "left", "holes", "full"],
    "zero_output_for_mask": [False, True],
    "use_bias": [True, False],
    "layout": ["contiguous", "time major", "strided"],
}
CELL_FACTORS = {
    "SimpleRNN": {"activation": ["tanh", "relu", "sigmoid", "linear"]},
    "LSTM": {
        "activation": ["tanh", "relu", "linear"],
        "recurrent_activation": ["sigmoid", "hard_sigmoid"],
        "use_peepholes": [False, True],
    },
    "GRU": {
        "activation": ["tanh", "relu", "linear"],
        "recurrent_activation": ["sigmoid", "hard_sigmoid"],
        "reset_after": [True, False],
    },
    "MinGRU": {
        "activation": ["linear", "tanh", "relu"],
        "recurrent_activation": ["sigmoid", "hard_sigmoid"],
        "recurrent_dropout": [0.0],
    },
}


def pairwise(factors: dict[str, list]) -> list[dict]:
    """Few combinations in which any two values of any two factors meet: bugs rarely need three."""
    rng = np.random.default_rng(0)
    names = list(factors)

    def pairs(row):
        return {(a, row[a], b, row[b]) for a, b in itertools.combinations(range(len(names)), 2)}

    missing = set()
    for a, b in itertools.combinations(range(len(names)), 2):
        for i, j in itertools.product(range(len(factors[names[a]])), range(len(factors[names[b]]))):
            missing.add((a, i, b, j))
    rows = []
    while missing:
        a, i, b, j = min(missing)  # a row always brings this pair, so the loop ends
        candidates = []
        for _ in range(20):
            row = [int(rng.integers(len(factors[n]))) for n in names]
            row[a], row[b] = i, j
            candidates.append(row)
        best = max(candidates, key=lambda row: len(pairs(row) & missing))
        missing -= pairs(best)
        rows.append({n: factors[n][k] for n, k in zip(names, best)})
    return rows


def describe(case: dict) -> str:
    """A test id: the shape, and what differs from the defaults."""
    name = case["cell"]
    defaults = {k: v[0] for k, v in (FACTORS | CELL_FACTORS[name]).items()}
    words = [f"{k}={v}" for k, v in case.items() if k not in ("cell", "shape") and v != defaults[k]]
    return "-".join([name, "x".join(map(str, case["shape"])), *words])


CASES = [{"cell": name, **row} for name in CELLS for row in pairwise(FACTORS | CELL_FACTORS[name])]

# Batches whose weights' gradients are summed in two halves, the longer ones some steps at a time; plain, and with
# everything that makes steps unlike.
LONG = [
    {"cell": name} | {k: v[0] for k, v in (FACTORS | CELL_FACTORS[name]).items()} | {"shape": shape} | options
    for name in CELLS
    for shape in ((70, 20, 16), (70, 130, 16))
    for options in ({}, {"mask": "late"},
                    {"mask": "holes", "dropout": 0.3, "recurrent_dropout": 0.4, "initial_state": True,
                     "return_state": True, **({"reset_after": False} if name == "GRU" else {}),
                     **({"use_peepholes": True} if name == "LSTM" else {})})
]


def as_list(gradients) -> list:
    return gradients if isinstance(gradients, list) else [gradients]


class Problem:
    """One case made concrete: a layer, its input and the gradients that come back to it."""

    def __init__(self, case: dict, dtype: str):
        self.rng = rng = np.random.default_rng(len(describe(case)))
        case = dict(case)
        self.cell, (N, T, H), D = case.pop("cell"), case.pop("shape"), case.pop("D")
        layout, mask, initial = case.pop("layout"), case.pop("mask"), case.pop("initial_state")
        self.options = case
        self.dtype = dtype
        self.layer = make_layer(self.cell, D, H, rng, dtype=dtype, **case)
        self.x = with_layout(rng.standard_normal((N, T, D)).astype(dtype), layout)
        self.mask = reference.random_mask(mask, N, T, rng)
        self.initial_state = states_of(self.cell, N, H, rng, dtype) if initial else None
        self.dstates = states_of(self.cell, N, H, rng, dtype) if case["return_state"] else None
        self.dy = rng.standard_normal((N, T, H) if case["return_sequences"] else (N, H)).astype(dtype)

    def call(self, training: bool = True):
        """The layer's output and list of final states (empty without return_state)."""
        fastrnn.utils.set_random_seed(1)  # the same dropout each time, in this run and the next
        out = self.layer(self.x, training=training, mask=self.mask, initial_state=self.initial_state)
        if training:
            self.tape = self.layer.default_call.kept
        y, *states = out if self.options["return_state"] else [out]
        return y, states

    def backward(self) -> dict[str, np.ndarray]:
        """The layer's gradients by name."""
        layer = self.layer
        dx, *dinitial = as_list(layer.backward(self.dy, *(self.dstates or ())))
        grads = {"x": dx} | {variable.name: variable.grad for variable in layer.weights}
        assert len(dinitial) == len(self.initial_state or ())
        return grads | {f"initial_state[{i}]": g for i, g in enumerate(dinitial)}

    def reference_arguments(self, training: bool) -> tuple[list[np.ndarray], dict]:
        """x, the weights and the options for the reference, in float64, with the dropout masks that the layer drew."""
        layer = self.layer
        kept = ("activation", "recurrent_activation", "reset_after", "go_backwards", "zero_output_for_mask")
        options = {k: self.options[k] for k in kept if k in self.options}
        options |= {"mask": self.mask, "initial_state": float64(self.initial_state)}
        if training:
            options["dropout_mask"] = float64(self.tape.x_drop)
            options["recurrent_dropout_mask"] = float64(self.tape.h_drop)
        weights = {variable.name: variable.data for variable in layer.weights}
        return [float64(self.x), *(float64(weights.get(name)) for name in reference.weight_names(self.cell))], options

    def reference_call(self, training: bool = True):
        arguments, options = self.reference_arguments(training)
        y, states = reference.forward(self.cell, *arguments, **options)
        return (y if self.options["return_sequences"] else y[:, -1]), states

    def reference_backward(self) -> dict[str, np.ndarray]:
        (x, *weights), options = self.reference_arguments(training=True)
        dy = float64(self.dy)
        if not self.options["return_sequences"]:
            dy = np.zeros((*x.shape[:2], dy.shape[-1]))
            dy[:, -1] = self.dy
        g = reference.backward(self.cell, dy, float64(self.dstates), x, *weights, **options)
        grads = {"x": g.x, "kernel": g.W, "recurrent_kernel": g.U, "bias": g.b, "peephole_kernel": g.p}
        grads |= {f"initial_state[{i}]": d for i, d in enumerate(g.initial_state)}
        return grads


def float64(value):
    """An array, a list of arrays or None, in float64."""
    if value is None:
        return None
    if isinstance(value, list):
        return [np.asarray(v, "float64") for v in value]
    return np.asarray(value, "float64")


def with_layout(x: np.ndarray, layout: str) -> np.ndarray:
    """The values of x, laid out otherwise in memory."""
    if layout == "time major":
        return np.ascontiguousarray(x.transpose(1, 0, 2)).transpose(1, 0, 2)
    if layout == "strided":
        wide = np.full((x.shape[0], 2 * x.shape[1], x.shape[2] + 3), np.nan, x.dtype)
        wide[:, ::2, 1:-2] = x
        return wide[:, ::2, 1:-2]
    return x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", [*CASES, *LONG], ids=describe)
def test_outputs_and_gradients_are_the_references(case, dtype):
    check(case, dtype)


def check(case: dict, dtype: str, gradients: bool = True) -> None:
    """What a layer computes, with or without gradients, is what the reference computes."""
    problem = Problem(case, dtype)
    tolerance = TOLERANCE[dtype]

    y, states = problem.call(training=False)
    expected, expected_states = problem.reference_call(training=False)
    assert y.dtype == dtype
    assert_close(y, expected, tolerance, "y in inference")
    for i, (s, e) in enumerate(zip(states, expected_states)):
        assert_close(s, e, tolerance, f"final state {i} in inference")

    y, states = problem.call()
    expected, expected_states = problem.reference_call()
    assert_close(y, expected, tolerance, "y in training")
    for i, (s, e) in enumerate(zip(states, expected_states)):
        assert_close(s, e, tolerance, f"final state {i} in training")

    expected_grads = problem.reference_backward() if gradients else {}
    for name, grad in problem.backward().items():
        assert grad.dtype == dtype
        if gradients:
            assert_close(grad, expected_grads[name], tolerance, f"gradient of {name}")


@pytest.mark.parametrize("case", CASES, ids=describe)
def test_gradients_are_central_differences(case):
    """d loss(p + e v) / d e at e = 0 is <gradient of p, v>, for a random v and each p: x, weights, initial states."""
    problem = Problem(case, "float64")
    layer = problem.layer
    names = [variable.name for variable in layer.weights]

    def loss(values):
        problem.x = values["x"]
        layer.set_weights([values[n] for n in names])
        if problem.initial_state is not None:
            problem.initial_state = [values[f"initial_state[{i}]"] for i in range(len(problem.initial_state))]
        y, states = problem.call()
        return np.sum(y * problem.dy) + sum(np.sum(s * d) for s, d in zip(states, problem.dstates or []))

    values = {"x": problem.x} | dict(zip(names, layer.get_weights()))
    values |= {f"initial_state[{i}]": s for i, s in enumerate(problem.initial_state or [])}
    loss(values)
    grads = {name: grad.copy() for name, grad in problem.backward().items()}
    assert grads.keys() == values.keys()
    for name, grad in grads.items():
        v = problem.rng.standard_normal(grad.shape)
        analytic = np.sum(grad * v)
        # A kink of relu or hard_sigmoid between the two points spoils a difference: a smaller step gets past it.
        for step in (1e-5, 1e-6, 1e-7):
            up, down = (loss(values | {name: values[name] + e * v}) for e in (step, -step))
            numeric = (up - down) / (2 * step)
            # v is random: <gradient, v> may be small by chance, so its usual size, |gradient|, counts too
            scale = max(abs(numeric), abs(analytic), np.linalg.norm(grad))
            roundoff = 1e-15 * np.linalg.norm(problem.dy) / step
            if abs(numeric - analytic) <= 1e-6 * scale + roundoff:
                break
        else:
            pytest.fail(f"gradient of {name}: {analytic} along v, differences give {numeric}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(128, 10, 64, 128), (1, 12, 200, 256), (3, 6, 700, 40), (70, 3, 20, 130)], ids=str)
@pytest.mark.parametrize("cell", [*CELLS, "LSTM peepholes"])
@pytest.mark.usefixtures("both_ways")
def test_large_shapes(cell, shape, dtype):
    """Shapes at which the work is split over threads or handed to BLAS."""
    N, T, D, H = shape
    cell, option = VARIANTS.get(cell, (cell, {}))
    defaults = {k: v[0] for k, v in (FACTORS | CELL_FACTORS[cell]).items()}
    case = defaults | option | {"cell": cell, "shape": (N, T, H), "D": D, "initial_state": True, "return_state": True}
    problem = Problem(case, dtype)
    y, states = problem.call()
    expected, expected_states = problem.reference_call()
    for got, wanted in zip([y, *states], [expected, *expected_states]):
        assert_close(got, wanted, TOLERANCE[dtype])
    expected_grads = problem.reference_backward()
    for name, grad in problem.backward().items():
        assert_close(grad, expected_grads[name], TOLERANCE[dtype], f"gradient of {name}")


@pytest.mark.parametrize("cell", [*CELLS, "LSTM peepholes"])
@pytest.mark.usefixtures("both_ways")
def test_backward_overwrites_and_repeats(cell, rng):
    """Gradients are those of the last call alone, and the input's gradient can be left out."""
    layer = make_layer(cell, 4, 6, rng, return_sequences=True)
    x, dy = rng.standard_normal((5, 3, 4)).astype("float32"), rng.standard_normal((5, 3, 6)).astype("float32")
    layer(x, training=True)
    dx = layer.backward(dy).copy()
    grads = [v.grad.copy() for v in layer.trainable_weights]
    layer(x, training=True)
    layer.default_call.spared = frozenset([0])
    assert layer.backward(dy) is None
    layer.default_call.spared = frozenset()
    for variable, grad in zip(layer.trainable_weights, grads):
        np.testing.assert_array_equal(variable.grad, grad)
        assert variable.grad.shape == variable.shape and variable.grad.flags.c_contiguous
    layer(x, training=True)
    np.testing.assert_array_equal(layer.backward(dy), dx)


@pytest.mark.parametrize("cell", [*CELLS, "LSTM peepholes"])
def test_new_weights_count_at_once(cell, rng):
    """Weights are packed for the kernels: a change of any of them by any road must reach the next call."""
    layer = make_layer(cell, 4, 6, rng, dtype="float64", return_sequences=True)
    x, dy = rng.standard_normal((5, 3, 4)), rng.standard_normal((5, 3, 6))
    layer(x)
    cell = cell.split()[0]
    layer.set_weights(reference.random_weights(cell, 4, 6, rng, use_peepholes=layer.use_peepholes))
    assert_close(layer(x), reference.forward(cell, x, *layer.get_weights())[0], 1e-10)
    for variable in layer.weights:
        variable.assign(rng.standard_normal(variable.shape) * 0.5)
        assert_close(layer(x), reference.forward(cell, x, *layer.get_weights())[0], 1e-10)
        layer(x, training=True)
        expected = reference.backward(cell, dy, None, x, *layer.get_weights())
        assert_close(layer.backward(dy), expected.x, 1e-10)
    for variable in layer.weights:
        variable.data[...] *= 1.5  # as an optimizer does
        variable.touch()
        assert_close(layer(x), reference.forward(cell, x, *layer.get_weights())[0], 1e-10)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.usefixtures("both_ways")
def test_shapes_that_change_between_calls(cell, rng):
    """Workspaces are kept between calls: a smaller or larger batch must not read what the last one left."""
    layer = make_layer(cell, 4, 9, rng, dtype="float64", return_sequences=True)
    for N, T in [(5, 3), (33, 7), (2, 7), (1, 1), (40, 2), (5, 3)]:
        x, dy = rng.standard_normal((N, T, 4)), rng.standard_normal((N, T, 9))
        y, _ = reference.forward(cell, x, *layer.get_weights())
        assert_close(layer(x), y, 1e-10)
        assert_close(layer(x, training=True), y, 1e-10)
        expected = reference.backward(cell, dy, None, x, *layer.get_weights())
        assert_close(layer.backward(dy), expected.x, 1e-10)
        expected_grads = [grad for grad in (expected.W, expected.U, expected.b) if grad is not None]
        for variable, grad in zip(layer.weights, expected_grads, strict=True):
            assert_close(variable.grad, grad, 1e-10)


def dropped(layer):
    """What the last call in training multiplied input and state by."""
    tape = layer.default_call.kept
    return [tape.x_drop, tape.h_drop][: 1 + layer.has_recurrent_kernel]


@pytest.mark.parametrize("cell", CELLS)
def test_dropout_masks(cell, rng):
    """One mask of each kind a call, for all steps; none in inference; kept units are scaled up."""
    layer = make_layer(cell, 50, 40, rng, dropout=0.25, recurrent_dropout=0.5)
    x = rng.standard_normal((60, 3, 50)).astype("float32")
    layer(x, training=True)
    masks = [mask.copy() for mask in dropped(layer)]
    assert [m.shape for m in masks] == [(60, 50), (60, 40)][: len(masks)]
    for mask, rate in zip(masks, [0.25, 0.5]):
        np.testing.assert_allclose(np.unique(mask), [0, 1 / (1 - rate)], rtol=1e-6)
        assert abs(np.mean(mask == 0) - rate) < 0.04
    layer(x, training=True)
    assert all(np.any(new != old) for new, old in zip(dropped(layer), masks, strict=True))
    np.testing.assert_array_equal(layer(x), layer(x, training=False))

    plain = make_layer(cell, 50, 40, rng)
    plain(x, training=True)
    assert dropped(plain) == [None] * len(masks)


@pytest.mark.parametrize("cell", CELLS)
def test_dropout_repeats_with_the_seed(cell, rng):
    layer = make_layer(cell, 8, 6, rng, dropout=0.5, recurrent_dropout=0.5)
    x = rng.standard_normal((10, 3, 8)).astype("float32")
    fastrnn.utils.set_random_seed(3)
    first = [layer(x, training=True).copy(), layer(x, training=True).copy()]
    fastrnn.utils.set_random_seed(3)
    for expected in first:
        np.testing.assert_array_equal(layer(x, training=True), expected)
    assert np.any(first[0] != first[1])

    own = [make_layer(cell, 8, 6, np.random.default_rng(1), dropout=0.5, seed=5)(x, training=True) for _ in range(2)]
    np.testing.assert_array_equal(*own)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("cell", [*CELLS, "LSTM peepholes"])
def test_the_reference_is_right(cell, reset_after, rng):
    """The derivatives of the reference against its own central differences, with every option at once."""
    N, T, D, H = 4, 5, 3, 6
    name = cell.split()[0]
    weights = reference.random_weights(name, D, H, rng, reset_after=reset_after, use_peepholes=name != cell)
    x, dy = rng.standard_normal((N, T, D)), rng.standard_normal((N, T, H))
    initial, dstates = states_of(cell, N, H, rng), states_of(cell, N, H, rng)
    common = {
        "mask": reference.random_mask("holes", N, T, rng),
        "dropout_mask": (rng.random((N, D)) < 0.7) / 0.7,
        "recurrent_dropout_mask": (rng.random((N, H)) < 0.7) / 0.7,
        **({"reset_after": reset_after} if cell == "GRU" else {}),
    }
    for zero, backwards in itertools.product([False, True], repeat=2):
        options = common | {"zero_output_for_mask": zero, "go_backwards": backwards}

        def loss(x, *values, options=options):
            own, initial = values[: len(weights)], values[len(weights) :]
            y, states = reference.forward(name, x, *own, initial_state=initial, **options)
            return np.sum(y * dy) + sum(np.sum(s * d) for s, d in zip(states, dstates))

        g = reference.backward(name, dy, dstates, x, *weights, initial_state=initial, **options)
        arguments = [x, *weights, *initial]
        of_weights = [grad for grad in (g.W, g.U, g.b, g.p) if grad is not None]
        for k, grad in enumerate([g.x, *of_weights, *g.initial_state]):
            v, step = rng.standard_normal(grad.shape), 1e-6
            up, down = (loss(*arguments[:k], arguments[k] + e * v, *arguments[k + 1 :]) for e in (step, -step))
            assert abs((up - down) / (2 * step) - np.sum(grad * v)) <= 1e-7 * np.linalg.norm(grad)
