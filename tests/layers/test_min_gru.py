# SPDX-License-Identifier: Apache-2.0
"""What MinGRU has of its own: no recurrent kernel, all gates in one product, threads that need nothing of each
other."""

from __future__ import annotations

import numpy as np
import pytest

import fastrnn
from fastrnn import _core
from fastrnn.layers import GRU, MinGRU
from tests.conftest import assert_close, make_layer


def test_it_is_the_papers_scan(rng):
    """h_t is the sum over k of z_k hh_k times the product of (1 - z) after k: no loop over h."""
    layer = make_layer("MinGRU", 3, 5, rng, dtype="float64", return_sequences=True)
    x, (W, b) = rng.standard_normal((4, 6, 3)), layer.get_weights()
    z, hh = np.split(x @ W + b, 2, axis=-1)
    z = 1 / (1 + np.exp(-z))
    expected = [sum(z[:, k] * hh[:, k] * np.prod(1 - z[:, k + 1 : t + 1], axis=1) for k in range(t + 1))
                for t in range(6)]
    assert_close(layer(x), np.stack(expected, 1), 1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [1, 3, 40])
def test_a_stream_of_single_steps_has_the_bits_of_the_sequence(batch, dtype, rng):
    x = rng.standard_normal((batch, 300, 7)).astype(dtype)
    layer = make_layer("MinGRU", 7, 37, rng, dtype=dtype, return_sequences=True)
    stream = MinGRU(37, dtype=dtype, return_sequences=True, stateful=True)
    stream.build((None, None, 7))
    stream.set_weights(layer.get_weights())
    np.testing.assert_array_equal(np.concatenate([stream(x[:, t : t + 1]) for t in range(300)], 1), layer(x))


def test_saturated_gates_keep_and_replace(rng):
    x = rng.integers(-9, 9, (6, 50, 3)).astype("float32")
    layer = MinGRU(3, return_sequences=True)
    layer.build((None, None, 3))
    h = rng.integers(-9, 9, (6, 3)).astype("float32")
    for gate, expected in (-1000.0, np.repeat(h[:, None], 50, 1)), (1000.0, x):
        layer.set_weights([np.concatenate([np.zeros((3, 3)), np.eye(3)], 1), [gate] * 3 + [0.0] * 3])
        np.testing.assert_array_equal(layer(x, initial_state=h), expected)


def test_no_recurrent_kernel():
    layer = MinGRU(5)
    layer.build((None, None, 3))
    assert {v.name: v.shape for v in layer.weights} == {"kernel": (3, 10), "bias": (10,)}
    assert not [key for key in layer.get_config() if key.startswith("recurrent_") and key != "recurrent_activation"]
    assert (MinGRU.gates, MinGRU.state_count, MinGRU.has_recurrent_kernel) == (2, 1, False)
    assert GRU.has_recurrent_kernel


def test_arguments_about_a_recurrent_kernel_are_refused():
    with pytest.raises(ValueError, match=r"^MinGRU 'm' recurrent_dropout: expected 0, as there is no recurrent kernel.*"
                                         r"got 0.3; use dropout"):
        MinGRU(3, recurrent_dropout=0.3, name="m")
    for argument in "recurrent_initializer", "recurrent_regularizer", "recurrent_constraint":
        with pytest.raises(TypeError, match=f"^MinGRU 'm': unknown keyword '{argument}'"):
            MinGRU(3, name="m", **{argument: None})
    with pytest.raises(TypeError, match="did you mean 'dropout'"):
        MinGRU(3, droput=0.1)


def test_kernels_refuse_what_the_cell_does_not_have(rng):
    layer = make_layer("MinGRU", 3, 5, rng, return_sequences=True, return_state=True)
    x, state = rng.standard_normal((2, 4, 3)).astype("f4"), np.zeros((2, 5), "f4")
    runner, tape = layer.kernel_runner(), _core.kernels("float32").RecurrentTape()
    for wrong, message in (({"c0": state}, "this cell has one state"), ({"final": 2}, "this cell has one state"),
                           ({"h_drop": state, "tape": tape}, "'h_drop'")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            runner.forward_call(1, x, **wrong)
    runner.forward_call(1, x, h0=state, tape=tape).run()
    for wrong in "dcT", "dc0":
        with pytest.raises(ValueError, match="this cell has one state"):
            runner.backward_call(1, tape, **{wrong: state})
    runner.backward_call(1, tape, dhT=state, dh0=state).run()


def test_units_are_shared_where_rows_are_few():
    """There is nothing to wait for between the steps, so one row is enough."""
    kernels = _core.kernels("float32")
    number = kernels.CELLS["MinGRU"]["number"]
    assert kernels.planned(number, 1, 100, 128, 128, 2) == (2, True, False)
    assert kernels.planned(number, 32, 100, 128, 128, 2) == (2, False, False)
    assert kernels.planned(number, 1, 1, 8, 32, 2) == (1, False, False)


def test_it_learns(rng):
    """Which sign came first, over steps of noise."""
    fastrnn.utils.set_random_seed(0)
    x = rng.standard_normal((256, 8, 2)).astype("float32") * 0.1
    sign = rng.integers(0, 2, 256)
    x[:, 0, 0], x[:, 0, 1] = 2 * sign - 1, 3
    model = fastrnn.Sequential([fastrnn.Input((None, 2)), MinGRU(16, return_sequences=True), MinGRU(16),
                                fastrnn.layers.Dense(1, "sigmoid")])  # fmt: skip
    model.compile("adam", "binary_crossentropy")
    model.optimizer.learning_rate = 0.02
    losses = model.fit(x, sign, epochs=20, verbose=0).history["loss"]
    assert losses[0] > 0.3 and losses[-1] < 0.05
