# SPDX-License-Identifier: Apache-2.0
"""Models in extensions of C, C++, Cython and Rust, which step them without Python; `include/fastrnn.h` says how."""

from __future__ import annotations

import os
from typing import Any

from fastrnn import _core, runtime
from fastrnn.saving import frozen_file
from fastrnn.serving.frozen import Frozen

__all__ = ["get_include", "model_capsule", "open_frozen"]

#: The functions that the header calls, in a capsule; its version is checked by `fastrnn_import`.
stream_api = _core.kernels("float32").stream_api


def get_include() -> str:
    """The folder of `fastrnn.h`, for the `include_dirs` of an extension.

    Example:

    >>> import os, fastrnn
    >>> os.listdir(fastrnn.get_include())
    ['fastrnn.h']
    """
    return os.path.join(os.path.dirname(__file__), "include")


def open_frozen(path: Any) -> Frozen:
    """The model of a file, frozen: what `fastrnn_open` opens.

    Args:
        path: of a file that a frozen model's `save` wrote, or one that `load_model` reads; as str, bytes or a path.

    Raises:
        ModelFileError: a ValueError; the file is broken, or no model's.
        FileNotFoundError: there is no such file.

    Example:

    >>> import os, tempfile, fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(os.path.join(folder, "encoder.safetensors"))
    ...     frozen = open_frozen(os.path.join(folder, "encoder.safetensors"))
    >>> frozen.stream().slots
    [0]
    """
    return frozen_file.open_frozen(os.fsdecode(path))


def model_capsule(frozen: Frozen) -> Any:
    """A model for `fastrnn_from_python`: a capsule "fastrnn.model", whose pointer is a `fastrnn_model`.

    Args:
        frozen: from `model.freeze()`.

    Raises:
        ValueError: a layer cannot run step by step, or not without Python: names it.
        TypeError: it is no frozen model.

    Example:

    >>> import fastrnn
    >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.GRU(4)])
    >>> model_capsule(model.freeze())
    <capsule object "fastrnn.model" at ...>
    """
    if not isinstance(frozen, Frozen):
        raise TypeError(f"model_capsule frozen: expected a model's freeze(), got {type(frozen).__name__}")
    kernels, schedule = _core.kernels(frozen.network.dtype), frozen.network.schedule()
    in_python = kernels.layers_in_python(frozen.program)
    if in_python:
        raise ValueError(f"C interface: {', '.join(map(str, in_python))} runs in Python; "
                         "step the model from Python, by frozen.stream(), or build it without")
    gives_steps = schedule.ranks[schedule.outputs[0]] == 3
    return kernels.model_capsule(frozen.program, gives_steps, runtime.get_num_threads)
