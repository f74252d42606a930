# SPDX-License-Identifier: Apache-2.0
"""A model's layers as ONNX's operators, call by call: one table, from the class to what adds its nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastrnn import activations
from fastrnn.layers import (
    GRU,
    LSTM,
    RNN,
    Activation,
    AlphaDropout,
    BatchNormalization,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    GaussianDropout,
    GaussianNoise,
    Identity,
    LayerNormalization,
    SimpleRNN,
    SpatialDropout1D,
    SpatialDropout2D,
    TimeDistributed,
)
from fastrnn.layers.base import Layer
from fastrnn.layers.core.function_call import FunctionCall
from fastrnn.layers.network import Network
from fastrnn.layers.operation import Operation
from fastrnn.saving.onnx import recurrent_layers
from fastrnn.saving.onnx.builder import GraphBuilder
from fastrnn.saving.onnx.merges import MERGES, Given
from fastrnn.saving.onnx.operations import mask_operation, operation

#: What adds a layer's nodes: given the graph, the layer, its input (batch first) and its mask or None, it gives the
#: output and the mask that goes with it. A mask has all axes but the last of what it goes with, as an Embedding's has.
Adds = Callable[[GraphBuilder, Any, str, str | None], tuple[str, str | None]]
#: Outputs, and their masks.
Outputs = tuple[list[str], list[str | None]]


def add(graph: GraphBuilder, layer: Layer, given: Given) -> Outputs:
    """Add a layer's nodes to a graph.

    Raises:
        ValueError: the layer has no form in ONNX.
    """
    above = graph.scope
    graph.scope = f"{above}/{layer.name}" if above else layer.name
    try:
        return _add(graph, layer, given)
    finally:
        graph.scope = above


def _add(graph: GraphBuilder, layer: Any, given: Given) -> Outputs:
    if isinstance(layer, Network):
        return add_all(graph, layer, given.xs, given.masks)
    if isinstance(layer, Operation):
        return [operation(graph, layer, given.xs, given.ranks)], [None]
    if isinstance(layer, FunctionCall):
        return [mask_operation(graph, layer, given.xs)], [None]
    if layer.input_kind != "any":
        kind = "int64" if layer.input_kind == "index" else graph.dtype
        given = given._replace(xs=[graph.of_kind(x, kind) for x in given.xs])
    x, *states = given.xs
    if isinstance(layer, Bidirectional):
        return recurrent_layers.bidirectional(graph, layer, x, given.masks[0], states)
    if type(layer) in (SimpleRNN, LSTM, GRU, RNN):
        return recurrent_layers.recurrent(graph, layer, x, given.masks[0], states)
    if type(layer) in MERGES:
        y, mask = MERGES[type(layer)](graph, layer, given)
    elif type(layer) in _LAYERS:
        y, mask = _LAYERS[type(layer)](graph, layer, x, given.masks[0])
    else:
        known = sorted(cls.__name__ for cls in (*_LAYERS, *MERGES, Bidirectional, SimpleRNN, LSTM, GRU, RNN))
        raise ValueError(f"{layer}: {type(layer).__name__} has no form in ONNX; there are {', '.join(known)}")
    return [y], [mask]


def add_all(graph: GraphBuilder, network: Network, xs: Sequence[str], masks: Sequence[str | None]) -> Outputs:
    """Add the nodes of all calls in a model."""
    values = {id(symbol): given for symbol, given in zip(network.graph.inputs, zip(xs, masks))}
    for node in network.graph.nodes:
        own = [values[id(symbol)] for symbol in node.inputs]
        told = [mask for _, mask in own]
        for index, symbol in enumerate(node.masks):
            if symbol is not None:
                told[index] = graph.of_kind(values[id(symbol)][0], "bool")
        given = Given([x for x, _ in own], told, [len(symbol.shape) for symbol in node.inputs])
        made = add(graph, node.layer, given)
        values.update((id(symbol), value) for symbol, value in zip(node.outputs, zip(*made)))
    found = [values[id(symbol)] for symbol in network.graph.outputs]
    return [y for y, _ in found], [mask for _, mask in found]


# layers -------------------------------------------------------------------------------------------------------------


def _embedding(graph: GraphBuilder, layer: Embedding, x: str, mask: str | None) -> tuple[str, str | None]:
    y = graph.add("Gather", graph.constant(layer.embeddings.data, "embeddings"), x)
    if layer.mask_zero:
        mask = graph.add("Not", graph.add("Equal", x, graph.constant(0, "padding", "int64")))
        return y, mask
    return y, None


def _dense(graph: GraphBuilder, layer: Dense, x: str, mask: str | None) -> tuple[str, str | None]:
    y = graph.add("MatMul", x, graph.constant(layer.kernel.data, "kernel"))
    if layer.bias is not None:
        y = graph.add("Add", y, graph.constant(layer.bias.data, "bias"))
    return _activate(graph, layer, layer.activation, y), mask


def _activation(graph: GraphBuilder, layer: Activation, x: str, mask: str | None) -> tuple[str, str | None]:
    return _activate(graph, layer, layer.activation, x), mask


def _nothing(graph: GraphBuilder, layer: Layer, x: str, mask: str | None) -> tuple[str, str | None]:
    """Of a layer that acts in training alone."""
    return x, mask


def _layer_normalization(graph: GraphBuilder, layer: LayerNormalization, x: str,
                         mask: str | None) -> tuple[str, str | None]:
    """In its parts: the operator of that name came with opset 17, and knows the last axes alone."""
    axes = layer.normalized_axes
    centered = graph.add("Sub", x, _mean(graph, x, axes))
    variance = _mean(graph, graph.add("Mul", centered, centered), axes)
    deviation = graph.add("Sqrt", graph.add("Add", variance, graph.constant(layer.epsilon, "epsilon")))
    y = graph.add("Div", centered, deviation)
    if layer.gamma is not None:
        y = graph.add("Mul", y, graph.constant(layer.broadcast(layer.gamma.data), "gamma"))
    if layer.beta is not None:
        y = graph.add("Add", y, graph.constant(layer.broadcast(layer.beta.data), "beta"))
    return y, mask


def _batch_normalization(graph: GraphBuilder, layer: BatchNormalization, x: str,
                         mask: str | None) -> tuple[str, str | None]:
    """As scale and shift: the operator of that name knows the second axis alone."""
    scale, shift = (layer.broadcast(weight, layer.rank) for weight in layer.scale_and_shift())
    y = graph.add("Mul", x, graph.constant(scale, "scale"))
    return graph.add("Add", y, graph.constant(shift, "shift")), mask


def _mean(graph: GraphBuilder, x: str, axes: tuple[int, ...]) -> str:
    if graph.opset < 18:
        return graph.add("ReduceMean", x, axes=list(axes), keepdims=1)
    return graph.add("ReduceMean", x, graph.constant(list(axes), "axes", "int64"), keepdims=1)


def _time_distributed(graph: GraphBuilder, layer: TimeDistributed, x: str, mask: str | None) -> tuple[str, str | None]:
    """All steps of a batch are one batch to the layer inside."""
    start, two = graph.constant([0], "start", "int64"), graph.constant([2], "two", "int64")
    end, rest = graph.constant([np.iinfo(np.int64).max], "end", "int64"), graph.constant([-1], "rest", "int64")
    one = graph.constant([1], "one", "int64")
    shape = graph.add("Shape", x)
    outer = graph.add("Slice", shape, start, two)

    def fold(value: str) -> str:
        inner = graph.add("Slice", graph.add("Shape", value), two, end)
        return graph.add("Reshape", value, graph.add("Concat", rest, inner, axis=0))

    def unfold(value: str) -> str:
        inner = graph.add("Slice", graph.add("Shape", value), one, end)
        return graph.add("Reshape", value, graph.add("Concat", outer, inner, axis=0))

    recurrent = any(map(recurrent_layers.is_recurrent, layer.layer.walk()))
    states, graph.states = graph.states, False      # they would be of samples and steps together
    if states and recurrent:
        raise ValueError(f"{layer}: there are no states to give in and out of a layer inside TimeDistributed; export "
                         "with states=False")
    inner_mask = None if mask is None or not recurrent else fold(mask)      # other layers pass it by
    rank = len(layer.layer.graph.inputs[0].shape) if isinstance(layer.layer, Network) else 0    # which no other needs
    (y,), (inner_mask,) = add(graph, layer.layer, Given([fold(x)], [inner_mask], [rank]))
    graph.states = states
    if mask is not None and recurrent:
        mask = unfold(inner_mask) if inner_mask is not None else _any_step(graph, mask, outer)
    return unfold(y), mask


def _any_step(graph: GraphBuilder, mask: str, outer: str) -> str:
    """A mask of more axes as one of the `outer` two: where anything of a step counts."""
    rest, last = graph.constant([-1], "rest", "int64"), graph.constant([2], "last", "int64")
    steps = graph.add("Reshape", mask, graph.add("Concat", outer, rest, axis=0))
    counts = graph.add("ReduceSum", graph.add("Cast", steps, to=graph.onnx.TensorProto.INT64), last, keepdims=0)
    return graph.add("Greater", counts, graph.constant(0, "none", "int64"))


_LAYERS: dict[type[Layer], Adds] = {
    Embedding: _embedding, Dense: _dense, Activation: _activation, **dict.fromkeys((
        Dropout, AlphaDropout, GaussianDropout, GaussianNoise, Identity, SpatialDropout1D, SpatialDropout2D), _nothing),
    LayerNormalization: _layer_normalization, BatchNormalization: _batch_normalization,
    TimeDistributed: _time_distributed,
}

# activations --------------------------------------------------------------------------------------------------------


def _activate(graph: GraphBuilder, layer: Layer, activation: Any, x: str) -> str:
    name, adds = activation.name, _ACTIVATIONS.get(type(activation))
    if adds is None:
        raise ValueError(f"{layer} activation: {name!r} has no form in ONNX; there are "
                         f"{', '.join(sorted(cls().name for cls in _ACTIVATIONS))}")
    return adds(graph, activation, x)


def _operator(operator: str, **attributes: float) -> Callable[[GraphBuilder, Any, str], str]:
    return lambda graph, activation, x: graph.add(operator, x, **attributes)


def _relu(graph: GraphBuilder, activation: Any, x: str) -> str:
    if activation.threshold or activation.negative_slope:
        raise ValueError(f"relu with threshold={activation.threshold} and negative_slope={activation.negative_slope} "
                         "has no form in ONNX; use leaky_relu")
    if activation.max_value is None:
        return graph.add("Relu", x)
    return _clip(graph, x, 0, activation.max_value)


def _clip(graph: GraphBuilder, x: str, low: float, high: float) -> str:
    return graph.add("Clip", x, graph.constant(low, "low"), graph.constant(high, "high"))


def _log_sigmoid(graph: GraphBuilder, activation: Any, x: str) -> str:
    return graph.add("Neg", graph.add("Softplus", graph.add("Neg", x)))


def _gelu(graph: GraphBuilder, activation: Any, x: str) -> str:
    """Of its parts: the operator is younger than the oldest opset written."""
    half, one = graph.constant(0.5, "half"), graph.constant(1, "one")
    if activation.approximate:
        cube = graph.add("Mul", x, graph.add("Mul", x, x))
        inner = graph.add("Add", x, graph.add("Mul", cube, graph.constant(0.044715, "cubic")))
        bent = graph.add("Tanh", graph.add("Mul", inner, graph.constant(np.sqrt(2 / np.pi), "scale")))
    else:
        bent = graph.add("Erf", graph.add("Mul", x, graph.constant(np.sqrt(0.5), "scale")))
    return graph.add("Mul", x, graph.add("Mul", graph.add("Add", bent, one), half))


def _hard_silu(graph: GraphBuilder, activation: Any, x: str) -> str:
    return graph.add("Mul", x, graph.add("HardSigmoid", x, alpha=1 / 6, beta=0.5))


_ACTIVATIONS: dict[type[activations.Activation], Callable[[GraphBuilder, Any, str], str]] = {
    type(activations.linear): lambda graph, activation, x: x,
    type(activations.relu): _relu,
    type(activations.relu6): lambda graph, activation, x: _clip(graph, x, 0, 6),
    type(activations.leaky_relu): lambda graph, a, x: graph.add("LeakyRelu", x, alpha=float(a.negative_slope)),
    type(activations.elu): lambda graph, a, x: graph.add("Elu", x, alpha=float(a.alpha)),
    type(activations.celu): lambda graph, a, x: graph.add("Celu", x, alpha=float(a.alpha)),
    type(activations.selu): _operator("Selu", alpha=activations.selu.alpha, gamma=activations.selu.scale),
    type(activations.sigmoid): _operator("Sigmoid"),
    type(activations.hard_sigmoid): _operator("HardSigmoid", alpha=1 / 6, beta=0.5),
    type(activations.log_sigmoid): _log_sigmoid,
    type(activations.tanh): _operator("Tanh"),
    type(activations.hard_tanh): lambda graph, activation, x: _clip(graph, x, -1, 1),
    type(activations.softplus): _operator("Softplus"),
    type(activations.softsign): _operator("Softsign"),
    type(activations.exponential): _operator("Exp"),
    type(activations.silu): lambda graph, activation, x: graph.add("Mul", x, graph.add("Sigmoid", x)),
    type(activations.hard_silu): _hard_silu,
    type(activations.gelu): _gelu,
    type(activations.mish): lambda graph, activation, x: graph.add(
        "Mul", x, graph.add("Tanh", graph.add("Softplus", x))),
    type(activations.softmax): lambda graph, a, x: graph.add("Softmax", x, axis=int(a.axis)),
    type(activations.log_softmax): lambda graph, a, x: graph.add("LogSoftmax", x, axis=int(a.axis)),
}
