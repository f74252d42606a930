# SPDX-License-Identifier: Apache-2.0
"""A model file in another format, and whether it gives the same results."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastrnn.layers import Embedding
from fastrnn.models.sequential import Sequential
from fastrnn.saving import files
from fastrnn.saving.reading import load_model

_SAMPLES, _STEPS = 8, 16
#: Formats that hold weights alone.
_WEIGHTS = (".weights.h5", ".h5", ".hdf5")


class Parity(NamedTuple):
    """How near two models' predictions for the same random batch are.

    Attributes:
        shape: of the batch.
        values: numbers compared.
        largest: the largest difference between two of them.
        scale: the largest of them.
    """

    shape: tuple[int, ...]
    values: int
    largest: float
    scale: float

    @property
    def holds(self) -> bool:
        """Whether they are the same up to rounding: within 1e-6, of the largest value where that is above one."""
        return self.largest <= 1e-6 * max(1.0, self.scale)

    def __str__(self) -> str:
        return (f"parity: a random batch {self.shape} through both, {self.values} outputs up to {self.scale:.6g}, "
                f"largest difference {self.largest:.3g}")


def convert(source: Any, target: Any) -> Parity:
    """Load a model file and save it in the format that the target's name asks for; then load that, and compare.

    Args:
        source: a `.safetensors`, `.keras` or `.h5` file.
        target: a name with the suffix `.safetensors` or `.keras`; `.weights.h5` or `.h5` take the weights alone.

    Raises:
        ValueError, OSError, ImportError: as `load_model` and `save_model`.
    """
    model = load_model(source)
    if files.suffix_of(target) in _WEIGHTS:
        model.save_weights(target)
        other = Sequential.from_config(model.get_config())
        other.load_weights(target)
    else:
        model.save(target)
        other = load_model(target)
    return parity(model, other)


def parity(first: Any, second: Any) -> Parity:
    """Compare two models of the same input on a random batch, the same each time."""
    shape = (_SAMPLES, *(_STEPS if size is None else size for size in first.input_shape[1:]))
    rng = np.random.default_rng(0)
    layer = first.layers[0]
    x = rng.integers(0, layer.input_dim, shape) if isinstance(layer, Embedding) else rng.standard_normal(shape)
    one, two = (model.predict_on_batch(x).astype("float64") for model in (first, second))
    return Parity(shape, one.size, float(np.abs(one - two).max()), float(np.abs(one).max()))
