# SPDX-License-Identifier: Apache-2.0
"""Bidirectional: two layers of which one reads backwards, and how their outputs are merged."""

from __future__ import annotations

import jax
import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.layers import Bidirectional
from tests import reference
from tests.conftest import CELLS, assert_close, states_of

MERGE_MODES = ["concat", "sum", "ave", "mul", None]
N, T, D, H = 5, 7, 3, 6


def make(cell, rng, merge_mode="concat", **options):
    dtype = options.get("dtype", "float32")
    layer = Bidirectional(getattr(fastrnn.layers, cell)(H, **options), merge_mode=merge_mode, dtype=dtype)
    layer.build((N, T, D))
    layer.set_weights([*reference.random_weights(cell, D, H, rng), *reference.random_weights(cell, D, H, rng)])
    return layer


@pytest.mark.parametrize("masked", [False, True], ids=["", "masked"])
@pytest.mark.parametrize("return_sequences", [True, False], ids=["sequences", "last"])
@pytest.mark.parametrize("merge_mode", MERGE_MODES)
@pytest.mark.parametrize("cell", CELLS)
def test_outputs_and_gradients_are_the_references(cell, merge_mode, return_sequences, masked, rng):
    layer = make(cell, rng, merge_mode, return_sequences=return_sequences, dtype="float64")
    x = rng.standard_normal((N, T, D))
    mask = reference.random_mask("right", N, T, rng) if masked else None
    # Keras zeroes masked steps here, whatever the layer itself says
    options = {"mask": mask, "zero_output_for_mask": return_sequences}
    weights = layer.get_weights()
    half = len(weights) // 2
    runs = [(weights[:half], options), (weights[half:], options | {"go_backwards": True})]
    f, b = (reference.forward(cell, x, *w, **o)[0] for w, o in runs)
    f, b = (f, b[:, ::-1]) if return_sequences else (f[:, -1], b[:, -1])
    merged = {"concat": np.concatenate([f, b], -1), "sum": f + b, "ave": (f + b) / 2, "mul": f * b, None: [f, b]}
    y = layer(x, training=True, mask=mask)
    expected = merged[merge_mode]
    for got, wanted in zip(y, expected) if merge_mode is None else [(y, expected)]:
        assert_close(got, wanted, 1e-10)

    dy = rng.standard_normal(f.shape[:-1] + (2 * H if merge_mode == "concat" else H,))
    halves = dy[..., :H], dy[..., -H:]  # the same one for all modes but concat
    if merge_mode == "ave":
        halves = dy / 2, dy / 2
    elif merge_mode == "mul":
        halves = dy * b, dy * f
    elif merge_mode is None:
        halves = dy, 2 * dy
    dx = layer.backward(list(halves) if merge_mode is None else dy)
    total = np.zeros_like(x)
    for (w, o), d, direction in zip(runs, halves, [layer.forward_layer, layer.backward_layer]):
        full = np.zeros((N, T, H))
        if return_sequences:
            full[:] = d[:, ::-1] if "go_backwards" in o else d
        else:
            full[:, -1] = d
        grads = reference.backward(cell, full, None, x, *w, **o)
        total += grads.x
        assert_close(direction.kernel.grad, grads.W, 1e-10)
        if direction.has_recurrent_kernel:
            assert_close(direction.recurrent_kernel.grad, grads.U, 1e-10)
        assert_close(direction.bias.grad, grads.b, 1e-10)
    assert_close(dx, total, 1e-10)


@pytest.mark.parametrize(
    ("return_sequences", "masked", "merge_mode"), [(True, True, "concat"), (True, False, "mul"), (False, True, "ave")]
)
@pytest.mark.parametrize("cell", [cell for cell in CELLS if hasattr(keras.layers, cell)])
def test_keras(cell, return_sequences, masked, merge_mode, rng):
    """Outputs, states and gradients, with initial states: the first half of the list is the forward layer's."""
    options = {"return_sequences": return_sequences, "return_state": True}
    ours = make(cell, rng, merge_mode, **options)
    theirs = keras.layers.Bidirectional(getattr(keras.layers, cell)(H, **options), merge_mode=merge_mode)
    theirs.build((N, T, D))
    theirs.set_weights(ours.get_weights())
    x = rng.standard_normal((N, T, D)).astype("float32")
    mask = reference.random_mask("right", N, T, rng) if masked else None
    initial = states_of(cell, N, H, rng, "float32") + states_of(cell, N, H, rng, "float32")
    y, *states = ours(x, training=True, mask=mask, initial_state=initial)
    dy = rng.standard_normal(y.shape).astype("float32")
    dx, *_ = ours.backward(dy)

    def loss(x, weights):
        (y, *states), _ = theirs.stateless_call(
            weights, [v.value for v in theirs.non_trainable_variables], x, mask=mask, initial_state=initial
        )
        return (y * dy).sum(), (y, *states)

    weights = [v.value for v in theirs.trainable_variables]
    (_, outputs), grads = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))(x, weights)
    for got, expected in zip([y, *states], outputs, strict=True):
        assert_close(got, expected, 1e-5)
    for got, expected in zip([dx, *(v.grad for v in ours.trainable_weights)], jax.tree.leaves(grads), strict=True):
        assert_close(got, expected, 2e-5)


