# SPDX-License-Identifier: Apache-2.0
"""Models and weights to files, in the format that the name asks for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import IO, Any

from fastrnn import ranks
from fastrnn.graph.blueprint import is_functional
from fastrnn.graph.configuration import configuration
from fastrnn.layers import LSTM, InputLayer, TimeDistributed, serialize
from fastrnn.layers.network import Network
from fastrnn.layers.table import own_classes
from fastrnn.saving import contents, entries, files, locations, native
from fastrnn.saving.errors import MAX_TEXT
from fastrnn.saving.keras import archive as keras_archive
from fastrnn.saving.keras import legacy as keras_legacy
from fastrnn.saving.keras import weights as keras_weights
from fastrnn.saving.torch.state_files import check_no_state_dict


def save_model(model: Any, filepath: Any, overwrite: bool = True, include_optimizer: bool = True) -> None:
    """Save a model: its layers, its weights, how it was compiled, and how far its training has come.

    The file is written as a whole or not at all: a process that is killed leaves the old file or the new one. Of
    several processes that train together the first alone writes.

    Args:
        model: a built one.
        filepath: the name chooses the format: `.keras`, Keras's older `.h5`, or `.safetensors`, fastrnn's own and the
            fastest, which is also taken, and added, where the name has no suffix.
        overwrite: replace a file that is there.
        include_optimizer: save how the model was compiled, and its optimizer's state.

    Raises:
        ValueError: the model is not built, the suffix is not known, or stands for weights alone, or for a format of
            Keras's while a layer is none that Keras has.
        FileExistsError: there is a file and `overwrite` is False.
        ImportError: h5py, which Keras's formats need, is not installed.
        OSError: the file cannot be written; an old one is as it was.

    Example:

    >>> import os, tempfile, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(model, os.path.join(folder, "encoder"))
    ...     os.listdir(folder)
    ['encoder.safetensors']
    """
    if not ranks.is_first():
        return
    path = _target(model, filepath, overwrite)
    config = model_config(model)
    kinds: dict[str, Callable[[IO[bytes]], None]] = {
        ".safetensors": lambda file: native.write_model(model, file, config, include_optimizer),
        ".keras": lambda file: keras_archive.write_model(model, file, config, include_optimizer),
        **dict.fromkeys((".h5", ".hdf5"),
                        lambda file: keras_legacy.write_model(model, file, config, include_optimizer)),
    }
    suffix = files.suffix_of(path)
    if suffix not in kinds:
        raise ValueError(f"{model}: whole models are saved as {', '.join(kinds)}, not as {suffix}; {suffix} takes "
                         "weights, by save_weights")
    _check_for(model, suffix)
    files.write_whole(path, kinds[suffix])


def save_weights(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Save a model's weights alone; of several processes that train together the first alone does.

    Args:
        model: a built one.
        filepath: the name chooses the format: `.weights.h5` (Keras 3's), `.h5` (Keras 2's), or `.safetensors`, which is
            also taken, and added, where the name has no suffix.
        overwrite: replace a file that is there.

    Raises:
        ValueError, FileExistsError, ImportError, OSError: as `save_model`.

    Example:

    >>> import os, tempfile, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(model, os.path.join(folder, "encoder.safetensors"))
    ...     os.listdir(folder)
    ['encoder.safetensors']
    """
    if not ranks.is_first():
        return
    path = _target(model, filepath, overwrite)
    kinds: dict[str, Callable[[IO[bytes]], None]] = {
        ".safetensors": lambda file: native.write_weights(model, file),
        ".weights.h5": lambda file: keras_weights.write(model, file),
        ".h5": lambda file: keras_legacy.write_weights(model, file),
        ".hdf5": lambda file: keras_legacy.write_weights(model, file),
    }
    suffix = files.suffix_of(path)
    if suffix not in kinds:
        raise ValueError(f"{model}: weights are saved as {', '.join(kinds)}, not as {suffix}, which takes whole "
                         "models, by save")
    _check_for(model, suffix)
    files.write_whole(path, kinds[suffix])


