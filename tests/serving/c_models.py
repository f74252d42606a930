# SPDX-License-Identifier: Apache-2.0
"""Models of all layers that stream, for what runs them in another way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastrnn import Input, Model, Sequential, activations
from fastrnn.layers import (
    ELU,
    GRU,
    LSTM,
    RNN,
    Activation,
    ActivityRegularization,
    Add,
    AlphaDropout,
    Average,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    GaussianDropout,
    GaussianNoise,
    GRUCell,
    Identity,
    LayerNormalization,
    LeakyReLU,
    LSTMCell,
    Maximum,
    MinGRU,
    Minimum,
    Multiply,
    Normalization,
    PReLU,
    ReLU,
    Rescaling,
    RMSNormalization,
    SimpleRNN,
    SimpleRNNCell,
    Softmax,
    SpatialDropout1D,
    Subtract,
    TimeDistributed,
    UnitNormalization,
)

#: Those that have no form there, as they sort or change the width.
OTHERS = ("sparsemax", "glu")
#: Those that a gate or a state may take.
BOUNDED = ("sigmoid", "tanh", "hard_sigmoid", "softsign", "sparse_sigmoid", "softmax")


def line(*layers: Any, width: int = 5) -> Sequential:
    """Layers in a row on sequences of so many features."""
    return Sequential([Input((None, width)), *layers])


def _cell(cls: Any, **options: Any) -> Callable[[], Sequential]:
    return lambda: line(cls(7, **options))


def _sequence(cls: Any, **options: Any) -> Callable[[], Sequential]:
    return lambda: line(cls(7, return_sequences=True, **options), Dense(3, activation="softmax"))


def _stack() -> Sequential:
    """The widths that compilers make vectors of, and some beside them."""
    return line(LSTM(32, return_sequences=True), Dropout(0.5), GRU(17, return_sequences=True), MinGRU(
        16, return_sequences=True), SimpleRNN(4), Dense(1), width=32)


def _states() -> Model:
    x = Input((None, 5))
    y, h, c = LSTM(4, return_sequences=True, return_state=True)(x)
    last, (g, d), s = RNN([LSTMCell(3), SimpleRNNCell(2)], return_state=True)(y)
    return Model(x, [y, h, Concatenate()([c, g, d, s]), last])


def _words() -> Sequential:
    return Sequential([Input((None,)), Embedding(11, 6), LSTM(5, return_sequences=True), Dense(11)])


def _words_and_numbers() -> Model:
    words, numbers, constant = Input((None,), name="words"), Input((None, 3), name="Words"), Input((2,), name="ü")
    rows = Embedding(9, 4)(words)
    also = Embedding(7, 3)(words)
    found = GRU(4)(Concatenate()([rows, numbers, also]))
    return Model([words, numbers, constant], Dense(2)(Concatenate()([found, constant])))


def _activations() -> Model:
    x = Input((None, 5))
    known = [name for name in activations.__all__ if isinstance(getattr(activations, name), activations.Activation)]
    made: list[Any] = [name for name in known if name not in (*OTHERS, "threshold")]
    made += [activations.threshold.__class__(0.5, -1.0), activations.gelu.__class__(approximate=True),
             activations.relu.__class__(0.1, 1.0, 0.25), activations.relu.__class__(0.1),
             activations.relu.__class__(max_value=1.0), activations.relu.__class__(0.0, 1.0, -0.5),
             activations.leaky_relu.__class__(0.3), activations.elu.__class__(0.7), activations.celu.__class__(0.7),
             activations.squareplus.__class__(2.0), activations.hard_shrink.__class__(0.1)]
    return Model(x, Concatenate()([Dense(4, activation=one)(x) for one in made]))


def _layers_of_activations() -> Sequential:
    return line(Activation("tanh"), ELU(0.6), LeakyReLU(0.2), ReLU(1.0, 0.1, 0.2), PReLU(shared_axes=[1]),
                 Softmax(), GRU(4), PReLU(), Softmax(), Activation("linear"))


def _gates() -> Model:
    """Other activations in the cells, those of rows among them."""
    x = Input((None, 5))
    found = [cls(4, activation=one, recurrent_activation=other)(x) for cls in (LSTM, GRU, MinGRU)
             for one, other in zip(BOUNDED, reversed(BOUNDED))]
    return Model(x, Concatenate()([*found, *(SimpleRNN(4, activation=one)(x) for one in BOUNDED)]))


def _normalizations() -> Model:
    x = Input((None, 5))
    data = np.random.default_rng(1).normal([1000, 0, 5, -3, 1], [0.1, 1, 2, 3, 4], (50, 5))
    known, back = Normalization(), Normalization(invert=True)
    for layer in (known, back):
        layer.adapt(data)
    parts = [LayerNormalization(), LayerNormalization(center=False, scale=False), LayerNormalization(axis=2),
             LayerNormalization(scale=False), RMSNormalization(), UnitNormalization(), BatchNormalization(),
             BatchNormalization(center=False, scale=False), Rescaling(2.0, -1.0),
             Rescaling(np.arange(1.0, 6.0), np.arange(5.0))]
    y = Concatenate()([layer(x) for layer in parts])
    last = GRU(3)(y)
    made = [layer(last) for layer in (LayerNormalization(), RMSNormalization(), BatchNormalization())]
    return Model(x, [y, known(x), back(x), Concatenate()(made)])


def _convolutions() -> Model:
    x = Input((None, 6))
    kinds = [{"kernel_size": 1}, {"kernel_size": 1, "padding": "valid"}, {"kernel_size": 2}, {"kernel_size": 3},
             {"kernel_size": 3, "dilation_rate": 2}, {"kernel_size": 2, "dilation_rate": 4, "use_bias": False},
             {"kernel_size": 3, "groups": 2, "dilation_rate": 3, "activation": "relu"}]
    found = [Conv1D(4, **{"padding": "causal", **kind})(x) for kind in kinds]
    return Model(x, Concatenate()(found))


def _residual() -> Model:
    """A convolutional network over time, with residual connections and gates."""
    x = y = Input((None, 4))
    for dilation in (1, 2, 4):
        bent, gate = (Conv1D(4, 2, padding="causal", dilation_rate=dilation, activation=one)(y)
                      for one in ("tanh", "sigmoid"))
        y = Add()([y, Multiply()([bent, gate])])
    return Model(x, Dense(2)(LSTM(3)(y)))


def _merges() -> Model:
    x = Input((None, 5))
    one, two, narrow = Dense(4)(x), LSTM(4, return_sequences=True)(x), Dense(1)(x)
    parts = [cls()([one, two]) for cls in (Add, Average, Subtract, Multiply, Maximum, Minimum)]
    parts += [Add()([one, two, narrow]), Multiply()([narrow, one]), Average()([one, two, one])]
    return Model(x, Concatenate()(parts))


def _operations() -> Model:
    """Arithmetic on symbols, parts of them, and the last time step by its index."""
    x = Input((None, 5))
    y = Dense(5)(x)
    made = [x + y, 1 - x, x * y * 2, x / (abs(y) + 1), -x, abs(y) ** 1.5, x + np.arange(5, dtype="float32"),
            x[..., 1:2] * y, x[:, :, 2:] + y[:, :, :-2]]
    last = LSTM(4, return_sequences=True)(Concatenate()(made))
    return Model(x, [Dense(2)(last[:, -1]) * last[:, -1, 1:3], x[:, :, 3:], y[:, -1, 3:4]])


def _distributed() -> Sequential:
    inner = Sequential([Input((7,)), Dense(5, activation="relu"), LayerNormalization(), Dense(3)])
    return line(TimeDistributed(Dense(7)), TimeDistributed(inner), TimeDistributed(Activation("softmax")))


def _nothing() -> Sequential:
    return line(*[cls(0.3) for cls in (Dropout, AlphaDropout, GaussianDropout, GaussianNoise, SpatialDropout1D)],
                 Identity(), ActivityRegularization(0.1))


def _shared() -> Model:
    """A layer called twice has its weights once and its states twice; a model inside is its layers; odd names."""
    x = Input((None, 4), name="step")
    layer = LSTM(4, return_sequences=True, name="double")
    inner = Sequential([Input((None, 4)), Dense(4, activation="tanh", name="step"), layer], name="state")
    y = layer(inner(layer(x)))
    return Model(x, [Dense(2, name="lstm_kernel")(y), GRU(2, name="a*/b")(y), y, y, x])


#: Models by name, each a function that makes it; weights are as `randomized` leaves them.
MODELS: dict[str, Callable[[], Any]] = {
    **{f"{cls.__name__}_{index}": make for cls in (SimpleRNN, LSTM, GRU, MinGRU) for index, make in enumerate(
        (_cell(cls), _sequence(cls), _cell(cls, use_bias=False), _sequence(cls, activation="relu")))},
    "GRU_before": _cell(GRU, reset_after=False), "GRU_before_1": _sequence(GRU, reset_after=False, use_bias=False),
    "LSTM_peepholes": _cell(LSTM, use_peepholes=True), "LSTM_forget": _sequence(LSTM, unit_forget_bias=False),
    "RNN": lambda: line(RNN(GRUCell(4), return_sequences=True)), "stack": _stack, "states": _states, "words": _words,
    "words_and_numbers": _words_and_numbers, "activations": _activations, "gates": _gates,
    "layers_of_activations": _layers_of_activations, "normalizations": _normalizations, "convolutions": _convolutions,
    "residual": _residual, "merges": _merges, "operations": _operations,
    "distributed": _distributed, "nothing": _nothing, "shared": _shared,
    "dense": lambda: line(Dense(3, use_bias=False)),
}


def randomized(model: Any, seed: int = 0) -> Any:
    """The model with random weights where they begin as zeros or ones, and variances above 0."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if variable.name in ("count", "mean", "variance"):      # which Normalization has learned
            continue
        values = rng.normal(0, 0.5, variable.shape)
        variable.assign(np.abs(values) + 0.5 if "variance" in variable.name else values)
    return model


