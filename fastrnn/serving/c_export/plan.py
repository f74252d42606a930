# SPDX-License-Identifier: Apache-2.0
"""What a model does at one time step: its layers in order, with numbered values between them.

The one place that looks into a model; the emitters see layers, and values for one time step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastrnn.layers.base import Layer
from fastrnn.layers.core.embedding import Embedding
from fastrnn.layers.network import Network
from fastrnn.serving.frozen import Frozen


class Step(NamedTuple):
    """A layer on some values. The layer is None where the value is handed on."""

    layer: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Port(NamedTuple):
    """An input of the model at one time step.

    Attributes:
        name: of the input.
        width: numbers of one time step.
        sequence: it has a time axis; else the same values are given at each step.
        rows: below an Embedding the number of rows of its table (the least of several), else None.
    """

    name: str
    width: int
    sequence: bool
    rows: int | None


class Plan(NamedTuple):
    """Steps over values: the inputs have the first numbers."""

    steps: list[Step]
    inputs: list[Port]
    outputs: list[int]
    output_names: list[str]


def plan_of(model: Any) -> Plan:
    """A model's steps.

    Raises:
        TypeError: it is no model.
        ValueError: it is not built; or masks, training or the dtype rule the steps out.
    """
    if isinstance(model, Frozen):
        model = model.network
    if not isinstance(model, Network):
        raise TypeError(f"export_c model: expected a Sequential or a Model, got {type(model).__name__}; put layers "
                        "into one")
    if not model.built:
        raise ValueError(f"{model}: build the model before it is exported, by build(input_shape) or a first call")
    if model.unrolled() is None:
        raise ValueError(f"{model}: has a call of its own, of which no C can be made; make a Model of layers on "
                         "symbols")
    schedule = model.schedule()
    for step in schedule.steps:
        _check(step)
    steps = [Step(step.layer if isinstance(step.layer, Layer) else None, tuple(step.inputs), tuple(step.outputs))
             for step in schedule.steps]
    inputs = [_port(model, index, symbol, schedule) for index, symbol in enumerate(model.graph.inputs)]
    names = getattr(model, "output_names", None) or [f"{index}" for index in range(len(schedule.outputs))]
    return Plan(steps, inputs, list(schedule.outputs), list(names))


def _check(step: Any) -> None:
    layer = step.layer
    if isinstance(layer, Layer) and layer.takes_arguments:
        raise ValueError(f"{layer}: has a call of its own, of which no C can be made")
    if step.makes_mask or step.sees_mask:
        raise ValueError(f"{layer}: masks cannot be exported to C, where every step counts; make the layer without "
                         "(an Embedding with mask_zero=False)")
    if step.training:
        raise ValueError(f"{layer}: was called with training=True, and what it does then cannot be exported to C")
    if (step.options or step.arguments) and len(step.inputs) == 1:
        raise ValueError(f"{layer}: its call has arguments of its own, of which no C can be made")
    if isinstance(layer, Layer) and layer.dtype == "float64":
        raise ValueError(f"{layer} dtype: expected float32, the precision of the C, got float64; make the model of "
                         "float32 and set its weights")


def _port(model: Any, index: int, symbol: Any, schedule: Any) -> Port:
    shape, name = tuple(symbol.shape), symbol.node.layer.name
    takers = schedule.takers[index]
    tables = [taker.layer.input_dim for taker in takers if isinstance(taker.layer, Embedding)]
    if tables:
        if len(tables) < len(takers) or len(shape) != 2:
            raise ValueError(f"{model} input {name!r}: expected indices (batch, time) that Embeddings alone read, got "
                             f"shape {shape}")
        return Port(name, 1, True, min(tables))
    if len(shape) not in (2, 3) or shape[-1] is None or np.dtype(symbol.dtype).kind != "f":
        raise ValueError(f"{model} input {name!r}: expected sequences (batch, time, features) of floats, got "
                         f"{symbol.dtype} {shape}")
    return Port(name, int(shape[-1]), len(shape) == 3, None)