def test_gradients_of_the_states(rng):
    """dstates has the order of the states returned: the forward layer's, then the backward layer's."""
    layer = make("LSTM", rng, return_sequences=True, return_state=True, dtype="float64")
    x = rng.standard_normal((N, T, D))
    initial = states_of("LSTM", N, H, rng) + states_of("LSTM", N, H, rng)
    dstates = states_of("LSTM", N, H, rng) + states_of("LSTM", N, H, rng)
    y, *states = layer(x, training=True, initial_state=initial)
    assert len(states) == 4
    dx, *got = layer.backward(np.zeros_like(y), *dstates)
    w = layer.get_weights()
    zero = np.zeros((N, T, H))
    f = reference.backward("LSTM", zero, dstates[:2], x, *w[:3], initial_state=initial[:2])
    b = reference.backward("LSTM", zero, dstates[2:], x, *w[3:], initial_state=initial[2:], go_backwards=True)
    assert_close(dx, f.x + b.x, 1e-10)
    for g, expected in zip(got, f.initial_state + b.initial_state, strict=True):
        assert_close(g, expected, 1e-10)


def test_the_layer_given_is_a_pattern(rng):
    """Both directions are made new from its configuration; names, weight order and shapes are Keras's."""
    pattern = fastrnn.layers.LSTM(H, return_sequences=True, name="reader")
    layer = Bidirectional(pattern)
    assert layer.forward_layer is not pattern
    assert (layer.forward_layer.name, layer.backward_layer.name) == ("forward_reader", "backward_reader")
    assert not layer.forward_layer.go_backwards and layer.backward_layer.go_backwards
    assert layer.compute_output_shape((None, T, D)) == (None, T, 2 * H)
    layer.build((None, T, D))
    assert [v.shape for v in layer.weights] == [(D, 4 * H), (H, 4 * H), (4 * H,)] * 2
    assert layer.count_params() == 2 * (4 * H * (D + H + 1))


@pytest.mark.parametrize("merge_mode", ["sum", "mul", "ave", "concat"])
def test_output_shape(merge_mode):
    width = 2 * H if merge_mode == "concat" else H
    for sequences, shape in [(True, (N, T, width)), (False, (N, width))]:
        layer = Bidirectional(fastrnn.layers.GRU(H, return_sequences=sequences), merge_mode=merge_mode)
        assert layer.compute_output_shape((N, T, D)) == shape
        assert layer(np.zeros((N, T, D), "float32")).shape == shape


def test_a_backward_layer_of_its_own(rng):
    forward = fastrnn.layers.LSTM(H, return_sequences=True)
    backward = fastrnn.layers.GRU(4, return_sequences=True, go_backwards=True)
    layer = Bidirectional(forward, backward_layer=backward)
    y = layer(rng.standard_normal((N, T, D)).astype("float32"), training=True)
    assert y.shape == (N, T, H + 4)
    assert layer.backward(np.ones_like(y)).shape == (N, T, D)


def test_mask_goes_on(rng):
    mask = reference.random_mask("right", N, T, rng)
    x = np.zeros((N, T, D), "float32")
    assert Bidirectional(fastrnn.layers.LSTM(H)).compute_mask(x, mask) is None
    np.testing.assert_array_equal(
        Bidirectional(fastrnn.layers.LSTM(H, return_sequences=True)).compute_mask(x, mask), mask
    )


