# SPDX-License-Identifier: Apache-2.0
"""Graphs to save, with branches, shared layers, states between layers and masks, in any library with Keras's API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

T, D, WORDS = 6, 3, 11
Graph = Callable[[Any], Any]
#: By name.
GRAPHS: dict[str, Graph] = {}


def graph(make: Graph) -> Graph:
    GRAPHS[make.__name__.strip("_").replace("_", "-")] = make
    return make


def signal(library: Any, name: str = "signal", shape: Any = (None, D)) -> Any:
    return library.Input(shape, name=name)


def words(library: Any, name: str = "words") -> Any:
    return library.Input((T,), dtype="int32", name=name)


# shared layers -------------------------------------------------------------------------------------------------------

@graph
def _shared_layer(library: Any) -> Any:
    a, b, encoder = signal(library, "a"), signal(library, "b"), library.layers.LSTM(4, name="encoder")
    return library.Model([a, b], [encoder(a), encoder(b)])


@graph
def _siamese(library: Any) -> Any:
    layers, a, b = library.layers, signal(library, "a"), signal(library, "b")
    encoder = library.Sequential([library.Input((None, D)), layers.GRU(4), layers.Dense(3, activation="tanh")],
                                 name="encoder")
    return library.Model([a, b], layers.Dot(axes=1, normalize=True)([encoder(a), encoder(b)]))


@graph
def _one_layer_over_its_own_output(library: Any) -> Any:
    x, layer = signal(library), library.layers.GRU(D, return_sequences=True)
    return library.Model(x, layer(layer(layer(x))))


@graph
def _shared_model(library: Any) -> Any:
    layers, a, b = library.layers, signal(library, "a"), signal(library, "b")
    inner = signal(library, "inner")
    model = library.Model(inner, layers.Dense(2)(layers.LSTM(4)(inner)), name="shared")
    return library.Model([b, a], layers.Concatenate()([model(a), model(b)]))


@graph
def _masked_shared_embedding(library: Any) -> Any:
    layers, a, b = library.layers, words(library, "words_a"), words(library, "words_b")
    table = layers.Embedding(WORDS, 4, mask_zero=True, name="table")
    return library.Model([a, b], [layers.LSTM(3)(table(a)), layers.GRU(3)(table(b))])


@graph
def _shared_bidirectional(library: Any) -> Any:
    layers, a, b = library.layers, signal(library, "a"), signal(library, "b")
    both = layers.Bidirectional(layers.LSTM(3), merge_mode="sum")
    return library.Model({"a": a, "b": b}, layers.Subtract()([both(a), both(b)]))


# states --------------------------------------------------------------------------------------------------------------

@graph
def _encoder_decoder(library: Any) -> Any:
    layers, source, target = library.layers, signal(library, "source"), signal(library, "target")
    _, h, c = layers.LSTM(4, return_state=True, name="encoder")(source)
    decoded = layers.LSTM(4, return_sequences=True, name="decoder")(target, initial_state=[h, c])
    return library.Model([source, target], layers.TimeDistributed(layers.Dense(5, activation="softmax"))(decoded))


@graph
def _masked_encoder_decoder(library: Any) -> Any:
    layers, source, target = library.layers, words(library, "words_source"), words(library, "words_target")
    _, h = layers.GRU(5, return_state=True)(layers.Embedding(WORDS, 4, mask_zero=True)(source))
    # Keras 3 drops the mask of a layer that is given states: this one has none.
    decoded = layers.GRU(5, return_sequences=True)(layers.Embedding(WORDS, 4)(target), initial_state=h)
    return library.Model([source, target], [layers.Dense(WORDS, activation="softmax")(decoded), h])


@graph
def _states_as_outputs(library: Any) -> Any:
    x = signal(library)
    y, h, c = library.layers.LSTM(4, return_sequences=True, return_state=True)(x)
    return library.Model(x, {"steps": y, "states": [h, c]})


@graph
def _states_as_inputs(library: Any) -> Any:
    x, h, c = signal(library), signal(library, "h", (4,)), signal(library, "c", (4,))
    return library.Model([x, h, c], library.layers.LSTM(4, return_state=True)(x, initial_state=[h, c]))


@graph
def _simple_rnn_with_a_state(library: Any) -> Any:
    layers, x, h = library.layers, signal(library), signal(library, "h", (2,))
    return library.Model([x, h], layers.SimpleRNN(4, go_backwards=True)(x, initial_state=layers.Dense(4)(h)))


@graph
def _bidirectional_with_states(library: Any) -> Any:
    layers, x = library.layers, signal(library)
    first = layers.Bidirectional(layers.LSTM(3, return_sequences=True, return_state=True), name="first")
    y, *states = first(x)
    return library.Model(x, layers.Bidirectional(layers.LSTM(3), name="second")(y, initial_state=states))


@graph
def _bidirectional_gru_with_states(library: Any) -> Any:
    layers, x = library.layers, signal(library)
    _, there, back = layers.Bidirectional(layers.GRU(3, return_state=True), merge_mode="ave")(x)
    return library.Model(x, layers.Add()([there, back]))


# several inputs and outputs ------------------------------------------------------------------------------------------

@graph
def _two_outputs(library: Any) -> Any:
    layers, x = library.layers, signal(library)
    y = layers.LSTM(4)(x)
    return library.Model(x, [layers.Dense(2, name="class_", activation="softmax")(y), layers.Dense(1, name="value")(y)])


@graph
def _dictionaries(library: Any) -> Any:
    layers, z, a = library.layers, signal(library, "z"), signal(library, "a")
    return library.Model({"z": z, "a": a}, {"two": layers.Dense(2)(z), "one": layers.GRU(3)(a)})


@graph
def _words_and_numbers(library: Any) -> Any:
    layers, text, numbers = library.layers, words(library), signal(library, "numbers", (D,))
    y = layers.LSTM(4)(layers.Embedding(WORDS, 3, mask_zero=True)(text))
    return library.Model([text, numbers], layers.Dense(1)(layers.Concatenate()([y, numbers])))


@graph
def _an_input_that_is_an_output(library: Any) -> Any:
    layers, x = library.layers, signal(library)
    y = layers.GRU(3, return_sequences=True)(x)
    return library.Model(x, [y, layers.Dense(2)(y), layers.Dense(2)(x)])


@graph
def _read_by_two_depths(library: Any) -> Any:
    """Layers whose order is that of their distance from the output, not that of their making."""
    layers, x = library.layers, signal(library)
    short = layers.Dense(4, name="short")(x)
    long = layers.LSTM(4, return_sequences=True, name="long_2")(layers.Dense(4, name="long_1")(x))
    return library.Model(x, layers.Dense(2, name="last")(layers.Add(name="sum")([short, long])))


# models inside models ------------------------------------------------------------------------------------------------

def _inner(library: Any, name: str) -> Any:
    layers, x = library.layers, signal(library, f"{name}_input", (D,))
    return library.Model(x, layers.Add()([layers.Dense(D)(x), x]), name=name)


@graph
def _time_distributed_model(library: Any) -> Any:
    layers, x = library.layers, signal(library, shape=(T, D))
    return library.Model(x, layers.GRU(4)(layers.TimeDistributed(_inner(library, "step"))(x)))


@graph
def _deep_models(library: Any) -> Any:
    layers, x, y = library.layers, signal(library, "x", (D,)), signal(library, "y", (D,))
    inner, one = _inner(library, "inner"), signal(library, "one", (D,))
    middle = library.Model(one, inner(layers.Dense(D)(inner(one))), name="middle")
    top = library.Sequential([library.Input((D,)), middle, layers.Dense(2)], name="top")
    return library.Model([x, y], [top(x), top(layers.Dense(D)(y))])


@graph
def _model_of_two_inputs_inside(library: Any) -> Any:
    layers, a, b = library.layers, signal(library, "a"), signal(library, "b")
    p, q = signal(library, "p", (4,)), signal(library, "q", (4,))
    join = library.Model([p, q], [layers.Multiply()([p, q]), layers.Maximum()([p, q])], name="join")
    one, two = join([layers.LSTM(4)(a), layers.GRU(4)(b)])
    return library.Model([a, b], layers.Minimum()([layers.Dense(3)(one), layers.Dense(3)(two)]))


@graph
def _a_line_of_models(library: Any) -> Any:
    layers = library.layers
    return library.Sequential([_inner(library, "first"), _inner(library, "second"), layers.Dense(2)])


# operators -----------------------------------------------------------------------------------------------------------

@graph
def _residual(library: Any) -> Any:
    layers, x = library.layers, signal(library)
    y = layers.GRU(D, return_sequences=True)(x) + x
    return library.Model(x, layers.LSTM(4)(layers.LayerNormalization()(y)))


@graph
def _slices(library: Any) -> Any:
    layers, x = library.layers, signal(library, shape=(T, D))
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    return library.Model(x, [layers.Dense(2)(y[:, -1]), y[:, 1:4, ::2], y[..., 0]])


@graph
def _gate(library: Any) -> Any:
    layers, x = library.layers, signal(library)
    gate = layers.Dense(4, activation="sigmoid")(x)
    y = layers.GRU(4, return_sequences=True)(x) * gate + (1 - gate) * layers.Dense(4)(x)
    return library.Model(x, y)


@graph
def _arithmetic(library: Any) -> Any:
    layers, x = library.layers, signal(library)
    y = layers.Dense(3)(x)
    return library.Model(x, [-(y - 0.5) / 2.0, 2.0 / (y ** 2.0 + 1.0), abs(y - x)])


@graph
def _attention(library: Any) -> Any:
    """Luong's (2015): a decoder's steps ask the encoder's."""
    layers, source, target = library.layers, signal(library, "source"), signal(library, "target")
    keys, h, c = layers.LSTM(4, return_sequences=True, return_state=True)(source)
    query = layers.LSTM(4, return_sequences=True)(target, initial_state=[h, c])
    weights = layers.Activation("softmax")(layers.Dot(axes=[2, 2])([query, keys]))
    context = layers.Dot(axes=[2, 1])([weights, keys])
    return library.Model([source, target], layers.Dense(2)(layers.Concatenate()([context, query])))


