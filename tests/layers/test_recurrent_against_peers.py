# SPDX-License-Identifier: Apache-2.0
"""The recurrent layers beside Keras and PyTorch themselves: outputs, states, gradients, and training, from the same
weights, for each option that both have."""

from __future__ import annotations

import jax
import keras
import numpy as np
import pytest
import torch

import fastrnn
from tests import reference
from tests.conftest import assert_close, make_layer, states_of

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")
CELLS = ["SimpleRNN", "LSTM", "GRU"]
N, T, D, H = 5, 7, 3, 6

OPTIONS = [
    {},
    {"activation": "relu"},
    {"activation": "linear"},
    {"activation": "sigmoid"},
    {"recurrent_activation": "hard_sigmoid"},
    {"reset_after": False},
    {"use_bias": False},
    {"reset_after": False, "use_bias": False},
    {"return_sequences": False},
    {"initial_state": True},
    {"go_backwards": True},
    {"go_backwards": True, "return_sequences": False, "initial_state": True},
    {"unroll": True},
    {"mask": "right"},
    {"mask": "left"},
    {"mask": "left", "initial_state": True},
    {"mask": "holes", "return_sequences": False},
    {"mask": "full", "initial_state": True},
    {"mask": "holes", "go_backwards": True},
    {"mask": "right", "zero_output_for_mask": True},
    {"mask": "holes", "zero_output_for_mask": True, "return_sequences": False},
    {"mask": "full", "zero_output_for_mask": True, "go_backwards": True},
]


def has_option(cell: str, options: dict) -> bool:
    if cell == "SimpleRNN":
        return not {"recurrent_activation", "reset_after"} & set(options)
    return cell == "GRU" or "reset_after" not in options


def describe(value) -> str:
    return "-".join(f"{k}={v}" for k, v in value.items()) or "defaults" if isinstance(value, dict) else str(value)


KERAS_CASES = [(cell, options) for cell in CELLS for options in OPTIONS if has_option(cell, options)]


@pytest.mark.parametrize(("cell", "options"), KERAS_CASES, ids=describe)
def test_keras(cell, options, rng):
    options = {"return_sequences": True, "return_state": True} | options
    mask = reference.random_mask(options.pop("mask", None), N, T, rng)
    initial = states_of(cell, N, H, rng, "float32") if options.pop("initial_state", False) else None
    x = rng.standard_normal((N, T, D)).astype("float32")
    dy = rng.standard_normal((N, T, H) if options["return_sequences"] else (N, H)).astype("float32")
    dstates = states_of(cell, N, H, rng, "float32")
    # Masked steps before the first that counts: from initial states Keras's JAX backend gives these, all others zeros.
    before = np.cumsum(mask, axis=1) == 0 if initial and mask is not None and options["return_sequences"] else None
    if before is not None:
        dy[before] = 0

    ours = make_layer(cell, D, H, rng, **options)
    theirs = getattr(keras.layers, cell)(H, **options)
    theirs.build((N, T, D))
    assert [tuple(v.shape) for v in theirs.weights if "seed" not in v.path] == [v.shape for v in ours.weights]
    theirs.set_weights(ours.get_weights())

    y, *states = ours(x, training=True, mask=mask, initial_state=initial)
    dx = ours.backward(dy, *dstates)
    dx, *dinitial = dx if initial else [dx]
    grads = [dx, *(v.grad for v in ours.trainable_weights), *dinitial]

    def loss(x, weights, initial):
        non_trainable = [v.value for v in theirs.non_trainable_variables]
        (y, *states), _ = theirs.stateless_call(weights, non_trainable, x, mask=mask, initial_state=initial)
        total = (y * dy).sum() + sum((s * d).sum() for s, d in zip(states, dstates))
        return total, (y, *states)

    weights = [v.value for v in theirs.trainable_variables]
    inputs = [x, weights, initial]
    wanted = (0, 1, 2) if initial else (0, 1)
    (_, outputs), their_grads = jax.jit(jax.value_and_grad(loss, wanted, has_aux=True))(*inputs)
    for i, (got, expected) in enumerate(zip([y, *states], outputs, strict=True)):
        if i == 0 and before is not None:
            expected = np.where(before[..., None], 0, expected)
        assert_close(got, expected, 1e-5, ["y", "h", "c"][i])
    for got, expected in zip(grads, jax.tree.leaves(their_grads), strict=True):
        assert_close(got, expected, 2e-5, "gradient")


