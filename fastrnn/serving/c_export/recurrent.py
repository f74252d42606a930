# SPDX-License-Identifier: Apache-2.0
"""The recurrent layers: one step of each cell on states in the struct.

The columns of the kernels are put in the order in which a step needs them; what is said of each constant says which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastrnn.layers import GRU, LSTM, RNN, MinGRU, SimpleRNN
from fastrnn.layers.recurrent.base import Recurrent
from fastrnn.serving.c_export.activations import activate, inline
from fastrnn.serving.c_export.products import begin, multiply
from fastrnn.serving.c_export.source import Source, Value, described


def recurrent(source: Source, layer: Any, xs: Sequence[Value]) -> list[Value]:
    """The step of a recurrent layer, or of each of an `RNN`'s."""
    x, *states = xs
    if states:
        raise ValueError(f"{layer}: begins with states that another layer gives, and so cannot run step by step beside "
                         "it")
    if layer.go_backwards:
        raise ValueError(f"{layer} go_backwards: cannot run step by step, as it begins with the last one")
    if not x.sequence:
        raise ValueError(f"{layer}: expected an input of each time step, got one of the whole sequence; make the layer "
                         "before with return_sequences=True")
    cells = layer._layers if isinstance(layer, RNN) else [layer]
    final: list[Value] = []
    for cell in cells:
        if not isinstance(cell, Recurrent):
            raise ValueError(f"{layer}: an RNN of a cell of one's own has no form in C; use LSTM, GRU, SimpleRNN or "
                             "MinGRU")
        x, own = _run(source, cell, x)
        final += own
    y = x._replace(sequence=bool(layer.return_sequences))
    return [y, *final] if layer.return_state else [y]


def _run(source: Source, layer: Any, x: Value) -> tuple[Value, list[Value]]:
    """One layer's step: its output, and its states."""
    if type(layer) not in _CELLS:
        raise ValueError(f"{layer}: {type(layer).__name__} has no form in C; there are "
                         f"{', '.join(cls.__name__ for cls in _CELLS)}")
    units = layer.units
    h = source.state(layer, "h", units, f"{described(layer)}: its output")
    source.line(f"/* {described(layer)}: {x.width} to {units} */")
    with source.block():
        states = _CELLS[type(layer)](source, layer, x, h)
    return Value(h, units, True), [Value(state, units, False) for state in states]


def _columns(weights: np.ndarray, units: int, gates: Sequence[int]) -> np.ndarray:
    """The columns of these gates, in this order."""
    return np.concatenate([weights[..., gate * units:(gate + 1) * units] for gate in gates], -1)


def _simple_rnn(source: Source, layer: Any, x: Value, h: str) -> list[str]:
    units = layer.units
    z = source.array("z", units)
    begin(source, layer, "bias", z, units, None if layer.bias is None else layer.bias.data, "(units)")
    multiply(source, layer, "kernel", z, x.code, layer.kernel.data, "(features, units)")
    multiply(source, layer, "recurrent_kernel", z, h, layer.recurrent_kernel.data, "(units, units)")
    activate(source, layer, layer.activation, z, units, 2)
    source.call("copy", h, units, z)
    return [h]


