# SPDX-License-Identifier: Apache-2.0
"""Trained models in service: frozen, as streams that carry their states, and in C."""

from typing import Any

from fastrnn.serving.c_export import export_c
from fastrnn.serving.frozen import Frozen, files
from fastrnn.serving.streaming import Stream

__all__ = ["Frozen", "Stream", "export_c", "load"]


def load(filepath: Any, custom_objects: Any = None) -> Frozen:
    """The frozen model in a file that `Frozen.save` wrote. The file is mapped into memory: its pages are read when they
    are needed, and processes that load the same file share them.

    Nothing that the file names is imported, evaluated or called. What its kernels read is taken as it is: a file that
    somebody has changed gives other results, but no access beyond its arrays.

    Args:
        filepath: the file; without a suffix, that of a `.safetensors` file.
        custom_objects: your own classes of layers, by the names that the file has.

    Raises:
        ModelFileError: a ValueError; the file is broken, or no frozen model: says what, and where.
        FileNotFoundError: there is no such file.

    Example:

    >>> import os, tempfile, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.freeze().save(os.path.join(folder, "encoder"))
    ...     fastrnn.serving.load(os.path.join(folder, "encoder"))([[[1, 2, 3]]]).shape
    (1, 4)
    """
    frozen: Frozen = files().load_frozen(filepath, custom_objects)
    return frozen