# merges --------------------------------------------------------------------------------------------------------------

@graph
def _concatenated_twice(library: Any) -> Any:
    layers, x = library.layers, signal(library)
    y = layers.Concatenate()([x, layers.Dense(2)(x)])
    y = layers.Concatenate()([y, layers.GRU(3, return_sequences=True)(y), x])
    return library.Model(x, layers.Concatenate(axis=1)([y, y]))


@graph
def _masks_through_merges(library: Any) -> Any:
    layers, a, b = library.layers, words(library, "words_a"), words(library, "words_b")
    one = layers.Embedding(WORDS, 4, mask_zero=True)(a)
    two = layers.Embedding(WORDS, 4, mask_zero=True)(b)
    return library.Model([a, b], [layers.LSTM(3)(layers.Add()([one, two])),
                                  layers.GRU(3)(layers.Concatenate()([one, two])),
                                  layers.LSTM(2)(layers.Concatenate(axis=1)([one, two]))])


@graph
def _masks_through_a_graph(library: Any) -> Any:
    layers, text = library.layers, words(library)
    x = layers.Dropout(0.2)(layers.Embedding(WORDS, 4, mask_zero=True)(text))
    y = layers.Bidirectional(layers.GRU(3, return_sequences=True))(x)
    z = layers.TimeDistributed(layers.Dense(4))(y)
    return library.Model(text, [layers.LSTM(3)(layers.Average()([x, z])), layers.Activation("tanh")(z)])


