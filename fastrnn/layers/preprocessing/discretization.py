# SPDX-License-Identifier: Apache-2.0
"""Discretization: numbers to the indices of the ranges that they are in."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from fastrnn import arrays
from fastrnn.layers.base import Shape
from fastrnn.layers.preprocessing import quantiles
from fastrnn.layers.preprocessing.base import Preparing
from fastrnn.layers.preprocessing.batches import batches
from fastrnn.layers.preprocessing.encoding import check_mode, encoded, encoded_shape, refuse_sparse


class Discretization(Preparing):
    """Numbers to the indices of the ranges that they are in: 0 below the first boundary, 1 from there to the next.

    Args:
        bin_boundaries: numbers in order.
        num_bins: number of ranges, whose boundaries `adapt` learns.
        epsilon: part of the data by which learned boundaries may err.
        output_mode: "int", or "one_hot", "multi_hot", "count" as of `CategoryEncoding`.
        sparse: False.

    Raises:
        ValueError: neither `bin_boundaries` nor `num_bins`, or both are given; at a call, if there are no boundaries.

    Example:

    >>> Discretization([0.0, 1.0, 2.0])([[-1.5, 1.0, 3.4, 0.5]])
    array([[0, 2, 3, 1]], dtype=int32)
    """

    input_kind = "any"

    def __init__(self, bin_boundaries: Any = None, num_bins: int | None = None, epsilon: float = 0.01,
                 output_mode: str = "int", sparse: bool = False, dtype: Any = None, name: str | None = None,
                 **kwargs: Any) -> None:
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.output_mode = check_mode(output_mode, ("int", "one_hot", "multi_hot", "count"), str(self))
        refuse_sparse(sparse, str(self))
        if (bin_boundaries is None) == (num_bins is None):
            raise ValueError(f"{self}: expected bin_boundaries or num_bins, got "
                             f"{'neither' if num_bins is None else 'both'}")
        self.num_bins = None if num_bins is None else self.count_of("num_bins", num_bins)
        self.epsilon, self.sparse = epsilon, False
        if not 0 < epsilon < 1:
            raise ValueError(f"{self} epsilon: expected a number between 0 and 1, got {epsilon!r}")
        self.bin_boundaries: list[float] | None = None
        if bin_boundaries is not None:
            self._take(bin_boundaries)
        self._summary = quantiles.empty_summary()

    def _take(self, boundaries: Any) -> None:
        found = arrays.as_float(boundaries, "float64", f"{self} bin_boundaries")
        if found.ndim != 1 or (np.diff(found) < 0).any() or np.isnan(found).any():
            raise ValueError(f"{self} bin_boundaries: expected a list of numbers in order, got {boundaries!r}")
        self.bin_boundaries = found.tolist()

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn the boundaries: `num_bins` ranges with as many of the data each.

        Args:
            data: an array, or batches of them; a list is one of batches.
            steps: how many batches to take, all by default.

        Raises:
            ValueError: the boundaries were given.
        """
        if self.num_bins is None:
            raise ValueError(f"{self}: cannot learn boundaries, as they were given; make it with num_bins")
        self.reset_state()
        whole = arrays.is_array_like(data) and not isinstance(data, (list, tuple))
        for batch in [data] if whole else batches(data, steps, f"{self} adapt"):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Take the numbers of a batch into account.

        Args:
            data: an array.
        """
        values = arrays.as_float(data, "float32", f"{self} data")
        self._summary = quantiles.merged(quantiles.summarized(values, self.epsilon), self._summary, self.epsilon)

    def finalize_state(self) -> None:
        """Set the boundaries by what was seen."""
        if self.num_bins is not None and self._summary.size:
            self.bin_boundaries = quantiles.boundaries(self._summary, self.num_bins)

    def reset_state(self) -> None:
        """Forget what was seen; the boundaries stay."""
        self._summary = quantiles.empty_summary()

    def check_input(self, x: Any) -> np.ndarray:
        return arrays.as_float_or_whole(x, self.dtype, f"{self} input")

    def prepared(self, x: np.ndarray) -> np.ndarray:
        if self.bin_boundaries is None:
            raise ValueError(f"{self}: has no boundaries; call adapt, or pass bin_boundaries")
        found = np.searchsorted(np.array(self.bin_boundaries, self.dtype), x, side="right")
        if self.output_mode == "int":
            return np.asarray(found, np.int32)
        return encoded(found, self.output_mode, len(self.bin_boundaries) + 1, self.dtype)

    @property
    def output_dtype(self) -> str:
        return "int32" if self.output_mode == "int" else self.dtype

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        depth = self.num_bins if self.bin_boundaries is None else len(self.bin_boundaries) + 1
        return encoded_shape(tuple(input_shapes[0]), self.output_mode, depth)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["trainable"]             # which Keras's does not take
        return {**config, "bin_boundaries": self.bin_boundaries, "num_bins": self.num_bins,
                "epsilon": self.epsilon, "output_mode": self.output_mode, "sparse": False}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Build the layer from what `get_config` gave, which may have learned boundaries beside their number."""
        learned = config.get("bin_boundaries")
        if learned is None or config.get("num_bins") is None:
            return cls(**config)
        layer = cls(**{**config, "bin_boundaries": None})
        layer._take(learned)
        return layer
