# SPDX-License-Identifier: Apache-2.0
"""What a model file has, whatever its format, and the model of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn.layers import InputLayer
from fastrnn.saving import layouts, locations, state
from fastrnn.saving.errors import ModelFileError
from fastrnn.saving.locations import Place
from fastrnn.saving.tensors import Tensor, check_fits, values


class Contents(NamedTuple):
    """A model file, opened; nothing of its size has been made yet.

    Attributes:
        file: its name, for errors.
        version: major version of Keras whose form it has.
        model: whose weights have shapes, but no values yet.
        find: the stored arrays of these weights.
        training: the arguments of `compile`, or None.
        optimizer: what the optimizer kept, by name where order alone does not say what it is.
        random: the generators of layers with a seed.
    """

    file: str
    version: int
    model: Any
    find: Callable[[list[Place]], list[Tensor]]
    training: Any
    optimizer: Callable[[], Sequence[tuple[str, Tensor]]]
    random: Any


def places_of(model: Any, file: str) -> list[Place]:
    """The weights of a model in a file.

    Raises:
        ModelFileError: nothing says what its first layer gets.
    """
    if not model.built and any(not isinstance(layer, InputLayer) for layer in model.layers):
        raise ModelFileError(file, "config", "the file does not say the shape of the model's input; save it after it "
                                             "was built, or build it and load the weights alone by load_weights")
    try:
        return locations.places(model)
    except TypeError as error:
        raise ModelFileError(file, "config", str(error)) from None


def check(places: Sequence[Place], tensors: Sequence[Tensor], file: str) -> None:
    """Refuse stored arrays that are not those of the weights."""
    for place, tensor in zip(places, tensors, strict=True):
        check_fits(tensor, file, place.shape, place.variable.dtype, f"'{place.native}'")


def give_weights(contents: Contents) -> None:
    """Give all weights of the model their values."""
    model, file = contents.model, contents.file
    if all(isinstance(layer, InputLayer) for layer in model.layers):
        return
    places = places_of(model, file)
    tensors = contents.find(places)
    check(places, tensors, file)
    for place, value in zip(places, of_today(model, places, tensors, contents.version, file)):
        place.variable.fill(value)
    for layer in model.walk():
        layer.first_values = None


def of_today(model: Any, places: Sequence[Place], tensors: Sequence[Tensor], version: int,
             file: str) -> list[np.ndarray]:
    """What is stored, read; of a version of Keras whose hard_sigmoid was another, with its results."""
    scaled = _hard_sigmoid(model, file) if version < 3 else {}
    found = []
    for place, tensor in zip(places, tensors):
        layer: Any = place.part.layer
        value = values(tensor, place.variable.dtype)
        gates = scaled.get(id(layer))
        if gates:
            value = layouts.scaled_gates(value, gates, layer.units if hasattr(layer, "units") else len(value.T))
        found.append(value)
    if scaled:
        warnings.warn(f"{file}: hard_sigmoid is 1.2 times steeper in Keras {version} than in Keras 3 and fastrnn. The "
                      "weights of its gates are multiplied by that, so that the results are those of the Keras that "
                      "saved the file; what its optimizer kept is left out", stacklevel=5)
    return found


def _hard_sigmoid(model: Any, file: str) -> dict[int, tuple[int, ...]]:
    """The gates whose weights are to be scaled, by the identity of their layer."""
    try:
        found = {id(part.layer): layouts.hard_sigmoid_gates(part.layer) for part in locations.parts(model)}
    except ValueError as error:
        raise ModelFileError(file, "config", str(error)) from None
    return {layer: gates for layer, gates in found.items() if gates}


def restore_training(model: Any, contents: Contents, custom_objects: Mapping[str, Any] | None = None) -> None:
    """Compile a model, and set its optimizer and generators, as the file says."""
    if contents.training:       # Keras writes an empty one for a model that is not compiled
        state.compile_model(model, contents.training, contents.file, custom_objects)
        # What the optimizer kept is of the weights as they were stored.
        if contents.version > 2 or not _hard_sigmoid(model, contents.file):
            state.restore_optimizer(model, contents.optimizer(), contents.file)
    if contents.random is not None:
        state.restore_random(model, contents.random, contents.file)
