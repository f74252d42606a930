# SPDX-License-Identifier: Apache-2.0
"""Native files: safetensors with the model's configuration in the metadata."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import IO, Any

import numpy as np

from fastrnn._version import __version__
from fastrnn.saving import config, locations, safetensors, state
from fastrnn.saving.contents import Contents
from fastrnn.saving.entries import Objects
from fastrnn.saving.entries import read_model as read_model_config
from fastrnn.saving.errors import ModelFileError
from fastrnn.saving.locations import Place
from fastrnn.saving.tensors import Tensor

_OPTIMIZER = "optimizer/vars/"
#: What files of frozen models say of themselves, see frozen_file.py.
FROZEN = "fastrnn frozen"


def write_model(model: Any, file: IO[bytes], model_config: dict[str, Any], include_optimizer: bool) -> None:
    """Write a model: configuration, weights, and how far its training has come."""
    arrays = _weights(model)
    training = state.compile_config(model) if include_optimizer else None
    if training is not None:
        arrays |= {f"{_OPTIMIZER}{i}": array for i, array in enumerate(state.optimizer_arrays(model))}
    metadata = {"format": "fastrnn", "fastrnn_version": __version__, "config": json.dumps(model_config),
                "compile_config": json.dumps(training), "random": json.dumps(state.random_states(model))}
    safetensors.write(file, arrays, metadata)


def write_weights(model: Any, file: IO[bytes]) -> None:
    """Write a model's weights alone."""
    safetensors.write(file, _weights(model), {"format": "fastrnn", "fastrnn_version": __version__})


def read_model(data: memoryview, file: str, custom_objects: Objects | None = None) -> Contents:
    """A file that `write_model` wrote."""
    # Where a mapped file cannot be replaced, as on Windows, the mapping must not last.
    stored, metadata = safetensors.read(data, file, copy=os.name == "nt")
    if metadata.get("format") == FROZEN:
        raise ModelFileError(file, "header: __metadata__", "the file has a frozen model, which cannot be trained; load "
                                                           "it by fastrnn.serving.load")
    if "config" not in metadata:
        raise ModelFileError(file, "header: __metadata__", "the file has arrays, but no model; make the model and load "
                                                           "the weights by load_weights")
    model_config, training, random = (config.parse_json(metadata.get(key, "null"), file, key)
                                      for key in ("config", "compile_config", "random"))
    return Contents(
        file, 3, read_model_config(model_config, file, 3, custom_objects), lambda places: find(stored, places, file),
        training, lambda: _optimizer(stored), random)


def read_weights(data: memoryview, file: str, places: Sequence[Place]) -> tuple[list[Tensor], int]:
    """The weights in a file, of a model or alone, and the version of Keras whose form they have."""
    return find(safetensors.read(data, file)[0], places, file), 3


def find(stored: dict[str, Tensor], places: Sequence[Place], file: str) -> list[Tensor]:
    """The stored arrays of these weights, which must be all that there are but for the optimizer's."""
    names = {place.native for place in places}
    for kind, left in (("has no array", names - stored.keys()),
                       ("has an array that the model has not",
                        {name for name in stored if not name.startswith(_OPTIMIZER)} - names)):
        if left:
            raise ModelFileError(file, sorted(left)[0], f"the file {kind}: its weights are of another model")
    return [stored[place.native] for place in places]


def _weights(model: Any) -> dict[str, np.ndarray]:
    places, variables = locations.places(model), model.weights
    return {place.native: variable.data for place, variable in zip(places, variables, strict=True)}


def _optimizer(stored: dict[str, Tensor]) -> list[tuple[str, Tensor]]:
    found: list[tuple[str, Tensor]] = []
    while (name := f"{_OPTIMIZER}{len(found)}") in stored:
        found.append(("", stored[name]))
    return found
