# SPDX-License-Identifier: Apache-2.0
"""Packages that fastrnn uses where they are there."""

from __future__ import annotations

import importlib
from typing import Any


def package(name: str, need: str, extra: str) -> Any:
    """A package that only some formats need, imported when it is used.

    Args:
        name: of the package.
        need: who needs it, for the error: "ONNX files need".
        extra: of fastrnn, which installs it.

    Raises:
        ImportError: it is not installed; says how to install it.

    Example:

    >>> package("nothing", "Files of nothing need", "all")
    Traceback (most recent call last):
    ImportError: Files of nothing need nothing: pip install 'fastrnn[all]'
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f"{need} {name}: pip install 'fastrnn[{extra}]'") from error
