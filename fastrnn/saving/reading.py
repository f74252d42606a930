# SPDX-License-Identifier: Apache-2.0
"""Models from files."""

from __future__ import annotations

from typing import Any

from fastrnn.models.model import Model
from fastrnn.models.sequential import Sequential
from fastrnn.saving import contents, files, native
from fastrnn.saving.contents import Contents
from fastrnn.saving.entries import Objects
from fastrnn.saving.errors import ModelFileError
from fastrnn.saving.keras import archive as keras_archive
from fastrnn.saving.keras import legacy as keras_legacy
from fastrnn.saving.torch.state_files import check_no_state_dict

READERS = {".safetensors": native.read_model, ".keras": keras_archive.read_model, ".h5": keras_legacy.read_model,
            ".hdf5": keras_legacy.read_model}


def load_model(filepath: Any, custom_objects: Objects | None = None, compile: bool = True,
               safe_mode: bool = True) -> Sequential | Model:
    """The model in a file that fastrnn or Keras (3, 2 or 1) saved.

    Nothing that the file names is imported, evaluated or called; see docs/security.md. A `.safetensors` file is mapped
    into memory: its pages are read when they are needed, and processes that load the same file share them.

    Args:
        filepath: a `.safetensors`, `.keras` or `.h5` file; without a suffix, that of a `.safetensors` file.
        custom_objects: your own classes of layers, models, losses, metrics and optimizers, by the names that the file
            has; nothing else that it names is run.
        compile: compile the model as it was, with its optimizer's state, so that training goes on where it stopped.
        safe_mode: without effect, as there is no other mode.

    Returns:
        A `Sequential`, or a `Model` with branches.

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
    return build(open_model(filepath, custom_objects), compile, custom_objects)


def open_model(filepath: Any, custom_objects: Objects | None = None) -> Contents:
    """What a file has, without its weights being read."""
    check_no_state_dict(filepath)
    path = files.existing(filepath)
    suffix = files.suffix_of(path)
    if suffix not in READERS:
        raise ModelFileError(path, "", f"{suffix} files have weights alone; make the model and load them by "
                                       "load_weights")
    return READERS[suffix](files.mapped(path), path, custom_objects)


def build(found: Contents, compile: bool = True, custom_objects: Objects | None = None) -> Sequential | Model:
    """The model of what a file has."""
    contents.give_weights(found)
    if compile:
        contents.restore_training(found.model, found, custom_objects)
    model: Sequential | Model = found.model
    return model
