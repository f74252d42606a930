# SPDX-License-Identifier: Apache-2.0
"""Both directions of a Bidirectional one after the other, for layers that the kernels do not run side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn.graph.call import Call
from fastrnn.layers.recurrent import calls

#: The names of both directions' calls.
PARTS = ("forward", "backward")


def forward(layers: Sequence[Any], x: Any, states: Sequence[Sequence[Any]],
            call: Call) -> tuple[tuple[Any, Any], list[Any]]:
    """The outputs of both, in the order of the first one's, and the final states, where the layers give them."""
    outputs, final = [], []
    for part, layer, own in zip(PARTS, layers, states):
        found = layer.forward(x, *own, call=calls.inside(call, part, call.mask, not call.wants()))
        y, new = (found[0], found[1:]) if isinstance(found, list) else (found, [])
        outputs.append(y)
        final += new
    return (outputs[0], _turned(layers[1], outputs[1])), final


def backward(layers: Sequence[Any], dys: Sequence[Any], dstates: Sequence[Sequence[Any]],
             call: Call) -> tuple[Any, list[Any]]:
    """The gradients of the input and of the initial states, none where these were not given."""
    pass_ = calls.begun(call)
    dx, dinitial = None, []
    for part, layer, dy, own in zip(PARTS, layers, dys, dstates):
        if dy is not None and layer is layers[1]:
            dy = _turned(layer, dy)
        found = layer.backward(dy, *(own if layer.return_state else ()), call=calls.again(call, part, not call.wants()))
        pass_.done()
        one, new = (found[0], found[1:]) if isinstance(found, list) else (found, [])
        dx = one if dx is None else dx + one
        dinitial += new
    return dx, dinitial


def _turned(layer: Any, y: np.ndarray) -> np.ndarray:
    """The steps of the second layer in the order of the first one's, and back."""
    return np.ascontiguousarray(y[:, ::-1]) if layer.return_sequences else y
