# SPDX-License-Identifier: Apache-2.0
"""Weights as Keras 3 keeps them in HDF5: layers by class and number, each one's arrays numbered (`.weights.h5`, and the
member of that name in `.keras`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

import numpy as np

from fastrnn.layers.table import is_operation
from fastrnn.saving import locations
from fastrnn.saving.errors import MAX_COUNT, ModelFileError
from fastrnn.saving.keras import hdf5
from fastrnn.saving.keras.hdf5 import Group
from fastrnn.saving.keras.vocabularies import weights_of_tokens
from fastrnn.saving.locations import Place
from fastrnn.saving.tensors import Tensor

OPTIMIZER = "optimizer/vars"


def write(model: Any, file: IO[bytes]) -> None:
    """Write a model's weights alone."""
    file.write(pack(model))


def pack(model: Any, optimizer: Sequence[np.ndarray] = ()) -> memoryview:
    """The bytes of a file with a model's weights, and what its optimizer keeps."""
    arrays = {place.keras: place.variable.data for place in locations.places(model)}
    arrays |= {f"{OPTIMIZER}/{i}": array for i, array in enumerate(optimizer)}
    arrays |= weights_of_tokens(model)
    # Keras looks for a group of every layer, and of the cell in it, and names them.
    found = [part for part in locations.parts(model) if not is_operation(part.layer)]
    texts = {part.keras.replace("/cell/", "/"): {"name": part.layer.name} for part in found}
    texts |= {part.keras: {"name": part.layer.name} for part in found}
    texts["vars"] = {"name": model.name}
    if len(optimizer):
        texts[OPTIMIZER] = {"name": model.optimizer.name}
    return hdf5.write(arrays, texts)


def find(root: Group, places: Sequence[Place], file: str) -> list[Tensor]:
    """The stored arrays of these weights, which must be all that the file has of layers.

    Raises:
        ModelFileError: one is missing, or there are more.
    """
    expected = len({id(place.part.top) for place in places if place.part.keras.startswith("layers/")})
    stored = sum(1 for name in root.group("layers").names() if not name.startswith("input_layer")) if expected else 0
    if stored < expected:
        raise ModelFileError(file, f"{root.place}/layers", f"expected {expected} layers with weights, got {stored}")
    groups = {path: root.group(path) for path in {place.part.keras: None for place in places}}
    for path, group in groups.items():
        names = group.names()
        wanted = sum(place.part.keras == path for place in places)
        if len(names) != wanted:
            raise ModelFileError(file, f"{root.place}/{path}", f"expected {wanted} arrays, got {len(names)}; the "
                                                               "weights are of another model")
    return [groups[place.part.keras].tensor(str(place.number)) for place in places]


def optimizer(root: Group) -> list[tuple[str, Tensor]]:
    """What the optimizer kept, in order; nothing if the file has nothing of it."""
    if "optimizer" not in root or "vars" not in root.group("optimizer"):
        return []
    group = root.group(OPTIMIZER)
    return [("", group.tensor(str(i))) for i in range(min(len(group.names()), MAX_COUNT))]