def torch_layer(cell: str, directions: list, **options) -> torch.nn.Module:
    """The PyTorch layer, in float64, with the weights of ours: one, or one for each direction."""
    names = {"SimpleRNN": "RNN", "LSTM": "LSTM", "GRU": "GRU"}
    other = getattr(torch.nn, names[cell])(D, H, batch_first=True, dtype=torch.float64, **options)
    for suffix, source in zip(["", "_reverse"], directions):
        W, U, b = source.get_weights()
        b = b if b.ndim == 2 else np.stack([b, np.zeros_like(b)])
        values = [swap_gates(cell, a).T for a in (W, U, b)]
        values = [values[0], values[1], *values[2].T]
        for name, value in zip(["weight_ih", "weight_hh", "bias_ih", "bias_hh"], values):
            getattr(other, f"{name}_l0{suffix}").data = torch.tensor(np.ascontiguousarray(value))
    return other


def swap_gates(cell: str, a: np.ndarray) -> np.ndarray:
    """Keras keeps the gates of a GRU as z, r, h, PyTorch as r, z, h; the swap is its own inverse."""
    if cell != "GRU":
        return a
    z, r, h = np.split(a, 3, axis=-1)
    return np.concatenate([r, z, h], axis=-1)


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "packed"])
@pytest.mark.parametrize("initial_state", [False, True], ids=["", "initial_state"])
@pytest.mark.parametrize(
    ("cell", "activation"), [("SimpleRNN", "tanh"), ("SimpleRNN", "relu"), ("LSTM", "tanh"), ("GRU", "tanh")]
)
def test_torch(cell, activation, initial_state, padded, rng):
    ours = make_layer(
        cell, D, H, rng, activation=activation, return_sequences=True, return_state=True, zero_output_for_mask=True,
        dtype="float64",
    )
    theirs = torch_layer(cell, [ours], **({"nonlinearity": activation} if cell == "SimpleRNN" else {}))
    lengths = np.array([7, 1, 4, 6, 3]) if padded else np.full(N, T)
    x, dy, dstates = rng.standard_normal((N, T, D)), rng.standard_normal((N, T, H)), states_of(cell, N, H, rng)
    initial = states_of(cell, N, H, rng) if initial_state else None

    mask = np.arange(T) < lengths[:, None] if padded else None
    y, *states = ours(x, training=True, mask=mask, initial_state=initial)
    dx = ours.backward(dy, *dstates)
    dx, *dinitial = dx if initial else [dx]

    tx = torch.tensor(x, requires_grad=True)
    packed = torch.nn.utils.rnn.pack_padded_sequence(tx, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    ts = [torch.tensor(s[None], requires_grad=True) for s in initial or []]
    hx = None if initial is None else tuple(ts) if cell == "LSTM" else ts[0]
    ty, final = theirs(packed, hx)
    ty, _ = torch.nn.utils.rnn.pad_packed_sequence(ty, batch_first=True, total_length=T)
    final = final if cell == "LSTM" else (final,)
    total = (ty * torch.tensor(dy)).sum() + sum((s[0] * torch.tensor(d)).sum() for s, d in zip(final, dstates))
    total.backward()

    assert_close(y, ty.detach(), 1e-10, "y")
    for got, expected in zip(states, final, strict=True):
        assert_close(got, expected[0].detach(), 1e-10, "state")
    assert_close(dx, tx.grad, 1e-10, "gradient of x")
    assert_close(swap_gates(cell, ours.kernel.grad).T, theirs.weight_ih_l0.grad, 1e-10, "gradient of the kernel")
    assert_close(swap_gates(cell, ours.recurrent_kernel.grad).T, theirs.weight_hh_l0.grad, 1e-10, "of the recurrent")
    bias = np.stack([theirs.bias_ih_l0.grad, theirs.bias_hh_l0.grad])
    assert_close(swap_gates(cell, ours.bias.grad), bias if cell == "GRU" else bias[0], 1e-10, "gradient of the bias")
    for got, expected in zip(dinitial, ts, strict=True):
        assert_close(got, expected.grad[0], 1e-10, "gradient of the initial state")


@pytest.mark.parametrize("cell", CELLS)
def test_torch_bidirectional(cell, rng):
    inner = getattr(fastrnn.layers, cell)(H, return_sequences=True, dtype="float64")
    ours = fastrnn.layers.Bidirectional(inner, dtype="float64")
    ours.build((N, T, D))
    halves = [reference.random_weights(cell, D, H, rng) for _ in range(2)]
    ours.set_weights([*halves[0], *halves[1]])

    directions = [ours.forward_layer, ours.backward_layer]
    theirs = torch_layer(cell, directions, bidirectional=True)
    x, dy = rng.standard_normal((N, T, D)), rng.standard_normal((N, T, 2 * H))
    y = ours(x, training=True)
    dx = ours.backward(dy)
    tx = torch.tensor(x, requires_grad=True)
    ty = theirs(tx)[0]
    (ty * torch.tensor(dy)).sum().backward()
    assert_close(y, ty.detach(), 1e-10)
    assert_close(dx, tx.grad, 1e-10)
    for direction, suffix in zip(directions, ["", "_reverse"]):
        grad = getattr(theirs, f"weight_hh_l0{suffix}").grad
        assert_close(swap_gates(cell, direction.recurrent_kernel.grad).T, grad, 1e-10)


def model_of(lib, kind: str, cell: str, options: dict):
    """The same model from either library: sequences to sequences, words to one number, or both directions."""
    layers = lib.layers
    rnn = getattr(layers, cell)
    if kind == "sequences":
        stack = [layers.Input((T, D)), rnn(H, return_sequences=True, **options), layers.Dense(4, activation="softmax")]
        loss = "categorical_crossentropy"
    elif kind == "words":
        stack = [layers.Input((T,), dtype="int32"), layers.Embedding(12, D, mask_zero=True), rnn(H, **options),
                 layers.Dense(1, activation="sigmoid")]
        loss = "binary_crossentropy"
    else:
        stack = [layers.Input((T, D)), layers.Bidirectional(rnn(H, **options)), layers.Dense(2)]
        loss = "mse"
    model = lib.Sequential(stack)
    model.compile(optimizer=lib.optimizers.Adam(0.01), loss=loss)
    return model


def data_for(kind: str, rng: np.random.Generator):
    """Three batches of 16; for both directions the last is a short one."""
    if kind == "words":
        x = rng.integers(1, 12, (48, T)).astype("int32")
        x[np.arange(T) >= rng.integers(1, T + 1, 48)[:, None]] = 0
        return x, (rng.random((48, 1)) < 0.5).astype("float32")
    if kind == "sequences":
        return (rng.standard_normal((48, T, D)).astype("float32"),
                np.eye(4, dtype="float32")[rng.integers(0, 4, (48, T))])
    return rng.standard_normal((40, T, D)).astype("float32"), rng.standard_normal((40, 2)).astype("float32")


TRAINING_CASES = [
    *[(kind, cell, {}) for kind in ("sequences", "words", "both directions") for cell in CELLS],
    ("sequences", "SimpleRNN", {"activation": "relu", "go_backwards": True}),
    ("sequences", "LSTM", {"recurrent_activation": "hard_sigmoid", "use_bias": False}),
    ("sequences", "GRU", {"reset_after": False}),
    ("words", "LSTM", {"go_backwards": True}),
    ("words", "GRU", {"reset_after": False, "use_bias": False}),
]


@pytest.mark.parametrize(("kind", "cell", "options"), TRAINING_CASES, ids=describe)
def test_three_epochs_as_keras_trains(kind, cell, options, rng):
    """The loss of every epoch and the weights after the last."""
    x, y = data_for(kind, rng)
    theirs, ours = (model_of(lib, kind, cell, options) for lib in (keras, fastrnn))
    assert [tuple(w.shape) for w in theirs.get_weights()] == [w.shape for w in ours.get_weights()]
    theirs.set_weights([rng.standard_normal(w.shape).astype("float32") * 0.4 for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    losses = [m.fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0).history["loss"] for m in (theirs, ours)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    for got, expected in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert_close(got, expected, 1e-3)
