# SPDX-License-Identifier: Apache-2.0
"""Normalization: features of mean 0 and variance 1."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from fastrnn import arrays
from fastrnn.graph.call import Call
from fastrnn.layers.arguments import LayerArguments
from fastrnn.layers.base import Layer, Shape
from fastrnn.layers.preprocessing.batches import batches
from fastrnn.layers.preprocessing.pipelines import is_tensor_of_a_pipeline, within_pipeline
from fastrnn.layers.variable import Variable

#: The least divisor, as in Keras.
EPSILON = 1e-7


class Normalization(Layer):
    """Features of mean 0 and variance 1: ``(x - mean) / max(sqrt(variance), 1e-7)``.

    Args:
        axis: the axis, or several, whose elements have a mean and a variance of their own; None for one of each for all
            numbers.
        mean, variance: numbers, or arrays with an axis for each of `axis`; None to learn them by `adapt`.
        invert: the other way round: ``mean + x * max(sqrt(variance), 1e-7)``.

    Raises:
        ValueError: one of mean and variance is given without the other, or they do not fit `axis`.

    Example:

    >>> layer = Normalization()
    >>> layer.adapt(np.array([[0.0, 10.0], [2.0, 30.0]]))
    >>> layer([[1.0, 20.0], [2.0, 10.0]])
    array([[ 0.,  0.],
           [ 1., -1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False,
                 **kwargs: Unpack[LayerArguments]) -> None:
        super().__init__(**kwargs)
        self.axis = () if axis is None else (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
        if not all(isinstance(one, (int, np.integer)) for one in self.axis):
            raise ValueError(f"{self} axis: expected a whole number, several or None, got {axis!r}")
        if (mean is None) != (variance is None):
            raise ValueError(f"{self}: expected mean and variance, or none of them, got one without the other")
        self.invert = bool(invert)
        self.input_mean = self.input_variance = None
        self._shape: Shape = ()
        if mean is not None:
            self.input_mean = arrays.as_float(mean, self.dtype, f"{self} mean")
            self.input_variance = arrays.as_float(variance, self.dtype, f"{self} variance")
            sizes, others = self.input_mean.shape, self.input_variance.shape
            if sizes != others or len(sizes) > len(self.axis):
                raise ValueError(f"{self}: expected mean and variance of one shape, with at most {len(self.axis)} "
                                 f"axes, as axis={self.axis}, got {sizes} and {others}")

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        if is_tensor_of_a_pipeline(x):
            return within_pipeline(self, x, self.dtype)
        return super().__call__(x, training, mask)

    # shapes --------------------------------------------------------------------------------------------------------

    def _kept(self, shape: Shape) -> tuple[int, ...]:
        """The axes with a mean and a variance for each element, for an input of a shape."""
        rank = len(shape)
        if not all(-rank <= axis < rank for axis in self.axis):
            raise ValueError(f"{self}: expected input with the axes {self.axis}, got {tuple(shape)}")
        kept = tuple(sorted(axis % rank for axis in self.axis))
        if any(shape[axis] is None for axis in kept):
            raise ValueError(f"{self}: expected input with known sizes of the axes {self.axis}, got {tuple(shape)}")
        return kept

    def check_shapes(self, *shapes: Any) -> None:
        shape = tuple(shapes[0])
        kept = self._kept(shape)
        if self.input_mean is not None:
            self._spread(self.input_mean, shape)
        elif self.built and tuple(shape[axis] for axis in kept) != self.adapt_mean.shape:
            raise ValueError(f"{self}: is built for input of shape {self._shape}, got {shape}")

    def check_input(self, x: Any) -> np.ndarray:
        x = super().check_input(x)
        self.check_shapes(x.shape)
        return x

    def build(self, *input_shapes: Any) -> None:
        shape = tuple(input_shapes[0])
        self.check_shapes(shape)
        self._shape = shape
        if self.input_mean is None:
            sizes = tuple(int(shape[axis] or 0) for axis in self._kept(shape))
            self.adapt_mean = self.add_weight("mean", sizes, "zeros", trainable=False)
            self.adapt_variance = self.add_weight("variance", sizes, "ones", trainable=False)
            # Of no use today; Keras's files have it.
            self.count = self.add_weight("count", (), "zeros", trainable=False)
            self.count.fill(np.zeros((), np.int64))
        self.built = True

    def _spread(self, values: np.ndarray, shape: Shape) -> np.ndarray:
        """Values of the last of the kept axes, with the axes of an input of this shape."""
        kept = self._kept(shape)
        sizes = [1] * len(shape)
        for place in range(1, values.ndim + 1):
            sizes[kept[-place]] = values.shape[-place]
        try:
            return np.broadcast_to(values.reshape(sizes), [shape[axis] or 0 if axis in kept else 1
                                                           for axis in range(len(shape))])
        except ValueError:
            raise ValueError(f"{self}: expected mean and variance that fit the axes {self.axis} of sizes "
                             f"{tuple(shape[axis] for axis in kept)}, got shape {values.shape}") from None

    def _values(self) -> tuple[np.ndarray, np.ndarray]:
        """The means and the variances."""
        if self.input_mean is not None and self.input_variance is not None:
            return self.input_mean, self.input_variance
        return self.adapt_mean.data, self.adapt_variance.data

    @property
    def mean(self) -> Variable | None:
        """The means, with as many axes as the input; None before the layer is built."""
        return Variable(self._spread(self._values()[0], self._shape), "mean", trainable=False) if self.built else None

    @property
    def variance(self) -> Variable | None:
        """The variances, with as many axes as the input; None before the layer is built."""
        if not self.built:
            return None
        return Variable(self._spread(self._values()[1], self._shape), "variance", trainable=False)

    # learning them -------------------------------------------------------------------------------------------------

    def adapt(self, data: Any) -> None:
        """Learn the mean and the variance.

        Args:
            data: an array, or batches of them, of which (x, y) is one of x; a list of arrays is one of batches.

        Raises:
            ValueError: they were given; there are no data; or these do not fit what the layer was built for.
        """
        if self.input_mean is not None:
            raise ValueError(f"{self}: cannot learn mean and variance, as they were given; make it without")
        if arrays.is_array_like(data) or (isinstance(data, (list, tuple)) and not any(map(_is_batch, data))):
            data = [data]
        count, mean, variance = 0, np.zeros(()), np.zeros(())
        for batch in batches(data, None, f"{self} adapt"):
            x = arrays.as_float(batch, "float64", f"{self} data")
            if not self.built:
                self.build(x.shape)
            self.check_shapes(x.shape)
            if not x.size:
                continue
            kept = self._kept(x.shape)
            others = tuple(axis for axis in range(x.ndim) if axis not in kept)
            more = x.size // int(np.prod([x.shape[axis] for axis in kept]))
            x_mean, x_variance = x.mean(axis=others), x.var(axis=others)
            share = more / (count + more)
            # Of two groups: the mean of their variances, and the variance of their means.
            variance = (1 - share) * variance + share * x_variance + share * (1 - share) * (x_mean - mean) ** 2
            mean = (1 - share) * mean + share * x_mean
            count += more
        if not count:
            raise ValueError(f"{self} adapt: expected data, got none")
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(variance)

    def finalize_state(self) -> None:
        """Without effect: what was learned holds at once."""

    # running -------------------------------------------------------------------------------------------------------

    def forward(self, x: np.ndarray, *, call: Call) -> np.ndarray:
        mean, variance = self._values()
        mean, variance = self._spread(mean, x.shape), self._spread(variance, x.shape)
        scale = np.maximum(np.sqrt(variance), np.array(EPSILON, self.dtype))
        if call.taped:
            call.kept = x.shape, scale
        y: np.ndarray = mean + x * scale if self.invert else (x - mean) / scale
        return y

    def backward(self, dy: Any, *, call: Call | None = None) -> np.ndarray | None:
        call = self.taped(call)
        shape, scale = call.kept
        dy = self.check_gradient(dy, shape)
        if not call.wants():
            return None
        dx: np.ndarray = dy * scale if self.invert else dy / scale
        return dx

    def get_config(self) -> dict[str, Any]:
        given = {"mean": self.input_mean, "variance": self.input_variance}
        return {**super().get_config(), "axis": list(self.axis), "invert": self.invert,
                **{name: None if value is None else value.tolist() for name, value in given.items()}}


def _is_batch(part: Any) -> bool:
    """Whether a part of a list is an array, or one with its targets."""
    return arrays.is_array_like(part[0] if isinstance(part, tuple) and part else part)
