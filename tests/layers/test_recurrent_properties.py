# SPDX-License-Identifier: Apache-2.0
"""What must hold of a recurrent layer whatever the numbers: rows, time, masks and direction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastrnn
from tests import reference
from tests.conftest import CELLS, VARIANTS, assert_close, make_layer, states_of


@st.composite
def problems(draw, zero_or_carry=False, **options):
    """A float64 layer that returns everything, and an input: cell, layer, x (N, T, D), rng."""
    cell = draw(st.sampled_from(CELLS))
    if zero_or_carry:
        options = options | {"zero_output_for_mask": draw(st.booleans())}
    if cell == "GRU":
        options = options | {"reset_after": draw(st.booleans())}
    if cell == "LSTM":
        options = options | {"use_peepholes": draw(st.booleans())}
    N, T, D, H = (draw(st.integers(1, n)) for n in (40, 9, 5, 20))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    options = {"return_sequences": True, "return_state": True, "dtype": "float64"} | options
    return cell, make_layer(cell, D, H, rng, **options), rng.standard_normal((N, T, D)), rng


@given(problems())
def test_rows_are_independent(problem):
    """A sequence gives the same whether alone, with others, or elsewhere in the batch."""
    _, layer, x, rng = problem
    y, *states = layer(x)
    order = rng.permutation(len(x))
    for got, expected in zip(layer(x[order]), [y, *states]):
        np.testing.assert_allclose(got, expected[order], rtol=1e-12, atol=1e-13)
    row = int(rng.integers(len(x)))
    for got, expected in zip(layer(x[row : row + 1]), [y, *states]):
        np.testing.assert_allclose(got, expected[row : row + 1], rtol=1e-12, atol=1e-13)


@given(problems())
def test_nan_stays_in_its_row_and_after_its_step(problem):
    _, layer, x, rng = problem
    row, step = int(rng.integers(len(x))), int(rng.integers(x.shape[1]))
    expected = layer(x)[0].copy()
    x[row, step] = np.nan
    y = layer(x)[0]
    assert np.isnan(y[row, step:]).all()
    y[row, step:] = expected[row, step:]
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-13)


@given(problems(), st.integers(0, 9))
def test_time_can_be_split(problem, k):
    """Two calls, the second from the states of the first, are one call; and so for the gradients."""
    cell, layer, x, rng = problem
    k = min(k, x.shape[1] - 1)
    if k == 0:
        return
    initial = states_of(cell, len(x), layer.units, rng)
    y, *states = (a.copy() for a in layer(x, training=True, initial_state=initial))
    dy, dstates = rng.standard_normal(y.shape), states_of(cell, len(x), layer.units, rng)
    dx, *initial_grads = layer.backward(dy, *dstates)
    whole = [v.grad.copy() for v in layer.trainable_weights]

    y1, *middle = (a.copy() for a in layer(x[:, :k], initial_state=initial))
    y2, *final = layer(x[:, k:], training=True, initial_state=middle)
    np.testing.assert_allclose(np.concatenate([y1, y2], axis=1), y, rtol=1e-11, atol=1e-12)
    for got, expected in zip(final, states):
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-12)
    dx2, *dmiddle = layer.backward(dy[:, k:], *dstates)
    second = [v.grad.copy() for v in layer.trainable_weights]
    layer(x[:, :k], training=True, initial_state=initial)
    dx1, *dinitial = layer.backward(dy[:, :k], *dmiddle)
    assert_close(np.concatenate([dx1, dx2], axis=1), dx, 1e-10)
    for variable, later, expected in zip(layer.trainable_weights, second, whole):
        assert_close(variable.grad + later, expected, 1e-10)
    for got, expected in zip(dinitial, initial_grads, strict=True):
        assert_close(got, expected, 1e-10)


@pytest.mark.parametrize("kind", [None, "left", "full"])
@pytest.mark.parametrize("shape", [(1, 1, 5, 7), (3, 4, 5, 33), (40, 1, 5, 20), (300, 3, 9, 40), (33, 2, 70, 300)],
                         ids=str)
@pytest.mark.parametrize("cell", [*CELLS, *VARIANTS])
@pytest.mark.usefixtures("both_ways")
def test_no_initial_states_are_zeros(cell, shape, kind, rng):
    """The products with the state are left out of the first step, and give what those with zeros would."""
    N, T, D, H = shape
    layer = make_layer(cell, D, H, rng, return_sequences=True, return_state=True, dtype="float64")
    x, mask = rng.standard_normal((N, T, D)), reference.random_mask(kind, N, T, rng)
    dy, dstates = rng.standard_normal((N, T, H)), states_of(cell, N, H, rng)

    def everything(initial):
        y, *states = layer(x, training=True, mask=mask, initial_state=initial)
        dx = layer.backward(dy, *dstates)
        dx = dx if initial is None else dx[0]
        return [np.array(a) for a in (y, *states, dx, *(v.grad for v in layer.trainable_weights))]

    expected = everything([np.zeros_like(state) for state in dstates])
    for got, array in zip(everything(None), expected, strict=True):
        assert_close(got, array, 1e-12)


@given(problems(stateful=True), st.integers(1, 9))
def test_stateful_carries_states_over_calls(problem, k):
    _, layer, x, _ = problem
    k = min(k, x.shape[1])
    y = layer(x)[0].copy()
    layer.reset_state()
    parts = [layer(part)[0].copy() for part in (x[:, :k], x[:, k:]) if part.shape[1]]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), y, rtol=1e-11, atol=1e-12)


@given(problems())
def test_right_padding_is_truncation(problem):
    """Masked steps at the end: outputs repeat, states are those at the end of the sequence, no gradient comes back."""
    cell, layer, x, rng = problem
    N, T, _ = x.shape
    lengths = rng.integers(0, T + 1, N)
    initial = states_of(cell, N, layer.units, rng)
    y, *states = layer(x, training=True, mask=np.arange(T) < lengths[:, None], initial_state=initial)
    dx, *_ = layer.backward(np.ones_like(y), *(np.ones_like(s) for s in states))
    y, states, dx = y.copy(), [s.copy() for s in states], dx.copy()
    for n, length in enumerate(lengths):
        own = [s[n : n + 1] for s in initial]
        if length:
            short, *ends = layer(x[n : n + 1, :length], initial_state=own)
            np.testing.assert_allclose(y[n, :length], short[0], rtol=1e-11, atol=1e-12)
        else:
            ends = own
        np.testing.assert_array_equal(dx[n, length:], 0)
        for got, expected in zip(states, ends):
            np.testing.assert_allclose(got[n], expected[0], rtol=1e-11, atol=1e-12)
        repeated = states[0][n] if length else 0.0      # before the first step that counts there is none to repeat
        np.testing.assert_array_equal(y[n, length:], np.broadcast_to(repeated, y[n, length:].shape))


@given(problems(zero_or_carry=True), st.sampled_from(["right", "left", "holes", "full"]))
def test_padding_is_not_looked_at(problem, kind):
    """What stands in masked steps changes nothing, not one bit of outputs, states or gradients."""
    _, layer, x, rng = problem
    mask = reference.random_mask(kind, *x.shape[:2], rng)

    def everything(x):
        y, *states = layer(x, training=True, mask=mask)
        dx = layer.backward(np.ones_like(y))
        return [np.array(a) for a in (y, *states, dx, *(v.grad for v in layer.trainable_weights))]

    first = everything(x)
    x[~mask] = 1e3 * rng.standard_normal(x[~mask].shape)
    for got, expected in zip(everything(x), first):
        np.testing.assert_array_equal(got, expected)


@given(problems(zero_or_carry=True))
def test_a_mask_of_ones_is_no_mask(problem):
    _, layer, x, _ = problem
    y = layer(x, training=True)[0].copy()
    dx = layer.backward(np.ones_like(y)).copy()
    np.testing.assert_array_equal(layer(x, training=True, mask=np.ones(x.shape[:2], bool))[0], y)
    np.testing.assert_allclose(layer.backward(np.ones_like(y)), dx, rtol=1e-12, atol=1e-13)


@given(problems(), st.sampled_from([None, "right", "holes"]))
def test_backwards_is_the_reversed_input(problem, kind):
    """go_backwards reads the input and the mask from the end, and leaves the outputs in the order they were made."""
    _, layer, x, rng = problem
    mask = reference.random_mask(kind, *x.shape[:2], rng)
    reversed_mask = None if mask is None else mask[:, ::-1]
    y, *states = (a.copy() for a in layer(x[:, ::-1], training=True, mask=reversed_mask))
    dy = rng.standard_normal(y.shape)
    dx = layer.backward(dy).copy()
    grads = [v.grad.copy() for v in layer.trainable_weights]
    layer.go_backwards = True
    for got, expected in zip(layer(x, training=True, mask=mask), [y, *states]):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-13)
    assert_close(layer.backward(dy), dx[:, ::-1], 1e-11)
    for variable, expected in zip(layer.trainable_weights, grads):
        assert_close(variable.grad, expected, 1e-11)


@given(problems())
def test_last_output_is_the_last_of_the_sequence(problem):
    _, layer, x, _ = problem
    y, *states = (a.copy() for a in layer(x))
    layer.return_sequences = False
    last, *again = layer(x)
    np.testing.assert_allclose(last, y[:, -1], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(states[0], y[:, -1], rtol=0, atol=0)
    for got, expected in zip(again, states):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-13)


@given(problems())
def test_backward_is_linear(problem):
    _, layer, x, rng = problem
    y = layer(x, training=True)[0]
    one, two = rng.standard_normal(y.shape), rng.standard_normal(y.shape)

    def gradients(dy):
        layer(x, training=True)
        return [np.array(g) for g in (layer.backward(dy), *(v.grad for v in layer.trainable_weights))]

    for a, b, both in zip(gradients(one), gradients(two), gradients(3 * one - two)):
        assert_close(both, 3 * a - b, 1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_linear_identity_is_a_cumulative_sum(dtype, rng):
    layer = fastrnn.layers.SimpleRNN(5, activation="linear", return_sequences=True, dtype=dtype)
    layer.build((None, None, 5))
    layer.set_weights([np.eye(5), np.eye(5), np.zeros(5)])
    x = rng.integers(-9, 9, (17, 30, 5)).astype(dtype)
    np.testing.assert_array_equal(layer(x, training=True), np.cumsum(x, axis=1))
    dy = rng.integers(-9, 9, x.shape).astype(dtype)
    dx = layer.backward(dy)
    np.testing.assert_array_equal(dx, np.cumsum(dy[:, ::-1], axis=1)[:, ::-1])
    np.testing.assert_array_equal(layer.kernel.grad, np.einsum("ntd,nth->dh", x, dx))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shut_gates_keep_the_state(dtype, rng):
    """A GRU whose update gate is wide open, an LSTM that forgets nothing and lets nothing in."""
    x = rng.standard_normal((6, 50, 3)).astype(dtype)
    gru = make_layer("GRU", 3, 8, rng, dtype=dtype, return_state=True)
    gru.bias.assign(np.repeat([[100.0, 0, 0], [100.0, 0, 0]], 8, axis=1))
    h = rng.standard_normal((6, 8)).astype(dtype)
    assert_close(gru(x, initial_state=[h])[1], h, 1e-5 if dtype == "float32" else 1e-12)
    lstm = make_layer("LSTM", 3, 8, rng, dtype=dtype, return_state=True)
    lstm.bias.assign(np.repeat([-1000.0, 1000.0, 0, 0], 8))
    c = rng.standard_normal((6, 8)).astype(dtype)
    np.testing.assert_array_equal(lstm(x, initial_state=[h, c])[2], c)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", CELLS)
def test_huge_inputs_saturate(cell, dtype, rng):
    """No overflow on the way to tanh and sigmoid: outputs stay within [-1, 1], gradients finite."""
    layer = make_layer(cell, 4, 9, rng, dtype=dtype, return_sequences=True, activation="tanh")
    for scale in (1e2, 1e10, 1e30):
        y = layer((scale * rng.standard_normal((20, 6, 4))).astype(dtype), training=True)
        assert np.abs(y).max() <= 1
        assert np.isfinite(layer.backward(np.ones_like(y))).all()
        assert all(np.isfinite(v.grad).all() for v in layer.trainable_weights)


@pytest.mark.parametrize("cell", CELLS)
def test_results_are_the_callers(cell, rng):
    """Neither the input nor what an earlier call returned is written to by a later call."""
    layer = make_layer(cell, 4, 6, rng, return_sequences=True, return_state=True)
    x = rng.standard_normal((5, 3, 4)).astype("float32")
    kept_x = x.copy()
    for training in (False, True):
        first = layer(x, training=training)
        kept = [a.copy() for a in first]
        if training:
            dx = layer.backward(np.ones_like(first[0]))
            kept.append(dx.copy())
            first = [*first, dx]
        second = layer(2 * x, training=training)
        if training:
            layer.backward(np.ones_like(second[0]))
        for got, expected in zip(first, kept, strict=True):
            np.testing.assert_array_equal(got, expected)
        second[0][...] = 7  # and they can be written to
        np.testing.assert_array_equal(layer(x, training=training)[0], kept[0])
    np.testing.assert_array_equal(x, kept_x)


@pytest.mark.parametrize("cell", CELLS)
def test_states_are_the_callers(cell, rng):
    """Writing to the states returned or given does not reach the states that a stateful layer keeps."""
    layer = make_layer(cell, 4, 6, rng, stateful=True, return_state=True)
    x = rng.standard_normal((5, 3, 4)).astype("float32")
    given = states_of(cell, 5, 6, rng, "float32")
    calls = [{"initial_state": given}, {}, {}]
    expected = [[a.copy() for a in layer(x, **call)] for call in calls]
    layer.reset_state()
    for call, wanted in zip(calls, expected):
        returned = layer(x, **call)
        for got, want in zip(returned, wanted, strict=True):
            np.testing.assert_array_equal(got, want)
        for array in (*returned, *call.get("initial_state", [])):
            array[...] = 7


@pytest.mark.parametrize("options", [{}, {"return_sequences": True, "activation": "relu"}, {"go_backwards": True},
                                     {"dropout": 0.2, "recurrent_dropout": 0.1, "seed": 3}, {"use_bias": False}])
@pytest.mark.parametrize("cell", [*CELLS, *VARIANTS])
def test_configuration_round_trip(cell, options, rng):
    layer = make_layer(cell, 4, 6, rng, **options)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    again.build((None, None, 4))
    again.set_weights(layer.get_weights())
    x = rng.standard_normal((5, 3, 4)).astype("float32")
    np.testing.assert_array_equal(again(x), layer(x))


@pytest.mark.parametrize("cell", CELLS)
def test_output_shapes(cell):
    layer_of = getattr(fastrnn.layers, cell)
    x = np.zeros((5, 3, 4), "float32")
    for sequences, shape in [(True, (5, 3, 6)), (False, (5, 6))]:
        layer = layer_of(6, return_sequences=sequences)
        assert layer.compute_output_shape((None, 3, 4)) == (None, *shape[1:])
        assert layer(x).shape == shape
        out = layer_of(6, return_sequences=sequences, return_state=True)(x)
        assert [a.shape for a in out] == [shape] + [(5, 6)] * (2 if cell == "LSTM" else 1)


@pytest.mark.parametrize(("cell", "options", "count"), [
    ("SimpleRNN", {}, 6 * (4 + 6 + 1)), ("LSTM", {}, 24 * (4 + 6 + 1)), ("GRU", {}, 18 * (4 + 6 + 2)),
    ("GRU", {"reset_after": False}, 18 * (4 + 6 + 1)), ("LSTM", {"use_bias": False}, 24 * (4 + 6)),
    ("MinGRU", {}, 12 * (4 + 1)), ("MinGRU", {"use_bias": False}, 12 * 4),
])
def test_count_of_parameters(cell, options, count):
    layer = getattr(fastrnn.layers, cell)(6, **options)
    layer.build((None, None, 4))
    assert layer.count_params() == count


def test_peepholes_of_zero_are_none(rng):
    """Outputs, states and gradients are those of an LSTM without, but for rounding."""
    plain = make_layer("LSTM", 4, 21, rng, return_sequences=True, return_state=True)
    layer = make_layer("LSTM peepholes", 4, 21, rng, return_sequences=True, return_state=True)
    layer.set_weights([*plain.get_weights(), np.zeros((3, 21))])
    x, dy = rng.standard_normal((9, 7, 4), "float32"), rng.standard_normal((9, 7, 21), "float32")
    found = [[*one(x), *one(x, training=True), one.backward(dy), *(v.grad for v in one.weights[:3])]
             for one in (plain, layer)]
    for got, expected in zip(*found, strict=True):
        assert_close(got, expected, 1e-5)
    assert layer.peephole_kernel.grad.any()


def test_peepholes_are_one_weight_more(rng):
    """It starts as three vectors of the kernel's initializer, and the configuration says so where there is one."""
    layer = fastrnn.layers.LSTM(6, kernel_initializer=fastrnn.initializers.RandomUniform(-3, -2), use_peepholes=True)
    layer.build((None, None, 4))
    assert [v.name for v in layer.weights] == ["kernel", "recurrent_kernel", "bias", "peephole_kernel"]
    assert layer.peephole_kernel.shape == (3, 6) and len(np.unique(layer.peephole_kernel.value)) == 18
    assert layer.peephole_kernel.value.max() <= -2 and layer.get_config()["use_peepholes"] is True
    wide = fastrnn.layers.LSTM(60, use_peepholes=True)
    wide.build((None, None, 4))     # glorot_uniform of (60,): up to sqrt(6 / (60 + 60))
    assert 0.2 < np.abs(wide.peephole_kernel.value).max() < 0.2237
    assert "use_peepholes" not in fastrnn.layers.LSTM(6).get_config()


