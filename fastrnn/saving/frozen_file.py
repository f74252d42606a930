# SPDX-License-Identifier: Apache-2.0
"""Files of frozen models: safetensors with the weights as the kernels read them beside those that layers have.

A process maps the file and reads from it, so processes that serve one model share its memory, and nothing is packed
when it starts. On a processor whose kernels have another layout the weights are packed as those of any model.
"""

from __future__ import annotations

import json
from typing import IO, Any

import numpy as np

from fastrnn import _core
from fastrnn._version import __version__
from fastrnn.models.model import Model
from fastrnn.saving import config, contents, files, locations, native, safetensors
from fastrnn.saving.contents import Contents
from fastrnn.saving.entries import Objects, read_model
from fastrnn.saving.errors import ModelFileError
from fastrnn.saving.reading import load_model
from fastrnn.saving.tensors import Tensor
from fastrnn.saving.writing import model_config
from fastrnn.serving.freezing import Fold, FrozenNetwork, runners_of
from fastrnn.serving.frozen import Frozen

_PACKED = "packed"


def save_frozen(frozen: Frozen, filepath: Any, overwrite: bool = True) -> None:
    """Write a frozen model, as a whole or not at all; see `Frozen.save`."""
    path = files.with_suffix(filepath)
    if not path.endswith(files.NATIVE):
        raise ValueError(f"save: expected a {files.NATIVE} file for a frozen model, got {path}; no other format has "
                         "one")
    files.check_free(path, overwrite)
    files.write_whole(path, lambda file: _write(frozen, file))


def _write(frozen: Frozen, file: IO[bytes]) -> None:
    network = frozen.network
    model = Model(network.input, network.output, name=network.name)
    layers = list(network.walk())
    kernels = _core.kernels(network.dtype)
    tables = network.folded_tables()
    parts, sizes = [], []
    for runner in runners_of(network):
        found = [*runner.packed(), *([runner.folded_table()] if id(runner) in tables else [])]
        sizes.append([len(part) for part in found])
        parts += [_padded(part) for part in found]
    arrays = {place.native: place.variable.data for place in locations.places(model)}
    metadata = {
        "format": native.FROZEN, "fastrnn_version": __version__, "config": json.dumps(model_config(model)),
        "precision": frozen.precision, "identity": frozen.identity().hex(),
        "gone": json.dumps([index for index, layer in enumerate(layers) if network.is_gone(layer)]),
        "folds": json.dumps([list(fold) for fold in network.folds]), "fold_bytes": json.dumps(network.fold_bytes),
        "layout": json.dumps([kernels.VECTOR_LENGTH, network.dtype]), "sizes": json.dumps(sizes),
    }
    packed = {_PACKED: np.concatenate(parts)} if parts else {}
    safetensors.write(file, {**packed, **arrays}, metadata, first=_PACKED)


def _padded(part: np.ndarray) -> np.ndarray:
    return np.concatenate([part, np.zeros(_padding(len(part), part), part.dtype)])


def _padding(count: int, array: np.ndarray) -> int:
    """Elements that so many of the array's dtype lack to whole cache lines, so that the next part begins at one."""
    return -count % (64 // array.itemsize)


def is_frozen(filepath: Any) -> bool:
    """Whether a file has a frozen model.

    Raises:
        ModelFileError, FileNotFoundError: it is a broken safetensors file; there is none.
    """
    path = files.existing(filepath)
    return path.endswith(files.NATIVE) and safetensors.read(files.mapped(path), path)[1].get("format") == native.FROZEN


def open_frozen(filepath: Any) -> Frozen:
    """The model of a file, frozen: as the file has it, or once it is loaded."""
    return load_frozen(filepath) if is_frozen(filepath) else load_model(filepath, compile=False).freeze()


def load_frozen(filepath: Any, custom_objects: Objects | None = None) -> Frozen:
    """The frozen model in a file; see `fastrnn.serving.load`."""
    path = files.existing(filepath)
    stored, metadata = safetensors.read(files.mapped(path), path)
    if metadata.get("format") != native.FROZEN:
        raise ModelFileError(path, "header: __metadata__", "the file has no frozen model; load it by load_model, and "
                                                           "freeze that")
    said = {key: config.parse_json(metadata.get(key, "null"), path, key)
            for key in ("config", "gone", "folds", "fold_bytes", "layout", "sizes")}
    packed = stored.pop(_PACKED, None)
    model = read_model(said["config"], path, 3, custom_objects)
    contents.give_weights(Contents(path, 3, model, lambda places: native.find(stored, places, path), None, tuple, None))
    folds = _folds(said["folds"], path)
    layers = list(model.walk())
    gone = said["gone"]
    if not isinstance(gone, list) or not all(type(one) is int and 0 <= one < len(layers) for one in gone) \
            or type(said["fold_bytes"]) is not int:
        raise ModelFileError(path, "gone", "expected numbers of layers")
    network = FrozenNetwork.restored(model, [layers[index] for index in gone], folds, said["fold_bytes"])
    if packed is not None and said["layout"] == [_core.kernels(network.dtype).VECTOR_LENGTH, network.dtype]:
        _take(network, packed, said["sizes"], path)
    network.fold_tables()
    try:
        identity = bytes.fromhex(metadata.get("identity", ""))
    except ValueError:
        identity = b""
    if len(identity) != 32:
        raise ModelFileError(path, "identity", "expected 32 bytes in hexadecimal digits")
    return Frozen.restored(network, metadata.get("precision", ""), identity)


def _folds(said: Any, path: str) -> list[Fold]:
    if not isinstance(said, list) or not all(
            isinstance(fold, list) and len(fold) == 3 and [type(one) for one in fold] == [str, str, int]
            for fold in said):
        raise ModelFileError(path, "folds", "expected lists of two names and a size")
    return [Fold(*fold) for fold in said]


def _take(network: FrozenNetwork, packed: Tensor, sizes: Any, path: str) -> None:
    """Have the runners read what the file has packed."""
    runners = list(runners_of(network))
    if not isinstance(sizes, list) or len(sizes) != len(runners):
        raise ModelFileError(path, "sizes", f"expected those of {len(runners)} layers")
    array, at = packed.read(), 0
    if array.ctypes.data % 64:
        return                          # the system has mapped it elsewhere: it is packed anew
    tables = network.folded_tables()
    for runner, counts in zip(runners, sizes):
        parts = []
        for count in counts if isinstance(counts, list) else [counts]:
            if type(count) is not int or not 0 <= count <= len(array) - at:
                raise ModelFileError(path, "sizes", f"expected sizes within {len(array)} packed elements")
            parts.append(array[at:at + count])
            at += count + _padding(count, array)
        try:
            if id(runner) in tables:
                runner.take_folded(tables[id(runner)], parts.pop())
            runner.take_packed(parts)
        except (IndexError, ValueError) as error:
            raise ModelFileError(path, _PACKED, f"the packed weights are of another model: {error}") from None

