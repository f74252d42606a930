# SPDX-License-Identifier: Apache-2.0
"""Data sets that Keras has, from where Keras has them; each module has a `load_data`.

A file is downloaded once, checked against its hash, and kept where Keras keeps it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fastrnn.registry import absent

if TYPE_CHECKING:
    from fastrnn.datasets import (
        boston_housing,
        california_housing,
        cifar10,
        cifar100,
        fashion_mnist,
        imdb,
        mnist,
        reuters,
    )

__all__ = ["boston_housing", "california_housing", "cifar10", "cifar100", "fashion_mnist", "imdb", "mnist", "reuters"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise absent(__name__, name, __all__)
    return importlib.import_module(f"fastrnn.datasets.{name}")


def __dir__() -> list[str]:
    return __all__
