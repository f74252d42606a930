# SPDX-License-Identifier: Apache-2.0
"""Activation functions and their derivatives on NumPy arrays.

Each is an object: `y = tanh(x)`, and `dx = tanh.backward(y, dy)` for the gradient, computed from the output `y`
wherever that is enough, so that a layer need not keep its pre-activation. Where the input is needed too
(`needs_input`), `backward(y, dy, x)` takes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastrnn.activations.base import Activation, FunctionActivation
from fastrnn.activations.gated import Glu
from fastrnn.activations.piecewise import HardSigmoid, HardSilu, HardTanh, LeakyRelu, Linear, Relu, Relu6, Softsign
from fastrnn.activations.shrinking import HardShrink, SoftShrink, TanhShrink, Threshold
from fastrnn.activations.smooth import (
    Celu,
    Elu,
    Exponential,
    Gelu,
    LogSigmoid,
    LogSoftmax,
    Mish,
    Selu,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Squareplus,
    Tanh,
)
from fastrnn.activations.sparse import Sparsemax, SparsePlus, SparseSigmoid
from fastrnn.registry import Registry, absent_from

__all__ = [
    "Activation", "FunctionActivation", "celu", "deserialize", "elu", "exponential", "gelu", "get", "glu",
    "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid",
    "log_softmax", "mish", "relu", "relu6", "selu", "serialize", "sigmoid", "silu", "soft_shrink", "softmax",
    "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish", "tanh",
    "tanh_shrink", "threshold",
]  # fmt: skip

if not TYPE_CHECKING:   # for a type checker an absent name is an error as it is
    __getattr__ = absent_from(__name__, __all__)

linear = Linear()
relu = Relu()
relu6 = Relu6()
leaky_relu = LeakyRelu()
elu = Elu()
celu = Celu()
selu = Selu()
sigmoid = Sigmoid()
hard_sigmoid = HardSigmoid()
log_sigmoid = LogSigmoid()
tanh = Tanh()
hard_tanh = HardTanh()
softplus = Softplus()
softsign = Softsign()
exponential = Exponential()
silu = swish = Silu()
hard_silu = hard_swish = HardSilu()
gelu = Gelu()
mish = Mish()
softmax = Softmax()
log_softmax = LogSoftmax()
sparsemax = Sparsemax()
sparse_plus = SparsePlus()
sparse_sigmoid = SparseSigmoid()
squareplus = Squareplus()
hard_shrink = HardShrink()
soft_shrink = SoftShrink()
tanh_shrink = TanhShrink()
threshold = Threshold()
glu = Glu()

_known: list[Activation] = [
    linear, relu, relu6, leaky_relu, elu, celu, selu, sigmoid, hard_sigmoid, log_sigmoid, tanh, hard_tanh, softplus,
    softsign, exponential, silu, hard_silu, gelu, mish, softmax, log_softmax, sparsemax, sparse_plus, sparse_sigmoid,
    squareplus, hard_shrink, soft_shrink, tanh_shrink, threshold, glu,
]  # fmt: skip

_registry = Registry(
    "activation",
    [type(activation) for activation in _known],
    {**{activation.name: activation for activation in _known}, "swish": silu, "hard_swish": hard_silu},
    module="keras.activations",
)


def get(identifier: Any) -> Activation:
    """The activation of a name, a configuration, an instance or a function; linear for None.

    A plain function can predict; training with it raises an error that says what to define.

    Raises:
        ValueError: the name is not known.

    Example:

    >>> get("tanh") is tanh, get(None) is linear
    (True, True)
    """
    activation = linear if identifier is None else _registry.get(identifier)
    return activation if isinstance(activation, Activation) else FunctionActivation(activation)


def serialize(activation: Any) -> Any:
    """The name of an activation with default arguments, as in Keras 3; a configuration of one with others.

    >>> serialize(relu)
    'relu'
    """
    if isinstance(activation, FunctionActivation):
        return activation.name
    return plain_name(activation) or _registry.serialize(activation)


def plain_name(activation: Any) -> str | None:
    """The name of one of fastrnn's own activations with its default arguments, None of any other.

    >>> plain_name(relu), plain_name(FunctionActivation(abs))
    ('relu', None)
    """
    for known in _known:
        if type(activation) is type(known) and activation.get_config() == known.get_config():
            name: str = known.name
            return name
    return None


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Activation:
    """The activation of a name or configuration, looked up in `custom_objects`, then among the known ones."""
    return get(None if config is None else _registry.deserialize(config, custom_objects))
