# SPDX-License-Identifier: Apache-2.0
"""Keras 3's whole models, `.keras`: a zip archive of a configuration, the version, and the weights in HDF5."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Sequence
from typing import IO, Any

from fastrnn._version import __version__
from fastrnn.saving import archive, config, state
from fastrnn.saving.archive import Archive
from fastrnn.saving.contents import Contents, places_of
from fastrnn.saving.entries import Objects
from fastrnn.saving.entries import read_model as read_model_config
from fastrnn.saving.errors import MAX_TEXT, ModelFileError, shown
from fastrnn.saving.keras import hdf5, vocabularies, weights
from fastrnn.saving.keras.hdf5 import Group
from fastrnn.saving.locations import Place
from fastrnn.saving.tensors import Tensor
from fastrnn.saving.versions import major_version

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
#: The version of Keras whose form is written.
_KERAS_VERSION = "3.8.0"
#: Bytes of HDF5 for each array, and arrays for each weight: optimizers keep up to five.
_OVERHEAD, _ARRAYS = 16 << 10, 7


def write_model(model: Any, file: IO[bytes], model_config: dict[str, Any], include_optimizer: bool) -> None:
    """Write a model: configuration, weights, and how far its training has come."""
    training = state.compile_config(model) if include_optimizer else None
    optimizer = state.optimizer_arrays(model) if training is not None else []
    metadata = {
        "keras_version": _KERAS_VERSION,
        "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
        "fastrnn": {"version": __version__, "random": state.random_states(model)},
    }
    archive.write(file, {
        _METADATA: json.dumps(metadata).encode(),
        _CONFIG: json.dumps({**model_config, **({"compile_config": training} if training else {})}).encode(),
        _WEIGHTS: weights.pack(model, optimizer),
    })


def read_model(data: memoryview, file: str, custom_objects: Objects | None = None) -> Contents:
    """A file that Keras, or `write_model`, wrote."""
    members = Archive(data, file)
    model_config, (metadata, version) = _json(members, _CONFIG, file), _metadata(members, file)
    model = read_model_config(model_config, file, version, custom_objects)
    ours = metadata.get("fastrnn")
    opened: list[Group] = []

    def root() -> Group:
        if not opened:
            opened.append(_weights(members, file, places_of(model, file)))
        return opened[0]

    vocabularies.read(model, members, root, file)
    return Contents(
        file, version, model, lambda places: weights.find(root(), places, file),
        model_config.get("compile_config"), lambda: weights.optimizer(root()),
        ours.get("random") if isinstance(ours, dict) else None)


def read_weights(data: memoryview, file: str, places: Sequence[Place]) -> tuple[list[Tensor], int]:
    """The weights in a file, and the version of Keras that wrote them."""
    members = Archive(data, file)
    return weights.find(_weights(members, file, places), places, file), _metadata(members, file)[1]


def _json(members: Archive, name: str, file: str) -> Any:
    return config.parse_json(bytes(members.read(name, MAX_TEXT)), file, name)


def _metadata(members: Archive, file: str) -> tuple[dict[str, Any], int]:
    """What the file says of itself, and the major version of the Keras that wrote it."""
    metadata = _json(members, _METADATA, file)
    if not isinstance(metadata, dict):
        raise ModelFileError(file, _METADATA, f"expected a dictionary, got {shown(metadata)}")
    return metadata, major_version(metadata.get("keras_version"), file, _METADATA)


def _weights(members: Archive, file: str, places: Sequence[Place]) -> Group:
    """The weights' member, whose size is bounded by what the model needs, so that no archive unfolds to more."""
    if _WEIGHTS not in members and "model.weights.npz" in members:
        raise ModelFileError(file, "model.weights.npz", "weights in the npz format are not read; save the model with "
                                                        "weights in HDF5, as is Keras's default")
    needed = sum(math.prod(place.shape) for place in places) * 8
    content = members.read(_WEIGHTS, _ARRAYS * (needed + _OVERHEAD * (len(places) + 64)))
    return hdf5.open_file(content, file, _WEIGHTS)
