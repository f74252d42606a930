# SPDX-License-Identifier: Apache-2.0
"""Models from files."""

from __future__ import annotations

from typing import Any

from fastrnn.layers import InputLayer
from fastrnn.models.sequential import Sequential
from fastrnn.saving import contents, files, native
from fastrnn.saving.contents import Contents
from fastrnn.saving.errors import ModelFileError
from fastrnn.saving.keras import archive as keras_archive
from fastrnn.saving.keras import legacy as keras_legacy
from fastrnn.saving.torch.state_files import check_no_state_dict

READERS = {".safetensors": native.read_model, ".keras": keras_archive.read_model, ".h5": keras_legacy.read_model,
            ".hdf5": keras_legacy.read_model}


def load_model(filepath: Any, compile: bool = True) -> Sequential:
    """The model in a file that fastrnn or Keras (3, 2 or 1) saved.

    Nothing that the file names is imported, evaluated or called; see docs/security.md. A `.safetensors` file is mapped
    into memory: its pages are read when they are needed, and processes that load the same file share them.

    Args:
        filepath: a `.safetensors`, `.keras` or `.h5` file; without a suffix, that of a `.safetensors` file.
        compile: compile the model as it was, with its optimizer's state, so that training goes on where it stopped.

    Raises:
        ModelFileError: a ValueError; the file is broken, or has something that fastrnn does not: says what, and where.
        FileNotFoundError: there is no such file.
        ImportError: h5py, which Keras's formats need, is not installed.

    Example:

    >>> import os, tempfile, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(os.path.join(folder, "encoder"))
    ...     os.listdir(folder), load_model(os.path.join(folder, "encoder")).count_params()
    (['encoder.safetensors'], 128)
    """
    return build(open_model(filepath), compile)


def open_model(filepath: Any) -> Contents:
    """What a file has, without its weights being read."""
    check_no_state_dict(filepath)
    path = files.existing(filepath)
    suffix = files.suffix_of(path)
    if suffix not in READERS:
        raise ModelFileError(path, "", f"{suffix} files have weights alone; make the model and load them by "
                                       "load_weights")
    return READERS[suffix](files.mapped(path), path)


def build(found: Contents, compile: bool = True) -> Sequential:
    """The model of what a file has."""
    stack = found.stack
    has_layers = any(not isinstance(layer, InputLayer) for layer in stack.layers)
    if has_layers:
        contents.give_weights(found)
    model = Sequential(name=stack.name, trainable=stack.trainable)
    try:
        for layer in stack.layers:
            model.add(layer)
        if has_layers and not model.built:
            model.build(stack.input_shape)
    except (TypeError, ValueError) as error:
        raise ModelFileError(found.file, "config", str(error)[:500]) from None
    if compile:
        contents.restore_training(model, found)
    return model