def sample(model: Any, steps: int, rng: np.random.Generator) -> list[np.ndarray]:
    """One random sequence for each input, without the batch's axis: indices below an Embedding."""
    found = []
    for index, symbol in enumerate(model.inputs):
        takers = [taker.layer for taker in model.schedule().takers[index]]
        rows = [layer.input_dim for layer in takers if isinstance(layer, Embedding)]
        shape = tuple(steps if size is None else size for size in symbol.shape[1:])
        values = rng.integers(0, min(rows), shape).astype(np.int32) if rows else rng.normal(0, 1, shape)
        found.append(values if rows else values.astype(np.float32))
    return found


def outputs_by_step(model: Any, xs: list[np.ndarray]) -> list[np.ndarray]:
    """What a model gives for each time step, (steps, width) of each output: of one for the whole sequence, what it
    would be if the sequence ended there."""
    steps = max(len(x) for x, symbol in zip(xs, model.inputs) if symbol.shape[1] is None)
    found: list[list[np.ndarray]] = [[] for _ in model.outputs]
    for end in range(1, steps + 1):
        until = [x[None, :end] if symbol.shape[1] is None else x[None] for x, symbol in zip(xs, model.inputs)]
        ys = model.predict_on_batch(until if len(until) > 1 else until[0])
        for own, y in zip(found, ys if isinstance(ys, list) else [ys], strict=True):
            own.append(y[0, -1] if y.ndim == 3 else y[0])
    return [np.stack(own) for own in found]
