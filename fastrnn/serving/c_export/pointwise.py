# SPDX-License-Identifier: Apache-2.0
"""Layers that take each feature by itself, or do nothing but in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastrnn.layers import Activation, PReLU
from fastrnn.serving.c_export.activations import activate
from fastrnn.serving.c_export.source import Source, Value, described


def nothing(source: Source, layer: Any, xs: Sequence[Value]) -> list[Value]:
    """The input as it is."""
    return [xs[0]]


def activation(source: Source, layer: Activation, xs: Sequence[Value]) -> list[Value]:
    """An activation as a layer of its own."""
    (x,) = xs
    source.line(f"/* {described(layer)} */")
    y = source.result(layer, x.width)
    source.call("copy", y, x.width, x.code)
    activate(source, layer, layer.activation, y, x.width, 2 + x.sequence)
    return [x._replace(code=y)]


def prelu(source: Source, layer: PReLU, xs: Sequence[Value]) -> list[Value]:
    """x, or alpha x where it is below 0, with an alpha for each feature."""
    (x,) = xs
    if layer.alpha.data.size not in (1, x.width) or (x.sequence and layer.alpha.shape[0] != 1):
        raise ValueError(f"{layer} shared_axes: expected slopes that all time steps share, shared_axes=[1], got slopes "
                         f"{layer.alpha.shape}")
    source.line(f"/* {described(layer)} */")
    y = source.result(layer, x.width)
    alpha = source.constant(layer, "alpha", layer.alpha.data, "(features), or one for all")
    slope = f"{alpha}[{0 if layer.alpha.data.size == 1 else 'j'}]"
    source.each(x.width, f"{y}[j] = {x.code}[j] > 0.0f ? {x.code}[j] : {slope} * {x.code}[j];")
    return [x._replace(code=y)]
