# SPDX-License-Identifier: Apache-2.0
"""Every gate order, transpose and bias rule of the formats. Once.

fastrnn's own layouts are Keras's: kernel (inputs, gates * units), recurrent_kernel (units, gates * units), gates of an
LSTM in the order i, f, c, o, of a GRU z, r, h.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastrnn import activations
from fastrnn.layers import GRU, LSTM, Activation, Dense, SeparableConv1D, SimpleRNN
from fastrnn.layers.base import Layer
from fastrnn.layers.convolution.base import ConvolutionBase
from fastrnn.layers.recurrent import Recurrent
from fastrnn.layers.recurrent.cell import StandardCell
from fastrnn.saving.tensors import Tensor

# gates and biases ---------------------------------------------------------------------------------------------------


def _derived(tensor: Tensor, shape: tuple[int, ...], change: object) -> Tensor:
    return tensor._replace(shape=shape, read=lambda: change(tensor.read()))  # type: ignore[operator]


def of_cudnn(layer: Recurrent, stored: Sequence[Tensor]) -> list[Tensor]:
    """CuDNNLSTM's and CuDNNGRU's weights as those of LSTM and GRU; others as they are.

    cuDNN has each gate's matrices transposed, and two biases a gate: one sum in an LSTM, kept apart in a GRU. Keras
    keeps the kernel's transpose in the shape of the kernel.
    """
    size = 2 * layer.gates * layer.units
    if not isinstance(layer, (LSTM, GRU)) or len(stored) != 3 or stored[2].shape != (size,):
        return list(stored)
    kernel, recurrent, bias = stored
    n = layer.units

    def kernel_change(w: np.ndarray) -> np.ndarray:
        return np.concatenate([gate.reshape(n, -1).T for gate in np.split(w, layer.gates, 1)], 1)

    def recurrent_change(u: np.ndarray) -> np.ndarray:
        return np.concatenate([gate.T for gate in np.split(u, layer.gates, 1)], 1)

    if isinstance(layer, LSTM):
        bias = _derived(bias, (size // 2,), lambda b: b.reshape(2, -1).sum(0))
    elif layer.reset_after:
        bias = _derived(bias, (2, size // 2), lambda b: b.reshape(2, -1))
    return [_derived(kernel, kernel.shape, kernel_change), _derived(recurrent, recurrent.shape, recurrent_change),
            bias]


#: Keras 1 kept kernel, recurrent kernel and bias of each gate apart; its gates, in the order of today's.
_KERAS_1_GATES: dict[type[Recurrent], tuple[int, ...]] = {LSTM: (0, 2, 1, 3), GRU: (0, 1, 2)}


def keras_1_count(layer: Layer) -> int:
    """How many arrays Keras 1 kept of a layer, 0 where it is as many as today."""
    return 3 * len(_KERAS_1_GATES.get(type(layer), ()))  # type: ignore[arg-type]


def of_keras_1(layer: Recurrent, stored: Sequence[Tensor]) -> list[Tensor]:
    """The weights of Keras 1's LSTM (gates i, c, f, o) and GRU (z, r, h), three a gate, as one kernel, one recurrent
    kernel and one bias; others as they are."""
    order = _KERAS_1_GATES.get(type(layer), ())
    if not order or len(stored) != 3 * len(order):
        return list(stored)
    found = []
    for kind in range(3):
        gates = [stored[3 * gate + kind] for gate in order]
        if any(gate.shape != gates[0].shape or gate.dtype != gates[0].dtype for gate in gates):
            return list(stored)
        shape = (*gates[0].shape[:-1], sum(gate.shape[-1] for gate in gates))

        def join(gates: list[Tensor] = gates) -> np.ndarray:
            return np.concatenate([gate.read() for gate in gates], -1)

        found.append(gates[0]._replace(shape=shape, read=join))
    return found


# PyTorch ------------------------------------------------------------------------------------------------------------

#: PyTorch's names of a recurrent module's weights, "weight_ih_l0" and so on, and their ends in a second direction.
TORCH_KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
TORCH_DIRECTIONS = ("", "_reverse")

#: The gates of PyTorch's cells (LSTM i, f, g, o; GRU r, z, n) in the order of today's; each is its own inverse.
_TORCH_GATES: dict[type[Recurrent], tuple[int, ...]] = {SimpleRNN: (0,), LSTM: (0, 1, 2, 3), GRU: (1, 0, 2)}


def of_torch(layer: Recurrent, weight_ih: np.ndarray, weight_hh: np.ndarray, *biases: np.ndarray) -> list[np.ndarray]:
    """PyTorch's weights of one layer and direction as fastrnn's.

    PyTorch has each matrix transposed, and two biases, that of the input and that of the state. Where both are only
    ever added, LSTM and SimpleRNN have their sum; a GRU with reset_after keeps them apart.

    Args:
        layer: whose weights they will be; not built.
        weight_ih, weight_hh: (gates * units, inputs) and (gates * units, units).
        biases: of the input and of the state, (gates * units,) each, or none.
    """
    order = _TORCH_GATES[type(layer)]
    found = [_swapped_gates(weight, order, layer.dtype).T for weight in (weight_ih, weight_hh)]
    rows = [_swapped_gates(bias, order, layer.dtype) for bias in biases]
    if not rows:
        return found
    return [*found, np.stack(rows) if isinstance(layer, GRU) else rows[0] + rows[1]]


def to_torch(layer: Recurrent) -> list[np.ndarray]:
    """A layer's weights as PyTorch's weight_ih, weight_hh and, with biases, bias_ih and bias_hh; the inverse."""
    order = _TORCH_GATES[type(layer)]
    kernel, recurrent, *bias = layer.get_weights()
    found = [np.ascontiguousarray(_swapped_gates(weight.T, order, layer.dtype)) for weight in (kernel, recurrent)]
    if not bias:
        return found
    # A sum cannot be taken apart; -0.0 is what can be added without changing a bit.
    both = bias[0] if isinstance(layer, GRU) else np.stack([bias[0], np.full_like(bias[0], -0.0)])
    return [*found, *(_swapped_gates(b, order, layer.dtype) for b in both)]


def unprojected(weight_hh: np.ndarray, weight_hr: np.ndarray) -> np.ndarray:
    """PyTorch's weight_hh (gates * units, projected) of an LSTM with proj_size as that of one without, (gates * units,
    units): what multiplies the projection R h multiplies h by the product of both. In float64, to be rounded once, to
    the layer's dtype: the stored one may be float16."""
    return weight_hh.astype(np.float64) @ weight_hr.astype(np.float64)


