# SPDX-License-Identifier: Apache-2.0
"""Keras 1's and 2's HDF5 files, `.h5`: layers by name, with a list of the names of their weights; whole models have
their configuration in attributes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import IO, Any

import numpy as np

from fastrnn import losses, metrics
from fastrnn.layers.recurrent import Recurrent
from fastrnn.layers.table import is_operation
from fastrnn.saving import config, layouts, locations, state
from fastrnn.saving.contents import Contents
from fastrnn.saving.entries import Objects
from fastrnn.saving.entries import read_model as read_model_config
from fastrnn.saving.errors import ModelFileError
from fastrnn.saving.keras import hdf5, legacy_config, weights
from fastrnn.saving.keras.hdf5 import Group
from fastrnn.saving.locations import Place
from fastrnn.saving.tensors import Tensor
from fastrnn.saving.versions import major_version

_MODEL, _OPTIMIZER = "model_weights", "optimizer_weights"
#: An attribute of fastrnn's own, which Keras passes by.
_OWN = "fastrnn"
_VERSION = {"backend": "tensorflow", "keras_version": "3.0.0"}


def write_model(model: Any, file: IO[bytes], model_config: dict[str, Any], include_optimizer: bool) -> None:
    """Write a model: configuration, weights, and how far its training has come."""
    arrays, texts = _weights(model, f"{_MODEL}/")
    texts[_MODEL] = dict(texts[""])
    texts[""] = {**_VERSION, "model_config": json.dumps(legacy_config.old_entry(model_config)),
                 _OWN: json.dumps({"random": state.random_states(model)})}
    training = state.compile_config(model) if include_optimizer else None
    if training is not None:
        optimizer = training.pop("optimizer")
        training["optimizer_config"] = legacy_config.old_optimizer(optimizer)
        training["loss"] = _spelled_out(training["loss"], losses)
        training |= {key: _spelled_out(training[key], metrics) for key in ("metrics", "weighted_metrics")}
        texts[""]["training_config"] = json.dumps(training)
        kept = {f"{model.optimizer.name}/{i}": array for i, array in enumerate(state.optimizer_arrays(model))}
        arrays |= {f"{_OPTIMIZER}/{name}": array for name, array in kept.items()}
        texts[_OPTIMIZER] = {"weight_names": list(kept)}
    file.write(hdf5.write(arrays, texts))


def _spelled_out(value: Any, module: Any) -> Any:
    """Names as configurations: Keras 3 takes few of them for what they are in these files."""
    if isinstance(value, str) and value not in ("accuracy", "acc", "crossentropy", "ce"):
        return module.serialize(module.get(value))
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _spelled_out(inner, module) for key, inner in value.items()}
    return [_spelled_out(inner, module) for inner in value] if isinstance(value, list) else value


def write_weights(model: Any, file: IO[bytes]) -> None:
    """Write a model's weights alone."""
    file.write(hdf5.write(*_weights(model, "")))


