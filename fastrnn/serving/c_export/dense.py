# SPDX-License-Identifier: Apache-2.0
"""Layers that are one product, or a row of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastrnn.layers import Dense, Embedding
from fastrnn.serving.c_export.activations import activate
from fastrnn.serving.c_export.products import begin, multiply
from fastrnn.serving.c_export.source import Source, Value, described


def dense(source: Source, layer: Dense, xs: Sequence[Value]) -> list[Value]:
    """activation(x W + b)"""
    (x,) = xs
    units = layer.units
    source.line(f"/* {described(layer)}: {x.width} to {units} */")
    y = source.result(layer, units)
    begin(source, layer, "bias", y, units, None if layer.bias is None else layer.bias.data, "(units)")
    multiply(source, layer, "kernel", y, x.code, layer.kernel.data, "(features, units)")
    activate(source, layer, layer.activation, y, units, 2 + x.sequence)
    return [x._replace(code=y, width=units)]


def embedding(source: Source, layer: Embedding, xs: Sequence[Value]) -> list[Value]:
    """A row of the table, where it lies: what reads it is given its address. The step has checked the index."""
    (x,) = xs
    if not x.indices:
        raise ValueError(f"{layer}: expected indices from an input of the model, got what another layer computes")
    table: Any = source.constant(layer, "embeddings", layer.embeddings.data, "(indices, features)")
    width = layer.output_dim
    source.line(f"/* {described(layer)}: a row of {layer.input_dim} */")
    y = source.pointer(layer, f"{table} + {width} * (size_t)*{x.code}")
    return [Value(y, width, x.sequence)]
