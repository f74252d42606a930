# SPDX-License-Identifier: Apache-2.0
"""Convolutions over time that see no later step, on the inputs that they keep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastrnn.layers import Conv1D
from fastrnn.serving.c_export.activations import activate
from fastrnn.serving.c_export.products import begin
from fastrnn.serving.c_export.source import Source, Value, described


def conv1d(source: Source, layer: Conv1D, xs: Sequence[Value]) -> list[Value]:
    """y[t] = activation(b + sum over k of x[t - (K - 1 - k) d] W[k]), of the last (K - 1) d inputs, in a ring."""
    (x,) = xs
    (taps,), (dilation,), filters, groups = layer.kernel_size, layer.dilation_rate, layer.filters, layer.groups
    if layer.strides != (1,):
        raise ValueError(f"{layer} strides: expected 1, an output for each time step, got {layer.strides[0]}")
    if layer.padding != "causal" and taps > 1:
        raise ValueError(f"{layer} padding: expected 'causal', as no output can wait for later steps, got "
                         f"{layer.padding!r}")
    if layer.data_format != "channels_last" or not x.sequence:
        raise ValueError(f"{layer} data_format: expected 'channels_last', got {layer.data_format!r}")
    past = (taps - 1) * dilation
    source.line(f"/* {described(layer)}: {taps} of {x.width} to {filters}, {dilation} apart */")
    y = source.result(layer, filters)
    begin(source, layer, "bias", y, filters, None if layer.bias is None else layer.bias.data, "(filters)")
    width, made = x.width // groups, filters // groups
    kernel = layer.kernel.data.reshape(taps, width, groups, made)
    name = source.constant(layer, "kernel", np.moveaxis(kernel, 2, 1),
                           f"({taps} steps, {f'{groups} groups, ' if groups > 1 else ''}features, filters)")

    def multiply(tap: str, inputs: str) -> None:
        """The products of one step of the window, group by group; `tap` says where its part of the kernel begins."""
        for group in range(groups):
            weights = " + ".join([name, *([tap] if tap else []),
                                  *([f"{group * width * made}"] if group else [])])
            source.call("product", _at(y, group * made), made, _at(inputs, group * width), width, weights)

    if not past:
        multiply("", x.code)
    else:
        ring = source.state(layer, "ring", past * x.width, f"{described(layer)}: its last {past} inputs")
        slot = source.state(layer, "slot", 0, "where the oldest of them is", "int")
        with source.block():
            source.line(f"int slot = {slot};")
            with source.block(f"for (int k = 0; k < {taps - 1}; k++)"):
                multiply(f"{width * filters} * k", f"{ring} + {x.width} * slot")
                source.line(f"slot = slot + {dilation} < {past} ? slot + {dilation} : slot - {past - dilation};")
            multiply(f"{width * filters * (taps - 1)}", x.code)
            source.call("copy", f"{ring} + {x.width} * {slot}", x.width, x.code)
            source.line(f"{slot} = {slot} + 1 < {past} ? {slot} + 1 : 0;")
    activate(source, layer, layer.activation, y, filters, 3)
    return [x._replace(code=y, width=filters)]


def _at(code: str, offset: int) -> str:
    return f"{code} + {offset}" if offset else code
