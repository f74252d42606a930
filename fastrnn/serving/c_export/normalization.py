# SPDX-License-Identifier: Apache-2.0
"""Layers that normalize the features of a time step, and those that scale and shift them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn.layers import (
    BatchNormalization,
    LayerNormalization,
    Normalization,
    Rescaling,
    RMSNormalization,
    UnitNormalization,
)
from fastrnn.layers.normalization.unit_normalization import SMALLEST
from fastrnn.layers.preprocessing.normalization import EPSILON
from fastrnn.serving.c_export.source import Source, Value, described, literal


def _begin(source: Source, layer: Any, x: Value) -> Value:
    """A copy of the input."""
    source.line(f"/* {described(layer)} */")
    y = source.result(layer, x.width)
    source.call("copy", y, x.width, x.code)
    return x._replace(code=y)


def _over_features(layer: Any, axes: tuple[int, ...], x: Value) -> None:
    if axes != (1 + x.sequence,):
        raise ValueError(f"{layer} axis: expected that of the features alone, the last, since C has one time step at a "
                         f"time, got {layer.axis}")


def _scale_and_shift(source: Source, layer: Any, y: Value, scale: np.ndarray | None, shift: np.ndarray | None) -> None:
    """y = y scale + shift, feature by feature."""
    factor = "" if scale is None else f" * {source.constant(layer, 'scale', scale, '(features)')}[j]"
    term = "" if shift is None else f" + {source.constant(layer, 'shift', shift, '(features)')}[j]"
    if factor or term:
        source.each(y.width, f"{y.code}[j] = {y.code}[j]{factor}{term};")


def layer_normalization(source: Source, layer: LayerNormalization, xs: Sequence[Value]) -> list[Value]:
    """(x - mean) / sqrt(variance + epsilon) gamma + beta"""
    _over_features(layer, layer.normalized(2 + xs[0].sequence), xs[0])
    y = _begin(source, layer, xs[0])
    source.call("normalize", y.code, y.width, literal(layer.epsilon))
    _scale_and_shift(source, layer, y, *(None if one is None else one.data for one in (layer.gamma, layer.beta)))
    return [y]


def rms_normalization(source: Source, layer: RMSNormalization, xs: Sequence[Value]) -> list[Value]:
    """x / sqrt(mean square + epsilon) scale"""
    _over_features(layer, layer.normalized(2 + xs[0].sequence), xs[0])
    y = _begin(source, layer, xs[0])
    source.call("rms_normalize", y.code, y.width, literal(layer.epsilon))
    _scale_and_shift(source, layer, y, layer.scale.data, None)
    return [y]


def unit_normalization(source: Source, layer: UnitNormalization, xs: Sequence[Value]) -> list[Value]:
    """x / its length"""
    _over_features(layer, layer.normalized(2 + xs[0].sequence), xs[0])
    y = _begin(source, layer, xs[0])
    source.call("unit_normalize", y.code, y.width, literal(SMALLEST))
    return [y]


def batch_normalization(source: Source, layer: BatchNormalization, xs: Sequence[Value]) -> list[Value]:
    """By the moving mean and variance: one scale and one shift for each feature."""
    _over_features(layer, (layer.feature_axis(2 + xs[0].sequence),), xs[0])
    y = _begin(source, layer, xs[0])
    _scale_and_shift(source, layer, y, *layer.scale_and_shift())
    return [y]


def normalization(source: Source, layer: Normalization, xs: Sequence[Value]) -> list[Value]:
    """(x - mean) / deviation, or the other way round. The mean first: it may be large beside the deviation."""
    (x,) = xs
    known = [one.data for one in (layer.mean, layer.variance) if one is not None]
    mean, variance = (of_features(layer, "axis", values, x.width) for values in known)
    deviation = np.maximum(np.sqrt(variance), np.float32(EPSILON))
    y = _begin(source, layer, x)
    if layer.invert:
        _scale_and_shift(source, layer, y, deviation, mean)
    else:
        _scale_and_shift(source, layer, y, None, -mean)
        inverse = source.constant(layer, "inverse_deviation", 1 / deviation, "(features)")
        source.each(y.width, f"{y.code}[j] *= {inverse}[j];")
    return [y]


def rescaling(source: Source, layer: Rescaling, xs: Sequence[Value]) -> list[Value]:
    """x scale + offset"""
    (x,) = xs
    scale, offset = (of_features(layer, name, value, x.width)
                     for name, value in (("scale", layer.scale), ("offset", layer.offset)))
    y = _begin(source, layer, x)
    _scale_and_shift(source, layer, y, scale, offset)
    return [y]


def of_features(layer: Any, argument: str, values: Any, width: int) -> np.ndarray:
    """Numbers as one for each feature; an error where they are of other axes too."""
    values = np.asarray(values, np.float32)
    if values.size not in (1, width) or values.shape[-1:] not in ((), (1,), (width,)):
        raise ValueError(f"{layer} {argument}: expected one number, or one for each of {width} features, since C has "
                         f"one time step at a time, got shape {values.shape}")
    return np.broadcast_to(values.reshape(-1), (width,))
