# SPDX-License-Identifier: Apache-2.0
"""Models that workers load."""

from __future__ import annotations

import functools
import os
import platform
from typing import Any

from fastrnn.saving.reading import load_model


@functools.lru_cache(maxsize=4)
def loaded(path: str) -> Any:
    """The model of a file, loaded once a process. Of the native format the file is mapped, so that the processes of a
    machine share one copy of its weights.

    Raises:
        FileNotFoundError: this machine has no such file.
    """
    try:
        return load_model(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}: a worker on {platform.node()} looked for it; put the file where every "
                                "worker can read it, under one path") from None


def checked_path(path: Any, who: str) -> str:
    """An absolute path, which a worker takes as the driver does.

    Raises:
        TypeError: it is no path.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"{who}: expected the path of a saved model, got {type(path).__name__}; save it by "
                        "model.save(path)")
    return os.path.abspath(os.fspath(path))
