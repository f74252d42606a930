# SPDX-License-Identifier: Apache-2.0
"""A plan's layers as the operations of a compiled program."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fastrnn import _core, activations
from fastrnn.graph.call import INFERENCE
from fastrnn.graph.schedule import Schedule
from fastrnn.layers.convolution.conv1d import Conv1D
from fastrnn.layers.core.activation import Activation
from fastrnn.layers.core.dense import Dense
from fastrnn.layers.core.embedding import Embedding
from fastrnn.layers.normalization.batch_normalization import BatchNormalization
from fastrnn.layers.normalization.layer_normalization import LayerNormalization
from fastrnn.layers.normalization.rms_normalization import RMSNormalization
from fastrnn.layers.recurrent.base import Recurrent
from fastrnn.serving.plan import MERGES, StreamStep, stream_plan


class InPython:
    """A layer without an operation of its own: it is called on each chunk of time steps, (rows, steps, features).

    Args:
        forward: of arrays.
        rank: axes that it takes; 2 without the steps.
        name: of the layer, as errors have it.
    """

    def __init__(self, forward: Callable[..., np.ndarray], rank: int, name: str) -> None:
        self._forward, self._rank, self._name = forward, rank, name

    def __str__(self) -> str:
        return self._name

    def __call__(self, *xs: np.ndarray) -> np.ndarray:
        if self._rank == 2:
            xs = tuple(x.reshape(-1, x.shape[-1]) for x in xs)
        return np.require(self._forward(*xs), dtype=xs[0].dtype, requirements=("C", "A"))


def make_program(schedule: Schedule) -> Any:
    """The compiled program of a frozen graph.

    Raises:
        ValueError: a layer cannot run step by step: names it, and says why.
    """
    plan = stream_plan(schedule)
    dtypes = {step.layer.dtype for step in plan}
    if len(dtypes) > 1:
        raise ValueError(f"stream: expected layers of one dtype, got {' and '.join(sorted(dtypes))}")
    kernels = _core.kernels(dtypes.pop())
    first = plan[0].layer
    indices = first.input_dim if isinstance(first, Embedding) else 0
    width = 1 if indices else schedule.graph.inputs[0].shape[-1]
    if width is None:
        raise ValueError(f"stream: {first} expects an input with a known number of features")
    program = kernels.Program(int(width), indices, bool(indices and first.mask_zero))
    number = {0: 0}                         # of each of the plan's values, the program's
    folded = _folded_steps(schedule)
    for step in plan:
        if step.output - 1 in folded:       # whose rows are in the layer above
            number[step.output] = 0
        else:
            number[step.output] = _operation(program, kernels, step, [number[value] for value in step.inputs])
    return program


def _folded_steps(schedule: Schedule) -> set[int]:
    """The places of the Embeddings that the recurrent layers above them have folded."""
    return {step.index for step in schedule.steps if step.rows and all(
        isinstance(other.layer, Recurrent) and other.layer.kernel_runner().has_folded(step.layer.embeddings.data)
        for other in schedule.steps if step.outputs[0] in other.inputs)}


def _operation(program: Any, kernels: Any, step: StreamStep, inputs: list[int]) -> int:
    """Add what does the work of a step; returns the number of its value."""
    layer, x = step.layer, inputs[0]
    value: int
    if isinstance(layer, Recurrent):
        value = program.recurrent(layer.kernel_runner(), x, _new_name(program, layer.name), step.masked)
    elif isinstance(layer, Embedding):
        value = program.embedding(layer.embeddings.data, x)
    elif type(layer) is Dense:
        value = _activated(program, kernels, program.dense(layer.kernel_runner(), x), layer._after, layer)
    elif isinstance(layer, Conv1D):
        convolved = program.convolution(
            layer.kernel_runner(), layer.dilation_rate[0], x, _new_name(program, layer.name))
        value = _activated(program, kernels, convolved, layer._after, layer)
    elif isinstance(layer, BatchNormalization):
        value = program.scale(*(np.ascontiguousarray(part) for part in layer.scale_and_shift()), x)
    elif isinstance(layer, LayerNormalization):
        value = program.normalize(_data(layer.gamma), _data(layer.beta), layer.epsilon, True, x)
    elif isinstance(layer, RMSNormalization):
        value = program.normalize(layer.scale.data, None, layer.epsilon, False, x)
    elif isinstance(layer, MERGES):
        value = program.merge(kernels.MERGES[type(layer).__name__], tuple(inputs))
    elif isinstance(layer, Activation):
        value = _activated(program, kernels, x, layer.activation, layer)
    else:
        width = layer.compute_output_shape(*[(None,) * (step.rank - 1) + (program.widths[i],) for i in inputs])[-1]
        in_python = InPython(functools.partial(layer.forward, call=INFERENCE), step.rank, str(layer))
        value = program.python(in_python, tuple(inputs), width)
    return value


def _new_name(program: Any, name: str) -> str:
    """The name, with a number where another layer's states have it: one of a model inside, or another use of it."""
    taken, count = {layer for layer, _, _ in program.states}, 0
    while (found := f"{name}_{count}" if count else name) in taken:
        count += 1
    return found


def _activated(program: Any, kernels: Any, x: int, activation: Any, layer: Any) -> int:
    """The value after an activation of a layer; None for none."""
    name = None if activation is None else activations.plain_name(activation)
    if activation is None or name == "linear":
        return x
    if name == "softmax" or name in kernels.ACTIVATIONS:
        made: int = program.activation(kernels.ACTIVATIONS.get(name, 0), name == "softmax", x)
        return made
    applied: int = program.python(InPython(activation, 3, f"{layer} (its activation)"), (x,), program.widths[x])
    return applied


def _data(variable: Any) -> np.ndarray | None:
    return None if variable is None else variable.data
