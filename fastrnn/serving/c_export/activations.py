# SPDX-License-Identifier: Apache-2.0
"""Activations: which helper function computes each, in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastrnn import activations
from fastrnn.serving.c_export.source import Source, literal

#: A helper function, and its further arguments.
Call = tuple[str, list[float]]

_MOST = float(np.finfo(np.float32).max)

#: Those that take the elements of a row together, and so each gate by itself.
_OF_ROWS = {type(activations.softmax), type(activations.log_softmax)}


def _relu(activation: Any) -> Call:
    slope, most, threshold = activation.negative_slope, activation.max_value, activation.threshold
    if not slope and not threshold:
        return ("relu", []) if most is None else ("clip", [0, most])
    return "bent_relu", [slope, *((-_MOST, _MOST) if most is None else (0, most)), threshold]


_CALLS: dict[type[activations.Activation], Callable[[Any], Call]] = {
    type(activations.relu): _relu,
    type(activations.relu6): lambda a: ("clip", [0, 6]),
    type(activations.leaky_relu): lambda a: ("leaky_relu", [a.negative_slope]),
    type(activations.elu): lambda a: ("elu", [a.alpha]),
    type(activations.celu): lambda a: ("celu", [a.alpha]),
    type(activations.hard_tanh): lambda a: ("clip", [-1, 1]),
    type(activations.gelu): lambda a: ("gelu_by_tanh" if a.approximate else "gelu", []),
    type(activations.squareplus): lambda a: ("squareplus", [a.b]),
    type(activations.hard_shrink): lambda a: ("hard_shrink", [a.threshold]),
    type(activations.soft_shrink): lambda a: ("soft_shrink", [a.threshold]),
    type(activations.threshold): lambda a: ("threshold", [a.threshold, a.default_value]),
    **{type(one): lambda a: (a.name, []) for one in (
        activations.selu, activations.sigmoid, activations.hard_sigmoid, activations.log_sigmoid, activations.tanh,
        activations.softplus, activations.softsign, activations.exponential, activations.silu, activations.hard_silu,
        activations.mish, activations.tanh_shrink, activations.sparse_plus, activations.sparse_sigmoid,
        activations.softmax, activations.log_softmax)},
}


def activate(source: Source, layer: Any, activation: Any, code: str, width: int, rank: int, parts: int = 1) -> None:
    """Apply an activation to numbers in place.

    Args:
        source: the file.
        layer: whose activation it is, for errors.
        activation: of `fastrnn.activations`.
        code: where the numbers are.
        width: how many; of each part.
        rank: axes of the layer's input, with which a softmax counts its own.
        parts: gates, side by side.

    Raises:
        ValueError: it has no form in C, or a softmax goes over another axis than the features.
    """
    if type(activation) is type(activations.linear):
        return
    if type(activation) not in _CALLS:
        names = sorted(cls().name for cls in _CALLS)
        raise ValueError(f"{layer} activation: {activation.name!r} has no form in C; there are {', '.join(names)}")
    if type(activation) not in _OF_ROWS:
        width, parts = width * parts, 1
    elif activation.axis not in (-1, rank - 1, (-1,), [-1]):
        raise ValueError(f"{layer} axis: expected that of the features, the last, since C has one time step at a time, "
                         f"got {activation.axis}")
    helper, numbers = _CALLS[type(activation)](activation)
    for part in range(parts):
        place = f"{code} + {part * width}" if part else code
        source.call(helper, place, width, *map(literal, numbers))


def inline(source: Source, activation: Any, code: str) -> str | None:
    """The expression of an activation of a number, for a loop that has more to do; None of those without."""
    if type(activation) is type(activations.linear):
        return code
    if type(activation) not in (type(activations.tanh), type(activations.sigmoid)):
        return None
    helper = f"{activation.name}_of"
    source.helpers.add(helper)
    return f"{source.prefix}_{helper}({code})"