def load_weights(model: Any, filepath: Any) -> None:
    """Give a model the weights of a file of any of the formats, whole models included.

    After an error the model has the weights it had before, all of them.

    Args:
        model: a built one of the same layers.
        filepath: of the file.

    Raises:
        ModelFileError: a ValueError; the file is broken, or its weights are of another model.
        ValueError: the model is not built.
        FileNotFoundError: there is no such file.
        ImportError: h5py, which Keras's formats need, is not installed.

    Example:

    >>> import os, tempfile, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(model, os.path.join(folder, "encoder"))
    ...     again = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)])
    ...     load_weights(again, os.path.join(folder, "encoder"))
    >>> bool((again.layers[0].kernel == model.layers[0].kernel).all())
    True
    """
    check_no_state_dict(filepath)
    path = files.existing(filepath)
    if not model.built:
        raise ValueError(f"{model}: build the model before load_weights, by build(input_shape) or a first call")
    kinds = {".safetensors": native.read_weights, ".keras": keras_archive.read_weights,
             **dict.fromkeys((".weights.h5", ".h5", ".hdf5"), keras_legacy.read_weights)}
    data, places = files.mapped(path), locations.places(model)
    tensors, version = kinds[files.suffix_of(path)](data, path, places)
    contents.check(places, tensors, path)
    new = contents.of_today(model, places, tensors, version, path)
    for variable, value in zip(model.weights, new):
        variable.assign(value)


def model_config(model: Any) -> dict[str, Any]:
    """A model's configuration as Keras 3 writes it, and reads it: the input's shape in a layer of its own where it
    was given, beside the layers where data showed it."""
    if not model.built:
        raise ValueError(f"{model}: build the model before it is saved, by build(input_shape) or a first call")
    whole = _entry(model)
    if not is_functional(whole["config"]):
        whole["build_config"] = {"input_shape": model.input_shape}
    try:    # what cannot be read again is not to be written: a function of the user's own, a layer
        text = json.dumps(whole)
        if len(text) > MAX_TEXT:
            raise ValueError(f"its configuration takes {len(text)} bytes, at most {MAX_TEXT} can be read again; limit "
                             "vocabularies by max_tokens")
        found = entries.read_model(json.loads(text), str(model), 3, own_classes(model))
    except MemoryError:
        raise
    except (TypeError, ValueError) as error:
        raise ValueError(f"{model}: cannot be saved whole: {error}; save its weights by save_weights") from None
    lost = {place.native for place in locations.places(found)} ^ {place.native for place in locations.places(model)}
    if lost:
        raise ValueError(f"{model}: cannot be saved whole: a layer is in two models inside each other, which would be "
                         f"two layers in the file ({min(lost)}); save its weights by save_weights")
    return whole


def _entry(layer: Any) -> dict[str, Any]:
    """The configuration of a layer, or a model, by itself: what says the shape of its input is `_input`'s."""
    entry = serialize(layer)
    config = entry["config"] = dict(entry["config"])
    config.pop("batch_input_shape", None)
    if is_functional(config):
        config.update(configuration(layer.graph, _entry))
    elif isinstance(layer, Network) and not locations.is_own_model(layer):
        config["layers"] = [*_input(layer), *map(_entry, layer.layers)]
    elif isinstance(layer, TimeDistributed):
        config["layer"] = _entry(layer.layer)
    return entry


def _input(line: Any) -> list[dict[str, Any]]:
    """The input of a line of layers whose user said its shape, be it in an `Input` or in the first layer."""
    if not line._strict:
        return []
    layer = line._input or InputLayer(batch_shape=line.input_shape, name=line.input_name)
    entry = serialize(layer)
    if entry["config"].get("dtype") is None:
        entry["config"]["dtype"] = line.default_input_dtype
    return [entry]


def _check_for(model: Any, suffix: str) -> None:
    """Refuse what Keras's formats have no place for."""
    for layer in model.walk():
        if suffix != files.NATIVE and isinstance(layer, LSTM) and layer.use_peepholes:
            raise ValueError(f"{layer} use_peepholes: expected False, as Keras has no such layer and {suffix} files no "
                             f"place for its weights, got True; save as {files.NATIVE}")


def _target(model: Any, filepath: Any, overwrite: bool) -> str:
    path = files.with_suffix(filepath)
    if not model.built:
        raise ValueError(f"{model}: build the model before it is saved, by build(input_shape) or a first call")
    files.check_free(path, overwrite)
    return path
