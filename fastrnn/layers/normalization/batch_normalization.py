# SPDX-License-Identifier: Apache-2.0
"""BatchNormalization."""

from __future__ import annotations

from typing import Any, NamedTuple, Unpack

import numpy as np

from fastrnn import _core, arrays, initializers, runtime
from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Layer
from fastrnn.layers.normalization.base import epsilon_of
from fastrnn.layers.variable import Variable

# Keras adds it to the number of elements that a mask leaves in, so that there is no division by zero.
_FEW = 1e-7


class Kept(NamedTuple):
    """What a forward pass leaves for the backward pass."""

    normalized: np.ndarray
    inverse: np.ndarray                 # of the deviation, (1, ..., features, ..., 1)
    share: Any                          # of each element in the mean; None if that is a moving one


class BatchNormalization(Layer):
    """Shifts and scales each feature to mean 0 and variance 1 over the batch and its steps (Ioffe & Szegedy 2015)::

        y = (x - mean) / sqrt(variance + epsilon) * gamma + beta

    In training mean and variance are those of the batch, of what a mask leaves in of it, and the layer's moving ones go
    after them: `moving = momentum * moving + (1 - momentum) * batch`. In inference they are the moving ones; so they
    are always while the layer is frozen (`trainable` is False).

    Args:
        axis: of the features, whose mean and variance are over all other axes.
        momentum: what is left of the moving mean and variance at each batch, 0 to 1. PyTorch's says what goes away.
        epsilon: added to the variance.
        center, scale: add beta, multiply by gamma.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: first values.
        beta_regularizer, gamma_regularizer: penalties.
        beta_constraint, gamma_constraint: applied to them after each update.
        renorm, renorm_clipping, renorm_momentum: batch renormalization, which is refused.
        synchronized: has no effect: there is one batch.

    Raises:
        ValueError: an argument is not as described; `renorm` is True; at a call, if the input has other features than
            the layer was built for.

    Example:

    >>> layer = BatchNormalization(momentum=0.5, epsilon=0)
    >>> layer(np.array([[1.0], [3.0]]), training=True)
    array([[-1.],
           [ 1.]], dtype=float32)
    >>> layer.moving_mean.value, layer.moving_variance.value
    (array([1.], dtype=float32), array([1.], dtype=float32))
    """

    supports_masking = True
    changed_by_calls = reads_batch = True
    described = ("beta", "gamma")

    def __init__(self, axis: int = -1, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True,
                 scale: bool = True, beta_initializer: Any = "zeros", gamma_initializer: Any = "ones",
                 moving_mean_initializer: Any = "zeros", moving_variance_initializer: Any = "ones",
                 beta_regularizer: Any = None, gamma_regularizer: Any = None, beta_constraint: Any = None,
                 gamma_constraint: Any = None, renorm: bool = False, renorm_clipping: Any = None,
                 renorm_momentum: float = 0.99, synchronized: bool = False, **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        if isinstance(axis, (list, tuple)) and len(axis) == 1:      # as Keras 2 writes it
            axis = axis[0]
        if not isinstance(axis, (int, np.integer)) or isinstance(axis, bool):
            raise ValueError(f"{self} axis: expected a whole number, got {axis!r}")
        if not isinstance(momentum, (int, float, np.number)) or not 0 <= momentum <= 1:
            raise ValueError(f"{self} momentum: expected a number from 0 to 1, got {momentum!r}")
        if renorm:
            raise ValueError(f"{self} renorm: batch renormalization is not supported; make the layer without it")
        self.axis, self.momentum, self.epsilon = int(axis), float(momentum), epsilon_of(self, epsilon)
        self.center, self.scale = bool(center), bool(scale)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.renorm_clipping, self.renorm_momentum = renorm_clipping, renorm_momentum
        self.synchronized = bool(synchronized)
        self.describe(locals())

    # shapes --------------------------------------------------------------------------------------------------------

    def feature_axis(self, rank: int) -> int:
        """The axis of the features, counted from the front, of an input of that many axes."""
        if not -rank <= self.axis < rank or rank < 2:
            raise ValueError(f"{self} axis: expected an axis of the input, which has {rank}, got {self.axis}")
        return self.axis % rank

    def weight_shapes(self, input_shape: Any) -> dict[str, tuple[int, ...]]:
        size = input_shape[self.feature_axis(len(input_shape))]
        if not size:
            raise ValueError(f"{self}: expected an input with a known size of axis {self.axis}, got "
                             f"{tuple(input_shape)}")
        names = [*(["gamma"] if self.scale else []), *(["beta"] if self.center else []), "moving_mean",
                 "moving_variance"]
        return {name: (int(size),) for name in names}

    def build(self, *input_shapes: Any) -> None:
        shapes = self.weight_shapes(input_shapes[0])
        self.rank = len(input_shapes[0])
        self.gamma: Variable | None = None
        self.beta: Variable | None = None
        if self.scale:
            self.gamma = self.described_weight("gamma", shapes["gamma"])
        if self.center:
            self.beta = self.described_weight("beta", shapes["beta"])
        self.moving_mean = self.add_weight("moving_mean", shapes["moving_mean"], self.moving_mean_initializer,
                                           trainable=False)
        self.moving_variance = self.add_weight("moving_variance", shapes["moving_variance"],
                                               self.moving_variance_initializer, trainable=False)
        self.built = True

    def check_input(self, x: Any) -> np.ndarray:
        x = super().check_input(x)
        axis = self.feature_axis(x.ndim)
        if self.built and x.shape[axis] != len(self.moving_mean.data):
            raise ValueError(f"{self}: expected input with {len(self.moving_mean.data)} features in axis {self.axis}, "
                             f"got {x.shape}")
        return x

    def broadcast(self, weight: np.ndarray, rank: int) -> np.ndarray:
        """A weight (features,) with the axes of an input of that rank."""
        return weight.reshape([-1 if axis == self.feature_axis(rank) else 1 for axis in range(rank)])

    # passes --------------------------------------------------------------------------------------------------------

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        own = call.training and self.trainable and x.size
        if not own and not call.taped:
            scale, shift = self.scale_and_shift()
            if self.feature_axis(x.ndim) == x.ndim - 1 and arrays.is_ready(x, self.dtype):
                rows = np.empty_like(x)
                _core.kernels(self.dtype).scale_features(x, scale, shift, rows, runtime.get_num_threads())
                return rows
            y: np.ndarray = x * self.broadcast(scale, x.ndim)
            y += self.broadcast(shift, x.ndim)
            return y
        share = None
        if own:
            axes = self._other_axes(x.ndim)
            share, inside = self._share(x, call.mask)
            mean = _mean(x, share, inside, axes)
            normalized = x - mean
            variance = _mean(np.square(normalized), share, inside, axes)
            self._move(mean, variance)
        else:
            mean, variance = (self.broadcast(v.data, x.ndim) for v in (self.moving_mean, self.moving_variance))
            normalized = x - mean
        inverse = 1 / np.sqrt(variance + x.dtype.type(self.epsilon))
        normalized *= inverse
        if call.taped:
            call.kept = Kept(normalized, inverse, share)
        y = normalized
        if self.gamma is not None:
            y = y * self.broadcast(self.gamma.data, x.ndim)
        if self.beta is not None:
            y = y + self.broadcast(self.beta.data, x.ndim)
        return y.copy() if y is normalized and call.taped else y

    def scale_and_shift(self) -> tuple[np.ndarray, np.ndarray]:
        """What inference is, feature by feature: `y = x * scale + shift`."""
        mean = self.moving_mean.data
        scale: np.ndarray = 1 / np.sqrt(self.moving_variance.data + mean.dtype.type(self.epsilon))
        if self.gamma is not None:
            scale = scale * self.gamma.data
        shift: np.ndarray = -mean * scale
        return scale, shift if self.beta is None else shift + self.beta.data

    def _other_axes(self, rank: int) -> tuple[int, ...]:
        """Those that mean and variance are over."""
        feature = self.feature_axis(rank)
        return tuple(axis for axis in range(rank) if axis != feature)

    def _share(self, x: np.ndarray, mask: np.ndarray | None) -> tuple[Any, np.ndarray | None]:
        """The share of each element in the mean, and which elements a mask leaves in."""
        if mask is None:
            return x.dtype.type(x.shape[self.feature_axis(x.ndim)] / x.size), None
        inside = np.broadcast_to(mask.reshape(*mask.shape, *[1] * (x.ndim - mask.ndim)), x.shape)
        count = inside.sum(self._other_axes(x.ndim), keepdims=True, dtype=x.dtype)
        return inside / (count + x.dtype.type(_FEW)), inside

    def _move(self, mean: np.ndarray, variance: np.ndarray) -> None:
        """Have the moving mean and variance go after those of a batch. The arrays are new ones: a thread that predicts
        meanwhile reads the one or the other, and a step that fails puts the old ones back."""
        for variable, now in (self.moving_mean, mean), (self.moving_variance, variance):
            variable.fill(variable.data * self.momentum + now.reshape(-1) * (1 - self.momentum))

    def snapshot(self) -> Any:
        return self.moving_mean.data, self.moving_variance.data

    def restore(self, snapshot: Any) -> None:
        for variable, before in zip((self.moving_mean, self.moving_variance), snapshot):
            if variable.data is not before:
                variable.fill(before)

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        kept: Kept = call.kept
        normalized, share = kept.normalized, kept.share
        dy = self.check_gradient(dy, normalized.shape)
        axes, dx = self._other_axes(dy.ndim), dy
        if self.trainable or share is not None:
            total, aligned = _sum(dy, axes), _sum(dy * normalized, axes)
            if self.trainable and self.gamma is not None:
                call.gradient(self.gamma)[...] = aligned.reshape(-1)
            if self.trainable and self.beta is not None:
                call.gradient(self.beta)[...] = total.reshape(-1)
            if share is not None and call.wants():
                # Of a batch with a mask the mean is not quite that, as of its elements there are a few more.
                centered = normalized - _sum(share * normalized, axes) if np.ndim(share) else normalized
                dx = dy - share * total - (share * aligned) * centered
        if not call.wants():
            return None
        factor = kept.inverse if self.gamma is None else kept.inverse * self.broadcast(self.gamma.data, dy.ndim)
        return dx * factor

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "axis": self.axis, "momentum": self.momentum, "epsilon": self.epsilon,
            "center": self.center, "scale": self.scale,
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
            "synchronized": self.synchronized, "renorm": False, "renorm_clipping": self.renorm_clipping,
            "renorm_momentum": self.renorm_momentum,
        }


def _mean(x: np.ndarray, share: Any, inside: np.ndarray | None, axes: tuple[int, ...]) -> np.ndarray:
    if inside is None:
        return _sum(x, axes) * share
    return _sum(np.where(inside, x * share, 0), axes)


def _sum(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """The sum along axes, in float64: gradients below may cancel, as those of a bias do, and Adam would
    make steps of what is rounded off."""
    total: np.ndarray = x.sum(axes, keepdims=True, dtype=np.float64)
    return total.astype(x.dtype)