def make(library: Any, name: str) -> Any:
    """The model, with random weights wherever layers would start from zeros."""
    model = GRAPHS[name](library)
    rng = np.random.default_rng(len(name))
    values = [rng.uniform(-0.6, 0.6, w.shape).astype(w.dtype) for w in model.get_weights()]
    model.set_weights([np.abs(w) if "variance" in v.name else w for v, w in zip(model.weights, values, strict=True)])
    return model


def inputs(model: Any, samples: int = 5, seed: int = 0) -> list[np.ndarray]:
    """Inputs that a model takes, in the order of its inputs."""
    rng = np.random.default_rng(seed)
    found = []
    for symbol in model.inputs:
        shape = (samples, *(T if size is None else size for size in symbol.shape[1:]))
        found.append(rng.integers(0, WORDS, shape).astype("int32") if symbol.name.startswith("words")
                     else rng.standard_normal(shape).astype("float32"))
    return found


def outputs(model: Any, xs: list[np.ndarray]) -> list[np.ndarray]:
    """The outputs, in a flat list."""
    return [np.asarray(y) for y in flat(model.predict_on_batch(given(model, xs)))]


def given(model: Any, xs: list[np.ndarray]) -> Any:
    """Inputs as the model takes them."""
    return xs[0] if len(xs) == 1 else dict(zip(sorted(model.input), xs)) if isinstance(model.input, dict) else xs


def flat(value: Any) -> list[Any]:
    """The leaves of lists and dictionaries, these in the order of their keys."""
    if isinstance(value, dict):
        return [leaf for key in sorted(value) for leaf in flat(value[key])]
    return [leaf for part in value for leaf in flat(part)] if isinstance(value, (list, tuple)) else [value]
