# SPDX-License-Identifier: Apache-2.0
"""What the layers share that normalize over some of the axes: which these are, and weights of their shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn import _core, arrays, runtime
from fastrnn.layers.base import Layer
from fastrnn.layers.variable import Variable


class OverAxes(Layer):
    """Base of the layers whose sums are over the axes that `axis` names, each sample by itself.

    A subclass sets `axis`, by `axes_of`, and calls `know_axes` when it is built.
    """

    supports_masking = True
    axis: int | list[int]
    _rank = 0                       # of the input that the layer was built for
    _sizes: tuple[int, ...] = ()    # of the axes

    def axes_of(self, axis: Any) -> int | list[int]:
        """The argument: a whole number, or a list of them.

        Raises:
            ValueError: it is none of these.
        """
        axes: Sequence[Any] = axis if isinstance(axis, (list, tuple)) else [axis]
        if not axes or not all(isinstance(one, (int, np.integer)) and not isinstance(one, bool) for one in axes):
            raise ValueError(f"{self} axis: expected a whole number or a list of them, got {axis!r}")
        return [int(one) for one in axes] if isinstance(axis, (list, tuple)) else int(axes[0])

    def know_axes(self, input_shape: Any) -> None:
        """Keep the sizes of the axes, of which later inputs must have as many."""
        self._rank = len(input_shape)
        self._sizes = self.sizes(input_shape)

    def normalized(self, rank: int) -> tuple[int, ...]:
        """The axes, counted from the front."""
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        found = sorted({axis + rank if axis < 0 else axis for axis in axes})
        if len(found) != len(axes) or found[0] < 1 or found[-1] >= rank:
            raise ValueError(f"{self} axis: expected different axes of an input with {rank}, the batch's not among "
                             f"them, got {self.axis}")
        return tuple(found)

    def sizes(self, input_shape: Any) -> tuple[int, ...]:
        """The sizes of the axes, which must be known."""
        shape = tuple(input_shape[axis] for axis in self.normalized(len(input_shape)))
        if not all(shape):
            raise ValueError(f"{self}: expected an input with a known size of axis {self.axis}, got "
                             f"{tuple(input_shape)}")
        return shape

    def check_input(self, x: Any) -> np.ndarray:
        x = arrays.as_float(x, self.dtype, f"{self} input")
        # With axes counted from the end alone, inputs of any rank have them.
        axes = self.normalized(x.ndim)
        if self._sizes and tuple(x.shape[axis] for axis in axes) != self._sizes:
            raise ValueError(f"{self}: expected input with sizes {list(self._sizes)} of axis {self.axis}, "
                             f"got {x.shape}")
        return x

    @property
    def normalized_axes(self) -> tuple[int, ...]:
        """The axes, counted from the front, of an input like that which the layer was built for."""
        return self.normalized(self._rank)

    def infer_rows(self, x: np.ndarray, scale: Variable | None, shift: Variable | None, epsilon: float,
                   centered: bool) -> np.ndarray | None:
        """What the kernels make of rows, see `normalize_rows`; None where the axes are not just the last one."""
        if self.normalized(x.ndim) != (x.ndim - 1,) or not arrays.is_ready(x, self.dtype):
            return None
        y = np.empty_like(x)
        _core.kernels(self.dtype).normalize_rows(x, None if scale is None else scale.data,
                                                 None if shift is None else shift.data, epsilon, centered, y,
                                                 runtime.get_num_threads())
        return y

    def broadcast(self, weight: np.ndarray, rank: int | None = None) -> np.ndarray:
        """A weight with the axes of an input of that rank (of the rank that the layer was built for, if not given)."""
        rank = self._rank if rank is None else rank
        axes = iter(weight.shape)
        normalized = self.normalized(rank)
        return weight.reshape([next(axes) if axis in normalized else 1 for axis in range(rank)])


def epsilon_of(layer: Layer, epsilon: Any) -> float:
    """The argument of what is added to a variance: a number of 0 or more.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(epsilon, (int, float, np.number)) or not 0 <= epsilon < np.inf:
        raise ValueError(f"{layer} epsilon: expected a number of 0 or more, got {epsilon!r}")
    return float(epsilon)
