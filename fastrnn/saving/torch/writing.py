# SPDX-License-Identifier: Apache-2.0
"""State dicts for PyTorch's modules, from layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fastrnn import activations
from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Embedding, LayerNormalization, SimpleRNN
from fastrnn.layers.base import Layer
from fastrnn.layers.recurrent import Recurrent
from fastrnn.models.sequential import Sequential
from fastrnn.saving import layouts


def to_torch(layers: Any) -> dict[str, Any]:
    """A state dict for PyTorch's `load_state_dict`, the inverse of `from_torch`.

    Args:
        layers: built layers by module name, as `from_torch` gives them, or one. `Dense` is a Linear, `Embedding` an
            Embedding, `LayerNormalization` a LayerNorm; a recurrent layer, `Bidirectional` or not, or a `Sequential` of
            such layers with the same units, is one LSTM, GRU (reset_after) or RNN with `num_layers`. Activations of
            `Dense` and the epsilon of LayerNorm are left to the caller.

    Returns:
        Tensors by name, or, where PyTorch is not installed, NumPy arrays; copies. An LSTMCell, GRUCell or RNNCell takes
        those of one layer by their names without `_l0`. An LSTM or RNN has two biases in
        PyTorch: the first gets fastrnn's, the second zeros.

    Raises:
        ValueError: a layer is not built, or PyTorch has no module for it: names the layer, and the argument.

    Example:

    >>> dense = Dense(2, name="out")
    >>> dense.build((None, 3))
    >>> {name: tuple(tensor.shape) for name, tensor in to_torch({"out": dense}).items()}
    {'out.weight': (2, 3), 'out.bias': (2,)}
    """
    named = layers if isinstance(layers, Mapping) else {"": layers}
    arrays = {f"{module}.{weight}" if module else weight: array
              for module, layer in named.items() for weight, array in _weights(layer)}
    try:
        import torch  # optional
    except ImportError:
        return dict(arrays)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _weights(layer: Any) -> Iterator[tuple[str, np.ndarray]]:
    if not isinstance(layer, Layer):
        raise ValueError(f"to_torch: expected layers, got {layer!r}")
    if not layer.built:
        raise ValueError(f"{layer}: build the layer before to_torch")
    if isinstance(layer, (Dense, Embedding)):
        first, *bias = layer.get_weights()
        yield "weight", np.ascontiguousarray(first.T) if isinstance(layer, Dense) else first
        yield from (("bias", array) for array in bias)
        return
    if isinstance(layer, LayerNormalization):
        rank = -1 if isinstance(layer.axis, int) else -len(layer.axis)
        if not layer.scale or layer.axis not in (-1, [*range(rank, 0)]):
            raise ValueError(f"{layer}: PyTorch's LayerNorm has a scale and the last axes, got scale={layer.scale}, "
                             f"axis={layer.axis}")
        yield from zip(("weight", "bias"), layer.get_weights())
        return
    stack = layer.layers if isinstance(layer, Sequential) else [layer]
    directions = [layer.sublayers() if isinstance(layer, Bidirectional) else [layer] for layer in stack]
    first_layer = directions[0][0]
    for inner, inside in zip(stack, directions):
        _check_recurrent(inner, inside, first_layer, len(directions[0]))
    for k, inside in enumerate(directions):
        for end, one in zip(layouts.TORCH_DIRECTIONS, inside):
            arrays = layouts.to_torch(one)  # type: ignore[arg-type]
            yield from ((f"{kind}_l{k}{end}", array) for kind, array in zip(layouts.TORCH_KINDS, arrays))


def _check_recurrent(layer: Layer, inside: Sequence[Layer], first: Layer, directions: int) -> None:
    """Refuse what PyTorch's recurrent modules do not have."""
    for i, one in enumerate(inside):
        if type(one) not in (SimpleRNN, LSTM, GRU) or not isinstance(one, Recurrent):
            raise ValueError(f"{layer}: PyTorch's modules are made of Dense, Embedding, LayerNormalization, SimpleRNN, "
                             "LSTM, GRU and Bidirectional; give to_torch a dictionary of these by module name")
        allowed = ("tanh", "relu") if isinstance(one, SimpleRNN) else ("tanh",)
        checks: list[tuple[str, Any, Sequence[Any]]] = [
            ("activation", activations.plain_name(one.activation), allowed),
            ("go_backwards", one.go_backwards, (i == 1,)), ("reset_after", one.reset_after, (True,)),
            ("use_peepholes", one.use_peepholes, (False,))]
        if not isinstance(one, SimpleRNN):
            checks.append(("recurrent_activation", activations.plain_name(one.recurrent_activation), ("sigmoid",)))
        for argument, got, expected in checks:
            if got not in expected:
                raise ValueError(f"{one} {argument}: expected {' or '.join(map(repr, expected))}, which PyTorch has, "
                                 f"got {got!r}")
    merge = getattr(layer, "merge_mode", "concat")
    if merge != "concat":
        raise ValueError(f"{layer} merge_mode: expected 'concat', which PyTorch has, got {merge!r}")
    if len(inside) != directions or any(_common(one) != _common(first) for one in inside):
        raise ValueError(f"{layer}: PyTorch's stacked layers are all of one kind, in as many directions, with the same "
                         "units, use_bias, dtype and activation; give to_torch a dictionary with each layer under a "
                         "name of its own")


def _common(layer: Any) -> tuple[Any, ...]:
    return type(layer), layer.units, layer.use_bias, layer.dtype, layer.activation.name
