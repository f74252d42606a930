# SPDX-License-Identifier: Apache-2.0
"""Activations, losses and other functions of neural networks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from fastrnn import activations
from fastrnn.config import epsilon as smallest
from fastrnn.config import floatx
from fastrnn.ops.dispatch import Axis, axes, floating, namespace, op, tensor, values
from fastrnn.ops.reductions import logsumexp


def _activation(name: str) -> Callable[..., Any]:
    """An activation of `fastrnn.activations` as a function of arrays and symbols."""
    known = getattr(activations, name)

    def function(x: Any, *parameters: Any, **options: Any) -> Any:
        return known(floating(x), **dict(zip(known.get_config(), parameters)), **options)

    function.__name__, function.__doc__ = name, f"The activation; see `fastrnn.activations.{name}`."
    function.__signature__ = inspect.Signature([        # type: ignore[attr-defined]
        inspect.Parameter("x", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        *(inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=value)
          for key, value in known.get_config().items())])
    return op(function)


relu = _activation("relu")
relu6 = _activation("relu6")
elu = _activation("elu")
selu = _activation("selu")
silu = swish = _activation("silu")
sigmoid = _activation("sigmoid")
hard_sigmoid = _activation("hard_sigmoid")
softplus = _activation("softplus")
softsign = _activation("softsign")
leaky_relu = _activation("leaky_relu")
celu = _activation("celu")
hard_silu = hard_swish = _activation("hard_silu")
hard_tanh = _activation("hard_tanh")


@op
def gelu(x: Any, approximate: bool = True) -> Any:
    """x times the share of a normal distribution that is below x.

    >>> gelu([1.0]).round(4)
    array([0.8412], dtype=float32)
    """
    return activations.gelu(floating(x), approximate=approximate)


@op
def softmax(x: Any, axis: Axis = -1) -> Any:
    """exp(x) over its sum along axes.

    >>> softmax([0.0, 0.0])
    array([0.5, 0.5], dtype=float32)
    """
    xp, x = namespace(), floating(x)
    raised = xp.exp(x - np.max(values(x), axis=axes(axis), keepdims=True))
    return raised / xp.sum(raised, axis=axes(axis), keepdims=True)


@op
def log_softmax(x: Any, axis: Axis = -1) -> Any:
    """The logarithm of `softmax`.

    >>> log_softmax([0.0, 0.0]).round(4)
    array([-0.6931, -0.6931], dtype=float32)
    """
    x = floating(x)
    return x - logsumexp(x, axis, keepdims=True)


@op
def log_sigmoid(x: Any) -> Any:
    """The logarithm of the sigmoid.

    >>> log_sigmoid([0.0]).round(4)
    array([-0.6931], dtype=float32)
    """
    return -activations.softplus(-floating(x))


@op
def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    """1 at the index of each class, 0 elsewhere, along a new axis.

    >>> one_hot([0, 2], 3)
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    found = (values(x)[..., None].astype(int) == np.arange(num_classes)).astype(dtype or floatx())
    return np.moveaxis(found, -1, axis) if axis != -1 else found


@op
def multi_hot(inputs: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    """1 at the index of each class that a sample has.

    >>> multi_hot([[0, 2]], 3)
    array([[1., 0., 1.]], dtype=float32)
    """
    found = one_hot(inputs, num_classes, -1, dtype or floatx())
    return np.max(found, axis=1 if found.ndim > 2 else 0)


@op
def normalize(x: Any, axis: int = -1, order: int = 2, epsilon: float | None = None) -> Any:
    """x over its norm along an axis.

    >>> normalize([3.0, 4.0])
    array([0.6, 0.8], dtype=float32)
    """
    xp, x = namespace(), floating(x)
    least = smallest() if epsilon is None else epsilon
    if order == 2:
        squares = xp.sum(x * x, axis=axis, keepdims=True)
        return x / xp.sqrt(xp.maximum(squares, least ** 2 if epsilon is None else least))
    return x / xp.maximum(xp.linalg.norm(x, order, axis, True), least)


@op
def moments(x: Any, axes: Axis, keepdims: bool = False, synchronized: bool = False) -> Any:
    """Mean and variance along axes.

    >>> moments([1.0, 3.0], axes=0)
    (np.float32(2.0), np.float32(1.0))
    """
    xp, x = namespace(), floating(x)
    along = tuple(axes) if isinstance(axes, (list, tuple)) else axes
    return xp.mean(x, axis=along, keepdims=keepdims), xp.var(x, axis=along, keepdims=keepdims)


def _probabilities(output: Any, from_logits: bool, axis: int = -1) -> Any:
    """The logarithms of classes' probabilities."""
    if from_logits:
        return log_softmax(output, axis)
    xp = namespace()
    output = output / xp.sum(output, axis=axis, keepdims=True)
    return xp.log(xp.minimum(xp.maximum(output, smallest()), 1 - smallest()))


@op
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """The cross-entropy of rows of targets and of probabilities.

    >>> categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).round(4)
    array([0.6931], dtype=float32)
    """
    return -namespace().sum(floating(target) * _probabilities(floating(output), from_logits, axis), axis=axis)


@op
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """The cross-entropy of class indices and rows of probabilities.

    >>> sparse_categorical_crossentropy([1], [[0.5, 0.5]]).round(4)
    array([0.6931], dtype=float32)
    """
    target, output = values(target), floating(output)
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = target[..., 0]
    return categorical_crossentropy(one_hot(target, output.shape[axis], axis, output.dtype), output, from_logits, axis)


@op
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """The cross-entropy of each target and probability.

    >>> binary_crossentropy([1.0], [0.5]).round(4)
    array([0.6931], dtype=float32)
    """
    xp, target, output = namespace(), floating(target), floating(output)
    if from_logits:
        return activations.softplus(output) - output * target
    output = xp.minimum(xp.maximum(output, smallest()), 1 - smallest())
    return -(target * xp.log(output) + (1 - target) * xp.log(1 - output))


@op
def batch_normalization(x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None,
                        epsilon: float = 1e-3) -> Any:
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`, of vectors along an axis.

    >>> batch_normalization([[3.0]], [1.0], [4.0], axis=1, epsilon=0.0)
    array([[1.]], dtype=float32)
    """
    xp, x = namespace(), floating(x)
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]

    def along(v: Any) -> Any:
        return xp.reshape(tensor(v), shape)

    found = (x - along(mean)) / xp.sqrt(along(variance) + epsilon)
    found = found if scale is None else found * along(scale)
    return found if offset is None else found + along(offset)


@op
def layer_normalization(x: Any, gamma: Any = None, beta: Any = None, axis: Axis = -1, epsilon: float | None = None
                        ) -> Any:
    """x less its mean along axes, over its standard deviation, times gamma, plus beta.

    >>> layer_normalization([[1.0, 3.0]], epsilon=0.0)
    array([[-1.,  1.]], dtype=float32)
    """
    xp, x, along = namespace(), floating(x), axes(axis)
    small = smallest() if epsilon is None else epsilon
    found = (x - xp.mean(x, axis=along, keepdims=True)) / xp.sqrt(xp.var(x, axis=along, keepdims=True) + small)
    found = found if gamma is None else found * tensor(gamma)
    return found if beta is None else found + tensor(beta)