def _weights(model: Any, prefix: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """A model's weights as arrays by path, and the texts of their groups."""
    arrays: dict[str, np.ndarray] = {}
    names: dict[int, list[str]] = {}
    for place in sorted(locations.places(model), key=_frozen):
        name = f"{place.native}:0"
        names.setdefault(id(place.part.top), []).append(name)
        arrays[f"{prefix}{place.part.top.name}/{name}"] = place.variable.data
    layers = [layer for layer in model.layers if not is_operation(layer)]      # which Keras does not list
    texts: dict[str, Any] = {"": {**_VERSION, "layer_names": [layer.name for layer in layers]}}
    for layer in layers:
        texts[f"{prefix}{layer.name}"] = {"weight_names": names.get(id(layer), [])}
    return arrays, texts


def read_model(data: memoryview, file: str, custom_objects: Objects | None = None) -> Contents:
    """A whole model that Keras 1, 2 or 3 wrote."""
    root = hdf5.open_file(data, file)
    text = root.text("model_config")
    if text is None:
        raise ModelFileError(file, "@model_config", "the file has no model; if it has weights alone, make the model "
                                                    "and load them by load_weights")
    training = root.text("training_config")
    version = major_version(_version(root), file, "@keras_version")
    own = config.parse_json(root.text(_OWN) or "null", file, f"@{_OWN}")
    return Contents(
        file, version, read_model_config(config.parse_json(text, file, "@model_config"), file, version, custom_objects),
        lambda places: find(root.group(_MODEL), places, file),
        None if training is None else config.parse_json(training, file, "@training_config"),
        lambda: _optimizer(root), own.get("random") if isinstance(own, dict) else None)


def read_weights(data: memoryview, file: str, places: Sequence[Place]) -> tuple[list[Tensor], int]:
    """The weights in a file of any version of Keras, of a model or alone, and that version."""
    root = hdf5.open_file(data, file)
    if "layers" in root:        # which Keras 2 wrote in its last days, without saying so
        return weights.find(root, places, file), 3
    version = major_version(_version(root), file, "@keras_version")
    return find(root.group(_MODEL) if _MODEL in root else root, places, file), version


def find(group: Group, places: Sequence[Place], file: str) -> list[Tensor]:
    """The stored arrays of these weights: layer by layer, in order, whatever the names.

    Raises:
        ModelFileError: there are more or fewer layers with weights, or arrays in a layer, than the model has.
    """
    stored = [tensors for tensors in (_layer(group, name) for name in group.texts("layer_names")) if tensors]
    wanted: dict[int, list[Place]] = {}
    for place in places:
        wanted.setdefault(id(place.part.top), []).append(place)
    if len(stored) != len(wanted):
        raise ModelFileError(file, group.place, f"expected {len(wanted)} layers with weights, got {len(stored)}; the "
                                                "weights are of another model")
    found: dict[str, Tensor] = {}
    for own, tensors in zip(wanted.values(), stored):
        own.sort(key=_frozen)
        tensors = _of_today(own, tensors)
        if len(tensors) != len(own):
            raise ModelFileError(file, tensors[0].place, f"expected {len(own)} arrays for '{own[0].part.native}', got "
                                                         f"{len(tensors)}; the weights are of another model")
        found |= zip((place.native for place in own), tensors)
    return [found[place.native] for place in places]


def _frozen(place: Place) -> bool:
    """What the weights of one layer of the model are sorted by: those that are trained come first."""
    return not (place.part.trainable and place.variable.trainable)


def _layer(group: Group, name: str) -> list[Tensor]:
    layer = group.group(name)
    return [layer.tensor(weight) for weight in layer.texts("weight_names")]


def _of_today(places: Sequence[Place], tensors: list[Tensor]) -> list[Tensor]:
    """One layer's arrays, cell by cell, in today's layouts; as they are where their number fits no version's."""
    # Of a layer that is trained in parts, the parts are apart.
    counts = [(layer, len(list(own))) for layer, own in itertools.groupby(place.part.layer for place in places)]
    if len(tensors) != len(places):
        counts = [(layer, layouts.keras_1_count(layer) or count) for layer, count in counts]
    if len(tensors) != sum(count for _, count in counts):
        return tensors
    found: list[Tensor] = []
    left = iter(tensors)
    for layer, count in counts:
        own = list(itertools.islice(left, count))
        found += layouts.of_cudnn(layer, layouts.of_keras_1(layer, own)) if isinstance(layer, Recurrent) else own
    return found


def _optimizer(root: Group) -> list[tuple[str, Tensor]]:
    if _OPTIMIZER not in root:
        return []
    group = root.group(_OPTIMIZER)
    return [(name, group.tensor(name)) for name in group.texts("weight_names")]


def _version(root: Group) -> str | None:
    """The version that wrote the file, which older ones say beside the weights alone."""
    found = root.text("keras_version")
    if found is None and _MODEL in root:
        found = root.group(_MODEL).text("keras_version")
    return found