@pytest.mark.parametrize("merge_mode", MERGE_MODES)
def test_configuration_round_trip(merge_mode, rng):
    layer = make("GRU", rng, merge_mode, return_sequences=True, reset_after=True, activation="relu")
    again = Bidirectional.from_config(layer.get_config())
    again.build((N, T, D))
    again.set_weights(layer.get_weights())
    x = rng.standard_normal((N, T, D)).astype("float32")
    for got, expected in zip(np.atleast_1d(again(x)), np.atleast_1d(layer(x)), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert again.get_config() == layer.get_config()


def test_bad_arguments():
    lstm = fastrnn.layers.LSTM(H, return_sequences=True)
    with pytest.raises(ValueError, match="merge_mode"):
        Bidirectional(lstm, merge_mode="max")
    with pytest.raises((TypeError, ValueError), match="layer"):
        Bidirectional("LSTM")
    with pytest.raises(ValueError, match="go_backwards"):
        Bidirectional(lstm, backward_layer=fastrnn.layers.LSTM(H, return_sequences=True))
    with pytest.raises(ValueError, match="return_sequences"):
        Bidirectional(lstm, backward_layer=fastrnn.layers.LSTM(H, go_backwards=True))
    with pytest.raises(ValueError, match="merge"):  # widths that cannot be summed
        narrow = fastrnn.layers.LSTM(4, return_sequences=True, go_backwards=True)
        Bidirectional(lstm, "sum", backward_layer=narrow)(np.zeros((N, T, D), "float32"))


# -- beside Keras: directions the other way round, and RNN

PAIRS = {
    "forward reversed": lambda k: k.layers.Bidirectional(
        k.layers.LSTM(4, go_backwards=True, return_sequences=True),
        backward_layer=k.layers.LSTM(4, return_sequences=True)),
    "forward reversed last": lambda k: k.layers.Bidirectional(
        k.layers.GRU(4, go_backwards=True), backward_layer=k.layers.GRU(4), merge_mode="mul"),
    "RNN reversed": lambda k: k.layers.Bidirectional(
        k.layers.RNN(k.layers.GRUCell(4), go_backwards=True, return_sequences=True),
        backward_layer=k.layers.RNN(k.layers.GRUCell(4), return_sequences=True)),
    "RNN": lambda k: k.layers.Bidirectional(k.layers.RNN(k.layers.LSTMCell(4), return_sequences=True)),
    "RNN last": lambda k: k.layers.Bidirectional(k.layers.RNN(k.layers.GRUCell(4)), merge_mode="ave"),
    "RNN stacked": lambda k: k.layers.Bidirectional(
        k.layers.RNN([k.layers.GRUCell(4), k.layers.SimpleRNNCell(3)], return_sequences=True), merge_mode="sum"),
    "RNN and layer": lambda k: k.layers.Bidirectional(
        k.layers.RNN(k.layers.LSTMCell(4), return_sequences=True), merge_mode="mul",
        backward_layer=k.layers.GRU(4, return_sequences=True, go_backwards=True)),
}


@pytest.mark.parametrize("masked", [False, True], ids=["", "masked"])
@pytest.mark.parametrize("layer", PAIRS.values(), ids=PAIRS)
def test_training_and_files_are_keras(layer, masked, rng, tmp_path):
    def model_of(library):
        masking = [library.layers.Masking()] if masked else []
        return library.Sequential([library.Input((T, D)), *masking, layer(library), library.layers.Dense(2)])

    theirs, ours = model_of(keras), model_of(fastrnn)
    theirs.set_weights([0.4 * rng.standard_normal(w.shape) for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    x = rng.standard_normal((16, T, D)).astype("float32")
    x[::2, -2:] = 0
    expected = theirs.predict(x, verbose=0)
    assert_close(ours.predict(x, verbose=0), expected, 1e-5)
    for suffix in ".keras", ".h5":
        theirs.save(tmp_path / f"a{suffix}")
        loaded = fastrnn.saving.load_model(tmp_path / f"a{suffix}")
        assert_close(loaded.predict(x, verbose=0), expected, 1e-5)
        loaded.save(tmp_path / f"b{suffix}")
        assert_close(keras.saving.load_model(tmp_path / f"b{suffix}").predict(x, verbose=0), expected, 1e-6)
    y = rng.standard_normal(expected.shape).astype("float32")
    losses = []
    for library, model in (fastrnn, ours), (keras, theirs):
        model.compile(library.optimizers.SGD(0.05, momentum=0.9), "mse")
        losses.append(model.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(*losses, rtol=2e-4)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert_close(one, other, 2e-4)


@pytest.mark.parametrize("merge_mode", MERGE_MODES)
def test_states_of_rnn_are_those_of_its_layer(merge_mode, rng):
    cells = fastrnn.layers.LSTMCell(4, dtype="float64")
    one = Bidirectional(fastrnn.layers.RNN(cells, return_state=True), merge_mode=merge_mode)
    two = Bidirectional(fastrnn.layers.LSTM(4, return_state=True, dtype="float64"), merge_mode=merge_mode)
    x, states = rng.standard_normal((N, T, D)), [rng.standard_normal((N, 4)) for _ in range(4)]
    for layer in one, two:
        layer.build(x.shape)
    one.set_weights(two.get_weights())
    found, expected = (layer(x, training=True, initial_state=states) for layer in (one, two))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    count = 2 if merge_mode is None else 1
    dys = [rng.standard_normal(part.shape) for part in found]
    dy = dys[:count] if merge_mode is None else dys[0]
    for a, b in zip(one.backward(dy, *dys[count:]), two.backward(dy, *dys[count:]), strict=True):
        np.testing.assert_array_equal(a, b)
