# SPDX-License-Identifier: Apache-2.0
"""InputSpec: what a layer says of the input that it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class InputSpec:
    """Rank, sizes and dtype of an input.

    Args:
        dtype: of the input.
        shape: of it, the batch first, None where it may vary.
        ndim: number of its axes.
        max_ndim, min_ndim: the most, and the fewest.
        axes: sizes of single axes by number.
        allow_last_axis_squeeze: an axis of length 1 at the end may be there or not.
        name: of the input, where they come in a dictionary.
        optional: whether it may be None.

    Raises:
        TypeError: `axes` or `shape` is not as described.
        ValueError: an axis is none of so many.

    Example:

    >>> spec = InputSpec(ndim=3, axes={-1: 8})
    >>> spec.problem((None, 5, 8)), spec.problem((None, 5))
    (None, 'expected ndim=3, got (None, 5)')
    """

    def __init__(self, dtype: Any = None, shape: Sequence[int | None] | None = None, ndim: int | None = None,
                 max_ndim: int | None = None, min_ndim: int | None = None, axes: Mapping[int, int | None] | None = None,
                 allow_last_axis_squeeze: bool = False, name: str | None = None, optional: bool = False) -> None:
        if shape is not None and not isinstance(shape, (list, tuple)):
            raise TypeError(f"InputSpec shape: expected sizes, got {shape!r}")
        self.dtype = None if dtype is None else str(dtype)
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.allow_last_axis_squeeze, self.name, self.optional = allow_last_axis_squeeze, name, optional
        try:
            self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        except (AttributeError, TypeError, ValueError):
            raise TypeError(f"InputSpec axes: expected a dictionary of sizes by axis, got {axes!r}") from None
        most = self.ndim if self.ndim is not None else max_ndim
        if most is not None and any(axis >= most for axis in self.axes):
            raise ValueError(f"InputSpec axes: expected axes of {most}, got {self.axes}")

    def problem(self, shape: Sequence[int | None]) -> str | None:
        """What is wrong with an input of this shape, in words; None if nothing."""
        shape, wanted = tuple(shape), self.shape or ()
        got = f"got {shape}"
        if self.ndim is not None and len(shape) != self.ndim and not self.allow_last_axis_squeeze:
            return f"expected ndim={self.ndim}, {got}"
        if self.max_ndim is not None and len(shape) > self.max_ndim:
            return f"expected max_ndim={self.max_ndim}, {got}"
        if self.min_ndim is not None and len(shape) < self.min_ndim:
            return f"expected min_ndim={self.min_ndim}, {got}"
        for axis, size in self.axes.items():
            if not -len(shape) <= axis < len(shape) or (size is not None and shape[axis] not in (size, None)):
                return f"expected axis {axis} of size {size}, {got}"
        if self.allow_last_axis_squeeze:
            shape, wanted = (one[:-1] if one[-1:] == (1,) else one for one in (shape, wanted))
        if any(size is not None and own not in (size, None) for own, size in zip(shape, wanted)):
            return f"expected shape {self.shape}, {got}"
        return None

    def __repr__(self) -> str:
        given = {"dtype": self.dtype, "shape": self.shape, "ndim": self.ndim, "max_ndim": self.max_ndim,
                 "min_ndim": self.min_ndim, "axes": self.axes}
        return f"InputSpec({', '.join(f'{name}={value}' for name, value in given.items() if value)})"

    def get_config(self) -> dict[str, Any]:
        """The arguments that build this object again."""
        return {"dtype": self.dtype, "shape": self.shape, "ndim": self.ndim, "max_ndim": self.max_ndim,
                "min_ndim": self.min_ndim, "axes": self.axes,
                "allow_last_axis_squeeze": self.allow_last_axis_squeeze, "name": self.name, "optional": self.optional}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> InputSpec:
        """Build the object from what `get_config` gave."""
        return cls(**config)