def _lstm(source: Source, layer: Any, x: Value, h: str) -> list[str]:
    """Gates i, f, o, c: the three with the recurrent activation side by side."""
    units, order = layer.units, (0, 1, 3, 2)
    c = source.state(layer, "c", units, f"{described(layer)}: its cell")
    z = source.array("z", 4 * units)
    bias = None if layer.bias is None else _columns(layer.bias.data, units, order)
    begin(source, layer, "bias", z, 4 * units, bias, "(i f o c of units)")
    multiply(source, layer, "kernel", z, x.code, _columns(layer.kernel.data, units, order),
              "(features, i f o c of units)")
    multiply(source, layer, "recurrent_kernel", z, h, _columns(layer.recurrent_kernel.data, units, order),
              "(units, i f o c of units)")
    i, f, o, g = "z[j]", f"z[{units} + j]", f"z[{2 * units} + j]", f"z[{3 * units} + j]"
    peepholes = layer.peephole_kernel
    if peepholes is not None:       # those of i and f see the cell as it was, that of o as it will be
        name = source.constant(layer, "peepholes", peepholes.data, "(i f o of units)")
        source.each(2 * units, f"z[j] += {name}[j] * {c}[j < {units} ? j : j - {units}];")
    activate(source, layer, layer.recurrent_activation, z, units, 2, 3 if peepholes is None else 2)
    activate(source, layer, layer.activation, f"z + {3 * units}", units, 2)
    cell, output = f"{f} * {c}[j] + {i} * {g}", inline(source, layer.activation, "cell")
    if output is not None and peepholes is None:
        with source.block(f"for (int j = 0; j < {units}; j++)"):
            source.line(f"const float cell = {cell};")
            source.line(f"{c}[j] = cell;")
            source.line(f"{h}[j] = {o} * {output};")
        return [h, c]
    source.each(units, f"{c}[j] = {cell};")
    if peepholes is not None:
        source.each(units, f"{o} += {name}[{2 * units} + j] * {c}[j];")
        activate(source, layer, layer.recurrent_activation, f"z + {2 * units}", units, 2)
    source.call("copy", h, units, c)
    activate(source, layer, layer.activation, h, units, 2)
    source.each(units, f"{h}[j] *= {o};")
    return [h, c]


def _gru(source: Source, layer: Any, x: Value, h: str) -> list[str]:
    """Gates z, r, h: the candidate's product with the state is by itself, as the reset gate is applied after it, or to
    the state before it."""
    units, after = layer.units, layer.reset_after
    z, s = source.array("z", 3 * units), source.array("s", units)
    bias = None if layer.bias is None else layer.bias.data
    recurrent_bias = None
    if after and bias is not None:      # the sum of both, where nothing comes between
        recurrent_bias = bias[1, 2 * units:]
        bias = np.concatenate([bias[0, :2 * units] + bias[1, :2 * units], bias[0, 2 * units:]])
    U = layer.recurrent_kernel.data
    begin(source, layer, "bias", z, 3 * units, bias, "(z r h of units)")
    multiply(source, layer, "kernel", z, x.code, layer.kernel.data, "(features, z r h of units)")
    multiply(source, layer, "gates_recurrent_kernel", z, h, U[:, :2 * units], "(units, z r of units)")
    activate(source, layer, layer.recurrent_activation, z, units, 2, 2)
    if after:
        begin(source, layer, "candidate_recurrent_bias", s, units, recurrent_bias, "(units)")
        multiply(source, layer, "candidate_recurrent_kernel", s, h, U[:, 2 * units:], "(units, units)")
        source.each(units, f"z[{2 * units} + j] += z[{units} + j] * s[j];")
    else:
        source.each(units, f"s[j] = z[{units} + j] * {h}[j];")
        multiply(source, layer, "candidate_recurrent_kernel", f"z + {2 * units}", s, U[:, 2 * units:],
                  "(units, units)")
    activate(source, layer, layer.activation, f"z + {2 * units}", units, 2)
    source.each(units, f"{h}[j] = z[{2 * units} + j] + z[j] * ({h}[j] - z[{2 * units} + j]);")
    return [h]


def _min_gru(source: Source, layer: Any, x: Value, h: str) -> list[str]:
    """Gates z, h, which do not see the state."""
    units = layer.units
    z = source.array("z", 2 * units)
    begin(source, layer, "bias", z, 2 * units, None if layer.bias is None else layer.bias.data, "(z h of units)")
    multiply(source, layer, "kernel", z, x.code, layer.kernel.data, "(features, z h of units)")
    activate(source, layer, layer.recurrent_activation, z, units, 2)
    activate(source, layer, layer.activation, f"z + {units}", units, 2)
    source.each(units, f"{h}[j] += z[j] * (z[{units} + j] - {h}[j]);")
    return [h]


_CELLS: dict[type[Recurrent], Callable[[Source, Any, Value, str], list[str]]] = {
    SimpleRNN: _simple_rnn, LSTM: _lstm, GRU: _gru, MinGRU: _min_gru}
