# SPDX-License-Identifier: Apache-2.0
"""Graphs that go different ways, written once for fastrnn and for Keras, whose names they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

N, T, D, V = 6, 5, 3, 11


class Graph(NamedTuple):
    """How a graph is made, by `fastrnn` or `keras`; and the shapes of its inputs, indices where they are of ints."""

    make: Callable[..., tuple[Any, Any]]
    inputs: tuple[tuple[int, ...], ...] = ((N, T, D),)
    indices: bool = False
    frozen: tuple[str, ...] = ()        # layers that are not trained
    in_keras: bool = True
    losses: Any = "mse"


def shared_layer(k: Any, **o: Any) -> tuple[Any, Any]:
    one, two = k.Input((T, D), **o), k.Input((T, D), **o)
    shared = k.layers.LSTM(4, name="shared", **o)
    return [one, two], k.layers.Dense(2, name="top", **o)(k.layers.concatenate([shared(one), shared(two)], **o))


def over_its_own_output(k: Any, **o: Any) -> tuple[Any, Any]:
    x = y = k.Input((T, D), **o)
    layer = k.layers.GRU(D, return_sequences=True, name="again", **o)
    for _ in range(3):
        y = layer(y)
    return x, y


def states_between(k: Any, **o: Any) -> tuple[Any, Any]:
    """Encoder and decoder; a loss on a state, too."""
    source, target = k.Input((None, D), **o), k.Input((None, 2), **o)
    _, h, c = k.layers.LSTM(4, return_state=True, name="encoder", **o)(source)
    y, h2, _ = k.layers.LSTM(4, return_sequences=True, return_state=True, name="decoder", **o)(
        target, initial_state=[h, c])
    return [source, target], [k.layers.Dense(3, name="letters", **o)(y), h2]


def masked_shared_embedding(k: Any, **o: Any) -> tuple[Any, Any]:
    one, two = k.Input((T,), dtype="int32"), k.Input((T,), dtype="int32")
    words = k.layers.Embedding(V, 4, mask_zero=True, name="words", **o)
    layer = k.layers.LSTM(3, name="reader", **o)
    apart = k.layers.GRU(3, name="other", **o)
    return [one, two], k.layers.Dense(1, name="top", **o)(
        k.layers.concatenate([layer(words(one)), layer(words(two)), apart(words(one))], **o))


def two_outputs(k: Any, **o: Any) -> tuple[Any, Any]:
    x = k.Input((T, D), **o)
    y = k.layers.SimpleRNN(4, return_sequences=True, name="rnn", **o)(x)
    return x, [k.layers.Dense(2, "tanh", name="steps", **o)(y),
               k.layers.Dense(3, name="whole", **o)(k.layers.LSTM(2, name="last", **o)(y))]


def nested_shared_model(k: Any, **o: Any) -> tuple[Any, Any]:
    inner_input = k.Input((T, D), **o)
    hidden = k.layers.GRU(4, return_sequences=True, name="inner_gru", **o)(inner_input)
    inner = k.Model(inner_input, [k.layers.LSTM(2, name="inner_lstm", **o)(hidden), hidden], name="inner")
    one, two = k.Input((T, D), **o), k.Input((T, D), **o)
    (a, hidden), (b, _) = inner(one), inner(two)
    stack = k.Sequential([k.Input((T, 4), **o), k.layers.Dense(3, "tanh", name="in_stack", **o),
                          k.layers.LSTM(2, name="stack_lstm", **o)], name="stack")
    return [one, two], k.layers.Dense(2, name="top", **o)(k.layers.concatenate([a, b, stack(hidden)], **o))


def bidirectional_states(k: Any, **o: Any) -> tuple[Any, Any]:
    x, h, c = k.Input((T, D), **o), k.Input((4,), **o), k.Input((4,), **o)
    layer = k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True, return_state=True, name="lstm", **o),
                                   name="both", **o)
    d = k.layers.Dense(4, name="start", **o)(h)
    y, fh, _, _, bc = layer(x, initial_state=[d, c, h, c])
    return [x, h, c], [y, k.layers.add([fh, bc], **o)]


def branch_without_gradient(k: Any, **o: Any) -> tuple[Any, Any]:
    """An index that a comparison gives, and a state that nobody reads."""
    x = k.Input((T, D), **o)
    y, _, _ = k.layers.LSTM(4, return_state=True, name="lstm", **o)(x)
    return x, k.layers.Dense(2, name="top", **o)(k.layers.multiply([y, y], **o))


def frozen_branch(k: Any, **o: Any) -> tuple[Any, Any]:
    x = k.Input((T, D), **o)
    fixed = k.layers.Dense(D, "tanh", name="fixed", trainable=False, **o)(k.layers.GRU(
        4, return_sequences=True, name="fixed_gru", trainable=False, **o)(x))
    free = k.layers.Dense(D, name="free", **o)(x)
    return x, k.layers.LSTM(2, name="top", **o)(k.layers.add([fixed, free, x], **o))


def arithmetic(k: Any, **o: Any) -> tuple[Any, Any]:
    """A gate by hand: operators, slices, a product of matrices."""
    x = k.Input((T, D), **o)
    y = k.layers.LSTM(4, return_sequences=True, name="lstm", **o)(x)
    gate = k.layers.Dense(4, "sigmoid", name="gate", **o)(y)
    z = gate * y + (1.0 - gate) * k.layers.Dense(4, name="other", **o)(x)
    z = z / 2.0 - (y ** 2)[:, ::-1]
    return x, [z[:, -1], -z[:, 1:3, :2]]


GRAPHS: dict[str, Graph] = {
    "shared layer": Graph(shared_layer, ((N, T, D), (N, T, D))),
    "layer over its own output": Graph(over_its_own_output),
    "states between layers": Graph(states_between, ((N, T, D), (N, 4, 2)), losses=["mse", "mae"]),
    "masked shared Embedding": Graph(masked_shared_embedding, ((N, T), (N, T)), indices=True),
    "two outputs": Graph(two_outputs, losses=["mse", "mse"]),
    "nested shared model": Graph(nested_shared_model, ((N, T, D), (N, T, D))),
    "Bidirectional with initial states": Graph(bidirectional_states, ((N, T, D), (N, 4), (N, 4)),
                                               losses=["mse", "mse"]),
    "branch without gradient": Graph(branch_without_gradient),
    "frozen branch": Graph(frozen_branch, frozen=("fixed", "fixed_gru")),
    "arithmetic": Graph(arithmetic, losses=["mse", "mse"]),
}


def data(graph: Graph, seed: int = 0) -> list[np.ndarray]:
    """A batch of inputs; indices end in padding."""
    rng = np.random.default_rng(seed)
    if not graph.indices:
        return [rng.standard_normal(shape) for shape in graph.inputs]
    found = [rng.integers(1, V, shape) for shape in graph.inputs]
    for x in found:
        x[: N // 2, 3:] = 0
        x[0] = 0
    return found
