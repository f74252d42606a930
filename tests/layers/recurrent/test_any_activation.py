# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers with activations that the kernels do not have, which run in NumPy: beside the kernels where both
can, beside Keras, and against central differences."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn import activations, ops
from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, MinGRU, SimpleRNN
from fastrnn.saving import export_onnx, load_model, to_torch
from tests.conftest import assert_close, assert_gradients, make_layer
from tests.layers.test_recurrent_gradients import CASES, LONG, TOLERANCE, Problem, describe

OTHERS = ["gelu", "elu", "softplus", "silu", "softmax", "selu", "leaky_relu", "hard_tanh", "softsign"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", [*CASES, *LONG[::3]], ids=describe)
def test_numpy_gives_what_the_kernels_give(case, dtype):
    """For every option of every cell, with the same dropout."""
    ours, other = Problem(case, dtype), Problem(case, dtype)
    other.layer.on_kernels = False
    for training in False, True:
        (y, states), (expected, expected_states) = other.call(training), ours.call(training)
        assert y.dtype == dtype
        for got, wanted in zip([y, *states], [expected, *expected_states], strict=True):
            assert_close(got, wanted, TOLERANCE[dtype])
    found, wanted = other.backward(), ours.backward()
    assert found.keys() == wanted.keys()
    for name, gradient in found.items():
        assert gradient.dtype == dtype
        assert_close(gradient, wanted[name], TOLERANCE[dtype], name)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("cell", [SimpleRNN, LSTM, GRU, MinGRU], ids=lambda cell: cell.__name__)
def test_gradients(cell, name, rng):
    options = {"activation": name} if cell is SimpleRNN else {"activation": name, "recurrent_activation": "softplus"}
    layer = make_layer(cell.__name__, 3, 4, rng, dtype="float64", return_sequences=True, **options)
    assert not layer.on_kernels
    assert_gradients(layer, [0.3 * rng.standard_normal((2, 5, 3))])
    assert_gradients(layer, [0.3 * rng.standard_normal((2, 3, 3))], mask=np.array([[0, 1, 0], [1, 1, 0]], bool))


def trained(library, layer, weights, x, y) -> tuple[list[float], np.ndarray, list[np.ndarray]]:
    """Losses, predictions and weights of a model after three epochs."""
    model = library.Sequential([library.Input(x.shape[1:]), layer(library), library.layers.Dense(2)])
    if weights:
        model.set_weights(weights)
    model.compile(library.optimizers.SGD(0.05, momentum=0.9), "mse")
    losses = model.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0).history["loss"]
    return losses, model.predict(x, verbose=0), model.get_weights()


MODELS = {
    "SimpleRNN gelu": lambda k: k.layers.SimpleRNN(5, "gelu"),
    "LSTM elu": lambda k: k.layers.LSTM(5, activation="elu"),
    "LSTM softplus": lambda k: k.layers.LSTM(5, activation="softsign", recurrent_activation="softplus"),
    "GRU selu": lambda k: k.layers.GRU(5, activation="selu", go_backwards=True),
    "GRU before": lambda k: k.layers.GRU(5, activation="silu", recurrent_activation="softmax", reset_after=False),
    "both": lambda k: k.layers.Bidirectional(k.layers.LSTM(5, activation="leaky_relu")),
    "both differ": lambda k: k.layers.Bidirectional(
        k.layers.LSTM(5), backward_layer=k.layers.LSTM(5, activation="gelu", go_backwards=True), merge_mode="sum"),
}


