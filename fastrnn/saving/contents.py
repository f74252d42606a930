# SPDX-License-Identifier: Apache-2.0
"""What a model file has, whatever its format, and the model of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn.layers.base import Layer
from fastrnn.saving import layouts, locations, state
from fastrnn.saving.config import Stack
from fastrnn.saving.errors import ModelFileError
from fastrnn.saving.locations import Place
from fastrnn.saving.tensors import Tensor, check_fits, values


class Contents(NamedTuple):
    """A model file, opened; nothing of its size has been made yet.

    Attributes:
        file: its name, for errors.
        version: major version of Keras whose form it has.
        stack: the layers.
        find: the stored arrays of these weights.
        training: the arguments of `compile`, or None.
        optimizer: what the optimizer kept, by name where order alone does not say what it is.
        random: the generators of layers with a seed.
    """

    file: str
    version: int
    stack: Stack
    find: Callable[[list[Place]], list[Tensor]]
    training: Any
    optimizer: Callable[[], Sequence[tuple[str, Tensor]]]
    random: Any


def places_of(stack: Stack, file: str) -> list[Place]:
    """The weights that the layers will have; not one is made.

    Raises:
        ModelFileError: a layer does not fit the one before; nothing says what the first one gets.
    """
    if stack.input_shape is None:
        raise ModelFileError(file, "config", "the file does not say the shape of the model's input; save it after it "
                                             "was built, or build it and load the weights alone by load_weights")
    try:
        return locations.places(stack.layers, stack.input_shape)
    except ModelFileError:
        raise
    except Exception as error:  # layers that do not fit say so in several ways
        raise ModelFileError(file, "config", f"the layers do not fit together: {str(error)[:500]}") from None


def check(places: Sequence[Place], tensors: Sequence[Tensor], file: str) -> None:
    """Refuse stored arrays that are not those of the weights."""
    for place, tensor in zip(places, tensors, strict=True):
        check_fits(tensor, file, place.shape, place.part.layer.dtype, f"'{place.native}'")


def give_weights(contents: Contents) -> None:
    """Put all weights of the layers at hand for when they are built."""
    stack, file = contents.stack, contents.file
    places = places_of(stack, file)
    tensors = contents.find(places)
    check(places, tensors, file)
    for place, value in zip(places, of_today(stack.layers, places, tensors, contents.version, file)):
        place.part.layer.stored[place.name] = value


def of_today(layers: Sequence[Layer], places: Sequence[Place], tensors: Sequence[Tensor], version: int,
             file: str) -> list[np.ndarray]:
    """What is stored, read; of a version of Keras whose hard_sigmoid was another, with its results."""
    scaled = _hard_sigmoid(layers, file) if version < 3 else {}
    found = []
    for place, tensor in zip(places, tensors):
        layer: Any = place.part.layer
        value = values(tensor, layer.dtype)
        gates = scaled.get(id(layer))
        found.append(layouts.scaled_gates(value, gates, layer.units) if gates else value)
    if scaled:
        warnings.warn(f"{file}: hard_sigmoid is 1.2 times steeper in Keras {version} than in Keras 3 and fastrnn. The "
                      "weights of its gates are multiplied by that, so that the results are those of the Keras that "
                      "saved the file; what its optimizer kept is left out", stacklevel=5)
    return found


def _hard_sigmoid(layers: Sequence[Layer], file: str) -> dict[int, tuple[int, ...]]:
    """The gates whose weights are to be scaled, by the identity of their layer."""
    try:
        found = {id(part.layer): layouts.hard_sigmoid_gates(part.layer) for part in locations.parts(layers)}
    except ValueError as error:
        raise ModelFileError(file, "config", str(error)) from None
    return {layer: gates for layer, gates in found.items() if gates}


def restore_training(model: Any, contents: Contents) -> None:
    """Compile a model, and set its optimizer and generators, as the file says."""
    if contents.training:       # Keras writes an empty one for a model that is not compiled
        state.compile_model(model, contents.training, contents.file)
        # What the optimizer kept is of the weights as they were stored.
        if contents.version > 2 or not _hard_sigmoid(contents.stack.layers, contents.file):
            state.restore_optimizer(model, contents.optimizer(), contents.file)
    if contents.random is not None:
        state.restore_random(model.layers, contents.random, contents.file)
