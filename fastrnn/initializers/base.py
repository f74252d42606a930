# SPDX-License-Identifier: Apache-2.0
"""What every initializer is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastrnn.registry import Configurable

Shape = Sequence[int]


class Initializer(Configurable):
    """Gives a weight its first values. A subclass defines `__call__`.

    Example:

    >>> class Halves(Initializer):
    ...     def __call__(self, shape, dtype="float32"):
    ...         return np.full(shape, 0.5, dtype)
    >>> Halves()((2,))
    array([0.5, 0.5], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: Any = "float32") -> np.ndarray:
        """A new array of the shape and dtype given."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(shape, dtype)")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """Build the initializer from what `get_config` gave. A "dtype", as files of old versions of Keras hold it,
        is left out: the weight decides."""
        return cls(**{key: value for key, value in config.items() if key != "dtype"})