def test_the_forget_gate_starts_open():
    """unit_forget_bias: ones for the forget gate, zeros elsewhere."""
    for unit_forget_bias in (True, False):
        layer = fastrnn.layers.LSTM(3, unit_forget_bias=unit_forget_bias)
        layer.build((None, None, 2))
        np.testing.assert_array_equal(layer.bias.value, np.repeat([0, float(unit_forget_bias), 0, 0], 3))


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_new_weights_are_seen_with_states_too(cell, backwards, rng):
    """What a call with states keeps of the weights is made anew when they have changed; training has the same bits."""
    layer = getattr(fastrnn.layers, cell)(5, return_sequences=True, return_state=True, go_backwards=backwards)
    x, mask = rng.standard_normal((3, 4, 2)).astype("f4"), rng.random((3, 4)) < 0.7
    states = [rng.standard_normal((3, 5)).astype("f4") for _ in range(layer.state_count)]
    found = []
    for _ in range(2):
        for one in (None, mask):
            found.append(layer(x, mask=one, initial_state=states))
            for got, expected in zip(found[-1], layer(x, training=True, mask=one, initial_state=states)):
                np.testing.assert_array_equal(got, expected)
        layer.set_weights([2 * weight for weight in layer.get_weights()])
    assert not np.array_equal(found[0][0], found[2][0])