def projection(weights_hr: Sequence[np.ndarray], dtype: str) -> np.ndarray:
    """The kernel (directions * units, directions * projected) that projects the outputs of all directions at once."""
    projected, units = weights_hr[0].shape
    kernel = np.zeros((len(weights_hr) * units, len(weights_hr) * projected), dtype)
    for i, weight in enumerate(weights_hr):
        kernel[i * units:(i + 1) * units, i * projected:(i + 1) * projected] = weight.T
    return kernel


def _swapped_gates(weight: np.ndarray, order: Sequence[int], dtype: str) -> np.ndarray:
    """A copy of a weight of (gates * units, ...) with its gates in another order; its transpose is contiguous."""
    gates = len(order)
    copy = np.empty(weight.shape, dtype, order="F")
    units = len(weight) // gates
    for to, gate in enumerate(order):
        copy[to * units:(to + 1) * units] = weight[gate * units:(gate + 1) * units]
    return copy


# hard_sigmoid -------------------------------------------------------------------------------------------------------

#: hard_sigmoid was clip(0.2 x + 0.5, 0, 1) before Keras 3, where it is clip(x / 6 + 0.5, 0, 1): the same of 1.2 x.
HARD_SIGMOID_SCALE = 1.2


def hard_sigmoid_gates(layer: Layer) -> tuple[int, ...]:
    """The gates of a layer that end in hard_sigmoid, whose weights times `HARD_SIGMOID_SCALE` make Keras 3's
    hard_sigmoid give what that of Keras 2 did.

    Raises:
        ValueError: the layer has it where no weights of its own come before.
    """
    if isinstance(layer, StandardCell):
        layer = layer.recurrent
    hard = getattr(getattr(layer, "activation", None), "name", None) == "hard_sigmoid"
    if isinstance(layer, (LSTM, GRU)):
        sigmas: tuple[int, ...] = (0, 1, 3) if isinstance(layer, LSTM) else (0, 1)
        if layer.recurrent_activation.name != "hard_sigmoid":
            sigmas = ()
        if hard and isinstance(layer, LSTM):
            raise ValueError(f"{layer}: activation='hard_sigmoid' of Keras 2 has another slope than Keras 3's, and an "
                             "LSTM applies it to its state; save the model with another activation")
        return (*sigmas, 2) if hard else sigmas
    if hard and isinstance(layer, Activation):
        raise ValueError(f"{layer}: 'hard_sigmoid' of Keras 2 has another slope than Keras 3's; save the model with it "
                         "as the activation of the layer before")
    if hard and isinstance(layer, SeparableConv1D):
        raise ValueError(f"{layer}: activation='hard_sigmoid' of Keras 2 has another slope than Keras 3's, and this "
                         "layer has two kernels; save the model with another activation")
    return (0,) if hard and isinstance(layer, (SimpleRNN, Dense, ConvolutionBase)) else ()


