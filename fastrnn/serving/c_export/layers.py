# SPDX-License-Identifier: Apache-2.0
"""A model's layers as lines of C, step by step: one table, from the class to what writes its lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

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
    Bidirectional,
    Concatenate,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    GaussianDropout,
    GaussianNoise,
    Identity,
    LayerNormalization,
    LeakyReLU,
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
    Softmax,
    SpatialDropout1D,
    Subtract,
    TimeDistributed,
    UnitNormalization,
)
from fastrnn.layers.base import Layer
from fastrnn.layers.network import Network
from fastrnn.layers.operation import Operation
from fastrnn.layers.pooling.base import GlobalPooling, Pooling
from fastrnn.serving.c_export import convolution, dense, merges, normalization, operations, pointwise, recurrent
from fastrnn.serving.c_export.plan import Plan, plan_of
from fastrnn.serving.c_export.source import Source, Value

#: What writes a layer's lines: given the file, the layer and its inputs for a time step, it gives the outputs.
Emits = Callable[[Source, Any, Sequence[Value]], list[Value]]


def emit(source: Source, plan: Plan, inputs: Sequence[Value], targets: Sequence[str | None]) -> list[Value]:
    """Write the lines of a model's step.

    Args:
        source: the file.
        plan: the model.
        inputs: its inputs for a time step.
        targets: where each output is to be; None for anywhere.

    Raises:
        ValueError: a layer has no form in C, or cannot run step by step.
    """
    values = dict(enumerate(inputs))
    free = dict(reversed(list(zip(plan.outputs, targets))))       # the first of a value's targets
    for step in plan.steps:
        xs = [values[value] for value in step.inputs]
        with source.into(free.get(step.outputs[0])):
            made = xs if step.layer is None else _emit(source, step.layer, xs)
        values.update(zip(step.outputs, made, strict=True))
    results = []
    for value, target in zip(plan.outputs, targets):
        found = values[value]
        if target is not None and found.code != target:
            source.call("copy", target, found.width, found.code)
            found = found._replace(code=target)
        results.append(found)
    return results


def _emit(source: Source, layer: Layer, xs: Sequence[Value]) -> list[Value]:
    if type(layer) in _WHOLE:
        raise ValueError(f"{layer}: {_WHOLE[type(layer)]}")
    if isinstance(layer, (Pooling, GlobalPooling)):
        raise ValueError(f"{layer}: pools over time, and so cannot run step by step")
    if isinstance(layer, Operation):
        return operations.operation(source, layer, xs)
    if type(layer) not in _LAYERS:
        raise ValueError(f"{layer}: {type(layer).__name__} has no form in C; there are "
                         f"{', '.join(sorted(cls.__name__ for cls in _LAYERS))}")
    return _LAYERS[type(layer)](source, layer, xs)


def _time_distributed(source: Source, layer: TimeDistributed, xs: Sequence[Value]) -> list[Value]:
    """The layer inside on the time step by itself."""
    inner, inputs = layer.layer, [x._replace(sequence=False) for x in xs]
    made = emit(source, plan_of(inner), inputs, [None]) if isinstance(inner, Network) else _emit(source, inner, inputs)
    return [y._replace(sequence=True) for y in made]


#: Layers that need the whole sequence, and why.
_WHOLE: dict[type[Layer], str] = {
    Bidirectional: "has a direction that begins with the last time step, and so cannot run step by step"}

_LAYERS: dict[type[Layer], Emits] = {
    **dict.fromkeys((SimpleRNN, LSTM, GRU, MinGRU, RNN), recurrent.recurrent),
    Dense: dense.dense, Embedding: dense.embedding, Conv1D: convolution.conv1d, TimeDistributed: _time_distributed,
    **dict.fromkeys((Activation, ELU, LeakyReLU, ReLU, Softmax), pointwise.activation), PReLU: pointwise.prelu,
    **dict.fromkeys((ActivityRegularization, AlphaDropout, Dropout, GaussianDropout, GaussianNoise, Identity,
                     SpatialDropout1D), pointwise.nothing),
    LayerNormalization: normalization.layer_normalization, RMSNormalization: normalization.rms_normalization,
    UnitNormalization: normalization.unit_normalization, BatchNormalization: normalization.batch_normalization,
    Normalization: normalization.normalization, Rescaling: normalization.rescaling,
    **dict.fromkeys((Add, Average, Subtract, Multiply, Maximum, Minimum), merges.merge),
    Concatenate: merges.concatenate,
}