@pytest.mark.parametrize("layer", MODELS.values(), ids=MODELS)
def test_training_is_keras(layer, rng, tmp_path):
    x, y = rng.standard_normal((24, 6, 3)).astype("float32"), rng.standard_normal((24, 2)).astype("float32")
    theirs = keras.Sequential([keras.Input((6, 3)), layer(keras), keras.layers.Dense(2)])
    theirs.set_weights([0.4 * rng.standard_normal(w.shape) for w in theirs.get_weights()])
    theirs.save(tmp_path / "m.keras")
    assert_close(load_model(tmp_path / "m.keras").predict(x, verbose=0), theirs.predict(x, verbose=0), 1e-5)
    weights = theirs.get_weights()
    (losses, predicted, after), (wanted, expected, their_after) = (
        trained(library, layer, weights, x, y) for library in (fastrnn, keras))
    np.testing.assert_allclose(losses, wanted, rtol=1e-4)
    assert_close(predicted, expected, 2e-4)
    for one, other in zip(after, their_after, strict=True):
        assert_close(one, other, 2e-4)


class Square(activations.Activation):
    """One of the user's own."""

    needs_input = True

    def forward(self, x):
        return 0.5 * x * x

    def backward(self, y, dy, x=None):
        return x * dy


def test_the_users_own(rng):
    def steep(x):
        return 2 / (1 + ops.exp(-x)) - 1

    for activation in Square(), steep:
        for cell, option in ("SimpleRNN", {}), ("LSTM", {"recurrent_activation": steep}), ("GRU", {}):
            layer = make_layer(cell, 3, 4, rng, dtype="float64", activation=activation, **option)
            assert not layer.on_kernels
            assert_gradients(layer, [rng.standard_normal((2, 5, 3))])


def test_masked_steps_may_hold_anything(rng):
    layer = make_layer("GRU", 3, 4, rng, activation="gelu", return_sequences=True)
    x, mask = rng.standard_normal((2, 5, 3)).astype("float32"), np.array([[1, 1, 0, 0, 0], [1, 0, 1, 1, 1]], bool)
    found = []
    for padding in 0, np.nan:
        x[~mask] = padding
        y = layer(x, training=True, mask=mask)
        found.append([y, layer.backward(np.ones_like(y)), *(v.grad.copy() for v in layer.weights)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_which_run_on_the_kernels():
    """The five as they are; not one with other parameters, nor one of the user's of the same name."""
    class Tanh(activations.Activation):
        def forward(self, x):
            return np.tanh(x)

    for name in "linear", "tanh", "relu", "sigmoid", "hard_sigmoid", None, activations.tanh:
        assert LSTM(2, name).on_kernels and LSTM(2, recurrent_activation=name).on_kernels
    for name in "gelu", "softmax", Tanh(), activations.get({"class_name": "Relu", "config": {"max_value": 6.0}}):
        assert not LSTM(2, name).on_kernels and not GRU(2, recurrent_activation=name).on_kernels


def test_files_of_it(rng, tmp_path):
    model = fastrnn.Sequential([fastrnn.Input((4, 3)), LSTM(5, "gelu", return_sequences=True),
                                Bidirectional(GRU(2, recurrent_activation="softplus")), Dense(1)])
    x = rng.standard_normal((2, 4, 3)).astype("float32")
    for suffix in ".keras", ".h5", ".safetensors":
        model.save(tmp_path / f"m{suffix}")
        np.testing.assert_array_equal(load_model(tmp_path / f"m{suffix}").predict(x, verbose=0),
                                      model.predict(x, verbose=0))
    assert_close(keras.saving.load_model(tmp_path / "m.keras").predict(x, verbose=0), model.predict(x, verbose=0), 1e-5)
    pytest.importorskip("onnx")
    with pytest.raises(ValueError, match="LSTM '.*' activation: Gelu.* has no form in ONNX's recurrent operators"):
        export_onnx(model, tmp_path / "m.onnx")
    with pytest.raises(ValueError, match="LSTM '.*' activation: expected 'tanh', which PyTorch has, got 'gelu'"):
        to_torch(model.layers[0])


def test_simple_rnn_has_no_gates():
    for argument in "recurrent_activation", "use_cudnn":
        with pytest.raises(TypeError, match=f"SimpleRNN 'x': unknown keyword '{argument}'"):
            SimpleRNN(3, name="x", **{argument: "auto"})