def scaled_gates(weight: np.ndarray, gates: Sequence[int], units: int) -> np.ndarray:
    """A copy of a weight of (..., gates * units) with these gates' columns times `HARD_SIGMOID_SCALE`."""
    weight = weight.copy()
    for gate in gates:
        weight[..., gate * units:(gate + 1) * units] *= HARD_SIGMOID_SCALE
    return weight


# ONNX ---------------------------------------------------------------------------------------------------------------

#: ONNX has gates as rows, not columns: of an LSTM in the order i, o, f, c; of a GRU z, r, h. Which of fastrnn's gates
#: is at each place:
_ONNX_GATES: dict[str, tuple[int, ...]] = {"RNN": (0,), "LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2)}
_ONNX_NODES: dict[type[Recurrent], str] = {SimpleRNN: "RNN", LSTM: "LSTM", GRU: "GRU"}


def onnx_node(layer: Recurrent) -> str:
    """ONNX's name for a cell: "RNN", "LSTM" or "GRU".

    Raises:
        ValueError: ONNX has no operator for it.
    """
    for cls, node in _ONNX_NODES.items():
        if isinstance(layer, cls):
            return node
    raise ValueError(f"{layer}: {type(layer).__name__} has no form in ONNX, whose recurrent operators are "
                     f"{', '.join(_ONNX_NODES.values())}; save the model as .safetensors or .keras")


def onnx_weights(layer: Recurrent) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A built layer's weights as one direction of an ONNX node: W (gates * units, inputs), R (gates * units, units)
    and B (2 * gates * units), the input's biases and then the state's, which only a GRU with reset_after has."""
    order = _ONNX_GATES[onnx_node(layer)]

    def rows(weight: np.ndarray) -> np.ndarray:     # (..., gates * units) to (gates * units, ...)
        gates = np.split(weight, layer.gates, -1)
        return np.concatenate([gates[gate] for gate in order], -1).T

    bias = np.zeros((2, layer.gates * layer.units), layer.dtype)
    if layer.bias is not None:
        bias[:layer.bias.data.ndim] = layer.bias.data       # (2, ...) of a GRU with reset_after, else the first row
    return rows(layer.kernel.data), rows(layer.recurrent_kernel.data), rows(bias).T.reshape(-1)


def of_onnx(node: str, w: np.ndarray, r: np.ndarray, b: np.ndarray | None, reset_after: bool) -> list[np.ndarray]:
    """One direction of an ONNX node's weights, as `onnx_weights` gives them, as the kernel, recurrent kernel and bias
    of the layer, which has one if `b` is given."""
    order = _ONNX_GATES[node]
    places = [order.index(gate) for gate in range(len(order))]

    def columns(weight: np.ndarray) -> np.ndarray:
        gates = np.split(weight, len(order))
        return np.ascontiguousarray(np.concatenate([gates[place] for place in places]).T)

    weights = [columns(w), columns(r)]
    if b is not None:
        both = np.stack([columns(half) for half in np.split(b, 2)])
        weights.append(both if node == "GRU" and reset_after else both.sum(0))
    return weights


def swapped_peepholes(peepholes: np.ndarray) -> np.ndarray:
    """An LSTM's peepholes (3, units), of i, f and o, in ONNX's order i, o, f; it is its own inverse."""
    return peepholes[[0, 2, 1]]


#: ONNX's name of each activation that cells have, and alpha and beta where it takes them.
_ONNX_ACTIVATIONS: dict[str, tuple[str, tuple[float, ...]]] = {
    "tanh": ("Tanh", ()), "relu": ("Relu", ()), "sigmoid": ("Sigmoid", ()), "linear": ("Affine", (1.0, 0.0)),
    "hard_sigmoid": ("HardSigmoid", (1 / 6, 0.5)),
}


def onnx_activation(layer: Recurrent, activation: activations.Activation) -> tuple[str, tuple[float, ...]]:
    """ONNX's name for an activation of a layer's cell, and alpha and beta if it takes them.

    Raises:
        ValueError: it has none.
    """
    name = activations.plain_name(activation)
    if name not in _ONNX_ACTIVATIONS:
        raise ValueError(f"{layer} activation: {activation!r} has no form in ONNX's recurrent operators; there are "
                         f"{', '.join(_ONNX_ACTIVATIONS)}")
    return _ONNX_ACTIVATIONS[name]


def of_onnx_activation(name: str, alpha: float, beta: float) -> str | None:
    """The activation that ONNX calls so, in whatever letters, with these parameters; None if cells have none."""
    for ours, (theirs, parameters) in _ONNX_ACTIVATIONS.items():
        if theirs.lower() == name.lower() and np.allclose((alpha, beta)[:len(parameters)], parameters, 1e-7, 0):
            return ours
    return None
